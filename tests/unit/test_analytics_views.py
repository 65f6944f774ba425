"""The views and their words: who counts as passed, by rows made for the question, and what the docs say."""

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from dagster_project.application.analytics import read_views
from dagster_project.application.analytics_columns import INTERNAL_FILE, VIEWS, Table
from dagster_project.application.analytics_rows import (
    TABLES,
    CandidateRow,
    ManifestRow,
    PublicationRow,
    ReasonRow,
    ReleaseCheckRow,
)
from dagster_project.connections.duckdb_columns import Row
from dagster_project.connections.duckdb_files import build_file, only_publisher, put_in_place
from dagster_project.errors import ChannelsafeError, Unavailable

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
CONTENT = "sha256:" + "c" * 64


def candidate(number: int = 1, content_digest: str = CONTENT) -> CandidateRow:
    return CandidateRow(
        candidate_id=number,
        incident="INC-1",
        bridge="north",
        ordinal=number,
        content_number=number,
        content_changed=True,
        content_digest=content_digest,
        predecessor_id=None,
        evaluation_instant=AT,
        as_of=AT,
        outcome="rendered",
        holds=0,
        carried_forward=0,
        profile="p",
        profile_digest="sha256:p",
        renderer_digest="sha256:r",
        tzdata_version="2026.1",
        snapshot_digest="hmac-sha256:s",
        created_at=AT,
    )


def check(number: int = 1, *, of: int = 1, passed: bool = True, content_digest: str = CONTENT) -> ReleaseCheckRow:
    return ReleaseCheckRow(
        check_id=number,
        candidate_id=of,
        content_digest=content_digest,
        snapshot_digest="hmac-sha256:s",
        profile_digest="sha256:p",
        deny_list_digest="hmac-sha256:d",
        passed=passed,
        evaluated_for=AT,
        valid_until=AT,
        created_at=AT,
    )


def manifest(*, of: int = 1, by: int = 1, content_digest: str = CONTENT) -> ManifestRow:
    return ManifestRow(
        manifest_digest=f"hmac-sha256:{of}",
        candidate_id=of,
        check_id=by,
        content_digest=content_digest,
        valid_until=AT,
        as_of=AT,
        evaluation_instant=AT,
        snapshot_digest="hmac-sha256:s",
        profile_digest="sha256:p",
        renderer_digest="sha256:r",
        tzdata_version="2026.1",
        predecessor_id=None,
        held=(),
        withheld=0,
        created_at=AT,
    )


def reason(check_id: int, *, of: int = 1) -> ReasonRow:
    return ReasonRow(check_id=check_id, candidate_id=of, rule="leak", code="denied_term", pointers=("/a",))


def asked(folder: Path, rows: Iterable[Row], question: str) -> list[tuple[Any, ...]]:
    built = build_file(folder / INTERNAL_FILE, tables=TABLES, rows=rows, statements=tuple(read_views().values()))
    with duckdb.connect(str(built.path), read_only=True) as connection:
        return connection.execute(question).fetchall()


def test_a_candidate_with_its_passed_check_and_manifest_passed(tmp_path: Path) -> None:
    rows = [candidate(), check(), manifest()]
    assert asked(tmp_path, rows, "SELECT candidate_id, check_id FROM passed_candidates") == [(1, 1)]
    assert asked(tmp_path, rows, "FROM failed_candidates") == []


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([candidate()], ("gate", "not_checked", [])),
        ([candidate(), check()], ("gate", "no_manifest", [])),
        ([candidate(), check(passed=False), reason(1)], ("leak", "denied_term", ["/a"])),
        ([candidate(), check(passed=False), reason(1), manifest()], ("leak", "denied_term", ["/a"])),
        ([candidate(), check(), manifest(), check(2, passed=False), reason(2)], ("leak", "denied_term", ["/a"])),
        ([candidate(), check(content_digest="sha256:other"), manifest()], ("gate", "no_manifest", [])),
        ([candidate(), check(), manifest(content_digest="sha256:other")], ("gate", "no_manifest", [])),
        ([candidate(), check(), manifest(by=2)], ("gate", "no_manifest", [])),
        ([candidate(), check(), check(2, of=7), manifest(by=2)], ("gate", "no_manifest", [])),
    ],
)
def test_a_candidate_without_both_over_its_very_bytes_failed_with_a_reason(
    tmp_path: Path, rows: list[Row], why: tuple[str, str, list[str]]
) -> None:
    assert asked(tmp_path, rows, "FROM passed_candidates") == []
    assert asked(tmp_path, rows, "SELECT rule, code, pointers FROM failed_candidates") == [why]
    assert asked(tmp_path, rows, "SELECT publication_state FROM candidates") == [("failed_check",)]


