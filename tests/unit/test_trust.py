"""Reading a trust document, and who signed: each refusal with what is accepted beside it."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import Envelope, SigningKey, keyid_of, read_envelope, sign_envelope
from dagster_project.integrity.trust import (
    PUBLIC_TRUST_TYPE,
    SERVICES,
    TRUST_TYPE,
    Person,
    PersonKey,
    Trust,
    check_trust,
    people_who_signed,
    public_trust_bytes,
    read_trust,
    trust_bytes,
)
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from tests.support.trusted_people import (
    PEOPLE,
    code_of,
    custodian,
    key,
    listed,
    reviewer,
    sample_trust,
)

WEAK = [
    bytes(32),  # of order four
    (1).to_bytes(32, "little"),  # the neutral point
    (2**255 - 20).to_bytes(32, "little"),  # of order two
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # of order eight
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),  # of order eight
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),  # with the other sign
    (2**255 - 19 + 1).to_bytes(32, "little"),  # the neutral point in a second spelling
]


def signed_payload(payload: bytes, kind: str = TRUST_TYPE) -> Envelope:
    return read_envelope(sign_envelope(payload, [key(1)], payload_type=kind))


def read_code(change: Callable[[dict[str, Any]], object]) -> str:
    """Change the sample's document, sign it soundly, and return how reading it ends."""
    document = json.loads(trust_bytes(sample_trust()))
    change(document)
    return code_of(lambda: read_trust(signed_payload(canonical_bytes(document))))


def check_code(**changes: Any) -> str:  # noqa: ANN401 - members of a trust
    """Return how a trust with members changed is judged, written as its own document."""
    trust = sample_trust(**changes)
    judged = code_of(lambda: check_trust(trust))
    assert judged == code_of(lambda: read_trust(signed_payload(trust_bytes(trust))))
    return judged


# ---- reading --------------------------------------------------------------------------------------------------------


def test_a_trust_document_is_read_back_as_it_was_written() -> None:
    trust = sample_trust(people={**PEOPLE, "tess": custodian(key(5), key(6), revoked=[key(6)])})
    again = read_trust(signed_payload(trust_bytes(trust)))
    assert again == trust
    assert trust_bytes(again) == trust_bytes(trust)


def test_the_document_for_inside_names_the_one_for_outsiders_by_digest() -> None:
    document = json.loads(trust_bytes(sample_trust()))
    assert document["public_digest"] == digest_bytes(public_trust_bytes(sample_trust()))
    assert read_code(lambda one: one.update(public_digest="sha256:" + "0" * 64)) == "trust_unreadable"
    assert read_code(lambda _one: None) == "accepted"


