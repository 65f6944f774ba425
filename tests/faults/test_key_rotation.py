"""Rotating the body key: at once for what is new, without loss for what is there, whoever is killed or looks on."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from dagster_project.application.audit_evidence import verify_audit_log
from dagster_project.application.key_rotation import Rotation, retire_former_key, rotate_body_key
from dagster_project.application.verify import verify
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.errors import IntegrityViolation, Unavailable, UsageError
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.keys import body_key_id, format_keys
from dagster_project.sources.record import Classification
from dagster_project.store.body_account import account_for_bodies
from dagster_project.store.body_keys import adopt_body_key
from dagster_project.store.body_rotation import move_packs, packs_to_move
from dagster_project.store.body_tables import body_keys, packs_to_remove
from dagster_project.store.key_files import KEY_FILE_NAME, load_keys, only_key_changer, replace_keys
from dagster_project.store.tables import packed_bodies
from tests.fixtures.keys import TEST_KEYS
from tests.fixtures.postgresql import PostgresqlServer
from tests.support.command_line import command_line_of
from tests.support.histories import FULL
from tests.support.killing import Place, run
from tests.support.played_stories import INCIDENT, copy_of, played_scenario
from tests.support.stored_bodies import flip, pack_files, stored_bodies, stored_body
from tests.support.workspaces import make_workspace

OPEN, SEALED = Classification.CUSTOMER, Classification.RESTRICTED
# The large ones make that not everything is moved in one transaction.
TRANSACTIONS: Final = (
    [(b'{"vendor":"orchid"}', SEALED), (b"for everybody", OPEN), (b"", SEALED)],
    [(b"large" * 900_000, SEALED)],
    [(b"other" * 900_000, SEALED)],
    [(b"for everybody too", OPEN)],
)
KNOWN: Final = {body: classification for bodies in TRANSACTIONS for body, classification in bodies}
FIRST_KEY: Final = next(iter(TEST_KEYS.body_keys))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A deployment with bodies of each kind, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = make_workspace(tmp_path, database_url=url)
    fill(made)
    yield made
    made.store.engine.dispose()


def fill(workspace: Workspace) -> None:
    for bodies in TRANSACTIONS:
        put(workspace, *bodies)


def put(workspace: Workspace, *bodies: tuple[bytes, Classification]) -> list[str]:
    with workspace.store.begin() as transaction:
        return [transaction.blobs.put(body, classification) for body, classification in bodies]


def held(workspace: Workspace) -> dict[bytes, Classification]:
    """Return which of the known bodies are handed out."""
    with workspace.store.read() as transaction:
        return {
            transaction.blobs.get(digest_bytes(body), classification): classification
            for body, classification in KNOWN.items()
        }


def rows(workspace: Workspace) -> dict[str, str | None]:
    """Return the id of the key of every stored body by its name."""
    with workspace.store.read() as transaction:
        found = transaction.connection.execute(sa.select(packed_bodies.c.name, packed_bodies.c.body_key)).all()
    return {row.name: row.body_key for row in found}


def rotate(workspace: Workspace) -> Rotation:
    return rotate_body_key(workspace, progress=lambda _count: None)


def rotate_and_retire(workspace: Workspace) -> Rotation:
    return retire_former_key(workspace, rotate(workspace))


def rotating(workspace: Workspace, _decision: bytes) -> None:
    rotate_and_retire(workspace)


def assert_sound(workspace: Workspace) -> None:
    """Every body is there and sound, and every pack is used."""
    assert held(workspace) == KNOWN
    with workspace.store.read() as transaction:
        account = account_for_bodies(transaction)
    assert (account.unused_packs, account.faults) == (0, ())


def reopened(workspace: Workspace) -> Workspace:
    workspace.store.engine.dispose()
    return open_workspace(workspace.settings, clock=workspace.clock)


def test_a_rotation_seals_everything_again_and_names_stay(workspace: Workspace) -> None:
    before, names = {path.read_bytes() for path in pack_files(workspace.store)}, set(rows(workspace))
    done = rotate(workspace)
    assert (done.begun, done.former, done.left, done.faults) == (True, FIRST_KEY, 0, ())
    assert done.reencrypted == sum(classification is SEALED for classification in KNOWN.values())
    assert_sound(workspace)
    assert_sound(reopened(workspace))
    now = rows(workspace)
    assert names <= set(now)
    assert set(now.values()) == {done.body_key, "none"}
    kept = {b"for everybody too"}  # it was never sealed, and lies alone
    assert before & {path.read_bytes() for path in pack_files(workspace.store)} == kept


def test_what_is_written_after_a_rotation_began_is_under_the_new_key_in_every_process(workspace: Workspace) -> None:
    other = open_workspace(workspace.settings, clock=workspace.clock)
    rotation = rotate(workspace)
    (digest,) = put(other, (b"written by a process that was there before", SEALED))
    assert rows(workspace)[stored_body(workspace.store, digest).name] == rotation.body_key
    assert held(other) == KNOWN
    retire_former_key(workspace, rotation)
    assert held(other) == KNOWN
    other.store.engine.dispose()


def test_who_began_to_read_before_a_rotation_reads_on(workspace: Workspace) -> None:
    with workspace.store.read() as transaction:
        transaction.blobs.get(digest_bytes(b"for everybody too"), OPEN)
        rotate_and_retire(open_workspace(workspace.settings, clock=workspace.clock))
        assert all(
            transaction.blobs.get(digest_bytes(body), classification) == body for body, classification in KNOWN.items()
        )
        assert account_for_bodies(transaction).faults == ()


def test_after_retiring_the_former_key_is_nowhere_and_opens_nothing(workspace: Workspace) -> None:
    done = rotate_and_retire(workspace)
    ring = load_keys(workspace.settings.keys)
    assert (list(ring.body_keys), done.former) == ([done.body_key], None)
    held_files = [path.read_bytes() for path in workspace.settings.keys.iterdir()]
    assert not any(TEST_KEYS.body_encryption.hex().encode() in content for content in held_files)
    assert (ring.digest, ring.opaque_codes) == (TEST_KEYS.digest, TEST_KEYS.opaque_codes)
    (workspace.settings.keys / KEY_FILE_NAME).write_bytes(format_keys(TEST_KEYS))
    with pytest.raises(Unavailable, match="body_key_missing") as refused:
        reopened(workspace)
    assert refused.value.exit_code == 3


def test_a_key_is_rotated_again_only_once_the_one_before_was_retired(workspace: Workspace) -> None:
    first = rotate(workspace)
    again = rotate(workspace)
    assert (again.begun, again.body_key, again.reencrypted) == (False, first.body_key, 0)
    retire_former_key(workspace, again)
    second = rotate(workspace)
    assert (second.begun, second.former) == (True, first.body_key)
    assert_sound(workspace)


def test_there_is_nothing_to_retire_where_nothing_was_rotated(workspace: Workspace) -> None:
    done = rotate_and_retire(workspace)
    with pytest.raises(UsageError, match="no_former_key"):
        retire_former_key(workspace, done)


def test_two_rotations_at_once_exclude_each_other(workspace: Workspace) -> None:
    with only_key_changer(workspace.settings.keys), pytest.raises(Unavailable, match="keys_being_changed"):
        rotate(workspace)
    assert load_keys(workspace.settings.keys) == TEST_KEYS
    assert rotate(workspace).begun


def test_a_damaged_body_is_left_and_keeps_the_former_key(workspace: Workspace) -> None:
    body = stored_body(workspace.store, digest_bytes(b'{"vendor":"orchid"}'))
    flip(body.path, body.start + 5)
    done = rotate(workspace)
    assert {fault.name for fault in done.faults} == {body.name}
    assert done.left == 2  # its pack is moved whole or not at all
    with pytest.raises(IntegrityViolation, match="former_key_needed"):
        retire_former_key(workspace, done)
    assert load_keys(workspace.settings.keys).former_body_encryption == TEST_KEYS.body_encryption
    flip(body.path, body.start + 5)
    assert rotate(workspace).left == 0
    assert_sound(workspace)


def test_a_body_damaged_after_it_was_moved_keeps_the_former_key_too(workspace: Workspace) -> None:
    done = rotate(workspace)
    body = stored_body(workspace.store, digest_bytes(b'{"vendor":"orchid"}'))
    flip(body.path, body.start + 5)
    with pytest.raises(IntegrityViolation, match="former_key_needed"):
        retire_former_key(workspace, done)
    assert load_keys(workspace.settings.keys).former_body_encryption == TEST_KEYS.body_encryption


def test_bytes_that_belong_to_no_body_stay_as_evidence(workspace: Workspace) -> None:
    path = stored_body(workspace.store, digest_bytes(b"")).path
    path.write_bytes(path.read_bytes() + b"more")
    done = rotate(workspace)
    assert [fault.code for fault in done.faults] == ["pack_not_covered"]
    assert path.read_bytes().endswith(b"more")


def test_bodies_from_before_keys_had_ids_are_read_and_moved(workspace: Workspace) -> None:
    with workspace.store.begin() as transaction:
        transaction.connection.execute(sa.update(packed_bodies).values(body_key=None))
        transaction.connection.execute(sa.delete(body_keys))
    assert_sound(reopened(workspace))
    done = rotate_and_retire(workspace)
    assert_sound(workspace)
    assert set(rows(workspace).values()) == {done.body_key, "none"}


def test_a_row_that_names_a_key_the_store_never_had_is_a_violation(workspace: Workspace) -> None:
    body = stored_body(workspace.store, digest_bytes(b""))
    for named in ("abcdefghijklmnop", "none"):
        with workspace.store.begin() as transaction:
            row = sa.update(packed_bodies).where(packed_bodies.c.name == body.name)
            transaction.connection.execute(row.values(body_key=named))
        with workspace.store.read() as transaction, pytest.raises(IntegrityViolation, match="body_not_intact"):
            transaction.get_sealed(digest_bytes(b""))
        with workspace.store.read() as transaction:
            assert [fault.name for fault in account_for_bodies(transaction).faults] == [body.name]


def test_a_key_file_that_is_behind_stops_whoever_has_it_and_writes_nothing(workspace: Workspace) -> None:
    behind = replace(workspace.settings, keys=workspace.settings.home.parent / "copied-keys")
    shutil.copytree(workspace.settings.keys, behind.keys)
    elsewhere = open_workspace(behind, clock=workspace.clock)
    rotation = rotate(workspace)
    packs = pack_files(workspace.store)
    for attempt in (lambda: put(elsewhere, (b"new", SEALED)), lambda: rotate(elsewhere), lambda: held(elsewhere)):
        with pytest.raises(Unavailable, match="body_key_missing"):
            attempt()
    assert pack_files(workspace.store) == packs
    assert load_keys(behind.keys) == TEST_KEYS
    shutil.copy(workspace.settings.keys / KEY_FILE_NAME, behind.keys / KEY_FILE_NAME)
    assert held(elsewhere) == KNOWN
    assert rotate(elsewhere).body_key == rotation.body_key
    elsewhere.store.engine.dispose()


class Stopped(BaseException):
    """The process ends here."""


def stop_before_the_commit(workspace: Workspace) -> None:
    with workspace.store.begin() as transaction:
        groups = packs_to_move(transaction)
        assert len(groups) > 1
        for packs in groups:
            assert move_packs(transaction, packs).bodies
        raise Stopped


def test_what_was_moved_and_never_committed_lies_where_it_lay(workspace: Workspace) -> None:
    folder = workspace.settings.keys
    replace_keys(folder, load_keys(folder).rotated(b"\x07" * 32))
    with workspace.store.begin() as transaction:
        adopt_body_key(transaction.connection, body_key_id(b"\x07" * 32))
    with pytest.raises(Stopped):
        stop_before_the_commit(workspace)
    assert held(workspace) == KNOWN
    rotate_and_retire(workspace)
    assert_sound(workspace)


# ---- killed ---------------------------------------------------------------------------------------------------------

STRIDE: Final = 1 if FULL else 17


def judge_death(folder: Path, step: int, url: str | None) -> bool:
    """Let a rotation die at a step, and the next one finish; tell whether it came to its end before that step."""
    workspace = make_workspace(folder, database_url=url)
    fill(workspace)
    workspace.store.engine.dispose()
    place = Place(workspace.settings, workspace.clock.now())
    if run(rotating, place, die_at=step):
        return True
    # The ring in this process is the one from before: it follows.
    assert held(workspace) == KNOWN
    put(workspace, (b"between", SEALED))
    former = load_keys(workspace.settings.keys).former_body_encryption
    done = rotate_and_retire(workspace)
    assert former is None or not done.begun, "the rotation that was begun is carried on, not begun anew"
    assert_sound(workspace)
    assert set(rows(workspace).values()) == {done.body_key, "none"}
    with workspace.store.read() as transaction:
        assert transaction.connection.execute(sa.select(packs_to_remove)).all() == []
        assert transaction.get_sealed(digest_bytes(b"between")) == b"between"
    workspace.store.engine.dispose()
    return False


def test_whenever_it_is_killed_nothing_is_lost_and_the_next_run_finishes(tmp_path: Path) -> None:
    for step in count(1, STRIDE):
        if judge_death(tmp_path / str(step), step, None):
            break
    assert step > 40, "it hardly ever died: the test proves nothing"


@pytest.mark.postgresql
def test_whenever_it_is_killed_on_postgresql_nothing_is_lost(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    for number, step in enumerate(count(5, 2 * STRIDE)):
        url = postgresql_server.create_database(f"rotation_{number}_{os.getpid()}")
        if judge_death(tmp_path / str(step), step, url):
            break
    assert number > 1


# ---- a whole deployment ---------------------------------------------------------------------------------------------


def everything_but_places(workspace: Workspace) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows but those that say where bodies lie and what was done."""
    left_out = {"packed_bodies", "body_keys", "audit_entries", "audit_log_head"}
    metadata = sa.MetaData()
    metadata.reflect(workspace.store.engine)
    with workspace.store.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in left_out
        }


