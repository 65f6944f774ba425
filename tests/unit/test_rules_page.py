"""The page of rules is what the rule data says, and shows no example that the scanner would find a secret in."""

from pathlib import Path

import pytest

from dagster_project.application.rule_book import ELLIPSIS, rule_book, shown_example
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import LiteralPreselector
from dagster_project.scanning.shipped import shipped_rules, shipped_writing_rules
from tests.support.command_line import CommandLine, fresh_command_line
from tests.support.drawn_examples import drawn

PAGE = Path(__file__).parents[2] / "docs" / "writing_rules.md"


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    return fresh_command_line(tmp_path)


def test_the_page_in_the_documentation_is_what_the_rules_say(run: CommandLine) -> None:
    made = run("rules", "--markdown")
    assert made.code == 0
    assert made.out == PAGE.read_text(encoding="utf-8"), "run: channelsafe rules --markdown > docs/writing_rules.md"


def test_the_page_has_every_rule_with_reason_source_and_examples(run: CommandLine) -> None:
    page = run("rules", "--markdown").out
    for rule in shipped_writing_rules().rules:
        part = page.partition(f"### {rule.id} ")[2].partition("\n#")[0]
        assert all(text in part for text in (rule.title, rule.says, rule.why, rule.source)), rule.id
        expected = ("Passes", "Does not pass") if rule.judges_texts else ("Enforced", "Shown by")
        assert all(f"- {one}: " in part for one in expected), rule.id
    for one in rule_book().scanner_rules:
        assert f"| {one.type} | {one.id} |" in page


def test_nothing_that_a_rule_of_the_scanner_finds_in_its_example_is_shown_whole(run: CommandLine) -> None:
    table = run("rules", "--markdown").out.partition("## What the scanner finds")[2]
    shown = table + str(run("rules", "--json").json["scanner_rules"])
    for rule in shipped_rules():
        if rule.tier == "wording" or not rule.positives:
            continue
        example = drawn(rule.positives[0])
        found = Scanner(LiteralPreselector([rule]), key=b"k" * 32).scan(example)
        assert found != [], rule.id
        assert not [one for one in found if example[one.start : one.end] in shown], rule.id
        assert ELLIPSIS in shown_example(rule), rule.id


def test_rules_are_listed_for_people_and_for_programs(run: CommandLine) -> None:
    text = run("rules")
    assert text.code == 0
    assert any(line.startswith("N11 ") and "warns" in line for line in text.out.splitlines())
    told = run("rules", "--json").json
    assert [one["id"] for one in told["writing_rules"]] == [one.id for one in shipped_writing_rules().rules]
    assert {one["type"] for one in told["scanner_rules"]} >= {"SECRET", "EMAIL_ADDRESS", "IP_ADDRESS"}
    assert told["seen"]["incidents"] == 157
    assert run("rules", "--json", "--markdown").code == 2