def test_outsiders_get_no_names_no_reviewers_and_no_revoked_keys() -> None:
    trust = sample_trust(people={**PEOPLE, "tess": custodian(key(5), key(6), revoked=[key(6)])})
    document = json.loads(public_trust_bytes(trust))
    assert not any(name in public_trust_bytes(trust).decode() for name in (*trust.people, *REVIEW_ROLES))
    custodians = [key(1), key(2), key(3), key(5)]
    assert document["custodians"] == sorted([one.keyid] for one in custodians)
    services = [key(101), key(102), key(103)]
    assert document["keys"] == {one.keyid: one.public.hex() for one in (*custodians, *services)}
    assert document["services"] == {service: [one.keyid] for service, one in zip(SERVICES, services, strict=True)}


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(format="channelsafe-trust/2"),
        lambda one: one.update(format="channelsafe-public-trust/1"),
        lambda one: one.update(note="x"),
        lambda one: one.pop("format"),
        lambda one: one.pop("public_digest"),
        lambda one: one.pop("threshold"),
        lambda one: one.pop("demo"),
        lambda one: one.update(demo=0),
        lambda one: one.update(version=0),
        lambda one: one.update(version="1"),
        lambda one: one.update(threshold=0),
        lambda one: one.update(threshold=True),
        lambda one: one.update(deployment="0" * 31),
        lambda one: one.update(deployment="0" * 32 + "\n"),
        lambda one: one.update(expires="2027-03-04T09:00:00"),
        lambda one: one.update(expires="2027-03-04T10:00:00+01:00"),
        lambda one: one.update(expires="2027-03-04T09:00:00.000Z"),
        lambda one: one.update(people=[]),
        lambda one: one["people"]["kim"].update(note="x"),
        lambda one: one["people"]["kim"].pop("custodian"),
        lambda one: one["people"]["kim"].update(roles=["security", "security"]),
        lambda one: one["people"]["kim"].update(roles=["security", "legal"]),
        lambda one: one["people"]["kim"]["keys"][key(1).keyid].update(note="x"),
        lambda one: one["people"]["kim"]["keys"][key(1).keyid].pop("revoked_at"),
        lambda one: one["people"]["kim"]["keys"][key(1).keyid].update(public=key(1).public.hex().upper()),
        lambda one: one["people"]["kim"]["keys"][key(1).keyid].update(public=key(1).public.hex() + "\n"),
        lambda one: one["people"]["kim"]["keys"][key(1).keyid].update(public=key(1).public.hex()[2:]),
    ],
)
def test_a_trust_document_in_another_form_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    assert read_code(change) == "trust_unreadable"


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{}", b"1", b'"x"', b'{"format":["channelsafe-trust/1"]}'])
def test_what_is_no_trust_document_is_refused(payload: bytes) -> None:
    assert code_of(lambda: read_trust(signed_payload(payload))) == "trust_unreadable"


def test_a_trust_document_with_blanks_or_a_member_twice_is_refused() -> None:
    payload = trust_bytes(sample_trust())
    for altered in (payload + b"\n", payload.replace(b",", b", ", 1), payload[:-1] + b',"version":1}'):
        assert code_of(partial(read_trust, signed_payload(altered))) == "trust_unreadable"


@pytest.mark.parametrize("kind", [PUBLIC_TRUST_TYPE, "application/vnd.in-toto+json", ""])
def test_a_trust_document_under_another_payload_type_is_refused(kind: str) -> None:
    assert code_of(lambda: read_trust(signed_payload(trust_bytes(sample_trust()), kind))) == "trust_unreadable"


def test_a_role_without_anybody_is_accepted_and_an_unknown_role_is_not() -> None:
    assert check_code(people={**PEOPLE, "alex": reviewer(key(4), roles=())}) == "accepted"
    for role in REVIEW_ROLES:
        assert check_code(people={**PEOPLE, "alex": reviewer(key(4), roles=(role,))}) == "accepted"
    assert check_code(people={**PEOPLE, "alex": reviewer(key(4), roles=("sales",))}) == "trust_unknown_role"


def test_a_service_that_is_unknown_or_not_named_is_refused() -> None:
    known = dict(zip(SERVICES, (key(101), key(102), key(103)), strict=True))
    assert read_code(lambda one: one["services"].update(desk={})) == "trust_unknown_service"
    assert read_code(lambda one: one["services"].pop("audit")) == "trust_unknown_service"
    assert check_code(services=known) == "accepted"


@pytest.mark.parametrize("name", ["", "Kim", "kim s", "-kim", "k" * 65, "kim\n", "kïm", "kim/.."])
def test_a_person_id_of_other_characters_is_refused(name: str) -> None:
    people = {**PEOPLE, name: reviewer(key(9))}
    assert code_of(lambda: check_trust(sample_trust(people=people))) == "trust_person_id"


def test_a_person_with_the_name_of_a_service_is_refused() -> None:
    assert check_code(people={**PEOPLE, "release": reviewer(key(9))}) == "trust_unknown_service"
    assert check_code(people={**PEOPLE, "k" * 64: reviewer(key(9)), "kim.s_2-a": reviewer(key(10))}) == "accepted"


