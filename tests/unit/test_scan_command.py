"""`channelsafe scan`: every line is scanned or named, places are code points, and the exit code says what was found."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Answer, fresh_command_line

ADDRESS = "ana@example.org"


def scanned(folder: Path, *lines: str | dict[str, Any], arguments: tuple[str, ...] = ("--json",)) -> Answer:
    file = folder / "lines.jsonl"
    file.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return fresh_command_line(folder)("scan", "--jsonl", str(file), *arguments)


def findings(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(one) for one in answer.out.splitlines()]


def test_findings_are_told_for_every_line_in_code_points_and_end_with_one(tmp_path: Path) -> None:
    answer = scanned(tmp_path, {"id": "a", "text": f"\U0001f600 {ADDRESS}"}, {"id": "b", "text": "none"})
    (found, none) = findings(answer)
    (one,) = found["findings"]
    assert {name: one[name] for name in ("rule", "type", "start", "end")} == {
        "rule": "P-EMAIL", "type": "EMAIL_ADDRESS", "start": 2, "end": 17,
    }  # fmt: skip
    assert one["digest"].startswith("hmac-sha256:")
    assert set(one) == {"rule", "type", "start", "end", "digest"}
    assert (found["id"], none) == ("a", {"id": "b", "findings": []})
    assert answer.code == 1
    assert ADDRESS not in answer.everything


def test_nothing_found_ends_with_zero(tmp_path: Path) -> None:
    assert scanned(tmp_path, {"id": "b", "text": "none"}, "").code == 0
    assert scanned(tmp_path).code == 0


@pytest.mark.parametrize(
    "bad",
    [
        '{"id": 1, "text": "secretish"}',
        '{"id": "x"}',
        '{"id": "x", "text": "a", "more": "secretish"}',
        '{"id": "x", "text": "secretish", "text": "b"}',
        '[["id", "x"], ["text", "secretish"]]',
        '{"id": "x", "text": "secretish',
        "secretish",
        "[" * 100_000,
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_every_other_one_is_scanned(tmp_path: Path, bad: str) -> None:
    answer = scanned(tmp_path, {"id": "a", "text": ADDRESS}, bad, {"id": "c", "text": ADDRESS})
    assert answer.code == 3
    assert [(one["id"], len(one["findings"])) for one in findings(answer)] == [("a", 1), ("c", 1)]
    assert "lines 2\n" in answer.err
    assert "secretish" not in answer.everything


def test_bytes_that_are_no_text_are_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"id": "a", "text": "\xff"}\n')
    assert fresh_command_line(tmp_path)("scan", "--jsonl", str(file)).code == 3


def test_a_file_that_is_not_there_ends_with_three_and_a_wrong_call_with_two(tmp_path: Path) -> None:
    command = fresh_command_line(tmp_path)
    assert command("scan", "--jsonl", str(tmp_path / "none")).code == 3
    assert command("scan").code == 2
    assert command("scan", "--jsonl", "x", "--engine", "best").code == 2


def test_terms_of_a_file_are_found_in_every_spelling_and_short_ones_are_counted(tmp_path: Path) -> None:
    terms = tmp_path / "terms.txt"
    terms.write_text("mx-relay07\n\nab\n")
    answer = scanned(tmp_path, {"id": "a", "text": "on MX_Relay 07."}, arguments=("--json", "--terms", str(terms)))
    (one,) = findings(answer)[0]["findings"]
    assert (one["type"], one["start"], one["end"]) == ("DENIED_TERM", 3, 14)
    assert "1 terms are too short" in answer.err
    assert "relay" not in answer.everything.lower()


def test_both_engines_can_be_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("hyperscan")
    answers = [
        scanned(tmp_path, {"id": "a", "text": f"to {ADDRESS}"}, arguments=("--engine", engine))
        for engine in ("pure", "hyperscan", "fastest")
    ]
    assert {one.out for one in answers} == {"a: P-EMAIL EMAIL_ADDRESS 3-18\n"}
