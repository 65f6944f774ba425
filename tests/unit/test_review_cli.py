"""Reviewing and releasing by the command line: what it shows, what it takes, what it refuses, and what it changes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_project.application.releasing import release
from dagster_project.application.workspace import open_workspace
from dagster_project.demo.scenario import restricted_values
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.settings import HOME_VARIABLE, KEYS_VARIABLE, Settings
from dagster_project.store.candidates import latest_candidate
from tests.support.command_line import Answer, fresh_command_line
from tests.support.review_room import BRIDGE, FIRST, INCIDENT, ReviewRoom, open_room
from tests.support.stored_bodies import flip, stored_body

SEVERITY = "/severity_code"
OTHER = "tidewater"
FORMS: tuple[tuple[str, ...], ...] = ((), ("--json",))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    return open_room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def released(opened: ReviewRoom, tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    room = opened.copy(tmp_path_factory.mktemp("released"))
    room.release_first()
    return room


@pytest.fixture
def before(opened: ReviewRoom, tmp_path: Path) -> ReviewRoom:
    """A deployment of which nothing was released yet."""
    return opened.copy(tmp_path)


@pytest.fixture
def after(released: ReviewRoom, tmp_path: Path) -> ReviewRoom:
    """A deployment in which version 1 was released to one bridge."""
    return released.copy(tmp_path)


def refused(answer: Answer, code: str, exit_code: int = 1) -> bool:
    return answer.code == exit_code and f"code:  {code}\n" in answer.err and "to do:" in answer.err


def published(room: ReviewRoom) -> set[str]:
    """Return the names of all files in the published folder, below the folder of each package."""
    root = room.run.home / "published"
    return {str(one.relative_to(root)).split("/", 1)[1] for one in root.glob("*/**/*") if one.is_file()}


def waiting(room: ReviewRoom) -> dict[str, Any]:
    return {one["bridge"]: one for one in room.done("review", "list", INCIDENT)}


def states(room: ReviewRoom) -> dict[int, str]:
    history = room.done("history", INCIDENT, "--bridge", BRIDGE)
    return {one["version"]: one["state"] for one in history["versions"]}


# ---- what waits -----------------------------------------------------------------------------------------------------


def test_the_list_counts_what_waits_by_class_and_names_the_roles_that_are_missing(before: ReviewRoom) -> None:
    one = waiting(before)[BRIDGE]
    shown = before.shown()["changes"]
    assert one["changes"] == sum(1 for change in shown if change["state"] == "waits")
    assert one["changes_by_class"]["first_release"] == one["changes"]
    assert one["roles_missing"] == ["account_leadership", "incident_command", "security"]
    assert (one["current_version"], one["stale_after"], one["holds"]) == (None, None, 0)
    before.decide("ines", "approve", BRIDGE)
    assert waiting(before)[BRIDGE]["roles_missing"] == ["account_leadership", "security"]


def test_a_bridge_that_was_told_everything_is_not_on_the_list(after: ReviewRoom) -> None:
    assert set(waiting(after)) == {OTHER}
    after.decide("ines", "acknowledge", OTHER)
    one = waiting(after)[OTHER]
    assert (one["current_version"], one["stale_after"] is not None) == (1, True)


def test_bridges_that_were_told_nothing_come_before_those_that_grow_old(after: ReviewRoom) -> None:
    after.deliver(3, 4, 5)
    assert [one["bridge"] for one in after.done("review", "list")] == [OTHER, BRIDGE]
    assert list(waiting(after)[BRIDGE]["changes_by_class"]) != ["first_release"]


def test_the_list_of_an_incident_that_nobody_knows_is_refused(before: ReviewRoom) -> None:
    assert refused(before.run("review", "list", "INC-404"), "incident_unknown", 2)


def test_a_bridge_that_cannot_be_read_is_named_and_stops_no_other(before: ReviewRoom) -> None:
    workspace = open_workspace(Settings(home=before.run.home, keys=before.run.keys))
    with workspace.store.read() as transaction:
        row = latest_candidate(transaction, INCIDENT, OTHER)
    assert row is not None
    body = stored_body(workspace.store, row.content_digest)
    flip(body.path, body.start + body.length // 2)
    found = waiting(before)
    assert (found[OTHER]["changes"], found[OTHER]["missing"]) == (0, ["body_not_authentic"])
    assert found[BRIDGE]["changes"] > 0


def test_a_page_is_shown_with_every_change_and_the_digest_of_what_would_leave(before: ReviewRoom) -> None:
    page = before.shown()
    change = next(one for one in page["changes"] if one["pointer"] == SEVERITY)
    assert (change["old"], change["new"], change["op"]) == (None, "severity_1", "add")
    assert change["roles_missing"] == ["account_leadership", "incident_command", "security"]
    assert change["recorded_by"] == ["p-1184"]
    assert page["page_digest"].startswith("sha256:")
    assert "SERVICE STATE" in page["page_text"]
    assert page["missing"] == ["page_not_approved"]
    text = before.run("review", "show", INCIDENT, BRIDGE).out
    assert all(one["pointer"] in text for one in page["changes"])
    assert page["page_digest"] in text
    assert "Severity on hold" in text


def test_a_bridge_without_a_candidate_has_nothing_to_review(before: ReviewRoom) -> None:
    assert refused(before.run("review", "show", INCIDENT, "nowhere"), "nothing_to_review", 2)


# ---- approving and releasing ----------------------------------------------------------------------------------------


def test_three_people_approve_and_the_page_leaves_into_the_published_folder(before: ReviewRoom) -> None:
    for person in FIRST:
        assert refused(before.run("release", INCIDENT, BRIDGE), "not_releasable")
        assert before.decide(person, "approve", BRIDGE)["person"] == person
    assert published(before) == set()
    row = before.done("release", INCIDENT, BRIDGE)
    assert row["version"] == 1
    assert {"v000001/package.json", "index.dsse.json"} <= published(before)
    public = before.folder / "public.json"
    before.run("trust", "show", "--public", str(public))
    folder = before.run.home / "published" / row["package_id"]
    verified = before.run("verify", str(folder), "--trust", str(public), "--state", str(before.folder / "seen.json"))
    assert verified.code == 0, verified.err
    assert refused(before.run("release", INCIDENT, BRIDGE), "nothing_to_release")


def test_a_preview_shows_the_page_that_an_approval_would_sign_and_signs_nothing(before: ReviewRoom) -> None:
    for person in FIRST[:2]:
        before.decide(person, "approve", BRIDGE)
    seen = before.decide("ada", "approve", BRIDGE, "--preview")
    assert seen["person"] == "ada"
    assert "Severity on hold" not in seen["page"]["page_text"]
    assert "Severity on hold" in before.shown()["page_text"]
    assert (
        before.decide("ada", "approve", BRIDGE, "--page", seen["page"]["page_digest"])["page"]
        == (seen["page"]["page_digest"])
    )
    assert before.shown()["missing"] == []


def test_an_approval_prints_the_digest_of_its_page_before_it_is_taken(before: ReviewRoom) -> None:
    first, second = before.ask("ines", "approve", BRIDGE).out.splitlines()
    assert first.startswith("page sha256:")
    assert second.startswith("ines decided: approve, 15 changes")


def test_an_approval_of_another_page_than_the_one_named_is_refused_and_changes_nothing(before: ReviewRoom) -> None:
    digest = before.shown()["page_digest"]
    for person in FIRST[:2]:
        before.decide(person, "approve", BRIDGE)
    kept = before.shown()
    assert refused(before.ask("ada", "approve", BRIDGE, "--page", digest), "page_overtaken")
    assert before.shown() == kept


def test_single_changes_are_approved_by_their_pointers(before: ReviewRoom) -> None:
    assert len(before.decide("ines", "approve", BRIDGE, SEVERITY)["changes"]) == 1
    missing = {one["pointer"]: one["roles_missing"] for one in before.shown()["changes"]}
    assert missing[SEVERITY] == ["account_leadership", "security"]
    assert missing["/incident_status"] == ["account_leadership", "incident_command", "security"]
    assert refused(before.ask("ines", "approve", BRIDGE, "/no/such/field"), "no_such_change", 2)


def test_a_rejected_change_waits_on_hold_and_says_so(before: ReviewRoom) -> None:
    before.decide("selma", "reject", BRIDGE, SEVERITY, "--reason", "not so")
    change = next(one for one in before.shown()["changes"] if one["pointer"] == SEVERITY)
    assert change["state"] == "rejected"
    assert waiting(before)[BRIDGE]["rejected"] == 1


def test_approving_everything_leaves_a_rejection_standing_until_it_is_named(before: ReviewRoom) -> None:
    before.decide("selma", "reject", BRIDGE, SEVERITY, "--reason", "not so")
    for person in FIRST:
        before.decide(person, "approve", BRIDGE)
    assert {one["pointer"] for one in before.shown()["changes"] if one["state"] == "rejected"} == {SEVERITY}
    before.decide("selma", "approve", BRIDGE, SEVERITY)
    assert {one["pointer"] for one in before.shown()["changes"] if one["state"] == "waits"} == {SEVERITY}


# ---- who decides ----------------------------------------------------------------------------------------------------


def test_the_name_in_a_key_file_counts_for_nothing(before: ReviewRoom) -> None:
    forged = before.folder / "forged.key"
    members = json.loads(before.key("leo").read_text()) | {"person": "ines"}
    forged.write_text(json.dumps(members, sort_keys=True, separators=(",", ":")) + "\n")
    forged.chmod(0o600)
    assert refused(before.run("review", "acknowledge", INCIDENT, BRIDGE, "--key", str(forged)), "role_missing")
    accepted = before.done("review", "approve", INCIDENT, BRIDGE, "--key", str(forged))
    assert accepted["person"] == "leo"


def test_a_key_that_nobody_trusts_decides_nothing(before: ReviewRoom) -> None:
    stranger = before.key("stranger")
    before.done("keys", "person", "ines", "--out", str(stranger))
    assert refused(before.run("review", "acknowledge", INCIDENT, BRIDGE, "--key", str(stranger)), "signer_not_trusted")


def test_a_key_that_was_revoked_decides_nothing(before: ReviewRoom) -> None:
    keys = ["--key", str(before.key("ines")), "--key", str(before.key("sam"))]
    before.done("trust", "revoke", "selma", *keys)
    assert refused(before.ask("selma", "approve", BRIDGE), "signer_not_trusted")


def test_a_key_file_that_is_missing_is_named(before: ReviewRoom) -> None:
    assert refused(before.ask("nobody", "approve", BRIDGE), "keys_missing", 3)
    assert before.run("review", "approve", INCIDENT, BRIDGE).code == 2


@pytest.mark.parametrize(
    ("person", "act", "arguments"),
    [
        ("selma", "acknowledge", (BRIDGE,)),
        ("selma", "hold", (BRIDGE, "--role", "legal", "--reason", "x")),
        ("leo", "reaffirm", (BRIDGE, "--all")),
        ("selma", "confirm", (BRIDGE, "1")),
        ("leo", "restore", (BRIDGE, SEVERITY)),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_acts_of_other_roles_are_refused(after: ReviewRoom, person: str, act: str, arguments: tuple[str, ...]) -> None:
    kept = after.done("history", INCIDENT)
    assert refused(after.ask(person, act, *arguments), "role_missing")
    assert after.done("history", INCIDENT) == kept


def test_the_proposer_of_a_profile_is_the_owner_of_the_key(before: ReviewRoom) -> None:
    stranger = before.key("stranger")
    before.done("keys", "person", "ada", "--out", str(stranger))
    answer = before.run("profile", "propose", "google_cloud_bridge", "--key", str(stranger))
    assert refused(answer, "signer_not_trusted")
    assert len(before.done("profile", "show")) == 1


# ---- bad input ------------------------------------------------------------------------------------------------------


def test_a_reason_is_taken_in_any_spelling_of_its_letters_and_kept_on_one_line(before: ReviewRoom) -> None:
    before.decide("leo", "hold", BRIDGE, "--role", "legal", "--reason", "Zoe\u0308 reads\n the contract")
    assert [one["reason"] for one in before.shown()["holds"]] == ["Zoë reads the contract"]


@pytest.mark.parametrize("reason", ["\x1b[2J", "a\udcff", "\x07"])
def test_a_reason_that_would_act_on_a_terminal_is_refused(before: ReviewRoom, reason: str) -> None:
    answer = before.ask("leo", "hold", BRIDGE, "--role", "legal", "--reason", reason)
    assert refused(answer, "reason_unreadable", 2)
    assert before.shown()["holds"] == []


@pytest.mark.parametrize("reason", ["", "  "])
def test_what_takes_back_or_stops_needs_a_reason(before: ReviewRoom, reason: str) -> None:
    assert refused(before.ask("leo", "hold", BRIDGE, "--role", "legal", "--reason", reason), "reason_missing")


def test_an_argument_that_is_no_text_is_a_mistake_of_the_call(after: ReviewRoom) -> None:
    for act in (["acknowledge", "\udcff"], ["pull", BRIDGE, "1", "/a\udcff", "--reason", "x"]):
        assert refused(after.ask("ines", *act), "argument_unreadable", 2)
    assert refused(after.ask("ines", "pull", BRIDGE, "1", "/e\u0308", "--reason", "x"), "field_not_shown")
    assert after.ask("ines", "withdraw", BRIDGE, "9" * 30, "--reason", "x").code == 2


def test_a_hold_on_a_bridge_that_the_incident_has_not_is_refused(before: ReviewRoom) -> None:
    answer = before.ask("leo", "hold", "harborline", "--role", "legal", "--reason", "x")
    assert refused(answer, "bridge_unknown")


# ---- holds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [(), (BRIDGE,)], ids=["incident", "bridge"])
def test_a_hold_stops_releases_until_the_same_role_lifts_it(before: ReviewRoom, where: tuple[str, ...]) -> None:
    for person in FIRST:
        before.decide(person, "approve", BRIDGE)
    before.decide("leo", "hold", *where, "--role", "legal", "--reason", "the contract is being read")
    (hold,) = before.shown()["holds"]
    assert (hold["role"], hold["person"], hold["bridge"]) == ("legal", "leo", "".join(where))
    assert waiting(before)[BRIDGE]["holds"] == 1
    assert waiting(before)[OTHER]["holds"] == (0 if where else 1)
    assert "HELD by leo as legal" in before.run("review", "show", INCIDENT, BRIDGE).out
    assert refused(before.run("release", INCIDENT, BRIDGE), "not_releasable")
    assert refused(before.ask("selma", "lift", *where, "--role", "security"), "no_such_hold")
    before.decide("leo", "lift", *where, "--role", "legal")
    assert before.done("release", INCIDENT, BRIDGE)["version"] == 1


def test_one_of_several_holds_is_lifted_by_its_digest(before: ReviewRoom) -> None:
    made = [before.decide("leo", "hold", BRIDGE, "--role", "legal", "--reason", why)["decision_digest"] for why in "ab"]
    assert refused(before.ask("leo", "lift", BRIDGE, "--role", "legal"), "several_holds")
    before.decide("leo", "lift", BRIDGE, "--role", "legal", "--hold", made[0])
    assert [one["digest"] for one in before.shown()["holds"]] == [made[1]]


# ---- taking back ----------------------------------------------------------------------------------------------------


def test_a_pull_is_effective_in_the_published_folder_when_the_command_returns(after: ReviewRoom) -> None:
    assert "v000001/package.json" in published(after)
    made = after.decide("leo", "pull", BRIDGE, "1", SEVERITY, "--reason", "it is being argued about")
    assert (made["version"], made["kind"]) == (2, "pull")
    assert states(after) == {1: "suspended", 2: "released"}
    files = published(after)
    assert "v000002/package.json" in files
    assert not {one for one in files if one.startswith("v000001/package")}
    assert after.shown()["pulled"] == [SEVERITY]


def test_what_was_pulled_is_restored_confirmed_or_refused(after: ReviewRoom) -> None:
    after.decide("leo", "pull", BRIDGE, "1", SEVERITY, "--reason", "x")
    assert refused(after.ask("sam", "restore", BRIDGE, "/incident_status"), "not_pulled")
    after.decide("sam", "restore", BRIDGE, SEVERITY)
    assert after.shown()["pulled"] == []
    assert states(after)[1] == "suspended"
    after.decide("sam", "confirm", BRIDGE, "1")
    assert states(after)[1] == "withdrawn"
    assert refused(after.ask("sam", "confirm", BRIDGE, "1"), "not_suspended")


def test_a_withdrawal_takes_a_version_out_of_the_folder(after: ReviewRoom) -> None:
    after.decide("leo", "withdraw", BRIDGE, "1", "--reason", "wrong customer")
    assert states(after)[1] == "suspended"
    assert not {one for one in published(after) if one.startswith("v000001/package")}
    assert refused(after.ask("leo", "withdraw", BRIDGE, "7", "--reason", "x"), "no_such_version")


def test_a_pull_that_the_folder_cannot_show_is_taken_and_published_by_the_next_round(after: ReviewRoom) -> None:
    root = after.run.home / "published"
    root.rename(root.with_name("aside"))
    root.write_text("in the way")
    answer = after.ask("leo", "pull", BRIDGE, "1", SEVERITY, "--reason", "x")
    assert answer.code in {3, 4}
    assert "leo decided: pull" in answer.out
    assert states(after)[1] == "suspended"
    failing = after.run("publish", "--once", "--json")
    assert (failing.code, len(failing.json["failed"]) > 0) == (3, True)
    root.unlink()
    root.with_name("aside").rename(root)
    assert after.run("publish", "--once").code == 0
    assert not {one for one in published(after) if one.startswith("v000001/package")}


# ---- reaffirming and acknowledging ----------------------------------------------------------------------------------


def test_a_person_reaffirms_what_they_looked_at(after: ReviewRoom) -> None:
    assert after.ask("sam", "reaffirm", BRIDGE).code == 2
    assert after.ask("sam", "reaffirm", BRIDGE, SEVERITY, "--all").code == 2
    assert refused(after.ask("sam", "reaffirm", BRIDGE, "/no/such"), "field_not_shown")
    made = after.decide("sam", "reaffirm", BRIDGE, "--all")
    assert (made["version"], made["kind"]) == (2, "reaffirmation")
    assert states(after) == {1: "superseded", 2: "released"}
    assert "v000002/package.json" in published(after)


def test_the_acknowledgement_is_a_first_text_and_published_at_once(before: ReviewRoom) -> None:
    assert before.decide("ines", "acknowledge", BRIDGE)["kind"] == "acknowledgement"
    assert "v000001/package.json" in published(before)
    assert refused(before.ask("ines", "acknowledge", BRIDGE), "bridge_was_told")


# ---- profiles -------------------------------------------------------------------------------------------------------


def profile_step(room: ReviewRoom, act: str, digest: str, person: str, *more: str) -> Answer:
    return room.run("profile", act, digest, "--key", str(room.key(person)), *more)


def test_a_profile_is_in_force_once_everybody_asked_approved_it(before: ReviewRoom) -> None:
    (in_force,) = before.done("profile", "show")
    proposed = before.done("profile", "propose", "google_cloud_bridge", "--key", str(before.key("sam")))
    digest = proposed["profile_digest"]
    assert (proposed["proposer"], proposed["in_force"]) == ("sam", False)
    assert refused(profile_step(before, "approve", digest, "sam"), "own_proposal")
    assert refused(profile_step(before, "approve", digest, "ada"), "role_missing")
    for person in ("ines", "selma"):
        assert profile_step(before, "approve", digest, person).code == 0
    (one,) = before.done("profile", "show", digest)
    assert one["roles_missing"] == ["legal", "support_leadership"]
    assert [decided["person"] for decided in one["decisions"]] == ["ines", "selma"]
    assert profile_step(before, "reject", digest, "leo", "--reason", "too loose").code == 0
    assert before.done("profile", "show", digest)[0]["rejected"]
    assert before.done("profile", "show")[0] == in_force


def test_nothing_leaves_under_a_profile_that_was_rejected_and_review_says_so(before: ReviewRoom) -> None:
    (in_force,) = before.done("profile", "show")
    for person in FIRST:
        before.decide(person, "approve", BRIDGE)
    assert profile_step(before, "reject", in_force["profile_digest"], "leo", "--reason", "not any more").code == 0
    assert before.shown()["missing"] == waiting(before)[BRIDGE]["missing"] == ["profile_not_in_force"]
    assert refused(before.run("release", INCIDENT, BRIDGE), "profile_not_in_force")


def test_a_proposal_keeps_its_proposer(before: ReviewRoom) -> None:
    again = before.done("profile", "propose", "customer_bridge", "--key", str(before.key("leo")))
    assert (again["proposer"], again["in_force"]) == ("ada", True)


def test_only_a_profile_in_force_can_be_replaced(before: ReviewRoom) -> None:
    key = ["--key", str(before.key("sam"))]
    answer = before.run("profile", "propose", "google_cloud_bridge", "--replaces", "sha256:" + "0" * 64, *key)
    assert refused(answer, "replaced_not_in_force")
    assert len(before.done("profile", "show")) == 1


def test_a_profile_that_nobody_proposed_is_not_shown(before: ReviewRoom) -> None:
    assert refused(before.run("profile", "show", "sha256:" + "0" * 64), "no_such_proposal", 2)
    assert refused(profile_step(before, "approve", "sha256:" + "0" * 64, "ines"), "no_such_proposal")


# ---- everything else ------------------------------------------------------------------------------------------------


def test_nobody_decides_where_nobody_is_trusted(tmp_path: Path) -> None:
    run = fresh_command_line(tmp_path)
    run("keys", "create")
    run("keys", "person", "ines", "--out", str(tmp_path / "ines.key"))
    for arguments in (
        ["review", "list"],
        ["profile", "propose", "customer_bridge", "--key", str(tmp_path / "ines.key")],
    ):
        assert refused(run(*arguments), "no_trust", 3)


def test_every_round_of_publishing_is_safe_to_repeat(after: ReviewRoom) -> None:
    files = published(after)
    for _round in range(2):
        answer = after.run("publish", "--once", "--json")
        assert (answer.code, answer.json["failed"]) == (0, {})
    assert published(after) == files
    assert after.run("publish", "--once", "--every", "5").code == 2


def test_a_watch_publishes_what_a_process_that_died_left_pending(before: ReviewRoom) -> None:
    for person in FIRST:
        before.decide(person, "approve", BRIDGE)
    release(open_workspace(Settings(home=before.run.home, keys=before.run.keys)), INCIDENT, BRIDGE)
    assert published(before) == set()
    environment = {HOME_VARIABLE: str(before.run.home), KEYS_VARIABLE: str(before.run.keys)}
    watch = subprocess.Popen(
        [str(Path(sys.executable).parent / "channelsafe"), "publish", "--every", "0.1", "--json"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
    )
    try:
        assert watch.stdout is not None
        first, second = (json.loads(watch.stdout.readline()) for _round in range(2))
        assert {"v000001/package.json", "index.dsse.json"} <= published(before)
        assert (first["failed"], second["failed"]) == ({}, {})
    finally:
        watch.terminate()
        assert watch.wait(timeout=60) == -signal.SIGTERM


Question = Callable[[ReviewRoom], list[str]]
QUESTIONS: dict[str, Question] = {
    "list": lambda _room: ["review", "list"],
    "show": lambda _room: ["review", "show", INCIDENT, BRIDGE],
    "profile": lambda _room: ["profile", "show"],
    "history": lambda _room: ["history", INCIDENT],
    "exposure": lambda _room: ["exposure", INCIDENT, SEVERITY],
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_questions_answer_people_and_programs_and_change_nothing(released: ReviewRoom, what: str) -> None:
    arguments = QUESTIONS[what](released)
    text, answer = released.run(*arguments), released.run(*arguments, "--json")
    assert (text.code, text.err, answer.code, answer.err) == (0, "", 0, "")
    assert not text.out.startswith(("{", "["))
    assert answer.out == json.dumps(answer.json, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert released.run(*arguments, "--json").out == answer.out


def test_no_restricted_value_is_in_any_answer(before: ReviewRoom) -> None:
    before.deliver(3, 4, 5, 6)
    before.release_first()
    before.deliver(7, 8, 9, 10)
    said = [before.ask("ines", "approve", BRIDGE, "--preview").everything]
    for bridge in (BRIDGE, OTHER):
        fields = [one["pointer"] for one in before.shown(bridge)["changes"]]
        said += [before.run("review", "show", INCIDENT, bridge, *json_or_not).everything for json_or_not in FORMS]
        said += [before.run("exposure", INCIDENT, field).everything for field in (*fields, SEVERITY)]
    said.append(before.decide("leo", "pull", BRIDGE, "1", SEVERITY, "--reason", "x")["decision_digest"])
    for arguments in (["history", INCIDENT], ["review", "list"], ["profile", "show"], ["exposure", INCIDENT, SEVERITY]):
        said += [before.run(*arguments, *json_or_not).everything for json_or_not in FORMS]
    heard = "\n".join(said).casefold()
    assert len(heard) > 10_000
    assert [one.where for one in restricted_values() if one.value.casefold() in heard] == []


def test_holds_are_made_in_any_role_that_reviews(before: ReviewRoom) -> None:
    for role in REVIEW_ROLES:
        assert role in before.run("review", "hold", "--help").out
