"""Every stored byte counts: flipped anywhere in any body, reading refuses it and `verify` exits with 4."""

import random
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import parse_strict
from dagster_project.store import gates
from dagster_project.store.candidates import CandidateRow, candidates_of, find_snapshot
from dagster_project.store.tables import packed_bodies
from tests.support.command_line import command_line_of
from tests.support.histories import FULL
from tests.support.played_stories import INCIDENT, copy_of, played_scenario
from tests.support.stored_bodies import StoredBody, flip, pack_files, stored_bodies, stored_body

STRIDE = 1 if FULL else 7
SAMPLES = 50 if FULL else 5
KINDS = ("content", "lineage", "delta", "annex", "release_check", "manifest", "snapshot", "profile", "view_index")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    copy = copy_of(played_scenario(), tmp_path_factory.mktemp("flipped"))
    yield copy
    copy.store.engine.dispose()


@pytest.fixture(scope="module")
def digests(workspace: Workspace) -> dict[str, str]:
    """Every body of the largest candidate that has a manifest: its digest by what it is."""
    with workspace.store.read() as transaction:
        rows = [
            one for one in candidates_of(transaction, INCIDENT) if gates.find_manifest(transaction, one.candidate_id)
        ]
        row = max(rows, key=lambda one: sum(len(transaction.get_sealed(body)) for body in own_digests(one).values()))
        check = gates.latest_release_check(transaction, row.candidate_id)
        manifest = gates.find_manifest(transaction, row.candidate_id)
        snapshot = find_snapshot(transaction, row.snapshot_digest)
        views = parse_strict(transaction.get_sealed(row.view_digest))
    assert check is not None
    assert manifest is not None
    assert snapshot is not None
    return {
        **own_digests(row),
        "release_check": check.check_body_digest,
        "manifest": manifest.body_digest,
        "snapshot": snapshot.body_digest,
        "profile": row.profile_digest,
        **{f"view {name}": digest for name, digest in views.items()},
    }


@pytest.fixture(scope="module")
def bodies(workspace: Workspace, digests: dict[str, str]) -> dict[str, StoredBody]:
    return {kind: stored_body(workspace.store, digest) for kind, digest in sorted(digests.items())}


def own_digests(row: CandidateRow) -> dict[str, str]:
    return {
        "content": row.content_digest,
        "lineage": row.lineage_digest,
        "delta": row.delta_digest,
        "annex": row.annex_digest,
        "view_index": row.view_digest,
    }


def is_refused(workspace: Workspace, digest: str) -> bool:
    with workspace.store.read() as transaction, pytest.raises(IntegrityViolation):
        transaction.get_sealed(digest)
    return True


def test_the_candidate_has_a_body_of_every_kind(bodies: dict[str, StoredBody]) -> None:
    assert set(bodies) >= {*KINDS, "view package.html", "view package.md", "view package.txt"}


def test_every_flipped_byte_of_every_body_is_refused_on_reading(
    workspace: Workspace, digests: dict[str, str], bodies: dict[str, StoredBody]
) -> None:
    tried = 0
    with workspace.store.read() as transaction:
        for kind, body in bodies.items():
            for place in range(body.start, body.start + body.length, STRIDE):
                flip(body.path, place, place % 8)
                with pytest.raises(IntegrityViolation):
                    transaction.get_sealed(digests[kind])
                flip(body.path, place, place % 8)
                tried += 1
            assert transaction.get_sealed(digests[kind])
    assert tried >= sum(body.length for body in bodies.values()) // STRIDE


def test_a_body_whose_pack_was_cut_or_shifted_is_refused(
    workspace: Workspace, digests: dict[str, str], bodies: dict[str, StoredBody]
) -> None:
    for kind, body in bodies.items():
        good, end = body.path.read_bytes(), body.start + body.length
        for bad in (b"", good[: end - 1], good[: body.start], b"\x00" + good, good[1:]):
            body.path.write_bytes(bad)
            assert is_refused(workspace, digests[kind])
        body.path.write_bytes(good)


@pytest.mark.parametrize("column", ["start", "length"])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_row_that_names_another_part_of_its_pack_is_refused(
    workspace: Workspace, digests: dict[str, str], bodies: dict[str, StoredBody], column: str, by: int
) -> None:
    body = max(bodies.values(), key=lambda one: one.start)
    (digest,) = {digests[kind] for kind, one in bodies.items() if one == body}
    moved = packed_bodies.c[column] + by
    row = sa.update(packed_bodies).where(packed_bodies.c.name == body.name)
    with workspace.store.begin() as transaction:
        transaction.connection.execute(row.values({column: moved}))
    assert is_refused(workspace, digest)
    answer = command_line_of(workspace.settings)("verify", "--json")
    assert {one["where"] for one in answer.json["violations"]} >= {body.name, body.path.name}
    with workspace.store.begin() as transaction:
        transaction.connection.execute(row.values({column: packed_bodies.c[column] - by}))


def test_verify_exits_with_4_for_a_flipped_byte_anywhere_and_with_0_once_it_is_restored(
    workspace: Workspace, bodies: dict[str, StoredBody]
) -> None:
    run, draw = command_line_of(workspace.settings), random.Random(4711)  # noqa: S311 - places, not secrets
    assert run("verify").code == 0
    every = stored_bodies(workspace.store)
    chosen = [*bodies.values(), *draw.sample(every, SAMPLES)] if FULL else draw.sample(every, SAMPLES)
    for body in chosen[:SAMPLES]:
        place, bit = body.start + draw.randrange(body.length), draw.randrange(8)
        flip(body.path, place, bit)
        answer = run("verify", "--json")
        flip(body.path, place, bit)
        assert answer.code == 4, body.name
        assert body.name in {one["where"] for one in answer.json["violations"]}
    assert run("verify").code == 0


def test_verify_exits_with_4_for_a_byte_that_belongs_to_no_body(workspace: Workspace) -> None:
    run = command_line_of(workspace.settings)
    for path in pack_files(workspace.store)[:3]:
        good = path.read_bytes()
        path.write_bytes(good + b"\x00")
        answer = run("verify", "--json")
        path.write_bytes(good)
        assert answer.code == 4
        assert answer.json["violations"] == [{"where": path.name, "code": "pack_not_covered"}]


@pytest.mark.parametrize("kind", KINDS)
def test_verify_exits_with_4_when_a_body_is_gone(
    workspace: Workspace, bodies: dict[str, StoredBody], kind: str
) -> None:
    good = bodies[kind].path.read_bytes()
    bodies[kind].path.unlink()
    answer = command_line_of(workspace.settings)("verify")
    bodies[kind].path.write_bytes(good)
    assert answer.code == 4
    assert "NOT AS STORED" in answer.out


@pytest.mark.parametrize("kind", KINDS)
def test_verify_exits_with_4_when_nothing_says_where_a_body_lies(
    workspace: Workspace, digests: dict[str, str], bodies: dict[str, StoredBody], kind: str
) -> None:
    name = packed_bodies.c.name == bodies[kind].name
    with workspace.store.begin() as transaction:
        (row,) = transaction.connection.execute(sa.select(packed_bodies).where(name)).mappings()
        transaction.connection.execute(sa.delete(packed_bodies).where(name))
    assert is_refused(workspace, digests[kind])
    answer = command_line_of(workspace.settings)("verify")
    with workspace.store.begin() as transaction:
        transaction.connection.execute(sa.insert(packed_bodies), [dict(row)])
    assert answer.code == 4
    assert "NOT AS STORED" in answer.out
