"""Public trust is followed by its rule alone: exactly the next version, by the custodians of both."""

from pathlib import Path
from typing import Any

import pytest

from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import envelope_bytes, read_envelope
from tests.support.outsiders import Change, Outsider, small
from tests.support.published_folders import Ceremonies, Publisher, key_of, resigned


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


def test_trust_is_followed_to_other_custodians_and_other_keys(outsider: Outsider) -> None:
    publisher = Publisher().release()
    trust = Ceremonies().add()
    outsider.accepts(publisher, trust)
    trust.add(custodians=("dee", "ed"), signers=("ada", "cy", "dee", "ed"), index=("new",), release=("new-release",))
    publisher.index_key, publisher.release_key = "new", "new-release"
    assert outsider.accepts(publisher.release(), trust).trust_version == 2


def test_a_folder_signed_by_the_old_index_key_is_refused_once_that_is_replaced(outsider: Outsider) -> None:
    trust = Ceremonies().add()
    outsider.accepts(Publisher().release(), trust)
    outsider.refuses(Publisher().release(), trust.add(index=("new",)), code="signature_not_trusted")


@pytest.mark.parametrize(
    ("second", "code"),
    [
        ({"version": 3}, "public_trust_not_next"),
        ({"version": 1}, "public_trust_not_next"),
        ({"deployment": "f" * 32}, "public_trust_not_next"),
        ({"signers": ("ada",)}, "public_trust_signatures_missing"),
        ({"signers": ("ada", "stranger")}, "public_trust_signatures_missing"),
        ({"signers": ("ada", "index")}, "public_trust_signatures_missing"),
        ({"custodians": ("dee", "ed"), "signers": ("dee", "ed")}, "public_trust_signatures_missing"),
        ({"custodians": ("dee", "ed"), "signers": ("ada", "bo")}, "public_trust_signatures_missing"),
        ({"custodians": ("dee", "ed"), "signers": ("ada", "dee")}, "public_trust_signatures_missing"),
    ],
)
def test_trust_that_may_not_follow_is_refused(outsider: Outsider, second: dict[str, Any], code: str) -> None:
    trust = Ceremonies().add()
    outsider.accepts(Publisher().release(), trust)
    outsider.refuses(Publisher().release(), trust.add(**second), code=code)


def changed_trust(change: Change, *signers: str) -> Ceremonies:
    trust = Ceremonies().add()
    return Ceremonies([read_envelope(resigned(envelope_bytes(trust.envelopes[0]), change, *signers))])


def test_two_keys_of_one_person_count_once(outsider: Outsider) -> None:
    ada, bo, cy = (key_of(name).keyid for name in ("ada", "bo", "cy"))
    people = sorted([sorted([ada, bo]), [cy]])
    trust = changed_trust(lambda document: document.update(custodians=people), "ada", "bo")
    outsider.refuses(Publisher().release(), trust, code="public_trust_signatures_missing")
    trust = changed_trust(lambda document: document.update(custodians=people), "ada", "cy")
    outsider.accepts(Publisher().release(), trust)


def second_id(document: dict[str, Any]) -> None:
    ada = key_of("ada")
    document["keys"]["sha256:" + "0" * 64] = ada.public.hex()
    document["custodians"] = sorted([*document["custodians"], ["sha256:" + "0" * 64]])


def shared_key(document: dict[str, Any]) -> None:
    ada, bo = key_of("ada").keyid, key_of("bo").keyid
    document["custodians"] = sorted([sorted([ada, bo]), [ada], [key_of("cy").keyid]])


def custodian_is_a_service(document: dict[str, Any]) -> None:
    document["services"]["index"] = [key_of("ada").keyid]


def key_without_owner(document: dict[str, Any]) -> None:
    document["keys"][key_of("stranger").keyid] = key_of("stranger").public.hex()


def person_without_key(document: dict[str, Any]) -> None:
    document["custodians"].insert(0, [])


def no_auditor(document: dict[str, Any]) -> None:
    del document["services"]["audit"], document["keys"][key_of("audit").keyid]


def weak_key(document: dict[str, Any]) -> None:
    weak = "01" + "00" * 31
    keyid = digest_bytes(bytes.fromhex(weak))
    document["keys"][keyid] = weak
    document["services"]["index"] = sorted([*document["services"]["index"], keyid])


@pytest.mark.parametrize(
    "change",
    [
        second_id,
        shared_key,
        custodian_is_a_service,
        key_without_owner,
        weak_key,
        lambda document: document.update(threshold=1),
        lambda document: document.update(threshold=4),
        person_without_key,
        no_auditor,
        lambda document: document["services"].pop("index"),
    ],
)
def test_trust_that_could_not_keep_its_promises_is_refused_however_many_signed(
    outsider: Outsider, change: Change
) -> None:
    outsider.refuses(Publisher().release(), changed_trust(change, "ada", "bo", "cy"), code="public_trust_unsound")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(threshold=0),
        lambda document: document.update(format="channelsafe-public-trust/2"),
        lambda document: document.update(more=1),
        lambda document: document.pop("expires"),
        lambda document: document["custodians"].reverse(),
    ],
)
def test_trust_in_another_form_is_refused_however_many_signed(outsider: Outsider, change: Change) -> None:
    outsider.refuses(Publisher().release(), changed_trust(change, "ada", "bo", "cy"), code="public_trust_unreadable")


def test_trust_that_ends_earlier_or_says_something_else_than_before_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release()
    outsider.accepts(publisher, Ceremonies().add().add(index=("index", "more")))
    outsider.refuses(publisher, Ceremonies().add(), code="public_trust_rolled_back")
    outsider.refuses(publisher, Ceremonies().add().add(index=("index", "less")), code="public_trust_replaced")
    other = Ceremonies().add(index=("index", "odd")).add(index=("index", "more"))
    outsider.refuses(publisher, other, code="public_trust_replaced")
    outsider.refuses(publisher, Ceremonies().add(deployment="f" * 32), code="deployment_differs")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b'{"chain":[],"format":"channelsafe-public-trust-chain/1"}']
)
def test_a_file_that_is_no_public_trust_is_refused(outsider: Outsider, content: bytes) -> None:
    outsider.is_given(small())
    outsider.trust_file.write_bytes(content)
    assert outsider.refuses_what_lies_there().code == "public_trust_unreadable"