def test_a_key_of_two_people_is_refused_even_if_it_was_revoked_for_one() -> None:
    assert check_code(people={**PEOPLE, "eve": custodian(key(9))}) == "accepted"
    assert check_code(people={**PEOPLE, "eve": custodian(key(1))}) == "trust_key_twice"
    assert check_code(people={**PEOPLE, "eve": custodian(key(1), revoked=[key(1)])}) == "trust_key_twice"


def test_a_key_under_two_ids_is_refused() -> None:
    other_id = "sha256:" + "0" * 64
    twice = {**listed(key(1)), other_id: PersonKey(key(1).public.hex(), None)}
    assert check_code(people={**PEOPLE, "kim": Person((), custodian=True, keys=twice)}) == "trust_key_twice"


def test_a_key_under_an_id_that_is_not_its_own_is_refused() -> None:
    wrong = {"sha256:" + "0" * 64: PersonKey(key(1).public.hex(), None)}
    assert check_code(people={**PEOPLE, "kim": Person((), custodian=True, keys=wrong)}) == "trust_key_id_differs"


def test_a_key_of_a_person_and_a_service_or_of_two_services_is_refused() -> None:
    sound = dict(zip(SERVICES, (key(101), key(102), key(103)), strict=True))
    assert check_code(services={**sound, "index": key(1)}) == "trust_key_twice"
    assert check_code(services={**sound, "index": key(101)}) == "trust_key_twice"
    assert check_code(services={**sound, "index": key(104)}) == "accepted"


@pytest.mark.parametrize("weak", WEAK)
def test_a_key_for_which_anybody_could_sign_is_refused(weak: bytes) -> None:
    keys = {keyid_of(weak): PersonKey(weak.hex(), None)}
    assert check_code(people={**PEOPLE, "eve": Person((), custodian=False, keys=keys)}) == "trust_key_weak"


def test_one_custodian_alone_suffices_only_in_demo_trust() -> None:
    assert check_code(threshold=1) == "trust_threshold_impossible"
    assert check_code(threshold=1, demo=True) == "accepted"


def test_a_threshold_above_the_custodians_who_can_sign_is_refused() -> None:
    assert check_code(threshold=3) == "accepted"
    assert check_code(threshold=4) == "trust_threshold_impossible"
    revoked = {**PEOPLE, "sam": custodian(key(3), revoked=[key(3)])}
    assert check_code(threshold=3, people=revoked) == "trust_threshold_impossible"
    assert check_code(threshold=3, people={**PEOPLE, "sam": custodian()}) == "trust_threshold_impossible"
    assert check_code(threshold=3, people={**PEOPLE, "sam": reviewer(key(3))}) == "trust_threshold_impossible"


# ---- who signed -----------------------------------------------------------------------------------------------------


def signers(trust: Trust, *keys: SigningKey) -> set[str]:
    return set(people_who_signed(read_envelope(sign_envelope(b"{}", keys)), trust))


def test_people_are_counted_once_however_many_of_their_keys_signed() -> None:
    trust = sample_trust(people={**PEOPLE, "kim": custodian(key(1), key(11))})
    assert signers(trust, key(1), key(11)) == {"kim"}
    assert signers(trust, key(11), key(2)) == {"kim", "robin"}


def test_revoked_and_unknown_keys_and_those_of_services_are_nobodys() -> None:
    trust = sample_trust(people={**PEOPLE, "kim": custodian(key(1), key(11), revoked=[key(1)])})
    assert signers(trust, key(1), key(77), key(101), key(2)) == {"robin"}
    assert signers(trust, key(11)) == {"kim"}
    assert trust.person_of(key(1).keyid) is None
    assert trust.person_of(key(11).keyid) == "kim"
    assert trust.person_of(key(101).keyid) is None


def test_roles_and_service_keys_are_told() -> None:
    trust = sample_trust()
    assert trust.roles_of("kim") == {"security"}
    assert trust.roles_of("sam") == trust.roles_of("nobody") == frozenset()
    assert trust.service_keys("index") == {key(102).keyid: key(102).public}
    assert trust.custodians == {"kim", "robin", "sam"}
