"""What is signed about released packages can be read back, by us and by others, and moves only as it may."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
import rfc8785
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import Key

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.publication import (
    PULLED,
    STATE_MOVES,
    Index,
    ListedVersion,
    Predecessor,
    PublicState,
    ReleaseStatement,
    check_index_succession,
    folder_plan,
    index_bytes,
    index_path,
    read_index,
    read_release_statement,
    release_statement_bytes,
    statement_path,
)
from dagster_project.integrity.signatures import read_envelope, sign_envelope
from tests.support.published_folders import BEGIN, Publisher, key_of

STATES: tuple[PublicState, ...] = get_args(PublicState)
DIGEST = "sha256:" + "0" * 64


def a_release() -> ReleaseStatement:
    return read_release_statement(read_envelope(Publisher().release().files[statement_path(1)]))


def an_index(*states: PublicState, index_version: int = 1) -> Index:
    return Index(
        package_id="k3v9q2m7xa",
        index_version=index_version,
        current=states.index("released") + 1 if "released" in states else None,
        versions={
            number: ListedVersion(state=state, statement_digest=DIGEST) for number, state in enumerate(states, start=1)
        },
        signed_at=BEGIN,
        expires=BEGIN + timedelta(days=1),
    )


def test_a_statement_and_an_index_are_read_as_they_were_written() -> None:
    release = msgspec.structs.replace(a_release(), stale_after=BEGIN + timedelta(microseconds=1))
    assert (
        read_release_statement(read_envelope(sign_envelope(release_statement_bytes(release), [key_of("a")]))) == release
    )
    index = an_index("withdrawn", "superseded", "released")
    assert read_index(read_envelope(sign_envelope(index_bytes(index), [key_of("a")]))) == index


NAIVE = datetime(2026, 3, 4, 10)  # noqa: DTZ001 - what must be refused


@pytest.mark.parametrize(
    "changes",
    [
        {"package_id": "../other"},
        {"package_id": "k3v9q2m7xa\n"},
        {"version": 0},
        {"version": 2},
        {"supersedes": Predecessor(1, DIGEST)},
        {"version": 3, "supersedes": Predecessor(1, DIGEST)},
        {"version": 2, "supersedes": Predecessor(1, "sha256:1")},
        {"issued_at": NAIVE},
        {"withheld": {"other": "no", "dependency": "unknown"}},
        {"files": {}},
        {"files": {"v000001/package.json": DIGEST}},
    ],
)
def test_a_statement_that_nobody_could_read_is_never_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityViolation):
        release_statement_bytes(msgspec.structs.replace(a_release(), **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"package_id": ""},
        {"index_version": 0},
        {"index_version": 2**53},
        {"current": None},
        {"current": 1},
        {"expires": NAIVE},
        {"versions": {2: ListedVersion(state="released", statement_digest=DIGEST)}},
        {"versions": {}},
        {"versions": {number: ListedVersion(state="released", statement_digest=DIGEST) for number in (1, 2)}},
    ],
)
def test_an_index_that_nobody_could_read_is_never_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityViolation):
        index_bytes(msgspec.structs.replace(an_index("superseded", "released"), **changes))


MAY = {
    ("released", "superseded"), ("released", "suspended"), ("released", "withdrawn"),
    ("superseded", "suspended"), ("superseded", "withdrawn"),
    ("suspended", "withdrawn"), ("suspended", "superseded"), ("suspended", "released"),
}  # fmt: skip


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_states_move_as_they_may_and_no_other_way(before: PublicState, after: PublicState) -> None:
    assert (after in STATE_MOVES[before]) == ((before, after) in MAY)
    older, newer = an_index(before), an_index(after, index_version=2)
    if before == after or (before, after) in MAY:
        check_index_succession(older, newer)
        return
    with pytest.raises(IntegrityViolation, match="state_move_refused"):
        check_index_succession(older, newer)


@pytest.mark.parametrize(
    ("newer", "code"),
    [
        (an_index("superseded", index_version=2), "index_entry_dropped"),
        (an_index("superseded", "released"), "index_version_not_next"),
        (an_index("superseded", "released", index_version=3), "index_version_not_next"),
        (msgspec.structs.replace(an_index(index_version=2), package_id="other"), "package_id_differs"),
        (
            msgspec.structs.replace(
                an_index("superseded", "released", index_version=2),
                versions={
                    1: ListedVersion(state="superseded", statement_digest="sha256:" + "1" * 64),
                    2: ListedVersion(state="released", statement_digest=DIGEST),
                },
            ),
            "statement_replaced",
        ),
    ],
)
def test_an_index_that_may_not_follow_is_refused(newer: Index, code: str) -> None:
    with pytest.raises(IntegrityViolation, match=code):
        check_index_succession(an_index("superseded", "released"), newer)


Step = Callable[[Publisher], Publisher]


@pytest.mark.parametrize(
    "steps",
    [
        (Publisher.release,),
        (Publisher.release, Publisher.release, Publisher.release),
        (Publisher.release, lambda one: one.pull(1, "suspended")),
        (Publisher.release, lambda one: one.pull(1, "suspended"), Publisher.release, lambda one: one.restore(1)),
        (Publisher.release, Publisher.release, lambda one: one.pull(1, "withdrawn"), Publisher.sign_index),
    ],
)
def test_a_folder_holds_what_its_index_demands_and_nothing_that_is_unfinished(steps: tuple[Step, ...]) -> None:
    publisher = Publisher()
    for step in steps:
        step(publisher)
    plan = folder_plan(read_index(read_envelope(publisher.files[index_path(publisher.index_version)])))
    assert plan.required == publisher.files.keys()
    assert not plan.required & plan.unfinished.keys()


def test_pulled_is_what_has_no_payload() -> None:
    assert {"suspended", "withdrawn"} == PULLED


# ---- what others make of it --------------------------------------------------------------------------------------


def their_key(name: str) -> Key:
    key = key_of(name)
    keyval = {"public": key.public.hex()}
    return Key.from_dict(key.keyid, {"keytype": "ed25519", "scheme": "ed25519", "keyval": keyval})


@pytest.mark.parametrize("path", [statement_path(1), index_path(1)])
def test_another_implementation_verifies_what_we_sign(path: str) -> None:
    signed = Publisher().release().files[path]
    envelope = TheirEnvelope.from_dict(json.loads(signed))
    signer, other = ("release", "index") if path == statement_path(1) else ("index", "release")
    assert envelope.verify([their_key(signer)], threshold=1).keys() == {key_of(signer).keyid}
    with pytest.raises(VerificationError):
        envelope.verify([their_key(other)], threshold=1)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([their_key(signer)], threshold=1)


def test_a_reader_that_knows_only_json_base64_and_rfc_8785_reads_a_release_statement() -> None:
    publisher = Publisher().release().release(slot_state="in_review")
    signed = publisher.files[statement_path(2)]
    envelope = json.loads(signed)
    assert rfc8785.dumps(envelope) == signed
    payload = base64.b64decode(envelope["payload"], validate=True)
    statement = json.loads(payload)
    assert rfc8785.dumps(statement) == payload
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    for subject in statement["subject"]:
        assert hashlib.sha256(publisher.files[subject["name"]]).hexdigest() == subject["digest"]["sha256"]
    assert statement["predicate"] == {
        "package_id": "k3v9q2m7xa",
        "version": 2,
        "profile_label": "TLP:AMBER",
        "channel": "customer_bridge",
        "supersedes": {
            "version": 1,
            "statement_digest": "sha256:" + hashlib.sha256(publisher.files[statement_path(1)]).hexdigest(),
        },
        "issued_at": "2026-03-04T11:00:00Z",
        "stale_after": "2026-03-04T15:00:00Z",
        "withheld": {"other": "yes"},
    }