def test_a_check_that_passes_after_a_failed_one_opens_the_gate(tmp_path: Path) -> None:
    rows = [candidate(), check(passed=False), reason(1), check(2), manifest(by=2)]
    assert asked(tmp_path, rows, "SELECT check_id FROM passed_candidates") == [(2,)]
    assert asked(tmp_path, rows, "FROM failed_candidates") == []


def test_instants_are_kept_as_utc_whatever_their_offset(tmp_path: Path) -> None:
    local = AT.astimezone(timezone(timedelta(hours=9)))
    row = PublicationRow(candidate_id=1, check_id=1, log_sequence=1, published_at=local)
    assert asked(tmp_path, [row], "SELECT published_at FROM publication") == [(AT.replace(tzinfo=None),)]


def test_more_rows_than_one_batch_all_arrive(tmp_path: Path) -> None:
    rows = (reason(number) for number in range(45_001))
    assert asked(tmp_path, rows, "SELECT count(DISTINCT check_id) FROM published.release_check_reasons") == [(45_001,)]


def test_a_build_that_fails_leaves_what_was_published_and_tells_no_value(tmp_path: Path) -> None:
    published = tmp_path / INTERNAL_FILE
    put_in_place({published: build_file(published, tables=TABLES, rows=[candidate()], statements=()).path})
    before = published.read_bytes()
    wrong = msgspec.structs.replace(candidate(), ordinal="Northgate")
    with pytest.raises(ChannelsafeError) as refused:
        build_file(published, tables=TABLES, rows=[wrong], statements=())
    assert "Northgate" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert published.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable), only_publisher(tmp_path / "file" / "analytics"):
        pass


def test_there_is_one_documented_file_per_view() -> None:
    assert {file.stem for file in (ROOT / "sql").glob("*.sql")} == set(VIEWS)
    for name, statement in read_views().items():
        first, second, *_ = statement.splitlines()
        assert first.startswith(f"-- {name}: one row "), name
        assert f"CREATE VIEW {name} AS" in statement
        assert re.search(r"^-- From ", statement, re.MULTILINE), second


def column_table(view: Table) -> str:
    """Return the columns of a view as the page for analysts shows them."""
    lines = ["| column | type | means |", "|---|---|---|"]
    for column in view.columns:
        words = f" One of {', '.join(f'`{word}`' for word in column.allowed)}." if column.allowed else ""
        kind = f"{column.kind}, NULL" if column.nullable else column.kind
        lines.append(f"| `{column.name}` | {kind} | {column.description}{words} |")
    return "\n".join(lines) + "\n"


def test_the_page_for_analysts_tells_of_every_view_exactly_its_columns() -> None:
    file = ROOT / "docs" / "analyst.md"
    page = file.read_text(encoding="utf-8")
    sections = re.findall(r"^### `(\w+)`\n(.*?)\n\n(.*?)(?=^### |\Z)", page, re.MULTILINE | re.DOTALL)
    assert {name for name, _, _ in sections} == set(VIEWS)
    wanted = page
    for name, _, table in sections:
        wanted = wanted.replace(table.rstrip("\n") + "\n", column_table(VIEWS[name]), 1)
    if os.environ.get("CHANNELSAFE_UPDATE_GOLDEN") == "1":
        file.write_text(wanted, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == wanted


def test_the_questions_on_the_page_for_analysts_can_be_asked(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "analyst.md").read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(questions) >= 3
    for question in questions:
        assert asked(tmp_path, [], question) == []
