"""The next version of trust, made of the one that holds: each change alone, and nothing of anybody else."""

from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from dagster_project.integrity.trust_changes import (
    add_to_person,
    remove_person,
    replace_keys,
    revoke_key,
    take_roles,
)
from tests.support.trusted_people import ADOPTED_AT, code_of, key, sample_trust


def test_each_change_does_what_it_says_and_nothing_else() -> None:
    trust = sample_trust()
    given = add_to_person(trust, "kim", roles=["legal"], custodian=False, publics=[key(11).public.hex().upper()])
    assert given.roles_of("kim") == {"legal", "security"}
    assert given.custodians == trust.custodians
    assert set(given.people["kim"].valid_keys) == {key(1).keyid, key(11).keyid}
    new = add_to_person(trust, "una", roles=["legal"], custodian=True, publics=[key(11).public.hex()])
    assert new.roles_of("una") == {"legal"}
    assert new.custodians == {*trust.custodians, "una"}
    rotated = replace_keys(given, "kim", [key(12).public.hex()], ADOPTED_AT)
    assert set(rotated.people["kim"].valid_keys) == {key(12).keyid}
    assert {one.revoked_at for one in rotated.people["kim"].keys.values()} == {None, ADOPTED_AT}
    one_left = revoke_key(given, "kim", key(1).keyid, ADOPTED_AT)
    assert set(one_left.people["kim"].valid_keys) == {key(11).keyid}
    fewer = take_roles(given, "kim", ["security"])
    assert fewer.roles_of("kim") == {"legal"}
    gone = remove_person(one_left, "kim", ADOPTED_AT + timedelta(days=1))
    assert gone.roles_of("kim") == set()
    assert gone.person_of(key(11).keyid) is None
    assert gone.custodians == {"robin", "sam"}
    assert gone.people["kim"].keys[key(1).keyid].revoked_at == ADOPTED_AT
    for changed in (given, new, rotated, one_left, fewer, gone):
        others = {name: person for name, person in changed.people.items() if name not in {"kim", "una"}}
        assert others == {name: person for name, person in trust.people.items() if name != "kim"}
        assert replace(changed, people=trust.people) == trust


def test_a_revoked_key_that_is_added_again_stays_revoked() -> None:
    revoked = revoke_key(sample_trust(), "kim", key(1).keyid, ADOPTED_AT)
    for again in (
        add_to_person(revoked, "kim", roles=[], custodian=False, publics=[key(1).public.hex()]),
        replace_keys(revoked, "kim", [key(1).public.hex()], ADOPTED_AT),
    ):
        assert again.person_of(key(1).keyid) is None


def test_a_change_of_somebody_or_a_key_that_is_not_there_is_refused() -> None:
    trust, public = sample_trust(), key(11).public.hex()
    assert code_of(lambda: remove_person(trust, "una", ADOPTED_AT)) == "person_unknown"
    assert code_of(lambda: take_roles(trust, "una", ["legal"])) == "person_unknown"
    assert code_of(lambda: replace_keys(trust, "una", [public], ADOPTED_AT)) == "person_unknown"
    assert code_of(lambda: revoke_key(trust, "kim", key(2).keyid, ADOPTED_AT)) == "key_unknown"
    for text in ("", public[2:], public + "00", "x" * 64, public[:-1] + "\n", " " + public[:-1]):
        publics = [text]
        assert code_of(partial(replace_keys, trust, "kim", publics, ADOPTED_AT)) == "public_key_unreadable"
