"""Blobs are written once, whole, sealed where they are not for customers, and handed out only verified."""

from pathlib import Path

import pytest
from upath import UPath

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.digests import digest_bytes
from dagster_project.sources.record import Classification
from dagster_project.store.blobs import BlobLocation, Blobs
from tests.fixtures.keys import TEST_KEYS

_BODY = b'{"vendor":"orchid"}'
_OPEN, _SEALED = Classification.CUSTOMER, Classification.RESTRICTED
each_classification = pytest.mark.parametrize("classification", list(Classification))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(root=UPath(tmp_path / "blobs"), keys=TEST_KEYS)


def _file(blobs: Blobs) -> Path:
    (location,) = blobs.iterate()
    return Path(str(blobs.root)) / location.area / location.name[:2] / location.name


@each_classification
def test_a_body_is_handed_out_by_the_digest_of_its_plaintext(blobs: Blobs, classification: Classification) -> None:
    digest = blobs.put(_BODY, classification)
    assert digest == digest_bytes(_BODY)
    assert blobs.get(digest, classification) == _BODY


def test_the_folder_tells_nothing_of_a_body_that_is_not_for_customers(blobs: Blobs) -> None:
    digest = blobs.put(_BODY, Classification.INTERNAL)
    path = _file(blobs)
    assert b"orchid" not in path.read_bytes()
    assert digest.removeprefix("sha256:") not in str(path)
    assert digest.removeprefix("sha256:").encode() not in path.read_bytes()


@each_classification
def test_every_flipped_byte_of_a_stored_body_is_detected(blobs: Blobs, classification: Classification) -> None:
    digest = blobs.put(_BODY, classification)
    path, (location,) = _file(blobs), blobs.iterate()
    stored = path.read_bytes()
    for at in range(len(stored)):
        path.write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
        with pytest.raises(IntegrityViolation):
            blobs.get(digest, classification)
        with pytest.raises(IntegrityViolation):
            blobs.verify(location)
        with pytest.raises(IntegrityViolation):
            blobs.put(_BODY, classification)


@each_classification
def test_a_truncated_or_missing_body_is_detected(blobs: Blobs, classification: Classification) -> None:
    digest = blobs.put(_BODY, classification)
    path = _file(blobs)
    stored = path.read_bytes()
    for length in range(len(stored)):
        path.write_bytes(stored[:length])
        with pytest.raises(IntegrityViolation):
            blobs.get(digest, classification)
    path.unlink()
    with pytest.raises(IntegrityViolation) as caught:
        blobs.get(digest, classification)
    assert digest in str(caught.value)


def test_sealed_bodies_that_change_places_are_detected(blobs: Blobs) -> None:
    digests = [blobs.put(body, _SEALED) for body in (b"one", b"two")]
    paths = [Path(str(blobs.root)) / "sealed" / at.name[:2] / at.name for at in blobs.iterate()]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    for digest in digests:
        with pytest.raises(IntegrityViolation):
            blobs.get(digest, _SEALED)


def test_a_body_put_again_is_not_written_again(blobs: Blobs) -> None:
    blobs.put(_BODY, _SEALED)
    written = _file(blobs).stat().st_mtime_ns
    blobs.put(_BODY, _SEALED)
    assert _file(blobs).stat().st_mtime_ns == written


def test_all_stored_bodies_are_found_and_verify(blobs: Blobs) -> None:
    bodies = [str(number).encode() for number in range(20)]
    digests = {blobs.put(body, _SEALED) for body in bodies} | {blobs.put(_BODY, _OPEN)}
    assert {blobs.verify(location) for location in blobs.iterate()} == digests
    assert list(Blobs(root=blobs.root / "nowhere", keys=TEST_KEYS).iterate()) == []


def test_a_foreign_file_among_the_bodies_does_not_verify(blobs: Blobs) -> None:
    blobs.put(_BODY, _OPEN)
    foreign = _file(blobs).with_name("notes.txt")
    foreign.write_text("hello")
    location = BlobLocation(area="customer", name="notes.txt")
    assert location in list(blobs.iterate())
    with pytest.raises(IntegrityViolation):
        blobs.verify(location)


def test_what_a_stopped_writer_left_behind_is_no_body(blobs: Blobs) -> None:
    blobs.put(_BODY, _OPEN)
    _file(blobs).with_name(".writing-0123").write_bytes(_BODY[:3])
    assert len(list(blobs.iterate())) == 1


def test_no_temporary_file_stays_behind(blobs: Blobs) -> None:
    blobs.put(_BODY, _SEALED)
    assert [path.name for path in _file(blobs).parent.iterdir()] == [_file(blobs).name]


def test_a_folder_that_cannot_be_written_stops_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="blobs_unavailable"):
        Blobs(root=UPath(tmp_path / "blobs"), keys=TEST_KEYS).put(_BODY, _OPEN)


@each_classification
def test_bodies_lie_in_an_object_store_by_url_too(classification: Classification) -> None:
    blobs = Blobs(root=UPath(f"memory://bodies-{classification}"), keys=TEST_KEYS)
    digest = blobs.put(_BODY, classification)
    assert blobs.put(_BODY, classification) == digest
    assert blobs.get(digest, classification) == _BODY
    assert [blobs.verify(location) for location in blobs.iterate()] == [digest]
