"""What is done to the audit log behind the application's back is found, with the range that it was done to.

The log is that of `tests.support.audited_logs.LOG`: anchored checkpoints over 10 and 20 entries, a signed one over 23,
26 entries. A clever attacker has the machine: its database, its key files and everything that follows from them.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.application.workspace import Workspace
from dagster_project.integrity.signatures import SigningKey
from dagster_project.store.audit_tables import audit_log_head
from dagster_project.store.tables import audit_entries
from tests.support.audit_tampering import (
    Tampering,
    cleverly,
    closing_the_gap,
    copy,
    delete,
    delete_all,
    edit,
    inserting_before,
    key_of_log,
    resign,
    say,
    set_checkpoint,
    swap,
    wipe,
    without_checkpoints,
)
from tests.support.audited_logs import (
    LOG,
    command_line_of_audited,
    faults,
    fill,
    make_audited,
    ranges,
    reopened,
    verify,
)

# What is done, and exactly what is found. Ranges end at checkpoints, unless an entry is gone from its very place.
TAMPERINGS: dict[str, tuple[list[Tampering], set[tuple[str, int, int]]]] = {
    "an anchored entry is edited": ([edit(7, actor="robin")], {("audit_entries_changed", 1, 10)}),
    "an entry of the second range is edited": ([edit(20, details_digest="d")], {("audit_entries_changed", 11, 20)}),
    "a signed entry is edited": ([edit(22, subject="other")], {("audit_entries_changed", 21, 23)}),
    "an entry of the tail is edited": ([edit(26, action="pulled")], {("audit_entries_changed", 24, 26)}),
    "an entry is given to another incident": ([edit(3, incident="INC-1")], {("audit_entries_changed", 1, 10)}),
    "an entry is moved in time": (
        [edit(3, at=sa.select(sa.func.max(audit_entries.c.at)).scalar_subquery()), edit(3, actor="")],
        {("audit_entries_changed", 1, 10)},
    ),
    "one in the middle is deleted": ([delete(14, 14)], {("audit_entries_missing", 14, 14)}),
    "some in the middle are deleted": ([delete(9, 12)], {("audit_entries_missing", 9, 12)}),
    "one in the middle is deleted and the gap closed": (
        [closing_the_gap(14, 14)],
        {("audit_entries_changed", 11, 23), ("audit_entries_missing", 26, 26)},
    ),
    "the tail is deleted": ([delete(25, 26)], {("audit_entries_missing", 25, 26)}),
    "the tail is deleted beyond the anchor": ([delete(19, 26)], {("audit_log_rolled_back", 19, 26)}),
    "all is deleted": ([delete(1, 26)], {("audit_log_rolled_back", 1, 26)}),
    "all is deleted, head and checkpoints too": (
        [wipe],
        {
            ("audit_log_rolled_back", 1, 20),
            ("audit_checkpoint_missing", 1, 20),
            ("audit_head_missing", 1, 20),
        },
    ),
    "two are swapped": ([swap(12, 13)], {("audit_entries_changed", 11, 20)}),
    "two of different ranges are swapped": (
        [swap(9, 22)],
        {("audit_entries_changed", 1, 10), ("audit_entries_changed", 21, 23)},
    ),
    "one is replaced by a copy of another": ([copy(12, 14)], {("audit_entries_changed", 11, 20)}),
    "one is copied into the middle": (
        [inserting_before(14)],
        {("audit_entries_changed", 11, 26), ("audit_entries_added", 27, 27)},
    ),
    "one is copied to the end": ([copy(13, 27)], {("audit_entries_added", 27, 27)}),
    "one is put before the first": ([copy(13, 0)], {("audit_entries_added", 0, 0)}),
    "the head is gone": (
        [lambda workspace: delete_all(workspace, audit_log_head)],
        {("audit_head_missing", 1, 26)},
    ),
    "a checkpoint is gone": ([without_checkpoints(20)], {("audit_checkpoint_missing", 11, 20)}),
    "the log is rewritten to the same length, and all hashes and signatures made again": (
        [cleverly(edit(14, actor="robin"))],
        # The checkpoint over 23 is made of the rewritten log: what it speaks for does not follow from the anchor.
        {("audit_checkpoint_replaced", 11, 20), ("audit_entries_changed", 11, 23)},
    ),
    "the log is cut, and all hashes and signatures made again": (
        [cleverly(delete(18, 26))],
        {("audit_log_rolled_back", 18, 20), ("audit_checkpoint_missing", 11, 20)},
    ),
    "the log is emptied, and all hashes and signatures made again": (
        [cleverly(delete(1, 26))],
        {("audit_log_rolled_back", 1, 20), ("audit_checkpoint_missing", 1, 20)},
    ),
    "one is taken out of the middle, and all hashes and signatures made again": (
        [cleverly(closing_the_gap(14, 14))],
        # The checkpoint over 23 is made of the rewritten log: what it speaks for does not follow from the anchor.
        {("audit_checkpoint_replaced", 11, 20), ("audit_entries_changed", 11, 23)},
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_verify_finds_the_range_when(audited: Workspace, what: str) -> None:
    tamperings, expected = TAMPERINGS[what]
    for tamper in tamperings:
        tamper(audited)
    answer = verify(audited)
    assert (answer.code, faults(answer)) == (4, expected), answer


def test_an_untouched_log_is_anchored_until_its_newest_anchored_checkpoint_and_no_further(audited: Workspace) -> None:
    answer = verify(audited)
    assert (answer.code, faults(answer)) == (0, set())
    assert ranges(answer) == [(1, LOG.anchored, "anchored"), (LOG.anchored + 1, LOG.now, "unanchored")]
    assert answer.json["found"]["signed_until"] == LOG.signed


def test_damage_in_one_range_leaves_the_others_proved(audited: Workspace) -> None:
    edit(14, actor="robin")(audited)
    assert ranges(verify(audited)) == [(1, 10, "anchored"), (11, 20, "changed"), (21, 26, "unanchored")]
    delete(24, 24)(audited)
    assert ranges(verify(audited))[2:] == [
        (21, 23, "unanchored"),
        (24, 24, "missing"),
        (25, 26, "unproven"),
    ]


def test_without_an_anchor_nothing_is_called_anchored_and_careless_damage_is_still_found(audited: Workspace) -> None:
    alone = reopened(audited, anchor=None)
    answer = verify(alone)
    assert (answer.code, ranges(answer)) == (0, [(1, LOG.now, "unanchored")])
    assert "unanchored: no anchor was named" in command_line_of_audited(alone)("audit", "verify").out
    edit(14, actor="robin")(alone)
    answer = verify(alone)
    assert (answer.code, faults(answer)) == (4, {("audit_entries_changed", 11, 20)})
    alone.store.engine.dispose()


def test_without_an_anchor_a_clever_attacker_is_not_found_and_nothing_claims_otherwise(audited: Workspace) -> None:
    alone = reopened(audited, anchor=None)
    cleverly(edit(14, actor="robin"))(alone)
    answer = verify(alone)
    assert (answer.code, ranges(answer)) == (0, [(1, LOG.now, "unanchored")])
    alone.store.engine.dispose()


@pytest.mark.parametrize("what", ["the text", "everything"])
def test_a_row_that_holds_what_no_entry_does_is_damage_and_no_crash(audited: Workspace, what: str) -> None:
    raw = {
        "the text": "UPDATE audit_entries SET actor = 'e' || '\u0301' WHERE sequence = 5",
        "everything": "UPDATE audit_entries SET actor = '', action = '', subject = '', details_digest = ''",
    }[what]
    say(raw)(audited)
    last = LOG.now if what == "everything" else LOG.first
    answer = verify(audited)
    assert (answer.code, faults(answer)) == (4, {("audit_entries_changed", 1, last)})


def test_a_row_without_an_instant_is_damage_and_no_crash(tmp_path: Path) -> None:
    workspace = make_audited(tmp_path)  # PostgreSQL refuses to store that
    fill(workspace)
    say("UPDATE audit_entries SET at = 'yesterday' WHERE sequence = 5")(workspace)
    answer = verify(workspace)
    assert (answer.code, faults(answer)) == (4, {("audit_entries_changed", 1, LOG.first)})
    assert command_line_of_audited(workspace)("audit", "export").code == 0
    workspace.store.engine.dispose()


FORGED: dict[str, tuple[str, Tampering]] = {
    "its signature is by another key": (
        "audit_checkpoint_forged",
        lambda workspace: resign(workspace, [SigningKey(b"x" * 32)]),
    ),
    "it is not signed": ("audit_checkpoint_unsigned", lambda workspace: resign(workspace, [])),
    "it is of another log": (
        "audit_checkpoint_of_another_log",
        lambda workspace: resign(workspace, [key_of_log(workspace)], origin="other.example"),
    ),
    "it is no note": (
        "audit_checkpoint_unreadable",
        lambda workspace: set_checkpoint(workspace, {"note": "no note"}),
    ),
    "its hashes are not those of its root": (
        "audit_checkpoint_unreadable",
        lambda workspace: set_checkpoint(workspace, {"hashes": ",".join(["00" * 32] * 4)}),
    ),
    "it says another size": ("audit_checkpoint_unreadable", lambda workspace: set_checkpoint(workspace, {"size": 22})),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_checkpoint_is_refused_where(audited: Workspace, what: str) -> None:
    code, tamper = FORGED[what]
    tamper(audited)
    answer = verify(audited)
    assert answer.code == 4
    assert code in {one["code"] for one in answer.json["found"]["faults"]}
    assert answer.json["found"]["signed_until"] == LOG.anchored
