"""Rows that someone changed behind the application's back: `verify` exits with 4 and names the candidate."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dagster_project.application.workspace import Workspace
from dagster_project.store.tables import candidates, internal_manifests, release_checks
from tests.support.command_line import command_line_of
from tests.support.played_stories import copy_of, played_scenario

AFTERWARDS = datetime(2030, 1, 1, tzinfo=UTC)
# The planted failure, a sound candidate, and the one after it.
FAILED, GOOD, OTHER = ("tidewater", 18), ("tidewater", 9), ("tidewater", 10)
Tampering = Callable[[sa.Connection], object]


def id_of(connection: sa.Connection, which: tuple[str, int]) -> int:
    statement = sa.select(candidates.c.candidate_id).where(
        candidates.c.bridge == which[0], candidates.c.ordinal == which[1]
    )
    return int(connection.execute(statement).scalar_one())


def value(connection: sa.Connection, which: tuple[str, int], column: str) -> Any:  # noqa: ANN401 - any column
    statement = sa.select(candidates.c[column]).where(candidates.c.candidate_id == id_of(connection, which))
    return connection.execute(statement).scalar_one()


def put(which: tuple[str, int], column: str, other: tuple[str, int], of: str | None = None) -> Tampering:
    """Give one candidate what another one has in a column."""

    def tamper(connection: sa.Connection) -> None:
        new = {column: value(connection, other, of or column)}
        where = candidates.c.candidate_id == id_of(connection, which)
        assert connection.execute(sa.update(candidates).where(where).values(**new)).rowcount == 1

    return tamper


def judge(which: tuple[str, int], **new: object) -> Tampering:
    """Change the release check of one candidate."""

    def tamper(connection: sa.Connection) -> None:
        where = release_checks.c.candidate_id == id_of(connection, which)
        assert connection.execute(sa.update(release_checks).where(where).values(**new)).rowcount == 1

    return tamper


def without_manifest(which: tuple[str, int]) -> Tampering:
    def tamper(connection: sa.Connection) -> None:
        where = internal_manifests.c.candidate_id == id_of(connection, which)
        assert connection.execute(sa.delete(internal_manifests).where(where)).rowcount == 1

    return tamper


def forge_manifest(which: tuple[str, int], like: tuple[str, int]) -> Tampering:
    """Write a manifest row for a candidate, with the body of another one's."""

    def tamper(connection: sa.Connection) -> None:
        model = internal_manifests.c.candidate_id == id_of(connection, like)
        row = dict(connection.execute(sa.select(internal_manifests).where(model)).mappings().one())
        check = sa.select(release_checks.c.check_id).where(release_checks.c.candidate_id == id_of(connection, which))
        new = {
            "manifest_digest": "sha256:forged",
            "candidate_id": id_of(connection, which),
            "check_id": connection.execute(check).scalar_one(),
        }
        connection.execute(sa.insert(internal_manifests).values(**{**row, **new}))

    return tamper


def say(statement: str) -> Tampering:
    def tamper(connection: sa.Connection) -> None:
        assert connection.execute(sa.text(statement)).rowcount >= 1

    return tamper


