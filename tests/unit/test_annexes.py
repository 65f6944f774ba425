"""Annexes are listed without a value, opened by those they are for, and never before the audit log says so."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from dagster_project.application import opening_annexes
from dagster_project.application.annexes import AnnexShelf, StoredAnnex
from dagster_project.application.audit_evidence import verify_audit_log
from dagster_project.application.drafting_decisions import draft_act
from dagster_project.application.opening_annexes import OpenedAnnex, open_annex
from dagster_project.application.trust import latest_trust
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.errors import ChannelsafeError, IntegrityViolation, Unavailable, UnsafeOrRejected, UsageError
from dagster_project.integrity.canonical import parse_strict
from dagster_project.integrity.signatures import SigningKey, add_signatures, read_envelope
from dagster_project.integrity.trust import Trust
from dagster_project.packaging.annexes import seen_by
from dagster_project.review.decisions import Act, sign_decision
from dagster_project.review.openings import Opening, read_opening, sign_opening
from dagster_project.settings import Settings
from dagster_project.store.audit import AuditEntry, entries_after
from dagster_project.store.candidates import latest_candidate
from dagster_project.store.tables import audit_entries
from tests.support.command_line import Answer
from tests.support.played_stories import copy_of
from tests.support.review_people import Bench, make_bench
from tests.support.review_room import BRIDGE, INCIDENT, ReviewRoom, open_room
from tests.support.workspaces import make_workspace, play_scenario

REASON = "Northgate asks what we told Tidewater"
VENDOR = "Northgate Carrier Services"
SECRET = next(one.value for one in restricted_values() if one.where == "security-review#/exploitability_note")
AUDIENCES = ["incident_command", "legal", "security"]


# ---- by the command line --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    """A deployment in which something is withheld for three audiences, and version 1 was released to one bridge."""
    room = open_room(tmp_path_factory.mktemp("room"), (1, 2, 3, 4))
    room.release_first()
    return room


@pytest.fixture
def room(opened: ReviewRoom, tmp_path: Path) -> ReviewRoom:
    return opened.copy(tmp_path)


def listed(room: ReviewRoom, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = room.done("annex", "list", INCIDENT, *options)
    return found


def code_for(room: ReviewRoom, audience: str) -> str:
    (stage,) = listed(room, "--version", "1")
    return next(str(one["annex"]) for one in stage["annexes"] if one["audience"] == audience)


def ask(room: ReviewRoom, person: str, annex: str, role: str, *options: str, reason: str = REASON) -> Answer:
    who = ("--role", role, "--reason", reason, "--key", str(room.key(person)))
    return room.run("annex", "open", INCIDENT, annex, *who, *options)


def logged(room: ReviewRoom) -> list[dict[str, Any]]:
    """Return what the exported audit log says of annexes."""
    lines = [json.loads(line) for line in room.run("audit", "export").out.splitlines()]
    entries = [line["entry"] for line in lines if "entry" in line]
    return [one for one in entries if one["action"].startswith("annex_")]


def refused(answer: Answer, code: str, exit_code: int) -> bool:
    return (answer.code, answer.out) == (exit_code, "") and f"code:  {code}\n" in answer.err


def test_what_was_withheld_is_listed_for_every_candidate_and_version(room: ReviewRoom) -> None:
    stages = [(one["bridge"], one["stage"], one["number"]) for one in listed(room)]
    candidates = [
        (one["bridge"], "candidate", number)
        for one in room.done("status")["incidents"][0]["candidates"]
        for number in range(1, one["ordinal"] + 1)
    ]
    assert stages == sorted([*candidates, (BRIDGE, "version", 1)])
    (version,) = listed(room, "--version", "1")
    assert [one["audience"] for one in version["annexes"]] == AUDIENCES
    security = version["annexes"][2]
    assert security["rules"] == {"dependency-map": 3, "dependency-vendors": 1, "exploitability": 1}
    assert security["withheld"] == sum(security["rules"].values()) == sum(security["source_fields"].values())
    assert (security["opens"], security["digest"][:12]) == (["security"], "hmac-sha256:")


def test_the_list_agrees_with_the_counts_of_the_history(room: ReviewRoom) -> None:
    (version,) = listed(room, "--version", "1")
    (shared,) = room.done("history", INCIDENT)["versions"]
    assert {one["audience"]: one["withheld"] for one in version["annexes"]} == shared["withheld"]


def test_equal_annexes_have_one_code_and_others_have_another(room: ReviewRoom) -> None:
    by_stage = {
        (one["bridge"], one["number"]): {part["audience"]: part["annex"] for part in one["annexes"]}
        for one in listed(room)
        if one["stage"] == "candidate"
    }
    here, there = by_stage[max(place for place in by_stage if place[0] == BRIDGE)], by_stage[max(by_stage)]
    assert here["security"] == there["security"]
    assert here["legal"] != there["legal"]  # each has a contract of its own
    assert len({one["security"] for one in by_stage.values() if "security" in one}) == 2


def test_the_list_can_be_of_one_bridge_and_names_what_there_is_not(room: ReviewRoom) -> None:
    assert {one["bridge"] for one in listed(room, "--bridge", "tidewater")} == {"tidewater"}
    for options in (("--version", "2"), ("--bridge", "nowhere")):
        assert refused(room.run("annex", "list", INCIDENT, *options), "stage_unknown", 2)
    assert refused(room.run("annex", "list", "INC-404"), "incident_unknown", 2)


def test_the_list_shows_no_value(room: ReviewRoom) -> None:
    heard = (room.run("annex", "list", INCIDENT).everything + json.dumps(listed(room))).casefold()
    assert len(heard) > 5_000
    assert [one.where for one in restricted_values() if one.value.casefold() in heard] == []


@pytest.mark.parametrize(
    ("person", "role"), [("selma", "security"), ("ines", "incident_command"), ("leo", "legal")], ids=str
)
def test_whoever_has_the_audience_s_role_sees_its_values(room: ReviewRoom, person: str, role: str) -> None:
    annex = code_for(room, role)
    answer = ask(room, person, annex, role, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert (answer.json["person"], answer.json["role"], answer.json["not_shown"]) == (person, role, 0)
    assert len(answer.json["entries"]) > 0
    text = ask(room, person, annex, role)
    assert text.out.startswith(f"RESTRICTED: annex {annex} of {INCIDENT}, for {role}; opened by {person} as {role}")
    assert (SECRET in text.out) is (role == "security")


def test_an_opening_is_in_the_audit_log_with_person_role_annex_and_a_keyed_digest_of_the_reason(
    room: ReviewRoom,
) -> None:
    annex = code_for(room, "security")
    answer = ask(room, "selma", annex, "security", "--json")
    (entry,) = logged(room)
    assert (entry["action"], entry["actor"], entry["incident"]) == ("annex_opened", "selma", INCIDENT)
    assert entry["sequence"] == answer.json["audit_sequence"]
    place, _, reason = entry["subject"].partition("/reason/")
    assert place == f"annex/{annex}/role/security"
    assert reason.startswith("hmac-sha256:")
    assert REASON not in json.dumps(logged(room))
    assert room.run("audit", "verify").code == 0
    assert room.run("verify").code == 0


REFUSALS: dict[str, tuple[str, str, str, str, str]] = {
    "a role that the person has not": ("selma", "legal", "legal", REASON, "role_missing"),
    "a role that the annex is not for": ("selma", "legal", "security", REASON, "other_audience"),
    "no reason": ("selma", "security", "security", "", "reason_missing"),
    "a reason of spaces": ("selma", "security", "security", "  ", "reason_missing"),
    "another annex's code": ("selma", "nowhere", "security", REASON, "annex_unknown"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_shows_nothing_and_is_written_down(room: ReviewRoom, name: str) -> None:
    person, audience, role, reason, code = REFUSALS[name]
    annex = code_for(room, audience) if audience in AUDIENCES else VENDOR
    for options in ((), ("--json",)):
        assert refused(ask(room, person, annex, role, *options, reason=reason), code, 1)
    entries = logged(room)
    assert [(one["action"], one["actor"]) for one in entries] == [("annex_refused", person)] * 2
    assert entries[0]["subject"].startswith(f"annex/{annex if audience in AUDIENCES else 'unknown'}/role/{role}/")
    assert VENDOR not in json.dumps(entries)
    assert room.run("audit", "verify").code == 0


def test_a_key_that_nobody_trusted_has_opens_nothing_and_the_attempt_is_written_down(room: ReviewRoom) -> None:
    annex = code_for(room, "security")
    room.done("keys", "person", "selma", "--out", str(room.key("impostor")))
    assert refused(ask(room, "impostor", annex, "security"), "signer_not_trusted", 1)
    (entry,) = logged(room)
    assert (entry["action"], entry["actor"]) == ("annex_refused", "unknown")


def test_bad_calls_are_named_and_open_nothing(room: ReviewRoom) -> None:
    annex = code_for(room, "security")
    assert ask(room, "selma", annex, "janitor").code == 2
    assert refused(ask(room, "selma", annex, "security", reason="\x1b[2J"), "reason_unreadable", 2)
    assert refused(ask(room, "nobody", annex, "security"), "keys_missing", 3)
    who = ("--role", "security", "--reason", REASON, "--key", str(room.key("selma")))
    assert refused(room.run("annex", "open", "INC-404", annex, *who), "incident_unknown", 2)
    assert logged(room) == []


def test_where_the_log_is_not_what_was_written_nothing_is_shown(room: ReviewRoom) -> None:
    annex = code_for(room, "security")
    workspace = open_workspace(Settings(home=room.run.home, keys=room.run.keys))
    with workspace.store.begin() as transaction:
        last = sa.select(sa.func.max(audit_entries.c.sequence)).scalar_subquery()
        transaction.connection.execute(sa.delete(audit_entries).where(audit_entries.c.sequence == last))
    assert refused(ask(room, "selma", annex, "security"), "audit_log_rolled_back", 4)
    assert refused(ask(room, "selma", annex, "legal"), "audit_log_rolled_back", 4)


def test_where_the_anchor_is_gone_nothing_is_shown(room: ReviewRoom) -> None:
    annex, anchor = code_for(room, "security"), room.folder / "elsewhere" / "anchor"
    anchor.parent.mkdir()
    anchored = replace(room.run, environment=(("CHANNELSAFE_ANCHOR", str(anchor)),))
    assert anchored("audit", "checkpoint").code == 0
    anchor.unlink()
    who = ("--role", "security", "--reason", REASON, "--key", str(room.key("selma")))
    assert refused(anchored("annex", "open", INCIDENT, annex, *who), "anchor_missing", 3)


def test_a_value_that_would_act_on_a_terminal_is_spelled_out(room: ReviewRoom) -> None:
    text = load_scenario().steps[2].body.decode()
    assert VENDOR in text
    file = room.folder / "hostile.ndjson"
    record = next(json.loads(line) for line in text.splitlines() if VENDOR in line)
    hostile = record | {
        "id": "hostile",
        "recordversion": "9",
        "data": record["data"] | {"vendors": ["a\u202eb\x1b[2J"]},
    }
    hostile.pop("datadigest", None)
    file.write_text(json.dumps(hostile) + "\n")
    room.run("ingest", "landing", str(file))
    room.run("refresh", INCIDENT)
    newest = [one for one in listed(room, "--bridge", BRIDGE) if one["stage"] == "candidate"][-1]
    annex = next(one["annex"] for one in newest["annexes"] if one["audience"] == "security")
    out = ask(room, "selma", annex, "security").out
    assert "\\u202eb\\u001b[2J" in out
    assert all(one.isprintable() or one == "\n" for one in out)


# ---- through the application, on both databases ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The sample scenario up to its fourth step, with people who are trusted. Only to be copied."""
    workspace = make_workspace(tmp_path_factory.mktemp("played"))
    play_scenario(workspace, until_step=4)
    return make_bench(workspace)


