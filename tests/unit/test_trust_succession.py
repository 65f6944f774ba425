"""How one version of trust follows another: each refusal with what is accepted beside it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.public_trust import follow_public_trust
from dagster_project.integrity.signatures import Envelope, SigningKey
from dagster_project.integrity.trust import (
    PUBLIC_TRUST_TYPE,
    SERVICES,
    TRUST_TYPE,
    Person,
    PersonKey,
    Trust,
    read_trust,
    trust_bytes,
)
from dagster_project.integrity.trust_succession import (
    SignedTrust,
    missing_signers,
    public_chain_bytes,
    read_draft,
    sign_also,
    sign_trust,
    verify_succession,
    write_draft,
)
from tests.support.trusted_people import (
    ADOPTED_AT,
    EXPIRES,
    PEOPLE,
    REVOKED_AT,
    code_of,
    custodian,
    key,
    listed,
    reviewer,
    sample_trust,
)

# ---- succession -----------------------------------------------------------------------------------------------------


def adopt_code(
    new: Trust, *keys: SigningKey, old: Trust | None = None, at: datetime = ADOPTED_AT, public: Trust | None = None
) -> str:
    """Return how adopting a version ends that was signed by these keys."""
    signed = sign_trust(new, keys)
    if public is not None:
        signed = SignedTrust(signed.internal, sign_trust(public, keys).public)
    return code_of(lambda: verify_succession(old, signed, at=at))


FIRST = sample_trust()
SECOND = sample_trust(version=2)


def test_the_first_version_is_adopted_when_the_threshold_of_its_own_custodians_signed() -> None:
    assert adopt_code(FIRST, key(1), key(2)) == "accepted"
    assert adopt_code(FIRST, key(1), key(2), key(3)) == "accepted"
    assert adopt_code(FIRST, key(1)) == "trust_signatures_missing"
    assert adopt_code(FIRST, key(1), key(4)) == "trust_signatures_missing"  # a reviewer is no custodian
    assert adopt_code(FIRST, key(1), key(77)) == "trust_signatures_missing"
    assert verify_succession(None, sign_trust(FIRST, [key(1), key(2)]), at=ADOPTED_AT) == FIRST


@pytest.mark.parametrize("version", [1, 3, 4, 2**53 - 1])
def test_only_the_very_next_version_is_adopted(version: int) -> None:
    assert adopt_code(sample_trust(version=version), key(1), key(2), old=FIRST) == "trust_version_not_next"
    assert adopt_code(SECOND, key(1), key(2), old=FIRST) == "accepted"


def test_a_first_version_that_is_not_version_one_is_refused() -> None:
    assert adopt_code(SECOND, key(1), key(2)) == "trust_version_not_next"


def test_the_threshold_of_the_old_version_must_sign_and_that_of_the_new() -> None:
    others = {name: custodian(key(number)) for name, number in [("una", 21), ("uri", 22)]}
    left = {name: replace(person, custodian=False) for name, person in PEOPLE.items()}
    new = sample_trust(version=2, people={**left, **others})
    assert adopt_code(new, key(21), key(22), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(new, key(1), key(2), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(new, key(1), key(2), key(21), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(new, key(1), key(21), key(22), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(new, key(1), key(2), key(21), key(22), old=FIRST) == "accepted"


def test_a_higher_threshold_holds_for_the_version_that_brings_it() -> None:
    stricter = sample_trust(version=2, threshold=3)
    assert adopt_code(stricter, key(1), key(2), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(stricter, key(1), key(2), key(3), old=FIRST) == "accepted"
    laxer = sample_trust(version=3)
    assert adopt_code(laxer, key(1), key(2), old=stricter) == "trust_signatures_missing"
    assert adopt_code(laxer, key(1), key(2), key(3), old=stricter) == "accepted"


def test_a_custodian_with_two_keys_signs_once() -> None:
    two_keys = sample_trust(people={**PEOPLE, "kim": custodian(key(1), key(11))})
    assert adopt_code(two_keys, key(1), key(11)) == "trust_signatures_missing"
    assert adopt_code(two_keys, key(11), key(2)) == "accepted"


def test_a_key_that_the_new_version_revokes_still_signs_for_the_old_and_not_for_the_new() -> None:
    revoked = sample_trust(version=2, people={**PEOPLE, "kim": custodian(key(1), revoked=[key(1)])})
    assert adopt_code(revoked, key(1), key(2), old=FIRST) == "trust_signatures_missing"
    assert adopt_code(revoked, key(1), key(2), key(3), old=FIRST) == "accepted"
    following = sample_trust(version=3, people=revoked.people)
    assert adopt_code(following, key(1), key(2), old=revoked) == "trust_signatures_missing"
    assert adopt_code(following, key(2), key(3), old=revoked) == "accepted"


def test_signatures_over_another_version_do_not_count() -> None:
    first, second = sign_trust(FIRST, [key(1), key(2)]), sign_trust(SECOND, [])
    pasted = SignedTrust(
        Envelope(TRUST_TYPE, second.internal.payload, first.internal.signatures),
        Envelope(PUBLIC_TRUST_TYPE, second.public.payload, first.public.signatures),
    )
    assert code_of(lambda: verify_succession(FIRST, pasted, at=ADOPTED_AT)) == "trust_signatures_missing"


def test_both_documents_must_be_signed_by_enough() -> None:
    internal, public = sign_trust(FIRST, [key(1), key(2)]), sign_trust(FIRST, [key(1)])
    for signed in (SignedTrust(internal.internal, public.public), SignedTrust(public.internal, internal.public)):
        assert code_of(partial(verify_succession, None, signed, at=ADOPTED_AT)) == ("trust_signatures_missing")


def test_what_outsiders_get_must_be_what_the_document_for_inside_says() -> None:
    assert adopt_code(FIRST, key(1), key(2), public=FIRST) == "accepted"
    other = sample_trust(threshold=3)
    assert adopt_code(FIRST, key(1), key(2), key(3), public=other) == "trust_public_differs"
    swapped = sign_trust(FIRST, [key(1), key(2)])
    swapped = SignedTrust(swapped.internal, swapped.internal)
    assert code_of(lambda: verify_succession(None, swapped, at=ADOPTED_AT)) == "trust_public_differs"


def test_trust_of_another_deployment_is_refused() -> None:
    assert adopt_code(sample_trust(version=2, deployment="1" * 32), key(1), key(2), old=FIRST) == (
        "trust_deployment_differs"
    )


@pytest.mark.parametrize("was_demo", [True, False])
def test_demo_trust_never_becomes_real_trust_nor_the_other_way(was_demo: object) -> None:
    old = sample_trust(demo=bool(was_demo))
    assert adopt_code(sample_trust(version=2, demo=not was_demo), key(1), key(2), old=old) == "trust_demo_differs"
    assert adopt_code(sample_trust(version=2, demo=bool(was_demo)), key(1), key(2), old=old) == "accepted"


def test_a_version_that_has_expired_is_refused_to_the_microsecond() -> None:
    assert adopt_code(FIRST, key(1), key(2), at=EXPIRES) == "trust_expired"
    assert adopt_code(FIRST, key(1), key(2), at=EXPIRES - timedelta(microseconds=1)) == "accepted"


def test_an_expired_version_can_be_followed_by_one_that_is_not() -> None:
    late = EXPIRES + timedelta(days=1)
    renewed = sample_trust(version=2, expires=late + timedelta(days=1))
    assert adopt_code(renewed, key(1), key(2), old=FIRST, at=late) == "accepted"


def test_a_key_of_a_person_is_never_dropped_nor_given_to_another() -> None:
    for people in (
        {name: person for name, person in PEOPLE.items() if name != "alex"},
        {**PEOPLE, "alex": reviewer()},
        {**PEOPLE, "alex": reviewer(), "lee": reviewer(key(4))},
    ):
        assert adopt_code(sample_trust(version=2, people=people), key(1), key(2), old=FIRST) == "trust_key_dropped"
    revoked = {**PEOPLE, "alex": replace(PEOPLE["alex"], keys=listed(key(4), revoked=[key(4)]))}
    assert adopt_code(sample_trust(version=2, people=revoked), key(1), key(2), old=FIRST) == "accepted"


def test_a_revoked_key_never_counts_again() -> None:
    old = sample_trust(people={**PEOPLE, "alex": Person((), custodian=False, keys=listed(key(4), revoked=[key(4)]))})
    moved = {key(4).keyid: PersonKey(key(4).public.hex(), REVOKED_AT + timedelta(seconds=1))}
    for keys in (listed(key(4)), moved):
        people = {**PEOPLE, "alex": Person((), custodian=False, keys=keys)}
        assert adopt_code(sample_trust(version=2, people=people), key(1), key(2), old=old) == "trust_revocation_undone"
    assert adopt_code(replace(old, version=2), key(1), key(2), old=old) == "accepted"


def test_service_keys_are_replaced_without_further_ado() -> None:
    services = dict(zip(SERVICES, (key(101), key(105), key(103)), strict=True))
    assert adopt_code(sample_trust(version=2, services=services), key(1), key(2), old=FIRST) == "accepted"


def test_the_instant_of_a_document_is_kept_whatever_zone_it_was_given_in() -> None:
    elsewhere = sample_trust(expires=EXPIRES.astimezone(timezone(timedelta(hours=5))))
    assert trust_bytes(elsewhere) == trust_bytes(FIRST)
    assert read_trust(sign_trust(elsewhere, [key(1)]).internal).expires == datetime(2027, 3, 4, 9, 0, tzinfo=UTC)


# ---- drafts and the chain for outsiders -----------------------------------------------------------------------------


def test_a_draft_collects_signatures_until_enough_custodians_signed() -> None:
    draft = sign_trust(SECOND, [])
    assert missing_signers(FIRST, SECOND, draft) == 2
    for number, missing in ((1, 1), (1, 1), (4, 1), (2, 0), (3, 0)):
        draft = sign_also(read_draft(write_draft(draft)), [key(number)])
        assert missing_signers(FIRST, SECOND, draft) == missing
    assert verify_succession(FIRST, read_draft(write_draft(draft)), at=ADOPTED_AT) == SECOND


def test_a_draft_that_was_altered_after_it_was_signed_has_no_signatures_that_count() -> None:
    content = write_draft(sign_trust(SECOND, [key(1), key(2)]))
    altered = read_draft(content.replace(b'["legal"]', b'["security"]'))
    assert missing_signers(FIRST, read_trust(altered.internal), altered) == 2
    with pytest.raises(UnsafeOrRejected, match="trust_unreadable"):
        read_draft(content.replace(b'"threshold":2', b'"threshold":3'))
    assert missing_signers(FIRST, SECOND, read_draft(content)) == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"null", b"[]", b'{"format":"channelsafe-trust-draft/1"}', b'{"format":1}', b"\xff"],
)
def test_what_is_no_draft_is_refused(content: bytes) -> None:
    assert code_of(lambda: read_draft(content)) == "trust_draft_unreadable"


def test_a_draft_whose_signatures_are_of_another_form_is_refused() -> None:
    document = json.loads(write_draft(sign_trust(SECOND, [key(1)])))
    faulty: list[dict[str, Any]] = [
        {},
        {"internal": {}},
        {"internal": {}, "public": []},
        {"internal": {}, "public": {"a": "xy"}},
    ]
    for signatures in faulty:
        content = canonical_bytes({**document, "signatures": signatures})
        assert code_of(partial(read_draft, content)) == "trust_draft_unreadable"


def test_outsiders_follow_the_chain_that_is_adopted_inside() -> None:
    services = dict(zip(SERVICES, (key(101), key(105), key(103)), strict=True))
    people = {**PEOPLE, "sam": custodian(key(3), key(13), revoked=[key(3)]), "una": custodian(key(21))}
    versions = [FIRST, SECOND, sample_trust(version=3, threshold=3, people=people, services=services)]
    keys = [[key(1), key(2)], [key(2), key(3)], [key(1), key(2), key(13)]]
    signed = [sign_trust(version, those) for version, those in zip(versions, keys, strict=True)]
    old = None
    for one in signed:
        old = verify_succession(old, one, at=ADOPTED_AT)
    chain = follow_public_trust(public_chain_bytes([one.public for one in signed]))
    assert [one.version for one in chain.versions] == [1, 2, 3]
    assert chain.current.service_keys("index") == {key(105).keyid: key(105).public}
    assert len(chain.current.custodians) == len(versions[-1].custodians) == 4
