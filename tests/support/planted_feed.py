"""The acceptance of a feed with internal state planted around it: replayed, reviewed, released, published, searched."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import PUBLIC_FILE, VIEWS
from dagster_project.application.drafting_decisions import versions_of_incident
from dagster_project.application.overview import incident_overviews
from dagster_project.application.projecting import project
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.publication import PACKAGE, version_folder
from tests.support.feed_expectations import Feed, check_page, read, runs_of_words, words_that_came_along
from tests.support.leak_search import LeakSearch, forms
from tests.support.planted_state import SLOT_OF_SUBJECT, Event, Planted, plant
from tests.support.scripted_reviewers import ReviewedFeed, review_feed


@dataclass(frozen=True)
class PlantedFeed:
    """A feed that was played with internal state around it; all that left lies in files and in the public analytics."""

    reviewed: ReviewedFeed
    planted: Planted
    feed: Feed
    seed: str

    @property
    def workspace(self) -> Workspace:
        """The deployment."""
        return self.reviewed.bench.workspace

    @property
    def incidents(self) -> list[str]:
        """Every incident by its id."""
        return sorted(one for one in self.planted.of_incident if one)


@dataclass(frozen=True)
class Figures:
    """What was looked at and found."""

    incidents: int
    released: int
    versions: int
    planted: int
    files: int
    searched: int
    leaks: tuple[str, ...]
    slots: Counter[str]
    without_slot: tuple[str, ...]

    def line(self, seed: str) -> str:
        """Say it in one line."""
        return (
            f"{self.incidents} incidents ({self.released} released, {self.versions} versions), {self.planted} planted "
            f"values, {self.files} files and {self.searched} bytes searched, leaks: {len(self.leaks)}; slots shown: "
            f"{dict(sorted(self.slots.items()))}, missing: {len(self.without_slot)}; seed {seed}"
        )


def play_planted(location: Path, folder: Path, seed: str) -> PlantedFeed:
    """Replay a feed with internal state around every incident, with people who review it; publish everything."""
    kept: list[Planted] = []

    def around(events: list[Event]) -> list[Event]:
        every, planted = plant(events, seed)
        kept.append(planted)
        return every

    reviewed = review_feed(location, folder, around=around)
    project(reviewed.bench.workspace)
    publish(reviewed.bench.workspace)
    return PlantedFeed(reviewed, kept[0], read(location), seed)


def bytes_that_left(workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of everything outsiders can get, and the names themselves."""
    for path in sorted(workspace.settings.published.rglob("*")):
        name = path.relative_to(workspace.settings.published).as_posix()
        yield f"name of {name}", name.encode()
        if path.is_file():
            yield name, path.read_bytes()
    public = workspace.settings.published_analytics / PUBLIC_FILE
    yield PUBLIC_FILE, public.read_bytes()
    with closing(duckdb.connect(str(public), read_only=True)) as connection:
        for view in VIEWS:
            for row in connection.sql(f"SELECT * FROM {view}").fetchall():  # noqa: S608 - a view of ours
                yield f"{PUBLIC_FILE}, {view}", json.dumps(row, default=str, ensure_ascii=False).encode()


def newest_content(workspace: Workspace, incident: str) -> dict[str, Any] | None:
    """Return what the newest published version of an incident says, from its published file."""
    rows = versions_of_incident(workspace, incident)
    if not rows:
        return None
    last = rows[-1]
    file = workspace.settings.published / last.package_id / version_folder(last.version) / PACKAGE
    content: dict[str, Any] = json.loads(file.read_bytes())["content"]
    return content


def figures_of(played: PlantedFeed) -> Figures:
    """Search everything that left, and look for the slot of every planted subject."""
    search = LeakSearch(frozenset(played.planted.places))
    prose = runs_of_words([*played.planted.prose])
    leaks, files = [], 0
    for name, body in bytes_that_left(played.workspace):
        files += 1
        leaks += [f"{name}: {played.planted.places[one]}" for one in search.found_in(body)]
        leaks += [f"{name}: five words" for text in forms(body, 1) if words_that_came_along(prose, text)]
    slots: Counter[str] = Counter()
    missing, versions, released = [], 0, 0
    for incident in played.incidents:
        content = newest_content(played.workspace, incident)
        if content is None:
            continue
        released += 1
        versions += len(versions_of_incident(played.workspace, incident))
        for subject, slot in SLOT_OF_SUBJECT.items():
            shown = content["held"][slot]["slot_state"] == "on_hold"
            slots[slot] += shown
            missing += [] if shown else [f"{incident}: {subject}"]
    return Figures(
        incidents=len(played.incidents),
        released=released,
        versions=versions,
        planted=len(played.planted.values),
        files=files,
        searched=search.searched,
        leaks=tuple(sorted(set(leaks))),
        slots=slots,
        without_slot=tuple(missing),
    )


def check_planted_pages(played: PlantedFeed) -> None:
    """Require that every page still says what the feed says, and of what is kept inside neither kind nor number."""
    incidents = {one["id"].upper(): one for one in played.feed}
    overviews = {one.incident: one.candidates for one in incident_overviews(played.workspace)}
    for name, incident in incidents.items():
        (page,) = overviews[name]
        check_page(incident, page.content | {"held": {}})
        steps = 1 + len(incident["updates"])
        assert len(page.content["timeline"]) == steps, name
        assert [one["readiness"] for one in page.content["workarounds"].values()] == ["available_verified"], name
        # Of a candidate that did not pass no text is shown at all.
        said = [one["parameters"] for one in page.content["statements"].values()]
        assert said == ([{"reference": "on_hold"}] if page.publication_state == "candidate" else []), name
