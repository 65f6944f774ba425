"""Of all commands only `annex open` prints a restricted value, and it is in the audit log then.

Every command of the program is asked, those that are added later too: what to ask it with follows from the names and
types of its parameters.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from dagster_project.cli.main import channelsafe
from dagster_project.demo.scenario import restricted_values
from tests.support.played_stories import FEED_SAMPLE
from tests.support.review_room import BRIDGE, INCIDENT, ReviewRoom, open_room

OPENING: Final = ("annex", "open")
# These run until they are stopped, or begin a store of their own.
NOT_ASKED: Final = {("demo",), ("dev",), ("receive",)}
# Where a question is answered, something was looked at; else this test would prove nothing.
ANSWERED: Final = {
    ("status",), ("history",), ("show",), ("explain",), ("verify",), ("refresh",), ("exposure",), ("annex", "list"),
    ("annex", "open"), ("audit", "export"), ("audit", "verify"), ("profile", "show"),
    ("replay", "candidate"), ("replay", "version"), ("review", "hold"), ("review", "list"), ("review", "show"),
    ("trust", "show"),
}  # fmt: skip


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is no group, by its words."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    """A deployment with restricted values of every audience, a version, and a hold."""
    made = open_room(tmp_path_factory.mktemp("room"), (1, 2, 3, 4, 5, 6))
    made.release_first()
    return made


def security_annex(room: ReviewRoom) -> str:
    (stage,) = room.done("annex", "list", INCIDENT, "--version", "1")
    return next(str(one["annex"]) for one in stage["annexes"] if one["audience"] == "security")


def words_of(room: ReviewRoom, command: click.Command, annex: str, folder: Path) -> Iterator[str]:
    """Yield arguments and options that a command needs, so that it has something to answer."""
    known = {
        "incident": INCIDENT,
        "incidents": INCIDENT,
        "bridge": BRIDGE,
        "pointer": "/severity_code",
        "pointers": "/severity_code",
        "field": "/severity_code",
        "location": str(FEED_SAMPLE),
        "key_file": str(room.key("selma")),
        "code": annex,
        "role": "security",
        "profile": "customer_bridge",
        "person": "selma",
        "subject": INCIDENT,
        "data": '{"state": "mitigating"}',
    }
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if parameter.required:
                yield from (parameter.opts[-1], known.get(str(parameter.name)) or _any(parameter, folder))
        elif parameter.required or str(parameter.name) in {"incidents", "pointers"}:
            yield known.get(str(parameter.name)) or _any(parameter, folder)


def _any(parameter: click.Parameter, folder: Path) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, click.Path | click.File):
        return str(folder / "file")
    return "1"


def test_no_command_but_the_opening_of_an_annex_shows_a_restricted_value(
    room: ReviewRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write a file where they are run
    values = {one.where: one.value.casefold() for one in restricted_values()}
    annex, answered = security_annex(room), set()
    asked = room.copy(tmp_path / "asked")
    for path, command in commands(channelsafe):
        if path in NOT_ASKED:
            continue
        words = [*path, *words_of(asked, command, annex, tmp_path)]
        takes_json = any(parameter.name == "as_json" for parameter in command.params)
        answers = [asked.run(*words, *how) for how in ([], ["--json"])[: 1 + takes_json]]
        answered |= {path for answer in answers if answer.code == 0}
        heard = "\n".join(answer.everything for answer in answers).casefold()
        shown = {where for where, value in values.items() if value in heard}
        assert bool(shown) is (path == OPENING), (path, shown)
    assert answered >= ANSWERED, ANSWERED - answered
    actions = [line for line in asked.run("audit", "export").out.splitlines() if '"annex_opened"' in line]
    assert len(actions) == 2


def test_no_option_names_the_person_in_whose_name_an_annex_is_opened() -> None:
    opening = dict(commands(channelsafe))[OPENING]
    assert {str(one.name) for one in opening.params} == {"incident", "code", "role", "reason", "key_file", "as_json"}
