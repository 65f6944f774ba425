"""Holds, what is taken back, what is said again, and profiles, by the command line."""

import pytest

from tests.support.review_answers import OTHER, SEVERITY, profile_step, published, refused, states, waiting
from tests.support.review_room import BRIDGE, FIRST, INCIDENT, ReviewRoom

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
