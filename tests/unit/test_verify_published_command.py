"""`channelsafe verify FOLDER` needs the folder and public trust alone, and exits as documented."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine, fresh_command_line
from tests.support.outsiders import STALE, UNREADABLE, VIOLATION, Outsider, small
from tests.support.published_folders import PACKAGE_ID


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return fresh_command_line(tmp_path / "nothing")


def test_the_command_needs_only_the_folder_and_public_trust_and_touches_nothing_else(
    run: CommandLine, outsider: Outsider
) -> None:
    outsider.is_given(small())
    arguments = ("verify", str(outsider.folder), "--trust", str(outsider.trust_file), "--at", "2026-03-04T11:00:00Z")
    answer = run(*arguments)
    assert (answer.code, answer.err) == (0, "")
    for said in ("current is version 2", "2026-03-04 15:00:00 UTC", "index 3", "2 versions", "1 pulled", "first time"):
        assert said in answer.out
    assert not run.home.parent.exists()
    assert [str(path) for path in sorted(Path().rglob("*"))] == [
        ".channelsafe-verify",
        f".channelsafe-verify/{PACKAGE_ID}.trusted.json",
    ]
    again = run(*arguments, "--json")
    assert (again.json["current"], again.json["seen_before"], again.json["is_stale"]) == (2, True, False)


def test_the_command_exits_as_documented(run: CommandLine, outsider: Outsider) -> None:
    outsider.is_given(small())
    folder, trust = str(outsider.folder), str(outsider.trust_file)
    at = ("--at", "2026-03-04T11:00:00Z")
    assert run("verify", folder, "--trust", trust).code == STALE  # today is past the index of the tests
    assert run("verify", folder, "--trust", trust + "x", *at).code == UNREADABLE
    assert run("verify", folder + "x", "--trust", trust, *at).code == UNREADABLE
    assert run("verify", folder, "--trust", trust, "--at", "today").code == 2
    assert run("verify", folder).code == 2
    assert run("verify", "--trust", trust).code == 2
    assert run("verify", "--at", at[1]).code == 2
    assert not (Path() / ".channelsafe-verify").exists()
    (outsider.folder / "v000002/package.txt").write_bytes(b"all is well")
    answer = run("verify", folder, "--trust", trust, *at)
    assert (answer.code, answer.out) == (VIOLATION, "")
    assert "v000002/package.txt" in answer.err
    assert "all is well" not in answer.err
    assert json.dumps(PACKAGE_ID) not in answer.err
