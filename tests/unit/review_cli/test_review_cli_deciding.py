"""What waits for review, who decides it, and what is refused, by the command line."""

import json

import pytest

from dagster_project.application.workspace import open_workspace
from dagster_project.settings import Settings
from dagster_project.store.candidates import latest_candidate
from tests.support.review_answers import OTHER, SEVERITY, published, refused, waiting
from tests.support.review_room import BRIDGE, FIRST, INCIDENT, ReviewRoom
from tests.support.stored_bodies import flip, stored_body

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
