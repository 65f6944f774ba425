"""The table of acts, row by row, each with what is refused; and decisions that are refused, changing nothing.

Every refusal is held against a dump of what is stored: decisions, versions, indexes and the audit log.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from dagster_project.application.deciding import decide, take_decision
from dagster_project.application.drafting_decisions import (
    Reviewer,
    current_version,
    draft_act,
    draft_approval,
    holds_in_force,
    shown_fields,
    staged_page,
    versions_of_incident,
)
from dagster_project.application.releasing import release
from dagster_project.application.verify import verify
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, IntegrityViolation, UnsafeOrRejected
from dagster_project.integrity.signatures import SigningKey
from dagster_project.integrity.trust_changes import revoke_key, take_roles
from dagster_project.review.decisions import Act, Decision, sign_decision
from dagster_project.store.release_tables import decisions, package_indexes, versions
from dagster_project.store.tables import audit_entries
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time, say
from tests.support.review_people import Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

OTHER = "tidewater"
STATUS = "/affected_capabilities/message-delivery/capability_status"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    url: str | None = None
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql_url")
    workspace = make_workspace(tmp_path, database_url=url)
    play_scenario(workspace, until_step=2)
    yield make_bench(workspace)
    workspace.store.engine.dispose()


def released(bench: Bench) -> int:
    """Release the page that everybody approved; return its number."""
    for person in ("ines", "selma", "ada"):
        bench.approve(person, INCIDENT, BRIDGE)
    return release(bench.workspace, INCIDENT, BRIDGE).version


def dump(workspace: Workspace) -> list[object]:
    with workspace.store.read() as transaction:
        return [
            [tuple(row) for row in transaction.connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in (decisions, versions, package_indexes, audit_entries)
        ]


def refused(bench: Bench, code: str, decision: Decision, key: SigningKey) -> None:
    """Take a decision and see that it is refused with this code and changes nothing."""
    envelope_refused(bench, code, sign_decision(decision, key))


def envelope_refused(bench: Bench, code: str, envelope: bytes) -> None:
    before = dump(bench.workspace)
    with pytest.raises(ChannelsafeError) as caught:
        take_decision(bench.workspace, envelope)
    assert caught.value.code == code
    assert dump(bench.workspace) == before


def act(bench: Bench, kind: Act, **parts: object) -> Decision:
    return draft_act(bench.workspace, kind, INCIDENT, BRIDGE, **parts)  # type: ignore[arg-type] # passed through


def approval(bench: Bench, person: str, bridge: str = BRIDGE) -> Decision:
    return draft_approval(bench.workspace, INCIDENT, bridge, Reviewer(person, bench.keys[person]))


def states(bench: Bench) -> dict[int, str]:
    return {one.version: one.state for one in versions_of_incident(bench.workspace, INCIDENT) if one.bridge == BRIDGE}


# ---- hold ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bridge", [BRIDGE, ""])
def test_a_hold_by_any_reviewer_stops_every_release_until_the_same_role_lifts_it(bench: Bench, bridge: str) -> None:
    for person in ("ines", "selma", "ada"):
        bench.approve(person, INCIDENT, BRIDGE)
    bench.act("leo", Act.HOLD, INCIDENT, bridge, role="legal", reason="being read")
    with pytest.raises(UnsafeOrRejected, match="on_hold_by_people"):
        release(bench.workspace, INCIDENT, BRIDGE)
    (held,) = holds_in_force(bench.workspace, INCIDENT, BRIDGE)
    digest = held.row.decision_digest
    lift = draft_act(bench.workspace, Act.LIFT, INCIDENT, bridge, refers_to=digest, role="security")
    refused(bench, "other_role", lift, bench.keys["selma"])
    bench.act("leo", Act.LIFT, INCIDENT, bridge, refers_to=digest, role="legal")
    assert release(bench.workspace, INCIDENT, BRIDGE).version == 1


def test_a_hold_needs_a_reason_and_a_role_that_the_person_has(bench: Bench) -> None:
    refused(bench, "reason_missing", act(bench, Act.HOLD, role="legal"), bench.keys["leo"])
    refused(bench, "role_missing", act(bench, Act.HOLD, role="security", reason="x"), bench.keys["leo"])


def test_a_hold_keeps_back_acknowledgement_and_reaffirmation_and_no_pull(bench: Bench) -> None:
    version = released(bench)
    bench.act("leo", Act.HOLD, INCIDENT, BRIDGE, role="legal", reason="being read")
    fields = shown_fields(bench.workspace, current_version(bench.workspace, INCIDENT, BRIDGE))
    refused(bench, "on_hold_by_people", act(bench, Act.REAFFIRM, version=version, fields=fields), bench.keys["sam"])
    pulled = bench.act("selma", Act.PULL, INCIDENT, BRIDGE, version=version, fields=[STATUS], reason="leak")
    assert pulled.version is not None


# ---- pull, withdrawal, restoration -----------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["ines", "sam", "ada", "selma", "leo"])
def test_any_one_reviewer_pulls_a_field_and_every_version_that_holds_the_value_is_suspended(
    bench: Bench, person: str
) -> None:
    first = released(bench)
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    for approving in ("ines", "sam", "ivan"):
        bench.approve(approving, INCIDENT, BRIDGE)
    second = release(bench.workspace, INCIDENT, BRIDGE).version
    taken = bench.act(person, Act.PULL, INCIDENT, BRIDGE, version=second, fields=[STATUS], reason="not cleared")
    assert taken.version is not None
    assert states(bench) == {first: "suspended", second: "suspended", taken.version.version: "released"}
    assert STATUS not in shown_fields(bench.workspace, taken.version)


def test_a_pull_leaves_alone_the_versions_that_never_showed_the_value(bench: Bench) -> None:
    first = released(bench)
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    for approving in ("ines", "sam", "ivan"):
        bench.approve(approving, INCIDENT, BRIDGE)
    second = release(bench.workspace, INCIDENT, BRIDGE).version
    bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=second, fields=["/severity_code"], reason="wrong")
    assert (states(bench)[first], states(bench)[second]) == ("superseded", "suspended")


def test_a_pull_waits_for_no_fresh_source_and_no_passed_candidate(bench: Bench) -> None:
    version = released(bench)
    pass_time(bench.workspace, 600)
    taken = bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=version, fields=[STATUS], reason="late")
    assert taken.version is not None
    assert states(bench)[version] == "suspended"


def test_a_pull_needs_a_reason_and_a_field_that_the_version_shows(bench: Bench) -> None:
    version = released(bench)
    refused(bench, "reason_missing", act(bench, Act.PULL, version=version, fields=[STATUS]), bench.keys["leo"])
    for fields in ([], ["/no/such/field"]):
        decision = act(bench, Act.PULL, version=version, fields=fields, reason="x")
        refused(bench, "field_not_shown", decision, bench.keys["leo"])
    refused(bench, "no_such_version", act(bench, Act.PULL, version=9, fields=[STATUS], reason="x"), bench.keys["leo"])


def test_a_pulled_field_comes_back_by_restoration_and_the_full_threshold_of_its_class(bench: Bench) -> None:
    version = released(bench)
    bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=version, fields=[STATUS], reason="not cleared")
    for person in ("ines", "sam", "selma", "ada"):
        bench.approve(person, INCIDENT, BRIDGE)
    assert STATUS in staged_page(bench.workspace, INCIDENT, BRIDGE).state.review.on_hold
    refused(bench, "role_missing", act(bench, Act.RESTORE, version=version, fields=[STATUS]), bench.keys["selma"])
    bench.act("sam", Act.RESTORE, INCIDENT, BRIDGE, version=version, fields=[STATUS])
    pass_time(bench.workspace)
    for person in ("ines", "selma", "sam"):
        bench.approve(person, INCIDENT, BRIDGE)
    back = release(bench.workspace, INCIDENT, BRIDGE)
    assert STATUS in shown_fields(bench.workspace, back)
    assert states(bench)[version] == "superseded"


def test_restoring_what_was_not_pulled_is_refused(bench: Bench) -> None:
    version = released(bench)
    refused(bench, "not_pulled", act(bench, Act.RESTORE, version=version, fields=[STATUS]), bench.keys["sam"])


def test_a_withdrawn_version_gives_way_to_a_page_on_hold_and_confirmed_it_is_final(bench: Bench) -> None:
    version = released(bench)
    taken = bench.act("selma", Act.WITHDRAW, INCIDENT, BRIDGE, version=version, reason="all wrong")
    assert taken.version is not None
    content = staged_page(bench.workspace, INCIDENT, BRIDGE).state.told
    assert content is not None
    assert content.fields[STATUS].hold is not None
    refused(bench, "role_missing", act(bench, Act.CONFIRM, version=version), bench.keys["selma"])
    bench.act("ines", Act.CONFIRM, INCIDENT, BRIDGE, version=version)
    assert states(bench)[version] == "withdrawn"
    refused(bench, "already_withdrawn", act(bench, Act.WITHDRAW, version=version, reason="x"), bench.keys["leo"])
    refused(bench, "not_suspended", act(bench, Act.CONFIRM, version=version), bench.keys["sam"])


def test_a_withdrawal_needs_a_reason(bench: Bench) -> None:
    version = released(bench)
    refused(bench, "reason_missing", act(bench, Act.WITHDRAW, version=version), bench.keys["leo"])


# ---- reaffirmation and acknowledgement -------------------------------------------------------------------------


def test_a_reaffirmation_moves_the_header_alone_and_the_profile_caps_how_many_follow(bench: Bench) -> None:
    released(bench)
    before = current_version(bench.workspace, INCIDENT, BRIDGE)
    fields = shown_fields(bench.workspace, before)
    for _time in range(3):
        pass_time(bench.workspace, 5)
        number = current_version(bench.workspace, INCIDENT, BRIDGE).version
        bench.act("sam", Act.REAFFIRM, INCIDENT, BRIDGE, version=number, fields=fields)
    now = current_version(bench.workspace, INCIDENT, BRIDGE)
    assert (now.content_digest, now.as_of) == (before.content_digest, before.as_of)
    assert now.reaffirmed_at is not None
    assert now.valid_until > before.valid_until
    pass_time(bench.workspace, 5)
    refused(
        bench, "too_many_reaffirmations", act(bench, Act.REAFFIRM, version=now.version, fields=fields),
        bench.keys["ines"],
    )  # fmt: skip


def test_a_reaffirmation_of_some_fields_does_not_keep_the_page_from_ageing(bench: Bench) -> None:
    version = released(bench)
    pass_time(bench.workspace, 5)
    decision = act(bench, Act.REAFFIRM, version=version, fields=["/severity_code"])
    refused(bench, "not_all_was_looked_at", decision, bench.keys["sam"])


@pytest.mark.parametrize("person", ["ada", "selma", "leo"])
def test_only_incident_command_or_support_leadership_reaffirms(bench: Bench, person: str) -> None:
    version = released(bench)
    fields = shown_fields(bench.workspace, current_version(bench.workspace, INCIDENT, BRIDGE))
    refused(bench, "role_missing", act(bench, Act.REAFFIRM, version=version, fields=fields), bench.keys[person])


def test_only_incident_command_acknowledges_and_only_as_the_first_text(bench: Bench) -> None:
    refused(bench, "role_missing", act(bench, Act.ACKNOWLEDGE), bench.keys["sam"])
    accepted = bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, BRIDGE)
    assert accepted.version is not None
    assert accepted.version.kind == "acknowledgement"
    pass_time(bench.workspace)
    refused(bench, "bridge_was_told", act(bench, Act.ACKNOWLEDGE), bench.keys["ivan"])


# ---- decisions that are not on what is shown now ---------------------------------------------------------------


def test_an_approval_of_a_change_that_does_not_exist_or_was_overtaken_is_refused(bench: Bench) -> None:
    unknown = msgspec.structs.replace(approval(bench, "ines"), changes=("sha256:" + "0" * 64,), page="")
    refused(bench, "change_overtaken", unknown, bench.keys["ines"])
    before = approval(bench, "ines")
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    refused(bench, "change_overtaken", before, bench.keys["ines"])


def test_an_approval_on_an_older_candidate_is_refused_even_where_its_changes_are_the_same(bench: Bench) -> None:
    before = approval(bench, "ines")
    say(bench.workspace, "incident", INCIDENT, {"/note": "Nothing that anybody sees."})
    refused(bench, "candidate_overtaken", before, bench.keys["ines"])


def test_an_approval_of_a_page_that_is_not_the_one_that_would_leave_is_refused(bench: Bench) -> None:
    decision = msgspec.structs.replace(approval(bench, "ines"), page="sha256:" + "1" * 64)
    refused(bench, "page_overtaken", decision, bench.keys["ines"])


def test_a_decision_pasted_on_another_bridge_is_refused(bench: Bench) -> None:
    pasted = msgspec.structs.replace(approval(bench, "ines"), bridge=OTHER)
    refused(bench, "change_overtaken", pasted, bench.keys["ines"])


def test_a_decision_of_one_version_pasted_on_another_covers_nothing_there(bench: Bench) -> None:
    first = approval(bench, "ines")
    released(bench)
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    number = staged_page(bench.workspace, INCIDENT, BRIDGE).state.candidate.ordinal
    pasted = msgspec.structs.replace(first, candidate=number)
    refused(bench, "change_overtaken", pasted, bench.keys["ivan"])


def test_a_decision_of_another_deployment_is_refused(bench: Bench) -> None:
    foreign = msgspec.structs.replace(approval(bench, "ines"), deployment="0" * 32)
    refused(bench, "decision_of_another_deployment", foreign, bench.keys["ines"])


@pytest.mark.parametrize("away", [timedelta(hours=-13), timedelta(minutes=6)])
def test_a_decision_from_long_ago_or_from_the_future_is_refused(bench: Bench, away: timedelta) -> None:
    decision = approval(bench, "ines")
    moved = msgspec.structs.replace(decision, decided_at=decision.decided_at + away)
    refused(bench, "decision_out_of_time", moved, bench.keys["ines"])


def test_a_replayed_decision_is_refused(bench: Bench) -> None:
    decision = approval(bench, "ines")
    decide(bench.workspace, decision, bench.keys["ines"])
    refused(bench, "decision_replayed", decision, bench.keys["ines"])


def test_decisions_in_another_order_are_refused(bench: Bench) -> None:
    hold = act(bench, Act.HOLD, role="legal", reason="x")
    lift = act(bench, Act.LIFT, refers_to="sha256:" + "2" * 64, role="legal")
    refused(bench, "no_such_hold", lift, bench.keys["leo"])
    decide(bench.workspace, hold, bench.keys["leo"])
    (held,) = holds_in_force(bench.workspace, INCIDENT, BRIDGE)
    lift = msgspec.structs.replace(lift, refers_to=held.row.decision_digest)
    decide(bench.workspace, lift, bench.keys["leo"])
    pass_time(bench.workspace)
    again = act(bench, Act.LIFT, refers_to=held.row.decision_digest, role="legal")
    refused(bench, "no_such_hold", again, bench.keys["leo"])


def test_a_signature_in_another_spelling_or_by_a_stranger_is_refused(bench: Bench) -> None:
    envelope = sign_decision(approval(bench, "ines"), bench.keys["ines"])
    for other in (envelope + b"\n", envelope.replace(b'"sig":"', b'"sig": "'), envelope.replace(b"==", b"=", 1)):
        before = dump(bench.workspace)
        with pytest.raises(IntegrityViolation):
            take_decision(bench.workspace, other)
        assert dump(bench.workspace) == before
    refused(bench, "signer_not_trusted", approval(bench, "ines"), SigningKey(bytes(range(32))))


def test_a_revoked_key_decides_nothing_more_and_what_it_approved_covers_nothing_more(bench: Bench) -> None:
    for person in ("ines", "selma", "ada"):
        bench.approve(person, INCIDENT, BRIDGE)
    pending = approval(bench, "ines")
    now = bench.workspace.clock.now()
    bench.change_trust(lambda trust: revoke_key(trust, "ines", bench.keys["ines"].keyid, now))
    refused(bench, "signer_not_trusted", pending, bench.keys["ines"])
    with pytest.raises(UnsafeOrRejected):
        release(bench.workspace, INCIDENT, BRIDGE)
    bench.approve("ivan", INCIDENT, BRIDGE)
    assert release(bench.workspace, INCIDENT, BRIDGE).version == 1


def test_whoever_loses_a_role_while_an_approval_waits_approves_nothing_with_it(bench: Bench) -> None:
    for person in ("selma", "ada", "ines"):
        bench.approve(person, INCIDENT, BRIDGE)
    bench.change_trust(lambda trust: take_roles(trust, "selma", ["security"]))
    with pytest.raises(UnsafeOrRejected):
        release(bench.workspace, INCIDENT, BRIDGE)
    refused(bench, "role_missing", act(bench, Act.HOLD, role="security", reason="x"), bench.keys["selma"])


def test_a_revoked_key_rewrites_nothing_that_was_released(bench: Bench) -> None:
    released(bench)
    before = dump(bench.workspace)[1]
    now = bench.workspace.clock.now()
    bench.change_trust(lambda trust: revoke_key(trust, "ines", bench.keys["ines"].keyid, now))
    assert dump(bench.workspace)[1] == before
    assert verify(bench.workspace, progress=lambda _line: None).violations == ()


def test_two_people_at_once_on_the_same_page_count_both(bench: Bench) -> None:
    drafts = {person: approval(bench, person) for person in ("ines", "selma")}
    decide(bench.workspace, drafts["ines"], bench.keys["ines"])
    # The page that would leave with her approval alone is still the same, because one more is missing.
    decide(bench.workspace, drafts["selma"], bench.keys["selma"])
    bench.approve("ada", INCIDENT, BRIDGE)
    assert release(bench.workspace, INCIDENT, BRIDGE).version == 1