@pytest.fixture
def bench(played: Bench, tmp_path: Path) -> Iterator[Bench]:
    """A copy of it."""
    workspace = copy_of(played.workspace, tmp_path)
    yield Bench(workspace, played.keys)
    workspace.store.engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def each_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """The same, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    play_scenario(workspace, until_step=4)
    yield make_bench(workspace)
    workspace.store.engine.dispose()


def stored(workspace: Workspace, audience: str) -> StoredAnnex:
    with workspace.store.read() as transaction:
        row = latest_candidate(transaction, INCIDENT, BRIDGE)
        assert row is not None
        return next(one for one in AnnexShelf(workspace, transaction, INCIDENT).of(row) if one.audience == audience)


def request_of(bench: Bench, **changes: Any) -> Opening:  # noqa: ANN401 - members of a request
    with bench.workspace.store.read() as transaction:
        deployment = latest_trust(transaction, bench.workspace).deployment
    members: dict[str, Any] = {
        "deployment": deployment,
        "incident": INCIDENT,
        "annex": stored(bench.workspace, "security").code,
        "role": "security",
        "reason": REASON,
        "requested_at": bench.workspace.clock.now(),
    }
    return Opening(**(members | changes))


def open_as(bench: Bench, person: str, **changes: Any) -> OpenedAnnex:  # noqa: ANN401 - members of a request
    return open_annex(bench.workspace, sign_opening(request_of(bench, **changes), bench.keys[person]))


def entries(workspace: Workspace) -> list[AuditEntry]:
    with workspace.store.read() as transaction:
        every = entries_after(transaction, 0, limit=10_000)
    return [one for one in every if one.action.startswith("annex_")]


def refusal_of(call: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(ChannelsafeError) as caught:
        call()
    assert not any(word in str(caught.value) for word in (VENDOR, SECRET, REASON))
    return caught.value.code, caught.value.exit_code


def test_an_opening_hands_out_what_was_withheld_and_keeps_the_signed_request_sealed(each_bench: Bench) -> None:
    opened_annex = open_as(each_bench, "selma")
    assert [one.value for one in opened_annex.entries if one.rule_id == "dependency-vendors"] == [[VENDOR]]
    (entry,) = entries(each_bench.workspace)
    with each_bench.workspace.store.read() as transaction:
        details = parse_strict(transaction.get_sealed(entry.details_digest))
        request = read_opening(read_envelope(transaction.get_sealed(details["request_digest"])))
    assert (request.reason, request.role, request.annex) == (REASON, "security", opened_annex.annex)
    assert (details["refused"], details["values"]) == (None, len(opened_annex.entries))
    assert details["reason_digest"] in entry.subject
    assert verify_audit_log(each_bench.workspace).found.faults == ()


def test_the_entry_is_durable_before_a_value_is_handed_out(each_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    proper = opening_annexes._handed_out

    def handed_out(*given: Any) -> OpenedAnnex:  # noqa: ANN401 - passed through
        elsewhere = open_workspace(each_bench.workspace.settings, clock=each_bench.workspace.clock)
        seen.append(len(entries(elsewhere)))
        elsewhere.store.engine.dispose()
        return proper(*given)

    monkeypatch.setattr(opening_annexes, "_handed_out", handed_out)
    open_as(each_bench, "selma")
    assert seen == [1]


def test_a_request_is_for_here_and_for_now(bench: Bench) -> None:
    now = bench.workspace.clock.now()
    for changes, code in (
        ({"deployment": "f" * 32}, "opening_of_another_deployment"),
        ({"requested_at": now - timedelta(minutes=6)}, "opening_out_of_time"),
        ({"requested_at": now + timedelta(minutes=6)}, "opening_out_of_time"),
    ):
        assert refusal_of(lambda changes=changes: open_as(bench, "selma", **changes)) == (code, 1)  # type: ignore[misc]
    assert open_as(bench, "selma", requested_at=now - timedelta(minutes=4)).entries
    assert [one.action for one in entries(bench.workspace)] == ["annex_refused"] * 3 + ["annex_opened"]


def test_a_role_counts_only_while_trust_gives_it(bench: Bench) -> None:
    assert open_as(bench, "selma").entries

    def without_roles(trust: Trust) -> Trust:
        selma = msgspec.structs.replace(trust.people["selma"], roles=())
        return msgspec.structs.replace(trust, people={**trust.people, "selma": selma})

    bench.change_trust(without_roles)
    assert refusal_of(lambda: open_as(bench, "selma")) == ("role_missing", 1)


def test_nothing_is_opened_under_trust_that_has_expired(bench: Bench) -> None:
    with bench.workspace.store.read() as transaction:
        expires = latest_trust(transaction, bench.workspace).expires
    assert isinstance(bench.workspace.clock, FixedClock)
    bench.workspace.clock.set(expires)
    assert refusal_of(lambda: open_as(bench, "selma")) == ("trust_expired", 3)
    assert [one.action for one in entries(bench.workspace)] == ["annex_refused"]


def test_one_key_of_one_person_signs_a_request(bench: Bench) -> None:
    signed = sign_opening(request_of(bench), bench.keys["selma"])
    both = add_signatures(read_envelope(signed), [bench.keys["leo"]])
    stranger = add_signatures(read_envelope(signed), [SigningKey(b"\x09" * 32)])
    for envelope in (both, stranger, sign_opening(request_of(bench), SigningKey(b"\x09" * 32))):
        assert refusal_of(lambda envelope=envelope: open_annex(bench.workspace, envelope)) == ("signer_not_trusted", 1)  # type: ignore[misc]
    assert [one.actor for one in entries(bench.workspace)] == ["unknown"] * 3


def test_a_decision_is_no_request_to_open_an_annex(bench: Bench) -> None:
    decision = draft_act(bench.workspace, Act.HOLD, INCIDENT, BRIDGE, role="security", reason=REASON)
    signed = sign_decision(decision, bench.keys["selma"])
    with pytest.raises(IntegrityViolation, match="statement_refused"):
        open_annex(bench.workspace, signed)


def test_a_role_or_an_incident_that_there_is_not_is_a_mistake_of_the_call(bench: Bench) -> None:
    for changes in ({"role": VENDOR}, {"incident": "INC-404"}):
        with pytest.raises(UsageError):
            open_as(bench, "selma", **changes)
    assert entries(bench.workspace) == []


def test_nobody_opens_anything_where_nobody_is_trusted(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    opening = Opening(
        deployment="0" * 32,
        incident=INCIDENT,
        annex="x",
        role="security",
        reason=REASON,
        requested_at=workspace.clock.now(),
    )
    with pytest.raises(Unavailable, match="no_trust"):
        open_annex(workspace, sign_opening(opening, SigningKey(b"\x09" * 32)))


def test_a_refusal_is_an_error_that_undoes_nothing(each_bench: Bench) -> None:
    with pytest.raises(UnsafeOrRejected):
        open_as(each_bench, "selma", role="legal")
    assert open_as(each_bench, "selma").audit_sequence == entries(each_bench.workspace)[0].sequence + 1


def test_the_reviewer_of_a_slot_sees_what_that_slot_stands_for_and_no_more(bench: Bench) -> None:
    annex = replace(stored(bench.workspace, "security"), audience="support_leadership")
    assert annex.opens == {"support_leadership", "security"}
    every = seen_by("support_leadership", annex.audience, annex.entries, annex.review_roles)
    part = seen_by("security", annex.audience, annex.entries, annex.review_roles)
    assert every == annex.entries == part  # all of it lies in slots that security reviews
    command = stored(bench.workspace, "incident_command")
    assert command.opens == {"incident_command"}
    assert seen_by("security", "incident_command", command.entries, command.review_roles) == ()
    mixed = (*annex.entries, *command.entries)
    assert seen_by("security", "incident_command", mixed, annex.review_roles) == annex.entries
