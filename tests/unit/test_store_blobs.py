"""Bodies are written once, one pack per transaction, sealed where they are not for customers, handed out verified."""

import os
from pathlib import Path

import pytest

from dagster_project.errors import ChannelsafeError, IntegrityViolation, Unavailable
from dagster_project.integrity.digests import digest_bytes
from dagster_project.sources.record import Classification
from dagster_project.store.body_account import BodyFault, account_for_bodies
from dagster_project.store.store import Store, open_store
from tests.support.stored_bodies import StoredBody, flip, pack_files, stored_bodies, stored_body

_BODY = b'{"vendor":"orchid"}'
_OPEN, _SEALED = Classification.CUSTOMER, Classification.RESTRICTED
each_classification = pytest.mark.parametrize("classification", list(Classification))


def put(store: Store, *bodies: bytes, classification: Classification = _SEALED) -> list[str]:
    """Put bodies in one transaction and return their digests."""
    with store.begin() as transaction:
        return [transaction.blobs.put(body, classification) for body in bodies]


def get(store: Store, digest: str, classification: Classification = _SEALED) -> bytes:
    """Get a body in a transaction of its own."""
    with store.read() as transaction:
        return transaction.blobs.get(digest, classification)


def faults(store: Store) -> tuple[BodyFault, ...]:
    """Return what is wrong with the stored bodies."""
    with store.read() as transaction:
        return account_for_bodies(transaction).faults


class Stopped(BaseException):
    """The process ends here."""


def stop_before_the_commit(store: Store, body: bytes) -> None:
    """Write a pack as a transaction does, and never commit."""
    with store.begin() as transaction:
        transaction.put_sealed(body)
        transaction.blobs.write_gathered()
        raise Stopped


@each_classification
def test_a_body_is_handed_out_by_the_digest_of_its_plaintext(store: Store, classification: Classification) -> None:
    (digest,) = put(store, _BODY, classification=classification)
    assert digest == digest_bytes(_BODY)
    assert get(store, digest, classification) == _BODY


def test_a_body_is_handed_out_within_the_transaction_that_put_it(store: Store) -> None:
    with store.begin() as transaction:
        digest = transaction.put_sealed(_BODY)
        assert transaction.get_sealed(digest) == _BODY


def test_the_bodies_of_one_transaction_are_one_file(store: Store) -> None:
    digests = put(store, *(str(number).encode() for number in range(40)))
    put(store, b"forty", classification=_OPEN)
    assert len(pack_files(store)) == 2
    with store.read() as transaction:
        found = transaction.get_all_sealed(digests)
    assert found == {digest: str(number).encode() for number, digest in enumerate(digests)}


def test_many_bodies_of_many_packs_are_read_together(store: Store) -> None:
    wanted: dict[str, bytes] = {}
    for number in range(6):
        bodies = [f"{number}/{place}".encode() for place in range(200)]
        wanted.update(zip(put(store, *bodies, classification=list(Classification)[number % 3]), bodies, strict=True))
    classified = [(digest, list(Classification)[int(body[:1]) % 3]) for digest, body in wanted.items()]
    with store.read() as transaction:
        assert transaction.blobs.get_many(classified) == wanted
        with pytest.raises(IntegrityViolation, match=digest_bytes(b"nowhere")):
            transaction.blobs.get_many([*classified, (digest_bytes(b"nowhere"), _SEALED)])


def test_nothing_that_was_put_stays_when_the_transaction_fails(store: Store) -> None:
    def fail() -> None:
        with store.begin() as transaction:
            transaction.put_sealed(_BODY)
            raise Stopped

    with pytest.raises(Stopped):
        fail()
    assert (pack_files(store), stored_bodies(store)) == ([], [])


def test_a_crash_before_the_commit_leaves_a_pack_that_is_unused_and_used_when_tried_again(store: Store) -> None:
    with pytest.raises(Stopped):
        stop_before_the_commit(store, _BODY)
    with store.read() as transaction:
        account = account_for_bodies(transaction)
    assert (account.bodies, account.unused_packs, account.faults) == (0, 1, ())
    left = pack_files(store)
    (digest,) = put(store, _BODY)
    assert (get(store, digest), pack_files(store)) == (_BODY, left)


def test_a_transaction_that_only_reads_takes_no_body(store: Store) -> None:
    with store.read() as transaction, pytest.raises(ChannelsafeError, match="transaction_only_reads"):
        transaction.put_sealed(_BODY)


def test_what_a_transaction_gathers_is_written_before_it_grows_too_large(store: Store) -> None:
    large = [bytes([number]) * 3_000_000 for number in range(6)]
    with store.begin() as transaction:
        digests = [transaction.put_sealed(body) for body in large]
        assert transaction.get_all_sealed(digests) == dict(zip(digests, large, strict=True))
    assert len(pack_files(store)) == 2
    with store.read() as transaction:
        assert transaction.get_all_sealed(digests) == dict(zip(digests, large, strict=True))


def test_the_folder_tells_nothing_of_a_body_that_is_not_for_customers(store: Store) -> None:
    (digest,) = put(store, _BODY, classification=Classification.INTERNAL)
    (path,) = pack_files(store)
    assert b"orchid" not in path.read_bytes()
    assert digest.removeprefix("sha256:") not in str(path)
    assert digest.removeprefix("sha256:") not in {one.name for one in stored_bodies(store)}
    assert digest.removeprefix("sha256:").encode() not in path.read_bytes()


