"""Revisions, candidates, gates, open items, profiles, audit entries and cursors, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from dagster_project.errors import ChannelsafeError, IntegrityViolation, UnsafeOrRejected
from dagster_project.store import audit, candidates, cursors, gates, incidents, open_items, profiles
from dagster_project.store.candidates import CandidateOutcome, CandidateRow, NewCandidate, NewSnapshot
from dagster_project.store.gates import ManifestRow, NewReleaseCheck
from dagster_project.store.open_items import ALL_BRIDGES, NewOpenItem
from dagster_project.store.store import Store
from dagster_project.store.tables import internal_manifests
from dagster_project.store.tables import open_items as item_rows
from dagster_project.store.transaction import Transaction

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)


def _snapshot(digest: str, incident: str, body: bytes) -> NewSnapshot:
    return NewSnapshot(digest=digest, incident=incident, log_sequence=1, body=body, created_at=AT)


def _prepare(transaction: Transaction, *, incident: str = "INC-1", snapshot: str = "sha256:snapshot") -> None:
    incidents.raise_revision(transaction, [incident], at=AT)
    candidates.add_snapshots(transaction, [_snapshot(snapshot, incident, snapshot.encode())])
    profile = profiles.NewProfile(
        profile_digest="sha256:profile", name="one", channel="bridge", state="unapproved_demo", loaded_at=AT
    )
    profiles.add_profile(transaction, profile, body=b"profile")


def _candidate(content: str = "one", *, bridge: str = "north", predecessor: int | None = None) -> NewCandidate:
    return NewCandidate(
        incident="INC-1",
        bridge=bridge,
        content_digest=f"sha256:{content}",
        snapshot_digest="sha256:snapshot",
        profile_digest="sha256:profile",
        renderer_digest="sha256:renderer",
        tzdata_version="2026a",
        evaluation_instant=AT,
        as_of=None,
        predecessor_id=predecessor,
        lineage_digest="sha256:lineage",
        delta_digest="sha256:delta",
        annex_digest="sha256:annex",
        view_digest="sha256:view",
        holds=0,
        outcome=CandidateOutcome.RENDERED,
        created_at=AT,
    )


def _check(candidate: CandidateRow, *, passed: bool, name: str = "check") -> NewReleaseCheck:
    return NewReleaseCheck(
        candidate_id=candidate.candidate_id,
        check_digest=f"sha256:{name}",
        content_digest=candidate.content_digest,
        snapshot_digest=candidate.snapshot_digest,
        profile_digest=candidate.profile_digest,
        predecessor_digest=None,
        deny_list_digest="sha256:deny",
        bridge=candidate.bridge,
        passed=passed,
        check_body_digest="sha256:body",
        evaluated_for=AT,
        valid_until=LATER,
        created_at=AT,
    )


def _manifest(candidate: CandidateRow, check_id: int, name: str = "manifest") -> ManifestRow:
    return ManifestRow(
        manifest_digest=f"sha256:{name}",
        candidate_id=candidate.candidate_id,
        check_id=check_id,
        incident=candidate.incident,
        bridge=candidate.bridge,
        body_digest="sha256:body",
        created_at=AT,
    )


def test_a_raised_revision_is_pending_since_its_first_change_until_it_is_observed(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
        incidents.raise_revision(transaction, ["INC-1"], at=LATER, urgent=["INC-1"])
        (pending,) = incidents.pending_incidents(transaction, limit=10)
        assert (pending.revision, pending.pending_since, pending.urgent) == (2, AT, True)
        incidents.set_observed(transaction, {"INC-1": 1})
        (still,) = incidents.pending_incidents(transaction, limit=10)
        assert (still.observed_revision, still.pending_since, still.urgent) == (1, AT, True)
        incidents.set_observed(transaction, {"INC-1": 2})
        assert incidents.pending_incidents(transaction, limit=10) == []


def test_the_observed_revision_is_never_lowered_and_never_ahead(store: Store) -> None:
    with store.begin() as transaction:
        for _ in range(3):
            incidents.raise_revision(transaction, ["INC-1"], at=AT)
        for revision in (2, 2, 1):
            incidents.set_observed(transaction, {"INC-1": revision})
        stored = incidents.find_incident(transaction, "INC-1")
        assert stored is not None
        assert stored.observed_revision == 2
        for incident, revision in (("INC-1", 4), ("INC-9", 1)):
            with pytest.raises(IntegrityViolation, match="revision_unknown"):
                incidents.set_observed(transaction, {incident: revision})


def test_pending_incidents_come_urgent_first_then_longest_pending_then_by_name(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-b", "INC-B", "INC_A", "INC-1"], at=LATER)
        incidents.raise_revision(transaction, ["INC-9"], at=AT)
        incidents.raise_revision(transaction, [], at=LATER + timedelta(minutes=1), urgent=["INC-8"])
        order = [row.incident for row in incidents.pending_incidents(transaction, limit=10)]
        assert [row.incident for row in incidents.pending_incidents(transaction, limit=2)] == order[:2]
    assert order == ["INC-8", "INC-9", "INC-1", "INC-B", "INC-b", "INC_A"]


def test_an_incident_is_fed_by_itself_and_by_the_subjects_linked_to_it(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1", "INC-2"], at=AT)
        for _again in range(2):
            incidents.link_subjects(transaction, [("INC-1", "ACCOUNT"), ("INC-1", "INC-1"), ("INC-2", "ACCOUNT")])
        assert incidents.subjects_of(transaction, "INC-1") == ["ACCOUNT", "INC-1"]
        assert incidents.incidents_fed_by(transaction, ["ACCOUNT"]) == ["INC-1", "INC-2"]
        assert incidents.incidents_fed_by(transaction, ["INC-1"]) == ["INC-1"]


def test_a_snapshot_is_stored_once_and_read_back_verified(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        _prepare(transaction)
        assert candidates.load_snapshot(transaction, "sha256:snapshot") == b"sha256:snapshot"
        with pytest.raises(IntegrityViolation):
            candidates.load_snapshot(transaction, "sha256:nowhere")
        incidents.raise_revision(transaction, ["INC-2"], at=AT)
        for incident, body in (("INC-1", b"other"), ("INC-2", b"sha256:snapshot")):
            with pytest.raises(IntegrityViolation):
                candidates.add_snapshots(transaction, [_snapshot("sha256:snapshot", incident, body)])


def test_ordinals_count_per_bridge_and_content_numbers_count_changes(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        for content in ("one", "one", "two", "one"):
            candidates.add_candidates(transaction, [_candidate(content)])
        candidates.add_candidates(transaction, [_candidate("one", bridge="south")])
    with store.read() as transaction:
        found = candidates.candidates_of(transaction, "INC-1")
        latest = candidates.latest_candidate(transaction, "INC-1", "north")
        assert candidates.candidates_after(transaction, found[1].candidate_id, limit=2) == found[2:4]
        assert candidates.find_candidate(transaction, found[0].candidate_id) == found[0]
    assert [(row.bridge, row.ordinal, row.content_number, row.content_changed) for row in found] == [
        ("north", 1, 1, True),
        ("north", 2, 1, False),
        ("north", 3, 2, True),
        ("north", 4, 3, True),
        ("south", 1, 1, True),
    ]
    assert latest == found[3]


def test_a_candidate_follows_only_a_candidate_of_its_own_bridge(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        north = candidates.add_candidates(transaction, [_candidate()])[0]
        candidates.add_candidates(transaction, [_candidate(predecessor=north.candidate_id)])[0]
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        candidates.add_candidates(transaction, [_candidate(bridge="south", predecessor=north.candidate_id)])[0]


def test_a_candidate_is_made_only_of_its_own_incident_s_snapshot(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        _prepare(transaction, incident="INC-2", snapshot="sha256:other")
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        candidates.add_candidates(transaction, [replace(_candidate(), snapshot_digest="sha256:other")])


def test_a_release_check_is_stored_once_and_the_latest_counts(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        candidate = candidates.add_candidates(transaction, [_candidate()])[0]
        assert gates.latest_release_check(transaction, candidate.candidate_id) is None
        first = gates.add_release_checks(transaction, [_check(candidate, passed=True)])[0]
        assert gates.add_release_checks(transaction, [_check(candidate, passed=True)])[0] == first
        second = gates.add_release_checks(transaction, [_check(candidate, passed=False, name="again")])[0]
        latest = gates.latest_release_check(transaction, candidate.candidate_id)
        stored = gates.release_checks_of(transaction, candidate.candidate_id)
    assert latest is not None
    assert (latest.check_id, latest.passed, latest.valid_until) == (second, False, LATER)
    assert [row.check_id for row in stored] == [first, second]


@pytest.mark.parametrize("field", ["content_digest", "snapshot_digest", "profile_digest", "bridge"])
def test_a_release_check_of_other_bytes_is_refused(store: Store, field: str) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        candidate = candidates.add_candidates(transaction, [_candidate()])[0]
        check = NewReleaseCheck(**{**vars(_check(candidate, passed=True)), field: "other"})
        with pytest.raises(IntegrityViolation, match="check_of_other_bytes"):
            gates.add_release_checks(transaction, [check])[0]


def test_a_manifest_is_stored_once_after_a_passed_check(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        candidate = candidates.add_candidates(transaction, [_candidate()])[0]
        check_id = gates.add_release_checks(transaction, [_check(candidate, passed=True)])[0]
        for _ in range(2):
            gates.add_manifests(transaction, [_manifest(candidate, check_id)])
        assert gates.find_manifest(transaction, candidate.candidate_id) == _manifest(candidate, check_id)
        with pytest.raises(IntegrityViolation, match="manifest_differs"):
            gates.add_manifests(transaction, [_manifest(candidate, check_id, "other")])


def test_a_manifest_without_a_passed_latest_check_of_its_candidate_is_refused(store: Store) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        unsafe, safe = (candidates.add_candidates(transaction, [_candidate(name)])[0] for name in ("bad", "good"))
        failed = gates.add_release_checks(transaction, [_check(unsafe, passed=False)])[0]
        passed = gates.add_release_checks(transaction, [_check(safe, passed=True)])[0]
        for check_id in (failed, passed, 99):
            with pytest.raises(UnsafeOrRejected, match="release_check_not_passed"):
                gates.add_manifests(transaction, [_manifest(unsafe, check_id)])
        for later_passed in (True, False):
            gates.add_release_checks(transaction, [_check(safe, passed=later_passed, name=f"later {later_passed}")])[0]
            with pytest.raises(UnsafeOrRejected, match="release_check_not_passed"):
                gates.add_manifests(transaction, [_manifest(safe, passed)])


@pytest.mark.parametrize("claimed", [True, False])
def test_the_database_itself_refuses_a_manifest_after_a_failed_check(store: Store, *, claimed: bool) -> None:
    with store.begin() as transaction:
        _prepare(transaction)
        candidate = candidates.add_candidates(transaction, [_candidate()])[0]
        failed = gates.add_release_checks(transaction, [_check(candidate, passed=False)])[0]
    row = {**vars(_manifest(candidate, failed)), "check_passed": claimed}
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        transaction.connection.execute(sa.insert(internal_manifests).values(**row))


KINDS = ("conflicting_copies",)


def _item(
    identity: str = "one", *, bridge: str = ALL_BRIDGES, kind: str = "conflicting_copies", detail: bytes = b"a"
) -> NewOpenItem:
    return NewOpenItem(
        incident="INC-1",
        bridge=bridge,
        kind=kind,
        identity_digest=f"sha256:{identity}",
        owner_role="incident_command",
        detail=detail,
    )


def _keep(transaction: Transaction, *found: NewOpenItem, at: datetime, bridge: str = ALL_BRIDGES) -> None:
    open_items.keep_open_items(transaction, found, among={("INC-1", bridge)}, kinds=KINDS, at=at)


def test_an_open_item_is_opened_once_resolved_when_absent_and_reopened_when_it_recurs(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
        _keep(transaction, _item("stays"), _item("goes"), at=AT)
        stays, goes = open_items.items_of(transaction, "INC-1")
        _keep(transaction, _item("stays", detail=b"changed"), at=LATER)
        (still,) = open_items.unresolved_items(transaction, "INC-1")
        assert (still.open_item_id, still.opened_at) == (stays.open_item_id, AT)
        assert transaction.get_sealed(still.body_digest) == b"changed"
        assert [row.resolved_at for row in open_items.items_of(transaction, "INC-1")] == [None, LATER]
        _keep(transaction, _item("stays"), _item("goes", detail=b"again"), at=LATER)
        reopened = open_items.unresolved_items(transaction, "INC-1")[1]
        assert reopened.open_item_id == goes.open_item_id
        assert (reopened.opened_at, transaction.get_sealed(reopened.body_digest)) == (LATER, b"again")


def test_resolving_leaves_other_bridges_and_other_kinds_alone(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
        _keep(transaction, _item(), at=AT)
        north = (_item(bridge="north"), _item(bridge="north", kind="rejected_input"))
        open_items.keep_open_items(
            transaction, north, among={("INC-1", "north")}, kinds=(*KINDS, "rejected_input"), at=AT
        )
        _keep(transaction, at=LATER, bridge="north")
        left = open_items.unresolved_items(transaction, "INC-1")
    assert [(row.bridge, row.kind) for row in left] == [("", "conflicting_copies"), ("north", "rejected_input")]


def test_an_item_for_all_bridges_cannot_be_there_twice(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
        _keep(transaction, _item(), at=AT)
        (stored,) = open_items.items_of(transaction, "INC-1")
    row = {name: value for name, value in vars(stored).items() if name != "open_item_id"}
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        transaction.connection.execute(sa.insert(item_rows).values(**row))


def test_the_latest_assignment_wins_and_one_to_the_incident_outranks_one_to_all(store: Store) -> None:
    def assign(transaction: Transaction, name: str, incident: str = profiles.ALL_INCIDENTS) -> None:
        profile = profiles.NewProfile(profile_digest=name, name=name, channel="c", state="s", loaded_at=AT)
        profiles.add_profile(transaction, profile, body=name.encode())
        profiles.assign_profile(transaction, bridge="north", profile_digest=name, at=AT, incident=incident)

    with store.begin() as transaction:
        assert profiles.assigned_profile(transaction, incident="INC-1", bridge="north") is None
        assign(transaction, "first")
        assign(transaction, "special", "INC-1")
        assign(transaction, "second")
        assert profiles.assigned_profile(transaction, incident="INC-1", bridge="north") == "special"
        assert profiles.assigned_profile(transaction, incident="INC-2", bridge="north") == "second"
        assert profiles.assigned_profile(transaction, incident="INC-1", bridge="south") is None


def test_a_profile_is_stored_once_with_its_bytes(store: Store) -> None:
    profile = profiles.NewProfile(profile_digest="p", name="n", channel="c", state="s", loaded_at=AT)
    with store.begin() as transaction:
        for _ in range(2):
            profiles.add_profile(transaction, profile, body=b"body")
        stored = profiles.find_profile(transaction, "p")
        assert stored is not None
        assert transaction.get_sealed(stored.body_digest) == b"body"
        with pytest.raises(IntegrityViolation, match="profile_differs"):
            profiles.add_profile(transaction, profile, body=b"other")


def test_audit_entries_are_read_in_order_of_one_incident_or_all(store: Store) -> None:
    released, changed = audit.AuditAction.RELEASED, audit.AuditAction.PROFILE_CHANGED

    def entry(action: audit.AuditAction, incident: str | None) -> audit.NewAuditEntry:
        return audit.NewAuditEntry(at=AT, actor="a", action=action, subject="s", details_digest="d", incident=incident)

    with store.begin() as transaction:
        first, *_ = (audit.append_entry(transaction, entry(*each)) for each in ((released, "INC-1"), (changed, None)))
        assert [row.action for row in audit.entries_after(transaction, 0, limit=9)] == [released, changed]
        assert [row.action for row in audit.entries_after(transaction, first, limit=9)] == [changed]
        assert [row.action for row in audit.entries_after(transaction, 0, limit=9, incident="INC-1")] == [released]


def test_a_cursor_moves_forward_for_one_of_two_that_read_the_same_position(store: Store) -> None:
    with store.begin() as transaction:
        assert cursors.cursor_position(transaction, "analytics") == 0
        assert cursors.move_cursor(transaction, "analytics", expected=0, position=5)
        assert not cursors.move_cursor(transaction, "analytics", expected=0, position=7)
        assert not cursors.move_cursor(transaction, "analytics", expected=5, position=4)
        assert cursors.cursor_position(transaction, "analytics") == 5
