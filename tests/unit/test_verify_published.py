"""Whoever was handed a published folder is told what it holds, and is never shown less than before.

The cases are those that the TUF conformance suite puts to a client. After every refusal the trusted state is byte for
byte what it was: `Outsider` sees to it.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.application.verify_published import verify_published
from dagster_project.connections.trusted_state_file import replace_trusted_state
from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    index_path,
    payload_paths,
    statement_path,
    tombstone_bytes,
    tombstone_path,
)
from tests.support.outsiders import STALE, UNREADABLE, VIOLATION, Outsider, predicate, small
from tests.support.published_folders import BEGIN, INDEX_LASTS, PACKAGE_ID, Ceremonies, Publisher, resigned


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


# ---- what is accepted --------------------------------------------------------------------------------------------


def test_a_folder_is_verified_and_the_answer_says_what_is_current(outsider: Outsider) -> None:
    publisher = small()
    seen = outsider.accepts(publisher)
    assert (seen.current, seen.index_version, seen.versions, seen.pulled) == (2, 3, 2, 1)
    assert (seen.trust_version, seen.files, seen.seen_before) == (1, len(publisher.files), False)
    assert seen.stale_after == BEGIN + timedelta(hours=5)
    assert outsider.verifies().seen_before


def test_every_step_of_a_publisher_is_accepted_one_after_the_other(outsider: Outsider) -> None:
    publisher = Publisher()
    steps: list[Callable[[], Publisher]] = [
        publisher.sign_index,
        publisher.release,
        lambda: publisher.release(slot_state="in_review"),
        lambda: publisher.pull(1, "suspended"),
        lambda: publisher.pull(2, "suspended"),
        lambda: publisher.restore(2),
        lambda: publisher.restore(1),
        lambda: publisher.pull(2, "withdrawn"),
        publisher.sign_index,
        publisher.release,
    ]
    current = [outsider.accepts(step()).current for step in steps]
    assert current == [None, 1, 2, 2, None, 2, 2, None, None, 3]


def test_a_verification_of_the_same_again_leaves_the_trusted_state_as_it_is(outsider: Outsider) -> None:
    outsider.accepts(small())
    before = outsider.state.stat()
    outsider.verifies()
    assert outsider.state.stat().st_mtime_ns == before.st_mtime_ns
    assert outsider.state.stat().st_ino == before.st_ino


def test_the_age_limit_of_the_data_is_told_and_is_no_refusal(outsider: Outsider) -> None:
    outsider.is_given(small())
    limit = BEGIN + timedelta(hours=5)
    assert not outsider.verifies(at=limit - timedelta(microseconds=1)).is_stale
    assert outsider.verifies(at=limit).is_stale


def test_unfinished_writes_with_a_leading_dot_are_passed_over(outsider: Outsider) -> None:
    publisher = small()
    publisher.files |= {".index.dsse.json.tmp": b"half", ".unfinished/package.json": b"{}", "v000002/.x": b""}
    assert outsider.accepts(publisher).files == len(publisher.files) - 3


# ---- nothing less, and nothing else, than before -----------------------------------------------------------------


def test_an_older_folder_is_refused(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release().release())
    outsider.refuses(Publisher().release(), code="index_rolled_back")


def test_another_index_under_the_same_number_is_refused(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release())
    other = Publisher().release().resign_index(predicate(expires="2026-03-07T00:00:00Z"))
    outsider.refuses(other, code="index_replaced")


def test_another_past_before_a_newer_index_is_refused(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release())
    other = Publisher().release().resign_index(predicate(expires="2026-03-07T00:00:00Z")).release()
    outsider.refuses(other, code="index_replaced")


def test_an_older_index_beside_newer_ones_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release().sign_index().sign_index()
    outsider.accepts(publisher)
    publisher.files[NEWEST_INDEX] = publisher.files[index_path(1)]
    outsider.refuses(publisher, code="published_file_unlisted")


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_dropped_entry_is_refused_even_at_first_sight(outsider: Outsider, *, seen_before: bool) -> None:
    publisher = Publisher().release().release()
    if seen_before:
        outsider.accepts(publisher)
    del publisher.versions[2]
    for path in (statement_path(2), *payload_paths(2)):
        del publisher.files[path]
    outsider.refuses(publisher.sign_index(), code="index_entry_dropped")


def test_a_statement_that_was_replaced_in_a_new_index_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release()
    outsider.accepts(publisher)
    publisher.state_release(1, resigned(publisher.files[statement_path(1)], predicate(withheld={}), "release"))
    outsider.refuses(publisher.sign_index(), code="statement_replaced")


def test_a_statement_that_was_replaced_along_with_its_past_is_refused_by_who_saw_it(outsider: Outsider) -> None:
    # The index key is another one now, so the mark of the index no longer counts: that of the statement does.
    outsider.accepts(Publisher().release())
    other = Publisher(index_key="new").release(slot_state="on_hold")
    outsider.refuses(other, Ceremonies().add().add(index=("new",)), code="statement_replaced")


def test_a_version_that_was_seen_may_not_vanish_even_with_a_new_index_key(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release().release())
    trust = Ceremonies().add().add(index=("new",))
    outsider.refuses(Publisher(index_key="new").release(), trust, code="index_entry_dropped")


def test_another_package_is_not_held_against_the_trusted_state_of_this_one(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release())
    before = outsider.state.read_bytes()
    other = Publisher(package_id="other00000").release().write(outsider.place)
    with pytest.raises(IntegrityViolation, match="package_id_differs"):
        verify_published(other, trust_file=outsider.trust_file, state_file=outsider.state, at=BEGIN)
    assert outsider.state.read_bytes() == before


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_withdrawn_version_never_comes_back(outsider: Outsider, *, seen_before: bool) -> None:
    publisher = Publisher().release().pull(1, "withdrawn")
    if seen_before:
        outsider.accepts(publisher)
    refusal = outsider.refuses(publisher.restore(1), code="state_move_refused")
    assert "withdrawn" in refusal.what


def test_a_superseded_version_does_not_become_current_again(outsider: Outsider) -> None:
    publisher = Publisher().release().release()
    outsider.accepts(publisher)
    publisher.pull(2, "suspended").versions[1] = Publisher().release().versions[1]
    outsider.refuses(publisher.sign_index(), code="state_move_refused")


def test_a_gap_in_the_indexes_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release().sign_index().sign_index()
    del publisher.files[index_path(2)]
    outsider.refuses(publisher, code="published_file_missing")


def test_an_index_under_another_number_is_refused(outsider: Outsider) -> None:
    publisher = Publisher().release().sign_index().sign_index()
    publisher.files[index_path(2)] = publisher.files[index_path(1)]
    outsider.refuses(publisher, code="index_misplaced")


# ---- an index key that was stolen --------------------------------------------------------------------------------


def far_ahead() -> Publisher:
    """Return what a thief of the index key would publish: the same version, and many more indexes."""
    publisher = Publisher().release()
    for _ in range(40):
        publisher.sign_index()
    return publisher


def test_a_jump_of_the_index_is_accepted_and_shuts_out_the_publisher_until_the_key_is_replaced(
    outsider: Outsider,
) -> None:
    trust = Ceremonies().add()
    honest = Publisher().release()
    outsider.accepts(honest, trust)
    assert outsider.accepts(far_ahead(), trust).index_version == 41
    outsider.refuses(honest.sign_index(), trust, code="index_rolled_back")
    # A further key does not help: the thief's still counts.
    trust.add(index=("index", "new"))
    outsider.refuses(honest, trust, code="index_rolled_back")
    trust.add(index=("new",))
    honest.index_key = "new"
    assert outsider.accepts(honest.sign_index(), trust).index_version == 3
    # From here on the new key's index is the mark.
    stale = Publisher().release().sign_index()
    stale.index_key = "new"
    outsider.refuses(stale.resign_index(predicate()), trust, code="index_rolled_back")


def test_a_key_that_was_replaced_and_came_back_does_not_restore_the_mark(outsider: Outsider) -> None:
    trust = Ceremonies().add()
    outsider.accepts(far_ahead(), trust)
    trust.add(index=("new",)).add(index=("index",))
    assert outsider.accepts(Publisher().release().sign_index(), trust).index_version == 2


# ---- expiry ------------------------------------------------------------------------------------------------------


def test_an_expired_index_is_refused_as_stale_at_that_very_instant(outsider: Outsider) -> None:
    publisher = Publisher().release()
    outsider.is_given(publisher)
    expires = publisher.now + INDEX_LASTS
    outsider.verifies(at=expires - timedelta(microseconds=1))
    refusal = outsider.refuses_what_lies_there(at=expires)
    assert (refusal.code, refusal.exit_code, refusal.where) == ("index_expired", STALE, NEWEST_INDEX)


def test_an_old_index_that_expired_does_not_matter(outsider: Outsider) -> None:
    publisher = Publisher().release()
    for _ in range(60):
        publisher.sign_index()
    outsider.is_given(publisher)
    assert outsider.verifies(at=publisher.now).index_version == 61


def test_expired_trust_is_refused_as_stale_and_an_expired_version_before_it_is_not(outsider: Outsider) -> None:
    soon = BEGIN + timedelta(hours=1)
    outsider.is_given(Publisher().release(), Ceremonies().add(expires=soon))
    refusal = outsider.refuses_what_lies_there(at=soon)
    assert (refusal.code, refusal.exit_code) == ("public_trust_expired", STALE)
    outsider.is_given(Publisher().release(), Ceremonies().add(expires=soon).add())
    assert outsider.verifies(at=soon).trust_version == 2


def test_what_is_not_as_signed_weighs_more_than_what_is_expired(outsider: Outsider) -> None:
    publisher = Publisher().release()
    publisher.files["v000001/package.txt"] += b" "
    outsider.is_given(publisher)
    assert outsider.refuses_what_lies_there(at=BEGIN + timedelta(days=900)).exit_code == VIOLATION


# ---- what a publisher had not finished ---------------------------------------------------------------------------


def payload_still_there(publisher: Publisher) -> str:
    path = "v000001/package.html"
    publisher.files[path] = publisher.payloads[path]
    return path


def tombstone_moved_first(publisher: Publisher) -> str:
    publisher.files[tombstone_path(2)] = tombstone_bytes(PACKAGE_ID, 2, "withdrawn")
    return tombstone_path(2)


def tombstone_not_moved(publisher: Publisher) -> str:
    publisher.files[tombstone_path(1)] = tombstone_bytes(PACKAGE_ID, 1, "suspended")
    return tombstone_path(1)


def tombstone_still_there(publisher: Publisher) -> str:
    publisher.files[tombstone_path(2)] = tombstone_bytes(PACKAGE_ID, 2, "suspended")
    return tombstone_path(2)


def next_version_there(publisher: Publisher) -> str:
    publisher.files["v000003/package.json"] = b"{}"
    return "v000003/package.json"


def next_index_there(publisher: Publisher) -> str:
    publisher.files[index_path(4)] = publisher.files[NEWEST_INDEX]
    return index_path(4)


@pytest.mark.parametrize(
    ("left", "code"),
    [
        (payload_still_there, "pull_not_finished"),
        (tombstone_not_moved, "pull_not_finished"),
        (tombstone_still_there, "pull_not_finished"),
        (tombstone_moved_first, "pull_not_finished"),
        (next_version_there, "release_not_finished"),
        (next_index_there, "release_not_finished"),
    ],
)
def test_what_was_begun_and_not_ended_is_refused_as_such(
    outsider: Outsider, left: Callable[[Publisher], str], code: str
) -> None:
    publisher = small()
    outsider.accepts(publisher)
    where = left(publisher)
    assert outsider.refuses(publisher, code=code, exit_code=STALE).where == where


def test_payload_that_a_pull_left_behind_is_still_held_against_its_statement(outsider: Outsider) -> None:
    publisher = small()
    publisher.files["v000001/package.html"] = b"<p>all is well</p>"
    outsider.refuses(publisher, code="published_file_differs")


@pytest.mark.parametrize(
    "said", [tombstone_bytes(PACKAGE_ID, 1, "released"), tombstone_bytes(PACKAGE_ID, 2, "withdrawn"), b"{}", b""]
)
def test_what_is_not_the_tombstone_of_its_version_is_refused(outsider: Outsider, said: bytes) -> None:
    publisher = small()
    publisher.files[tombstone_path(1)] = said
    outsider.refuses(publisher, code="tombstone_differs")


def test_a_tombstone_that_says_released_is_refused(outsider: Outsider) -> None:
    publisher = small()
    publisher.files[tombstone_path(2)] = tombstone_bytes(PACKAGE_ID, 2, "released")
    outsider.refuses(publisher, code="tombstone_differs")


# ---- trusted state -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"format":"channelsafe-trusted-state/1"}'])
def test_trusted_state_that_cannot_be_read_is_never_taken_for_none(outsider: Outsider, content: bytes) -> None:
    outsider.is_given(small())
    outsider.state.write_bytes(content)
    refusal = outsider.refuses_what_lies_there()
    assert (refusal.code, refusal.exit_code) == ("trusted_state_unreadable", UNREADABLE)


def test_two_verifications_at_once_never_move_the_mark_back(outsider: Outsider) -> None:
    outsider.accepts(Publisher().release())
    known = outsider.state.read_bytes()
    outsider.accepts(Publisher().release().release())
    newer = outsider.state.read_bytes()
    with pytest.raises(Unavailable, match="trusted_state_moved"):
        replace_trusted_state(outsider.state, known=known, new=known + b" ")
    assert outsider.state.read_bytes() == newer
    assert sorted(path.name for path in outsider.place.iterdir()) == [PACKAGE_ID, "public-trust.json", "seen.json"]


def test_a_folder_for_trusted_state_that_cannot_be_made_is_told(outsider: Outsider) -> None:
    outsider.is_given(small())
    (outsider.place / "a file").write_bytes(b"")
    with pytest.raises(Unavailable, match="trusted_state_unavailable"):
        verify_published(
            outsider.folder, trust_file=outsider.trust_file, state_file=outsider.place / "a file/seen.json", at=BEGIN
        )
