"""A deployment in the present whose people review by the command line alone: key files, trust, profile, sample records.

Everything is done as an operator and reviewers do it, command by command; nothing goes past the command line.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.clock import format_instant
from tests.support.command_line import Answer, CommandLine, fresh_command_line
from tests.support.present_day import step_in_the_present
from tests.support.review_people import PEOPLE

INCIDENT = "INC-4711"
BRIDGE = "harbourline"
# Whom the first release to a bridge asks for (R3).
FIRST = ("ines", "selma", "ada")


@dataclass(frozen=True)
class ReviewRoom:
    """One deployment with its people's key files."""

    folder: Path

    @property
    def run(self) -> CommandLine:
        """The command line."""
        return fresh_command_line(self.folder)

    def key(self, person: str) -> Path:
        """Return the key file of a person."""
        return self.folder / f"{person}.key"

    def done(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
        """Run a command that must succeed, and return its JSON."""
        answer = self.run(*arguments, "--json")
        assert (answer.code, answer.err) == (0, ""), answer.everything
        return answer.json

    def decide(self, person: str, act: str, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
        """Let a person decide what must be accepted."""
        return self.done("review", act, INCIDENT, *arguments, "--key", str(self.key(person)))

    def ask(self, person: str, act: str, *arguments: str) -> Answer:
        """Let a person ask for a decision that may be refused."""
        return self.run("review", act, INCIDENT, *arguments, "--key", str(self.key(person)))

    def shown(self, bridge: str = BRIDGE) -> Any:  # noqa: ANN401 - any JSON value
        """Return what a reviewer is shown."""
        return self.done("review", "show", INCIDENT, bridge)

    def release_first(self, bridge: str = BRIDGE) -> Any:  # noqa: ANN401 - any JSON value
        """Have everybody asked approve the page of a bridge, and release it."""
        for person in FIRST:
            self.decide(person, "approve", bridge)
        return self.done("release", INCIDENT, bridge)

    def deliver(self, *steps: int) -> None:
        """Let steps of the sample scenario arrive now, and refresh."""
        for number in steps:
            file = self.folder / f"step-{number}.ndjson"
            file.write_bytes(step_in_the_present(number))
            self.run("ingest", "landing", str(file))
        assert self.run("refresh", INCIDENT).code == 0

    def copy(self, folder: Path) -> "ReviewRoom":
        """Return a copy of the deployment, for a test of its own."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return ReviewRoom(folder)


def open_room(folder: Path, steps: Sequence[int] = (1, 2)) -> ReviewRoom:
    """Make a deployment with people who are trusted, a profile in force, and a candidate on each bridge."""
    room = ReviewRoom(folder)
    lines = [f"expires: {format_instant(datetime.now(UTC) + timedelta(days=300))}", "threshold: 2", "people:"]
    for person, roles in PEOPLE.items():
        made = room.done("keys", "person", person, "--out", str(room.key(person)))
        lines += [f"  {person}:", f"    roles: [{', '.join(roles)}]", "    custodian: true"]
        lines += [f"    keys: ['{made['public']}']"]
    people = folder / "people.yaml"
    people.write_text("\n".join(lines) + "\n", encoding="utf-8")
    room.done("trust", "init", str(people), "--key", str(room.key("ines")), "--key", str(room.key("sam")))
    room.done("profile", "load", "customer_bridge")
    proposed = room.done("profile", "propose", "customer_bridge", "--key", str(room.key("ada")))
    for person in ("ines", "sam", "selma", "leo"):
        room.done("profile", "approve", proposed["profile_digest"], "--key", str(room.key(person)))
    room.deliver(*steps)
    return room
