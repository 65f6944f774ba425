"""The acceptance run over a status feed, through the command line: for the real feed and for the hand-written one."""

import io
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster_project.application.overview import CandidateOverview, candidate_views, incident_overviews
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.cli.development import seed_dagster_home
from dagster_project.clock import FixedClock
from dagster_project.settings import Settings
from tests.support.command_line import Answer, CommandLine, fresh_command_line
from tests.support.feed_expectations import (
    CAUSES_IN_THE_DATA,
    Feed,
    check_page,
    read,
    runs_of_words,
    update_texts,
    words_that_came_along,
)

BRIDGE = "harbourline"


@dataclass(frozen=True)
class Accepted:
    """A feed that was taken in: the command line of its deployment, what was said, and what was logged meanwhile."""

    run: CommandLine
    location: Path
    answers: tuple[Answer, ...]
    logged: str

    @property
    def feed(self) -> Feed:
        """The feed as it lies there."""
        return read(self.location)

    def workspace(self) -> Workspace:
        """Open the deployment."""
        return open_workspace(Settings(home=self.run.home, keys=self.run.keys))

    def pages(self) -> dict[str, CandidateOverview]:
        """Return the latest candidate of every incident, by incident."""
        return {one.incident: candidate for one in incident_overviews(self.workspace()) for candidate in one.candidates}


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Collect what any logger says, down to DEBUG."""
    heard = io.StringIO()
    handler, root = logging.StreamHandler(heard), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def take_in(location: Path, folder: Path) -> Accepted:
    """Ingest a feed and refresh every incident at its end, as issue and README say it."""
    run = fresh_command_line(folder)
    with everything_logged() as heard:
        answers = (
            run("ingest", "google-cloud", str(location)),
            run("refresh", "--all", "--at", "feed-end"),
            run("status"),
        )
    return Accepted(run, location, answers, heard.getvalue())


def play(location: Path, folder: Path) -> Accepted:
    """Play a feed in time order under a simulated clock."""
    run = fresh_command_line(folder)
    with everything_logged() as heard:
        answers = (run("replay", "google-cloud", str(location), "--json"),)
    return Accepted(run, location, answers, heard.getvalue())


def check_pages(accepted: Accepted) -> dict[str, Any]:
    """Require every incident to end in a page that says what the feed says; return the figures.

    A page that did not pass must have a cause that lies in the data; what it says is checked all the same.
    """
    pages = accepted.pages()
    incidents = {one["id"].upper(): one for one in accepted.feed}
    assert set(pages) == set(incidents)
    causes: Counter[str] = Counter()
    left_out: dict[str, list[str]] = {}
    for name, page in sorted(pages.items()):
        check_page(incidents[name], page.content)
        codes = {reason.code for reason in page.reasons}
        if page.publication_state != "candidate":
            left_out[name] = sorted(codes)
            assert codes, name
            assert codes <= CAUSES_IN_THE_DATA, (name, codes)
        causes.update(codes)
    return {
        "incidents": len(pages),
        "passed": len(pages) - len(left_out),
        "left out": left_out,
        "causes": dict(causes),
        "statuses": dict(Counter(page.content["incident_status"] for page in pages.values())),
    }


def check_no_text_came_along(accepted: Accepted) -> int:
    """Require that no five words of any update text are in a package, view, log or answer; return what was searched."""
    forbidden = runs_of_words(update_texts(accepted.feed))
    assert forbidden
    shown = [accepted.logged, *(one.everything for one in accepted.answers)]
    workspace = accepted.workspace()
    for name, page in accepted.pages().items():
        shown.append(str(page.content))
        if page.publication_state == "candidate":
            shown += [body.decode() for body in candidate_views(workspace, name, BRIDGE).values()]
        shown += [accepted.run(*arguments, name).everything for arguments in (["history"], ["history", "--json"])]
        shown += [accepted.run(*arguments, name, BRIDGE).everything for arguments in (["show"], ["explain"])]
    for one in shown:
        assert words_that_came_along(forbidden, one) == frozenset()
    return sum(map(len, shown))


def check_histories(accepted: Accepted) -> dict[str, int]:
    """Require a history of contents, in order of time, for every incident; return how many each has."""
    counts = {}
    for incident in accepted.feed:
        name = incident["id"].upper()
        history = accepted.run("history", name, "--json").json["candidates"]
        instants = [one["evaluated_at"] for one in history]
        numbers = [one["content_number"] for one in history]
        assert instants == sorted(instants), name
        assert sorted(set(numbers)) == list(range(1, numbers[-1] + 1)), name
        assert numbers == sorted(numbers), name
        # An incident whose state changed over time has had several pages.
        states = {update["created"]: update["status"] for update in incident["updates"]}
        assert numbers[-1] >= min(2, len(set(states.values()))), name
        check_page(incident, history[-1]["content"])
        counts[name] = numbers[-1]
    return counts


def check_dagster(accepted: Accepted, names: list[str]) -> None:
    """Run incidents through Dagster, each at its end: the runs succeed and what Dagster keeps holds no update text."""
    from dagster_project.jobs import demo_runner  # noqa: PLC0415 - Dagster takes seconds to import

    opened = accepted.workspace()
    clock = FixedClock(max(page.evaluated_at for page in accepted.pages().values()))
    workspace = replace(opened, clock=clock)
    seed_dagster_home(workspace.settings)
    with everything_logged() as heard, demo_runner(workspace) as run:
        for name in names:
            clock.set(accepted.pages()[name].evaluated_at)
            assert run(name).success, name
    kept = [path.read_bytes().decode(errors="replace") for path in workspace.settings.dagster_home.rglob("*.db*")]
    assert any(names[0] in text for text in kept)
    forbidden = runs_of_words(update_texts(accepted.feed))
    for text in (heard.getvalue(), *kept):
        assert words_that_came_along(forbidden, text) == frozenset()
