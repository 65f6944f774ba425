"""Checkpoints are C2SP signed notes in one spelling, and an export is verified with nothing but public trust."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dagster_project.application.trust_overview import write_public_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.audit_entries import AuditAction, AuditEntry, leaf_of
from dagster_project.integrity.checkpoints import KeptCheckpoint, kept_bytes, make_kept, read_kept
from dagster_project.integrity.merkle import CompactRange, leaf_hash
from dagster_project.integrity.signatures import SigningKey
from dagster_project.review.decisions import Act
from dagster_project.store import migrate as migrations
from dagster_project.store.audit import log_head
from dagster_project.store.engine import create_engine_for, writing
from dagster_project.store.migrate import CONNECTION_ATTRIBUTE
from dagster_project.store.review_tables import trust_versions
from dagster_project.store.store import open_store
from tests.support.audited_logs import (
    AT,
    LOG,
    append,
    checkpoint,
    command_line_of_audited,
    faults,
    fill,
    make_audited,
    ranges,
)
from tests.support.command_line import Answer, CommandLine, fresh_command_line
from tests.support.workspaces import make_workspace

KEY, OTHER = SigningKey(b"k" * 32), SigningKey(b"o" * 32)
LOG_OF_THREE = CompactRange().appended(leaf_hash(bytes([number])) for number in range(3))


@pytest.fixture
def kept() -> KeptCheckpoint:
    return make_kept("log.example", LOG_OF_THREE, [KEY])


def test_a_note_is_the_text_that_others_read_and_verify(kept: KeptCheckpoint) -> None:
    origin, size, root, blank, line, end = kept.note.split("\n")
    assert (origin, size, blank, end) == ("log.example", "3", "", "")
    assert base64.b64decode(root) == LOG_OF_THREE.root
    dash, name, blob = line.split(" ")
    assert (dash, name) == ("\u2014", "log.example")
    key_hash, signature = base64.b64decode(blob)[:4], base64.b64decode(blob)[4:]
    assert key_hash == hashlib.sha256(b"log.example\n\x01" + KEY.public).digest()[:4]
    text = f"log.example\n3\n{root}\n".encode()
    Ed25519PublicKey.from_public_bytes(KEY.public).verify(signature, text)


def test_a_note_is_signed_by_whom_it_says_and_by_nobody_else(kept: KeptCheckpoint) -> None:
    both = {KEY.keyid: KEY.public, OTHER.keyid: OTHER.public}
    assert kept.signed_by(both) == {KEY.keyid}
    assert kept.signed_by({OTHER.keyid: OTHER.public}) == frozenset()
    assert make_kept("log.example", LOG_OF_THREE, [KEY, OTHER]).signed_by(both) == set(both)
    assert not make_kept("log.example", LOG_OF_THREE, []).is_signed


def test_no_byte_of_a_kept_checkpoint_can_be_flipped(kept: KeptCheckpoint) -> None:
    line = kept_bytes(kept)
    assert read_kept(line) == kept
    for place in range(len(line)):
        for bit in (1, 2, 32):
            flipped = line[:place] + bytes([line[place] ^ bit]) + line[place + 1 :]
            try:
                altered = read_kept(flipped)
            except IntegrityViolation:
                continue
            # What still reads is another name or signature, which the key never signed.
            assert altered.signed_by({KEY.keyid: KEY.public}) == frozenset(), flipped


NOT_A_NOTE: dict[str, Callable[[str], str]] = {
    "nothing": lambda _note: "",
    "no line at all": lambda _note: "\n",
    "no root": lambda note: note.replace(note.split("\n")[2] + "\n", ""),
    "a size with a zero before it": lambda note: note.replace("\n3\n", "\n03\n"),
    "a size with a sign": lambda note: note.replace("\n3\n", "\n+3\n"),
    "a size below nothing": lambda note: note.replace("\n3\n", "\n-3\n"),
    "another size": lambda note: note.replace("\n3\n", "\n4\n"),
    "no origin": lambda note: note.replace("log.example", "", 1),
    "no blank line": lambda note: note.replace("\n\n", "\n"),
    "another name in a signature": lambda note: note.replace("\u2014 log.example", "\u2014 other.example"),
    "a signature cut short": lambda note: note[:-9] + "\n",
    "no end": lambda note: note[:-1],
    "another end": lambda note: note + "\n",
    "a root of another spelling": lambda note: note.replace("=\n\n", "\n\n"),
}


@pytest.mark.parametrize("what", NOT_A_NOTE)
def test_a_note_is_refused_with(kept: KeptCheckpoint, what: str) -> None:
    note = NOT_A_NOTE[what](kept.note)
    assert note != kept.note
    with pytest.raises(IntegrityViolation, match="checkpoint_unreadable"):
        KeptCheckpoint(note, kept.compact_range)


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"hashes":[],"note":1}', b'{"hashes":{},"note":""}', b"\xff"])
def test_a_line_that_is_no_kept_checkpoint_is_refused(line: bytes) -> None:
    with pytest.raises(IntegrityViolation, match="checkpoint_unreadable"):
        read_kept(line)


def test_every_act_of_a_decision_has_its_word() -> None:
    assert {f"decision_{act.value}" for act in Act} <= {action.value for action in AuditAction}


# Checkpoints and trust.


def test_until_there_is_trust_checkpoints_are_unsigned_and_verify_says_so(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    append(workspace, 3)
    run = command_line_of_audited(workspace)
    made = run("audit", "checkpoint")
    assert (made.code, "UNSIGNED" in made.out, "UNANCHORED" in made.out) == (0, True, True)
    told = run("audit", "verify")
    assert told.code == 0
    assert "no signed checkpoint" in told.out
    assert "entries 1 to 3: unanchored" in told.out
    assert "ok" not in told.out.split()


def test_after_a_signed_checkpoint_none_is_made_without_a_key(tmp_path: Path) -> None:
    workspace = make_audited(tmp_path)
    checkpoint(workspace)
    append(workspace, 1)
    with workspace.store.engine.begin() as connection:
        connection.execute(sa.delete(trust_versions))
    with pytest.raises(Unavailable, match="checkpoint_key_missing"):
        checkpoint(workspace)


def test_a_checkpoint_is_made_once_for_each_size(tmp_path: Path) -> None:
    run = command_line_of_audited(make_audited(tmp_path))
    first, again = (run("audit", "checkpoint", "--json") for _ in range(2))
    assert first.json == again.json
    assert first.json | {"note": ""} == {"size": 1, "note": "", "signed": True, "anchored": True}


def test_a_log_of_nothing_has_its_checkpoint_too(tmp_path: Path) -> None:
    run = command_line_of_audited(make_workspace(tmp_path))
    assert run("audit", "checkpoint").code == 0
    answer = run("audit", "verify", "--json")
    assert (answer.code, ranges(answer), faults(answer)) == (0, [], set())


# Export: verified where there is no deployment.


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Workspace]:
    workspace = make_audited(tmp_path)
    fill(workspace)
    yield workspace
    workspace.store.engine.dispose()


@pytest.fixture
def exported(audited: Workspace, tmp_path: Path) -> Path:
    """A folder of somebody outside: the export, public trust and a copy of the anchor."""
    folder = tmp_path / "outside"
    folder.mkdir()
    assert command_line_of_audited(audited)("audit", "export", "--out", str(folder / "log.ndjson")).code == 0
    write_public_trust(audited, folder / "trust.json")
    anchor = audited.settings.anchor
    assert anchor is not None
    (folder / "anchor.ndjson").write_bytes(anchor.read_bytes())
    return folder


def verify_outside(folder: Path, *more: str) -> Answer:
    run: CommandLine = fresh_command_line(folder / "nothing")
    answer = run(
        "audit", "verify", "--export", str(folder / "log.ndjson"), "--trust", str(folder / "trust.json"), *more
    )
    assert not run.home.exists()
    return answer


def with_anchor(folder: Path) -> Answer:
    return verify_outside(folder, "--anchor", str(folder / "anchor.ndjson"), "--json")


def test_an_export_is_verified_on_any_machine_by_public_trust(exported: Path) -> None:
    answer = verify_outside(exported, "--json")
    assert (answer.code, ranges(answer), faults(answer)) == (0, [(1, LOG.now, "unanchored")], set())
    assert answer.json["found"]["signed_until"] == LOG.signed
    anchored = with_anchor(exported)
    assert ranges(anchored) == [(1, LOG.anchored, "anchored"), (LOG.anchored + 1, LOG.now, "unanchored")]


def test_an_export_is_the_same_on_standard_output(audited: Workspace, exported: Path) -> None:
    printed = command_line_of_audited(audited)("audit", "export")
    assert printed.out.encode() == (exported / "log.ndjson").read_bytes()


def test_an_export_carries_ids_and_digests_only(exported: Path) -> None:
    lines = [json.loads(line) for line in (exported / "log.ndjson").read_bytes().splitlines()]
    members = {name for line in lines if "entry" in line for name in line["entry"]}
    assert members == {"sequence", "at", "actor", "action", "incident", "subject", "details_digest"}
    assert {name for line in lines for name in line} == {"format", "origin", "head", "entry", "checkpoint"}


Lines = list[bytes]
# The header is line 0, entry n line n.
TAMPERED_EXPORTS: dict[str, tuple[Callable[[Lines], Lines], set[tuple[str, int, int]]]] = {
    "an entry is edited": (
        lambda lines: [line.replace(b'"act/3"', b'"act/4"') for line in lines],
        {("audit_entries_changed", 1, 20)},
    ),
    "an entry is taken out": (lambda lines: lines[:14] + lines[15:], {("audit_entries_missing", 14, 14)}),
    "the newest are taken out": (lambda lines: lines[:16] + lines[27:], {("audit_log_rolled_back", 16, 26)}),
    "all are taken out": (lambda lines: lines[:1] + lines[27:], {("audit_log_rolled_back", 1, 26)}),
    "two lines are swapped": (
        lambda lines: [*lines[:12], lines[13], lines[12], *lines[14:]],
        {("audit_entries_reordered", 12, 13)},
    ),
    "a line is there twice": (lambda lines: lines[:13] + lines[12:], {("audit_entries_twice", 12, 12)}),
    "a checkpoint is taken out": (
        lambda lines: [line for line in lines if b"\\n10\\n" not in line],
        {("audit_checkpoint_missing", 1, 10)},
    ),
}


@pytest.mark.parametrize("what", TAMPERED_EXPORTS)
def test_an_altered_export_is_found_out_with_its_range_when(exported: Path, what: str) -> None:
    alter, expected = TAMPERED_EXPORTS[what]
    path = exported / "log.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    altered = alter(lines)
    assert altered != lines
    path.write_bytes(b"".join(altered))
    answer = with_anchor(exported)
    assert (answer.code, faults(answer)) == (4, expected)


@pytest.mark.parametrize(
    "alter",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b'{"entry":', b'{ "entry":', 1),
        lambda content: content.replace(b'"sequence":5', b'"sequence":true', 1),
        lambda content: content.replace(b'{"entry":', b'{"other":', 1),
        lambda content: content.replace(b"audit-export/1", b"audit-export/2", 1),
        lambda content: content.split(b"\n", 1)[1],
        lambda _content: b"",
    ],
)
def test_what_is_no_export_in_its_one_form_is_refused(exported: Path, alter: Callable[[bytes], bytes]) -> None:
    path = exported / "log.ndjson"
    path.write_bytes(alter(path.read_bytes()))
    answer = verify_outside(exported)
    assert answer.code == 4
    assert "audit_export_unreadable" in answer.err


def test_an_export_of_another_deployment_is_not_signed_for_by_this_trust(exported: Path, tmp_path: Path) -> None:
    other = make_audited(tmp_path / "other")
    write_public_trust(other, exported / "trust.json")
    answer = verify_outside(exported, "--json")
    assert answer.code == 4
    assert {code for code, *_ in faults(answer)} == {"audit_checkpoint_forged"}
    assert answer.json["found"]["signed_until"] == 0
    other.store.engine.dispose()


def test_an_anchor_that_is_not_there_is_not_taken_for_an_empty_one(exported: Path) -> None:
    answer = verify_outside(exported, "--anchor", str(exported / "none"))
    assert (answer.code, "anchor_missing" in answer.err) == (3, True)


@pytest.mark.parametrize("arguments", [("--export", "x"), ("--trust", "x"), ("--anchor", "x")])
def test_an_export_is_never_verified_without_saying_whose_keys_count(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert fresh_command_line(tmp_path)("audit", "verify", *arguments).code == 2


# The migration.


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_entries_of_before_are_numbered_without_gaps_and_proved_from_then_on(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, keys_folder: Path
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'home' / 'channelsafe.sqlite3'}"
    (tmp_path / "home").mkdir()
    url: str = request.getfixturevalue("empty_postgresql_url") if kind == "postgresql" else sqlite
    engine = create_engine_for(url)
    config = Config()
    config.set_main_option("script_location", str(migrations._MIGRATIONS))
    with writing(engine) as connection:
        config.attributes[CONNECTION_ATTRIBUTE] = connection
        command.upgrade(config, "0005")
        for place in (2, 3, 7):
            values = {"sequence": place, "at": "2026-03-04T10:00:00.000000Z", "subject": f"act/{place}"}
            connection.execute(
                sa.text(
                    "INSERT INTO audit_entries (sequence, at, actor, action, subject, details_digest)"
                    " VALUES (:sequence, :at, 'kim', 'data_accessed', :subject, 'd')"
                ),
                values,
            )
    engine.dispose()
    store = open_store(tmp_path / "home", url, keys_folder, None)
    with store.read() as transaction:
        head = log_head(transaction)
    expected = [
        AuditEntry(
            sequence=place,
            at=AT,
            actor="kim",
            action="data_accessed",
            incident=None,
            subject=f"act/{before}",
            details_digest="d",
        )
        for place, before in ((1, 2), (2, 3), (3, 7))
    ]
    assert head == CompactRange().appended(map(leaf_of, expected))
    store.engine.dispose()
