"""`make demo`'s command, run as a program of its own: it plays the whole story, and the README quotes it truly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    done = _demo(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CHANNELSAFE_HOME": str(folder / "home"), "CHANNELSAFE_KEYS": str(folder / "keys")}
    command = [str(Path(sys.executable).parent / "channelsafe"), "demo", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def test_the_readme_quotes_what_the_demo_prints(printed: str) -> None:
    quoted = (ROOT / "README.md").read_text().split("```")[3].strip("\n").splitlines()
    lines = [line for line in quoted if line != "..."]
    assert 8 <= len(lines) <= 12
    known = set(printed.splitlines())
    assert [line for line in lines if line not in known] == []


def test_every_step_says_what_each_bridge_shows(printed: str) -> None:
    steps = [line for line in printed.splitlines() if line[:2].isdigit() and line[2:3] == ":"]
    assert len(steps) == 26
    assert "harbourline: content 1:" in printed
    assert "tidewater: no visible change" in printed


def test_the_unsafe_candidate_is_named_with_its_reason(printed: str) -> None:
    assert "tidewater: UNSAFE, stopped by its check (leak)" in printed
    assert "leak: denied_term at /statements/" in printed
    assert "Failed release checks: 2" in printed


def test_open_items_pages_analysts_file_and_the_way_to_the_ui_are_named(printed: str, folder: Path) -> None:
    assert "Open items" in printed
    assert "security resolves it by:" in printed
    assert (folder / "home" / "analytics" / "internal.duckdb").is_file()
    pages = list((folder / "home" / "candidate_views" / "INC-4711").glob("*/*/package.html"))
    assert len(pages) > 30
    assert "make dev" in printed


def test_closures_are_propagated_once_or_stopped_for_people(printed: str) -> None:
    assert "event evt-101 of CASE-2041: duplicate, nothing is done again" in printed
    assert "event evt-102 of CASE-2042: admitted, stale" in printed
    assert "event evt-103 of CASE-2043: admitted, mismapped" in printed
    assert "steps: 3 done, 1 postponed\n  09:32  The tracker is back.\n         steps: 2 done" in printed
    assert "The systems themselves count 14 effects, 0 of them repeated." in printed
    table = printed.partition("\nSteps of closures\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split() for line in table[1:]] == [
        ["CASE-2041", *["done"] * 5],
        ["CASE-2044", *["done"] * 5],
        ["CASE-2045", *["done"] * 3, "skipped_by_operator", "done"],
    ]
    follow_ups = printed.partition("\nFollow-ups of closures\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in follow_ups if line[2] != " "] == [
        "stale_disposition",
        "mismapped_disposition",
        "target_refused",
    ]


def test_the_demo_can_be_run_again_and_touches_no_store_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    precious = tmp_path / "home" / "channelsafe.sqlite3"
    precious.write_bytes(b"somebody's data")
    done = _demo(tmp_path)
    assert done.returncode == 2
    assert "not_a_demo_store" in done.stderr
    assert precious.read_bytes() == b"somebody's data"


def test_the_demo_answers_a_program_with_json_alone(tmp_path: Path) -> None:
    done = _demo(tmp_path, "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    end = json.loads(done.stdout)
    assert {one["publication_state"] for one in end["history"]} == {"candidate", "failed_check"}
    assert all(Path(page).is_file() for page in end["pages"])