# What is done behind the application's back, and the violation that names it.
TAMPERINGS: dict[str, tuple[str, list[Tampering]]] = {
    "the failed release check is flipped to passed": ("release_check_differs", [judge(FAILED, passed=True)]),
    "a manifest is added for the failed candidate": (
        "release_check_differs",
        [judge(FAILED, passed=True), forge_manifest(FAILED, GOOD)],
    ),
    "a passed release check is flipped to failed": (
        "release_check_differs",
        [without_manifest(GOOD), judge(GOOD, passed=False)],
    ),
    "the end of a release check is moved": ("release_check_differs", [judge(GOOD, valid_until=AFTERWARDS)]),
    "a release check names another body": ("body_not_intact", [judge(GOOD, check_body_digest="sha256:0000")]),
    "the manifest is that of another candidate": (
        "manifest_differs",
        [without_manifest(GOOD), forge_manifest(GOOD, OTHER)],
    ),
    "the lineage is that of another candidate": ("lineage_not_reproduced", [put(GOOD, "lineage_digest", OTHER)]),
    "the lineage is a body of another kind": (
        "lineage_not_reproduced",
        [put(GOOD, "lineage_digest", GOOD, "annex_digest")],
    ),
    "the views are a body of another kind": ("body_not_of_its_kind", [put(GOOD, "view_digest", GOOD, "annex_digest")]),
    "the content is that of another candidate": ("content_not_reproduced", [put(GOOD, "content_digest", OTHER)]),
    "the content is that of another bridge": (
        "content_not_reproduced",
        [put(GOOD, "content_digest", ("harbourline", 9))],
    ),
    "the annex is that of another candidate": ("annex_not_reproduced", [put(GOOD, "annex_digest", ("tidewater", 2))]),
    "the delta is that of another candidate": ("delta_not_reproduced", [put(GOOD, "delta_digest", OTHER)]),
    "the snapshot is that of another candidate": ("content_not_reproduced", [put(GOOD, "snapshot_digest", OTHER)]),
    "the profile is another one": ("content_not_reproduced", [put(("tidewater", 17), "profile_digest", FAILED)]),
    "the evaluation instant is moved": (
        "content_not_reproduced",
        [put(("tidewater", 25), "evaluation_instant", ("tidewater", 26))],
    ),
    "the predecessor is another one": (
        "delta_not_reproduced",
        [put(OTHER, "predecessor_id", ("tidewater", 2), "candidate_id")],
    ),
    "the version of a record is another one": (
        "record_row_differs",
        [
            say("UPDATE source_records SET recordversion = recordversion + 40 WHERE sequence = 12"),
        ],
    ),
    "a record was moved to another subject": (
        "record_row_differs",
        [say("UPDATE source_records SET subject = 'INC-0815' WHERE sequence = 12")],
    ),
    "a record that a snapshot pins is gone": (
        "pinned_record_missing",
        [
            say("DELETE FROM deliveries WHERE record_sequence = 12"),
            say("DELETE FROM source_records WHERE sequence = 12"),
        ],
    ),
    "a rejected input names another body": (
        "body_not_intact",
        [say("UPDATE rejected_inputs SET body_digest = 'sha256:0000'")],
    ),
    "an open item names another body": ("body_not_intact", [say("UPDATE open_items SET body_digest = 'sha256:0000'")]),
    "an audit entry names another body": (
        "body_not_intact",
        [say("UPDATE audit_entries SET details_digest = 'sha256:0000'")],
    ),
}


@pytest.fixture
def tampered(tmp_path: Path) -> Callable[[list[Tampering]], Workspace]:
    """Return what changes rows in a copy of the played scenario, without asking the application."""

    def tamper(tamperings: list[Tampering]) -> Workspace:
        workspace = copy_of(played_scenario(), tmp_path)
        with workspace.store.engine.begin() as connection:
            for one in tamperings:
                one(connection)
        return workspace

    return tamper


@pytest.mark.parametrize("what", TAMPERINGS, ids=str)
def test_verify_notices_when(tampered: Callable[[list[Tampering]], Workspace], what: str) -> None:
    code, tamperings = TAMPERINGS[what]
    workspace = tampered(tamperings)
    answer = command_line_of(workspace.settings)("verify", "--json")
    assert answer.code == 4, answer
    assert code in {one["code"] for one in answer.json["violations"]}
    workspace.store.engine.dispose()


def test_an_untouched_copy_verifies(tampered: Callable[[list[Tampering]], Workspace]) -> None:
    answer = command_line_of(tampered([]).settings)("verify", "--json")
    assert (answer.code, answer.json["violations"]) == (0, [])
    assert answer.json["candidates"] == 52