@each_classification
def test_every_flipped_byte_of_a_stored_body_is_detected(store: Store, classification: Classification) -> None:
    _before, digest, _after = put(store, b"before", _BODY, b"after", classification=classification)
    body = stored_body(store, digest, classification)
    for place in range(body.start, body.start + body.length):
        flip(body.path, place)
        with pytest.raises(IntegrityViolation):
            get(store, digest, classification)
        assert [one.name for one in faults(store)] == [body.name]
        flip(body.path, place)
    assert faults(store) == ()


@each_classification
def test_a_truncated_or_missing_pack_is_detected(store: Store, classification: Classification) -> None:
    (digest,) = put(store, _BODY, classification=classification)
    (path,) = pack_files(store)
    stored = path.read_bytes()
    for length in range(len(stored)):
        path.write_bytes(stored[:length])
        with pytest.raises(IntegrityViolation):
            get(store, digest, classification)
        assert BodyFault(path.name, "pack_not_covered") in faults(store)
    path.unlink()
    with pytest.raises(IntegrityViolation) as caught:
        get(store, digest, classification)
    assert digest in str(caught.value)
    assert BodyFault(path.name, "pack_missing") in faults(store)


def test_sealed_bodies_that_change_places_are_detected(store: Store) -> None:
    digests = put(store, b"one", b"two")
    first, second = stored_bodies(store)
    first.path.write_bytes(second.stored() + first.stored())
    for digest in digests:
        with pytest.raises(IntegrityViolation):
            get(store, digest)


def test_a_body_put_again_is_not_written_again(store: Store) -> None:
    put(store, _BODY, _BODY)
    put(store, _BODY)
    assert len(pack_files(store)) == 1
    assert [one.length for one in stored_bodies(store)] == [len(_BODY) + 17]
    put(store, _BODY, b"new")
    assert len(stored_bodies(store)) == 2


def test_all_stored_bodies_are_accounted_for(store: Store) -> None:
    put(store, *(str(number).encode() for number in range(20)))
    put(store, _BODY, b"", classification=_OPEN)
    with store.read() as transaction:
        account = account_for_bodies(transaction)
    assert (account.bodies, account.unused_packs, account.faults) == (22, 0, ())


def test_bytes_that_belong_to_no_body_are_found(store: Store) -> None:
    put(store, _BODY)
    (path,) = pack_files(store)
    path.write_bytes(path.read_bytes() + b"more")
    assert faults(store) == (BodyFault(path.name, "pack_not_covered"),)


@pytest.mark.parametrize("place", ["notes.txt", "ab/notes.txt", f"ab/{'ab' * 32}", f"ab/{'cd' * 32}"])
def test_a_foreign_file_among_the_packs_is_found(store: Store, place: str) -> None:
    put(store, _BODY)
    foreign = Path(store.packs.root.path) / place
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("hello")
    assert faults(store) == (BodyFault(foreign.name, "pack_foreign"),)


def test_what_a_stopped_writer_left_behind_is_no_pack(store: Store) -> None:
    put(store, _BODY)
    (path,) = pack_files(store)
    path.with_name(".writing-0123").write_bytes(_BODY[:3])
    assert (pack_files(store), faults(store)) == ([path], ())


def test_no_temporary_file_stays_behind(store: Store) -> None:
    put(store, _BODY)
    (path,) = pack_files(store)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_pack_is_on_the_disk_before_the_rows_that_name_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    with store.begin() as transaction:
        transaction.put_sealed(_BODY)
        transaction.blobs.write_gathered()
        (path,) = pack_files(store)
        assert {path.stat().st_ino, path.parent.stat().st_ino, path.parent.parent.stat().st_ino} <= set(synced)


def test_a_folder_that_cannot_be_written_stops_with_what_to_do_and_nothing_is_written(store: Store) -> None:
    root = Path(store.packs.root.path)
    root.write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="blobs_unavailable"):
        put(store, _BODY)
    root.unlink()
    assert stored_bodies(store) == []


@each_classification
def test_bodies_lie_in_an_object_store_by_url_too(
    tmp_path: Path, keys_folder: Path, classification: Classification
) -> None:
    store = open_store(tmp_path / "home", None, keys_folder, f"memory://bodies-{tmp_path.name}-{classification}")
    digests = put(store, _BODY, b"other", classification=classification)
    assert put(store, _BODY, b"other", classification=classification) == digests
    assert [get(store, digest, classification) for digest in digests] == [_BODY, b"other"]
    with store.read() as transaction:
        account = account_for_bodies(transaction)
    assert (account.bodies, account.unused_packs, account.faults) == (2, 0, ())
    assert len(store.packs.files()) == 1
    store.engine.dispose()


def test_the_place_of_a_body_is_its_own(store: Store) -> None:
    put(store, b"one", b"two", b"three")
    placed: list[StoredBody] = stored_bodies(store)
    ends = [one.start + one.length for one in placed]
    assert [one.start for one in placed] == [0, *ends[:-1]]
    assert placed[0].path.stat().st_size == ends[-1]
