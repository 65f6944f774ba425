"""What is signed about a package must agree with itself, whoever signed it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    index_path,
    payload_paths,
    statement_path,
)
from dagster_project.integrity.signatures import read_envelope, sign_envelope
from tests.support.outsiders import Change, Outsider, predicate, restated, states
from tests.support.published_folders import Publisher, key_of, resigned


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


NO_SUCH = {"version": 1, "statement_digest": "sha256:" + "0" * 64}
A_THIRD = {"name": "v000003/statement.dsse.json", "digest": {"sha256": "0" * 64}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (predicate(package_id="another000"), "statement_misplaced"),
        (predicate(version=2), "supersedes_not_the_version_before"),
        (predicate(supersedes=NO_SUCH), "supersedes_not_the_version_before"),
        (predicate(issued_at="2026-03-04T10:00:01Z"), "header_differs"),
        (predicate(stale_after="2026-03-04T15:00:00Z"), "header_differs"),
        (predicate(withheld={"other": "yes"}), "header_differs"),
        (predicate(withheld={}), "header_differs"),
        (predicate(profile_label="TLP:CLEAR"), "header_differs"),
        (predicate(channel="another"), "header_differs"),
        (predicate(withheld={"other": "perhaps"}), "publication_malformed"),
        (predicate(issued_at="2026-03-04T11:00:00+01:00"), "publication_malformed"),
        (predicate(more=1), "publication_malformed"),
        (lambda document: document["predicate"].pop("channel"), "publication_malformed"),
        (lambda document: document["subject"].pop(), "payload_files_not_complete"),
        (lambda document: document.update(predicateType="https://channelsafe.example/index/v1"), "statement_refused"),
    ],
)  # fmt: skip
def test_a_release_statement_that_does_not_agree_is_refused_whoever_signed_it(
    outsider: Outsider, change: Change, code: str
) -> None:
    outsider.refuses(restated(change), code=code)


@pytest.mark.parametrize("signer", ["index", "audit", "ada", "stranger"])
def test_a_release_statement_signed_by_a_key_of_another_role_is_refused(outsider: Outsider, signer: str) -> None:
    refusal = outsider.refuses(restated(lambda _: None, signer=signer), code="signature_not_trusted")
    assert refusal.where == statement_path(1)


@pytest.mark.parametrize("signer", ["release", "audit", "ada", "stranger"])
def test_an_index_signed_by_a_key_of_another_role_is_refused(outsider: Outsider, signer: str) -> None:
    outsider.refuses(Publisher(index_key=signer).release(), code="signature_not_trusted")


def test_a_statement_that_is_signed_but_not_listed_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release()
    other = resigned(publisher.files[statement_path(1)], predicate(withheld={}), "release")
    publisher.files[statement_path(1)] = other
    outsider.refuses(publisher, code="published_file_differs")


def with_package(change: Callable[[dict[str, Any]], object], *, indent: bytes = b"") -> Publisher:
    """Return a publisher of one version whose package was changed, and signed so."""
    original = Publisher().release().files["v000001/package.json"]
    document = json.loads(original)
    change(document)
    body = canonical_bytes(document) + indent
    digest = digest_bytes(body).removeprefix("sha256:")

    def sign_it(statement: dict[str, Any]) -> None:
        package = next(one for one in statement["subject"] if one["name"] == "v000001/package.json")
        package["digest"]["sha256"] = digest

    publisher = restated(sign_it)
    publisher.files["v000001/package.json"] = body
    return publisher


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(more=1),
        lambda document: document["header"].update(more=1),
        lambda document: document["header"].pop("as_of"),
        lambda document: document["header"].update(version=2),
        lambda document: document["header"].update(package_id="another000"),
        lambda document: document["header"].update(supersedes=NO_SUCH),
        lambda document: document["content"].pop("held"),
        lambda document: document.update(content=[]),
        lambda document: document.clear(),
    ],
)
def test_a_package_that_does_not_repeat_its_statement_is_refused(outsider: Outsider, change: Change) -> None:
    outsider.refuses(with_package(change), code="header_differs")


def test_a_package_that_is_not_in_its_one_form_is_refused(outsider: Outsider) -> None:
    outsider.accepts(with_package(lambda _: None))
    outsider.state.unlink()
    outsider.refuses(with_package(lambda _: None, indent=b"\n"), code="header_differs")


def test_a_payload_of_another_type_is_refused_however_it_is_signed(outsider: Outsider) -> None:
    publisher = Publisher().release()
    payload = read_envelope(publisher.files[NEWEST_INDEX]).payload
    publisher.put_index(sign_envelope(payload, [key_of("index")], payload_type="application/json"))
    outsider.refuses(publisher, code="statement_refused")


def test_a_further_signature_by_a_stranger_is_refused_because_anybody_could_change_it(outsider: Outsider) -> None:
    publisher = Publisher().release()
    payload = read_envelope(publisher.files[NEWEST_INDEX]).payload
    publisher.put_index(sign_envelope(payload, [key_of("index"), key_of("stranger")]))
    outsider.refuses(publisher, code="signature_not_trusted")


def test_a_version_must_supersede_the_stored_statement_before_it(outsider: Outsider) -> None:
    publisher, other = Publisher().release(), Publisher().release(slot_state="on_hold").release()
    publisher.files |= {path: other.files[path] for path in (statement_path(2), *payload_paths(2))}
    publisher.versions |= {2: other.versions[2]}
    publisher.pull(1, "suspended").restore(1)
    outsider.refuses(publisher, code="supersedes_another")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (predicate(package_id="another000"), "package_id_differs"),
        (predicate(current=None), "current_not_the_released_version"),
        (predicate(current=1), "current_not_the_released_version"),
        (predicate(current=3), "current_not_the_released_version"),
        (predicate(versions=states("1", "released", "2", "released")), "current_not_the_released_version"),
        (predicate(versions=states("1", "superseded", "3", "released")), "publication_malformed"),
        (predicate(versions=states("1", "superseded", "02", "released")), "publication_malformed"),
        (predicate(versions=states("1", "archived", "2", "released")), "publication_malformed"),
        (predicate(index_version=0), "publication_malformed"),
        (predicate(index_version=-1), "publication_malformed"),
        (predicate(index_version="2"), "publication_malformed"),
        (predicate(index_version=True), "publication_malformed"),
        (predicate(index_version=1), "index_replaced"),
        (predicate(index_version=3), "index_misplaced"),
        (predicate(index_version=2**53 - 1), "index_misplaced"),
        (predicate(expires="soon"), "publication_malformed"),
        (lambda document: document["subject"].pop(), "publication_malformed"),
        (lambda document: document["subject"].append(A_THIRD), "publication_malformed"),
        (lambda document: document.update(predicateType="https://channelsafe.example/release/v1"), "statement_refused"),
    ],
)  # fmt: skip
def test_an_index_that_does_not_agree_is_refused_whoever_signed_it(
    outsider: Outsider, change: Change, code: str
) -> None:
    outsider.refuses(Publisher().release().release().resign_index(change), code=code)


def test_an_index_version_beyond_what_json_can_tell_apart_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release()
    payload = read_envelope(publisher.files[NEWEST_INDEX]).payload
    far = payload.replace(b'"index_version":1', b'"index_version":9007199254740992')
    publisher.put_index(sign_envelope(far, [key_of("index")]))
    outsider.refuses(publisher, code="statement_refused")


def test_a_jump_over_indexes_that_nobody_signed_is_refused_without_counting_up_to_it(outsider: Outsider) -> None:
    publisher = Publisher().release()
    before = publisher.files[NEWEST_INDEX]
    publisher.index_version = 2**53 - 1
    publisher.put_index(resigned(before, predicate(index_version=2**53 - 1), "index"))
    publisher.files[index_path(1)] = before
    assert outsider.refuses(publisher, code="published_file_missing").where == index_path(2)
