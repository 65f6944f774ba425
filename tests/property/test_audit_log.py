"""However entries and checkpoints follow each other, every checkpoint is proved by the next and every entry by all."""

import tempfile
from contextlib import suppress
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_project.application.audit_evidence import verify_audit_log
from dagster_project.application.audit_log import checkpoint_now
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.integrity.audit_entries import leaf_of
from dagster_project.integrity.audit_verification import LogCopy, verify_log
from dagster_project.integrity.checkpoints import KeptCheckpoint, make_kept
from dagster_project.integrity.merkle import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from dagster_project.integrity.signatures import SigningKey
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry, entries_after
from tests.support.audited_logs import AT, append
from tests.support.workspaces import make_workspace
from tests.unit.test_merkle import naive_root

KEY = SigningKey(b"k" * 32)
KEYS = {KEY.keyid: KEY.public}
ORIGIN = "log.example"


def leaves_of(workspace: Workspace) -> list[bytes]:
    with workspace.store.read() as transaction:
        return [leaf_of(entry) for entry in entries_after(transaction, 0, limit=10_000)]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 9), st.just("checkpoint"), st.just("rolled back")), max_size=14))
@example([1, "checkpoint", "rolled back", 1, "checkpoint", 1, "checkpoint", 1, "checkpoint"])
@example(["checkpoint", 7, "checkpoint", 1, "checkpoint", "checkpoint", 1, "checkpoint", 8])
def test_whatever_is_appended_all_checkpoints_prove_each_other_and_every_entry(steps: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder), FixedClock(AT))
        made = [play(workspace, step) for step in steps]
        leaves = leaves_of(workspace)
        kept = [one for one in made if one is not None]
        for one in kept:
            assert one.checkpoint.root == CompactRange().appended(leaves[: one.size]).root
            for index in range(one.size):
                proof = inclusion_proof(leaves[: one.size], index)
                root = one.checkpoint.root
                assert verify_inclusion(leaves[index], index, size=one.size, proof=proof, root=root)
        for old, new in combinations_with_replacement(kept, 2):
            assert verify_consistency(
                old_size=old.size,
                old_root=old.checkpoint.root,
                new_size=new.size,
                new_root=new.checkpoint.root,
                proof=consistency_proof(leaves[: new.size], old.size),
            )
        verified = verify_audit_log(workspace)
        assert (verified.found.entries, verified.found.faults) == (len(leaves), ())
        workspace.store.engine.dispose()


def play(workspace: Workspace, step: object) -> KeptCheckpoint | None:
    if isinstance(step, int):
        append(workspace, step)
    elif step == "checkpoint":
        return checkpoint_now(workspace)
    else:
        roll_back(workspace)
    return None


def roll_back(workspace: Workspace) -> None:
    """Append, and fail in the same transaction."""
    new = NewAuditEntry(at=AT, actor="a", action=AuditAction.REFRESHED, subject="s", details_digest="d")
    with suppress(Interrupted), workspace.store.begin() as transaction:
        append_entry(transaction, new)
        raise Interrupted


class Interrupted(Exception):
    """What ends a transaction before its commit."""


@given(st.lists(st.binary(max_size=4), max_size=40))
def test_the_root_of_any_log_is_the_one_of_the_recursive_definition(data: list[bytes]) -> None:
    assert CompactRange().appended(map(leaf_hash, data)).root == naive_root(data)


@st.composite
def damaged_logs(draw: st.DrawFn) -> tuple[LogCopy, list[KeptCheckpoint], set[int]]:
    """A log with checkpoints over some of its sizes, all anchored, of which some entries were changed or taken away."""
    size = draw(st.integers(1, 24))
    leaves = [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]
    sizes = sorted(draw(st.sets(st.integers(0, size), min_size=1)))
    kept = [make_kept(ORIGIN, CompactRange().appended(leaves[:one]), [KEY]) for one in sizes]
    hurt = draw(st.dictionaries(st.integers(1, size), st.sampled_from(["changed", "gone"]), min_size=1))
    left = [
        (number, leaf_hash(b"other") if number in hurt else leaf)
        for number, leaf in enumerate(leaves, start=1)
        if hurt.get(number) != "gone"
    ]
    head = CompactRange().appended(leaves)
    return LogCopy(origin=ORIGIN, leaves=left, head=head, checkpoints=kept), kept, set(hurt)


@given(damaged_logs())
def test_whatever_is_damaged_lies_in_a_reported_range_and_what_is_called_anchored_is_sound(
    damaged: tuple[LogCopy, list[KeptCheckpoint], set[int]],
) -> None:
    log, anchored, hurt = damaged
    found = verify_log(log, anchored=anchored, audit_keys=KEYS)
    blamed = {number for one in found.faults for number in range(one.first, one.last + 1)}
    called_sound = {
        number
        for one in found.ranges
        if one.state in {"anchored", "unanchored"}
        for number in range(one.first, one.last + 1)
    }
    unproven = {number for one in found.ranges if one.state == "unproven" for number in range(one.first, one.last + 1)}
    assert hurt <= blamed | unproven
    assert blamed
    assert not hurt & called_sound
    told = [(one.first, one.last) for one in found.ranges]
    assert told[0][0] == 1
    assert all(before[1] + 1 == after[0] for before, after in pairwise(told))
    assert log.head is not None
    assert told[-1][1] == log.head.size
    untouched_stretches = {
        number
        for start, end in pairwise([0, *(one.size for one in anchored if one.size), log.head.size])
        if not hurt.intersection(range(start + 1, end + 1))
        for number in range(start + 1, end + 1)
    }
    assert untouched_stretches == called_sound
