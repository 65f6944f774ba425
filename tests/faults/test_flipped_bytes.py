"""Every stored byte counts: flipped anywhere in any body, reading refuses it and `verify` exits with 4."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import parse_strict
from dagster_project.sources.record import Classification
from dagster_project.store import gates
from dagster_project.store.blobs import BlobLocation, Blobs
from dagster_project.store.candidates import CandidateRow, candidates_of, find_snapshot
from tests.support.command_line import command_line_of
from tests.support.histories import FULL
from tests.support.played_stories import INCIDENT, copy_of, played_scenario

STRIDE = 1 if FULL else 7
SAMPLES = 50 if FULL else 5
KINDS = ("content", "lineage", "delta", "annex", "release_check", "manifest", "snapshot", "profile", "view_index")


@dataclass(frozen=True)
class StoredBody:
    """One body of the candidate: what it is, its digest, and the file that holds it."""

    kind: str
    digest: str
    path: Path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    copy = copy_of(played_scenario(), tmp_path_factory.mktemp("flipped"))
    yield copy
    copy.store.engine.dispose()


@pytest.fixture(scope="module")
def bodies(workspace: Workspace) -> tuple[StoredBody, ...]:
    """Every body of the largest candidate that has a manifest."""
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
    digests = {
        **own_digests(row),
        "release_check": check.check_body_digest,
        "manifest": manifest.body_digest,
        "snapshot": snapshot.body_digest,
        "profile": row.profile_digest,
        **{f"view {name}": digest for name, digest in views.items()},
    }
    blobs = workspace.store.blobs
    return tuple(StoredBody(kind, digest, file_of(blobs, digest)) for kind, digest in sorted(digests.items()))


def own_digests(row: CandidateRow) -> dict[str, str]:
    return {
        "content": row.content_digest,
        "lineage": row.lineage_digest,
        "delta": row.delta_digest,
        "annex": row.annex_digest,
        "view_index": row.view_digest,
    }


def file_of(blobs: Blobs, digest: str) -> Path:
    location: BlobLocation = blobs._location(digest, Classification.RESTRICTED)
    return Path(str(blobs._path(location)))


def flipped(stored: bytes, place: int, bit: int = 0) -> bytes:
    return stored[:place] + bytes([stored[place] ^ (1 << bit)]) + stored[place + 1 :]


def test_the_candidate_has_a_body_of_every_kind(bodies: tuple[StoredBody, ...]) -> None:
    kinds = {one.kind for one in bodies}
    assert kinds >= set(KINDS)
    assert {"view package.html", "view package.md", "view package.txt"} <= kinds
    assert all(one.path.is_file() for one in bodies)


def test_every_flipped_byte_of_every_body_is_refused_on_reading(
    workspace: Workspace, bodies: tuple[StoredBody, ...]
) -> None:
    blobs, tried = workspace.store.blobs, 0
    for body in bodies:
        good = body.path.read_bytes()
        with body.path.open("r+b", buffering=0) as file:
            for place in range(0, len(good), STRIDE):
                os.pwrite(file.fileno(), bytes([good[place] ^ (1 << place % 8)]), place)
                with pytest.raises(IntegrityViolation):
                    blobs.get(body.digest, Classification.RESTRICTED)
                os.pwrite(file.fileno(), good[place : place + 1], place)
                tried += 1
        assert blobs.get(body.digest, Classification.RESTRICTED)
    assert tried >= sum(one.path.stat().st_size for one in bodies) // STRIDE


def test_a_body_that_was_cut_or_lengthened_is_refused(workspace: Workspace, bodies: tuple[StoredBody, ...]) -> None:
    for body in bodies:
        good = body.path.read_bytes()
        for bad in (b"", good[:-1], good + b"\x00", good[1:]):
            body.path.write_bytes(bad)
            with pytest.raises(IntegrityViolation):
                workspace.store.blobs.get(body.digest, Classification.RESTRICTED)
        body.path.write_bytes(good)


def test_verify_exits_with_4_for_a_flipped_byte_anywhere_and_with_0_once_it_is_restored(
    workspace: Workspace, bodies: tuple[StoredBody, ...]
) -> None:
    run, draw = command_line_of(workspace.settings), random.Random(4711)  # noqa: S311 - places, not secrets
    assert run("verify").code == 0
    every = sorted(path for path in (workspace.settings.home / "blobs").rglob("*") if path.is_file())
    chosen = [*(one.path for one in bodies), *draw.sample(every, SAMPLES)] if FULL else draw.sample(every, SAMPLES)
    for path in chosen[:SAMPLES]:
        good = path.read_bytes()
        path.write_bytes(flipped(good, draw.randrange(len(good)), draw.randrange(8)))
        answer = run("verify", "--json")
        path.write_bytes(good)
        assert answer.code == 4, path.name
        assert path.name in {one["where"] for one in answer.json["violations"]}
    assert run("verify").code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_verify_exits_with_4_when_a_body_is_gone(
    workspace: Workspace, bodies: tuple[StoredBody, ...], kind: str
) -> None:
    (body,) = [one for one in bodies if one.kind == kind]
    good = body.path.read_bytes()
    body.path.unlink()
    answer = command_line_of(workspace.settings)("verify")
    body.path.write_bytes(good)
    assert answer.code == 4
    assert "NOT AS STORED" in answer.out