def test_a_rotated_deployment_verifies_and_every_digest_is_what_it_was(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    before, bodies = everything_but_places(workspace), len(stored_bodies(workspace.store))
    run_command = command_line_of(workspace.settings)
    answer = run_command("keys", "rotate", "--retire", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["former"] is None
    workspace = reopened(workspace)
    assert everything_but_places(workspace) == before
    report = verify(workspace, progress=lambda _name: None)
    assert (report.violations, report.unused_packs) == ((), 0)
    assert len(stored_bodies(workspace.store)) == bodies + 2  # of two entries of the audit log
    assert verify_audit_log(workspace).found.faults == ()
    assert run_command("replay", "candidate", INCIDENT, "harbourline").code == 0


def test_the_command_says_what_is_wrong_with_keys_and_bodies(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    fill(workspace)
    run_command = command_line_of(workspace.settings)
    told = run_command("keys", "rotate")
    assert told.code == 0
    assert f"no body needs the former key {FIRST_KEY}" in told.out
    body = stored_body(workspace.store, digest_bytes(b""))
    flip(body.path, body.start)
    damaged = run_command("keys", "rotate", "--retire")
    assert (damaged.code, "former_key_needed" in damaged.err) == (4, True)
    (workspace.settings.keys / KEY_FILE_NAME).write_bytes(format_keys(TEST_KEYS))
    for arguments in (["keys", "rotate"], ["verify"], ["status"]):
        missing = run_command(*arguments)
        assert (missing.code, "body_key_missing" in missing.err) == (3, True), arguments
    workspace.store.engine.dispose()
