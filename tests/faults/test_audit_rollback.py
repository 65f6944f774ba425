"""A log that was rolled back or forked is refused: nothing is appended to it, signed of it or anchored of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.checkpoints import kept_bytes
from dagster_project.store.audit import entries_after
from dagster_project.store.audit_tables import audit_checkpoints, audit_log_head
from dagster_project.store.tables import audit_entries
from tests.support.audit_tampering import (
    Tampering,
    cleverly,
    delete,
    delete_all,
    edit,
    head_at,
    without_checkpoints,
)
from tests.support.audited_logs import (
    AT,
    LOG,
    append,
    checkpoint,
    checkpoint_unanchored,
    command_line_of_audited,
    copied_home,
    faults,
    make_audited,
    ranges,
    reopened,
    verify,
)

_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


ROLLED_BACK: dict[str, list[Tampering]] = {
    "the newest entries are gone": [delete(25, 26)],
    "all entries are gone": [delete(1, 26)],
    "the head is gone": [lambda workspace: delete_all(workspace, audit_log_head)],
    "the head says more than there is": [head_at(23), delete(22, 26)],
    "head and entries end before the anchor": [head_at(10), delete(11, 26)],
    "head, entries and checkpoints end before the anchor": [head_at(10), delete(11, 26), without_checkpoints(11)],
    "all hashes and signatures were made again": [cleverly(edit(14, actor="robin"))],
}


@pytest.mark.parametrize("what", ROLLED_BACK)
def test_nothing_is_appended_or_signed_any_more_when(audited: Workspace, what: str) -> None:
    for tamper in ROLLED_BACK[what]:
        tamper(audited)
    restarted = reopened(audited)
    before = _rows(restarted)
    for act in (lambda: append(restarted, 1), lambda: checkpoint_unanchored(restarted), lambda: checkpoint(restarted)):
        with pytest.raises(IntegrityViolation, match="audit_log_rolled_back"):
            act()
    assert _rows(restarted) == before
    assert command_line_of_audited(restarted)("audit", "checkpoint").code == 4
    restarted.store.engine.dispose()


def test_a_log_that_is_what_it_was_goes_on(audited: Workspace) -> None:
    restarted = reopened(audited)
    assert append(restarted, 1) == LOG.now + 1
    assert checkpoint(restarted) == LOG.now + 1
    assert ranges(verify(restarted)) == [(1, LOG.now + 1, "anchored")]
    restarted.store.engine.dispose()


def test_no_checkpoint_is_made_that_does_not_follow_from_the_one_before(audited: Workspace) -> None:
    edit(25, actor="robin")(audited)
    with pytest.raises(IntegrityViolation, match="audit_log_inconsistent"):
        checkpoint(audited)
    assert append(audited, 1) == LOG.now + 1


def _rows(workspace: Workspace) -> list[tuple[object, ...]]:
    with workspace.store.engine.connect() as connection:
        tables = (audit_entries, audit_log_head, audit_checkpoints)
        return [tuple(row) for table in tables for row in connection.execute(sa.select(table))]


# Older copies and forks: both are whole deployments that know nothing of what came after.


@pytest.fixture(params=_BOTH)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Workspace, Workspace]]:
    """A deployment and an older copy of it, of before its second checkpoint, with the same anchor."""
    server = url = None
    if request.param == "postgresql":
        server, url = request.getfixturevalue("postgresql_server"), request.getfixturevalue("postgresql_url")
    workspace = make_audited(tmp_path, database_url=url)
    append(workspace, LOG.first - 1)
    checkpoint(workspace)
    append(workspace, 4)
    home = copied_home(workspace, tmp_path / "backup")
    copy_url = None
    if server is not None and url is not None:
        name = url.rpartition("/")[2]
        copy_url = server.create_database(f"{name}_copy", template=name)
    append(workspace, 6)
    checkpoint(workspace)
    copied = open_workspace(replace(workspace.settings, home=home, database_url=copy_url), clock=FixedClock(AT))
    yield workspace, copied
    workspace.store.engine.dispose()
    copied.store.engine.dispose()
    if server is not None and copy_url is not None:
        server.drop_database(copy_url.rpartition("/")[2])


def test_an_older_copy_that_was_restored_is_found_and_appends_nothing(older: tuple[Workspace, Workspace]) -> None:
    _, restored = older
    answer = verify(restored)
    assert answer.code == 4
    assert faults(answer) == {("audit_log_rolled_back", 15, 20), ("audit_checkpoint_missing", 11, 20)}
    with pytest.raises(IntegrityViolation, match="audit_log_rolled_back"):
        append(restored, 1)


def test_an_older_copy_that_went_on_without_the_anchor_is_found_once_it_is_held_against_it(
    older: tuple[Workspace, Workspace],
) -> None:
    _, restored = older
    hidden = reopened(restored, anchor=None)
    append(hidden, 12, actor="robin")
    checkpoint_unanchored(hidden)
    shown = reopened(hidden, anchor=restored.settings.anchor)
    answer = verify(shown)
    assert answer.code == 4
    assert {("audit_entries_changed", 11, 26), ("audit_checkpoint_missing", 11, 20)} == faults(answer)
    with pytest.raises(IntegrityViolation, match="audit_log_rolled_back"):
        append(shown, 1)
    hidden.store.engine.dispose()
    shown.store.engine.dispose()


def test_of_a_fork_only_the_one_that_was_anchored_first_goes_on(older: tuple[Workspace, Workspace]) -> None:
    first, fork = older
    hidden = reopened(fork, anchor=None)
    append(hidden, 6, actor="robin")
    checkpoint_unanchored(hidden)
    shown = reopened(hidden, anchor=first.settings.anchor)
    with pytest.raises(IntegrityViolation, match="audit_log_rolled_back"):
        checkpoint(shown)
    answer = verify(shown)
    assert faults(answer) == {
        ("audit_checkpoint_replaced", 11, 20),
        ("audit_entries_changed", 11, 20),
        ("audit_head_differs", 11, 20),
    }
    assert verify(first).code == 0
    hidden.store.engine.dispose()
    shown.store.engine.dispose()


def test_a_fork_that_somebody_wrote_into_the_anchor_is_named_from_where_it_began(
    older: tuple[Workspace, Workspace],
) -> None:
    first, fork = older
    hidden = reopened(fork, anchor=None)
    append(hidden, 6, actor="robin")
    forged = checkpoint_unanchored(hidden)
    anchor = first.settings.anchor
    assert anchor is not None
    with anchor.open("ab") as file:
        file.write(kept_bytes(forged) + b"\n")
    answer = verify(first)
    assert answer.code == 4
    assert ("audit_log_forked", 11, 20) in faults(answer)
    hidden.store.engine.dispose()


def test_people_may_go_on_from_an_older_copy_with_a_new_anchor_and_the_log_says_so(
    older: tuple[Workspace, Workspace], tmp_path: Path
) -> None:
    _, restored = older
    elsewhere = reopened(restored, anchor=tmp_path / "elsewhere" / "new.ndjson")
    with pytest.raises(Unavailable, match="anchor_missing"):  # another file alone does not do it
        append(elsewhere, 1)
    assert command_line_of_audited(elsewhere)("audit", "checkpoint", "--new-anchor").code == 0
    assert append(elsewhere, 1) == 16
    answer = verify(elsewhere)
    assert (answer.code, ranges(answer)) == (0, [(1, 15, "anchored"), (16, 16, "unanchored")])
    with elsewhere.store.read() as transaction:
        assert [entry.action for entry in entries_after(transaction, 14, limit=1)] == ["anchor_replaced"]
    again = reopened(elsewhere, anchor=restored.settings.anchor)
    assert verify(again).code == 4  # the old anchor goes on saying what is missing
    elsewhere.store.engine.dispose()
    again.store.engine.dispose()


def test_an_anchor_that_holds_checkpoints_is_never_taken_for_a_new_one(older: tuple[Workspace, Workspace]) -> None:
    _, restored = older
    answer = command_line_of_audited(restored)("audit", "checkpoint", "--new-anchor")
    assert (answer.code, "anchor_not_new" in answer.err) == (2, True)
    answer = command_line_of_audited(reopened(restored, anchor=None))("audit", "checkpoint", "--new-anchor")
    assert (answer.code, "anchor_not_new" in answer.err) == (2, True)
