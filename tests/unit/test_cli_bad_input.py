"""Bad input through the command line: a clear answer with the right exit code, nothing lost, and no content shown."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_project.cli import questions
from dagster_project.store.key_files import KEY_FILE_NAME
from tests.fixtures.keys import write_test_keys
from tests.support.command_line import Answer, CommandLine, fresh_command_line
from tests.support.played_stories import FEED_SAMPLE

# Stands in every bad unit, and must stand in no answer.
VENDOR = "NorthgateCarrierServices"
GOOD = {
    "specversion": "1.0",
    "id": "one",
    "source": "//status.example/health-eu",
    "type": "service-health",
    "subject": "INC-1",
    "time": "2025-03-04T10:00:00Z",
    "datacontenttype": "application/json",
    "recordid": "mx-relay/eu-west-1",
    "recordversion": "1",
    "recordedtime": "2025-03-04T10:00:00Z",
    "dataclassification": "customer",
    "data": {"component": "mx-relay", "region": "eu-west-1", "state": "up", "since": "2025-03-04T10:00:00Z"},
}


def line(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return json.dumps({**GOOD, "id": VENDOR, **changes}).encode()


def data(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return line(data={**GOOD["data"], **changes})  # type: ignore[dict-item]


BAD_LINES = {
    "an unknown source": (line(source="//elsewhere.example/health"), "source_unknown", "/source"),
    "an unknown type": (line(type="weather"), "type_unknown", "/type"),
    "a type that its source may not state": (line(type="incident"), "type_not_of_this_source", "/type"),
    "an unknown source field": (data(vendor=VENDOR), "field_unknown", "/data/vendor"),
    "a missing source field": (line(data={"component": VENDOR}), "field_missing", "/data"),
    "an unknown attribute": (line(severity=VENDOR), None, "/severity"),
    "a time zone that nobody knows": (line(time="2025-03-04T10:00:00 Mars/Phobos"), None, "/time"),
    "an instant without offset": (line(recordedtime="2025-03-04T10:00:00"), None, "/recordedtime"),
    "an offset that says unknown": (data(since="2025-03-04T10:00:00-00:00"), None, "/data/since"),
    "a duplicate key": (line()[:-1] + b', "subject": "INC-2"}', "duplicate_key", "envelope"),
    "a duplicate key within data": (line().replace(b'"state"', b'"region"'), "duplicate_key", "/data"),
    "not a number": (data(state=float("nan")), "not_a_number", "/data/state"),
    "an integer above 2^53": (data(state=2**53 + 1), "unsafe_integer", "/data/state"),
    "a float": (data(state=1.5), "float", "/data/state"),
    "a body of 10 MB": (data(state="x" * 10_000_000), "record_too_large", "envelope"),
    "invalid UTF-8": (line().replace(b"mx-relay", b"mx-\xff\xfe"), "invalid_utf8", "envelope"),
    "HTML": (f"<html><body>{VENDOR}</body></html>".encode(), "not_json", "envelope"),
    "a list": (b'["' + VENDOR.encode() + b'"]', "not_an_object", "envelope"),
    "nesting without end": (b"[" * 100_000, None, "envelope"),
    "half a record": (line()[:100], "not_json", "envelope"),
    "a record of the year 9000": (line(recordedtime="9000-01-01T00:00:00Z"), "recorded_in_the_future", "/recordedtime"),
}


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    return fresh_command_line(tmp_path / "deployment")


def ingest(run: CommandLine, folder: Path, *lines: bytes, name: str = "in.ndjson") -> Answer:
    file = folder / name
    file.write_bytes(b"\n".join(lines) + b"\n")
    return run("ingest", "landing", str(file), "--json")


def delivered(run: CommandLine) -> dict[str, int]:
    return {one["outcome"]: one["count"] for one in run("status", "--json").json["intake"]["deliveries"]}


def explains_itself(answer: Answer, *, code: int, name: str, where: str = "") -> None:
    """Require an error of ours: the exit code, what, where, what to do and the error's name, and nothing else."""
    assert answer.code == code, answer
    shown = re.fullmatch(r"(?s)channelsafe: (.+)\n  where: (.+)\n  to do: (.+)\n  code:  (\w+)\n", answer.err)
    assert shown, answer.err
    assert where in shown[2]
    assert len(shown[3]) > 10
    assert shown[4] == name
    assert VENDOR not in answer.everything
    assert "Traceback" not in answer.everything


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_is_kept_aside_with_its_reason_and_exit_code_1(run: CommandLine, tmp_path: Path, what: str) -> None:
    body, reason, where = BAD_LINES[what]
    answer = ingest(run, tmp_path, json.dumps(GOOD).encode(), body)
    assert answer.code == 1
    assert answer.json["counts"] == {"admitted": 1, "rejected": 1}
    (rejected,) = answer.json["rejected"]
    assert rejected["locator"] == "line 2"
    assert rejected["where"].startswith(where)
    assert reason in {None, rejected["reason_code"]}
    assert VENDOR not in answer.everything
    assert VENDOR not in run("status").everything
    assert delivered(run) == {"admitted": 1, "rejected": 1}


@pytest.mark.parametrize("what", ["an unknown source field", "a body of 10 MB", "invalid UTF-8"])
def test_what_was_kept_aside_is_stored_as_it_came(run: CommandLine, tmp_path: Path, what: str) -> None:
    body = BAD_LINES[what][0]
    ingest(run, tmp_path, body)
    (rejected,) = run("status", "--json").json["intake"]["rejected"]
    assert rejected["state"] == "open"
    packs = [path for path in (run.home / "blobs").rglob("*") if path.is_file()]
    assert len(body) in {path.stat().st_size - 17 for path in packs}  # sealed bodies are 17 bytes longer


def test_every_bad_line_together_loses_nothing(run: CommandLine, tmp_path: Path) -> None:
    lines = [body for body, _reason, _where in BAD_LINES.values()]
    answer = ingest(run, tmp_path, *lines, json.dumps(GOOD).encode(), b"", b"   ")
    assert answer.code == 1
    assert answer.json["counts"] == {"admitted": 1, "rejected": len(lines)}
    again = ingest(run, tmp_path, *lines, name="again.ndjson")
    assert again.json["counts"] == {"rejected": len(lines)}
    assert delivered(run) == {"admitted": 1, "rejected": 2 * len(lines)}
    assert run("verify").code == 0


def test_two_files_of_the_same_name_are_both_admitted(run: CommandLine, tmp_path: Path) -> None:
    files = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        files.append(folder / "in.ndjson")
        files[-1].write_bytes(json.dumps({**GOOD, "id": str(number), "recordversion": str(number)}).encode())
    answer = run("ingest", "landing", *map(str, files), "--json")
    assert (answer.code, answer.json["counts"]) == (0, {"admitted": 2})


BAD_FEEDS = {
    "HTML": (f"<!doctype html><p>{VENDOR}".encode(), "feed_not_json"),
    "nothing at all": (b"", "feed_not_json"),
    "no incident": (b"[]", "feed_empty"),
    "invalid UTF-8": (b'[{"id": "\xff"}]', "feed_not_json"),
    "an object": (b'{"' + VENDOR.encode() + b'": 1}', "feed_malformed"),
    "a duplicate key": (b'[{"id": "a", "id": "b"}]', "feed_malformed"),
    "not a number": (b'[{"id": NaN}]', "feed_malformed"),
    "half a feed": (FEED_SAMPLE.read_bytes()[:4000], "feed_not_json"),
    "an unknown field": (FEED_SAMPLE.read_bytes().replace(b'"severity"', b'"seriousness"', 1), "feed_malformed"),
}


@pytest.mark.parametrize("what", BAD_FEEDS)
@pytest.mark.parametrize("command", ["ingest", "replay"])
def test_a_bad_feed_is_refused_as_a_whole(run: CommandLine, tmp_path: Path, command: str, what: str) -> None:
    body, name = BAD_FEEDS[what]
    feed = tmp_path / "feed.json"
    feed.write_bytes(body)
    explains_itself(run(command, "google-cloud", str(feed)), code=1, name=name)
    assert run("status", "--json").json["incidents"] == []


def test_the_last_good_feed_stays_in_force_after_a_bad_one(run: CommandLine, tmp_path: Path) -> None:
    assert run("ingest", "google-cloud", str(FEED_SAMPLE)).code == 0
    before = run("status", "--json").json
    (tmp_path / "feed.json").write_bytes(b"<html>")
    assert run("ingest", "google-cloud", str(tmp_path / "feed.json")).code == 1
    after = run("status", "--json").json
    assert after["incidents"] == before["incidents"]
    kept = [(one["reason_code"], one["where_pointer"], one["source"]) for one in after["intake"]["rejected"]]
    assert kept == [("feed_not_json", "the whole feed", "//status.cloud.google.com/feed")]
    assert run("verify").code == 0


@pytest.mark.parametrize("command", ["ingest", "replay"])
def test_a_missing_feed_is_unavailable(run: CommandLine, tmp_path: Path, command: str) -> None:
    missing = tmp_path / "no-such-feed.json"
    explains_itself(run(command, "google-cloud", str(missing)), code=3, name="feed_unavailable", where=str(missing))


def test_a_server_that_is_not_there_is_unavailable(run: CommandLine) -> None:
    explains_itself(run("ingest", "google-cloud", "http://127.0.0.1:9/feed.json"), code=3, name="feed_unavailable")


def test_an_address_of_another_kind_is_a_wrong_call(run: CommandLine) -> None:
    explains_itself(run("ingest", "google-cloud", "ftp://a.example/feed"), code=2, name="feed_location_unknown")


def test_a_missing_landing_file_is_unavailable(run: CommandLine, tmp_path: Path) -> None:
    explains_itself(run("ingest", "landing", str(tmp_path / "none.ndjson")), code=3, name="file_unreadable")


BAD_PROFILES: dict[str, tuple[bytes | None, int, str]] = {
    "missing": (None, 3, "profile_unreadable"),
    "not text": (b"\xff\xfe\x00", 3, "profile_unreadable"),
    "not YAML": (b"name: [", 1, "profile_not_yaml"),
    "no profile": (f"name: {VENDOR}\n".encode(), 1, "profile_malformed"),
    "empty": (b"", 1, "profile_malformed"),
}


@pytest.mark.parametrize("what", BAD_PROFILES)
@pytest.mark.parametrize("command", ["load", "validate"])
def test_a_bad_profile_is_refused(run: CommandLine, tmp_path: Path, command: str, what: str) -> None:
    body, code, name = BAD_PROFILES[what]
    file = tmp_path / "profile.yaml"
    if body is not None:
        file.write_bytes(body)
    answer = run("profile", command, str(file))
    explains_itself(answer, code=code, name=name, where="profile.yaml")


def test_without_a_profile_a_refresh_says_so(run: CommandLine, tmp_path: Path) -> None:
    assert ingest(run, tmp_path, json.dumps(GOOD).encode(), *account_lines()).code == 0
    explains_itself(run("refresh", "INC-1"), code=3, name="profile_missing", where="INC-1")


def test_a_bridge_without_a_profile_is_named_and_keeps_no_other_in_the_dark(run: CommandLine, tmp_path: Path) -> None:
    lines = account_lines("harbourline", "elsewhere")
    assert ingest(run, tmp_path, json.dumps(GOOD).encode(), *lines).code == 0
    profile = "dagster_project/packaging/profiles/customer_bridge.yaml"
    assert run("profile", "load", profile, "--bridge", "harbourline").code == 0
    answer = run("refresh", "INC-1")
    assert answer.code == 1
    assert "INC-1 elsewhere: NOTHING RENDERED" in answer.out
    assert "INC-1 harbourline: " in answer.out
    assert run("show", "INC-1", "harbourline").code == 0
    told = run("refresh", "INC-1", "--json").json[0]
    assert told["without_profile"] == ["elsewhere"]
    assert [one["bridge"] for one in told["candidates"]] == ["harbourline"]


def account_lines(*bridges: str) -> list[bytes]:
    contract = {
        "account": "HARBOURLINE",
        "bridges": {bridge: {"incidents": ["*"]} for bridge in bridges or ("harbourline",)},
        "permitted_fields": ["capability_status"],
        "required_fields": [],
        "valid_from": "2021-01-01T00:00:00Z",
        "valid_until": "2031-01-01T00:00:00Z",
    }
    source = "//accounts.example/contracts"
    event = {**GOOD, "id": "c", "source": source, "type": "contract", "subject": "HARBOURLINE", "recordid": "c"}
    return [json.dumps({**event, "data": contract}).encode()]


def broken_keys(run: CommandLine, *, mode: int | None, body: bytes | None = None) -> None:
    run.home.mkdir(parents=True)
    if mode is not None:
        file = write_test_keys(run.keys) / KEY_FILE_NAME
        if body is not None:
            file.write_bytes(body)
        file.chmod(mode)


@pytest.mark.parametrize(
    ("mode", "body", "name"),
    [
        (None, None, "keys_missing"),
        (0o644, None, "keys_exposed"),
        (0o640, None, "keys_exposed"),
        (0o600, b"", "keys_unreadable"),
        (0o600, VENDOR.encode(), "keys_unreadable"),
    ],
)
def test_a_missing_exposed_or_foreign_key_file_stops_every_command(
    run: CommandLine, mode: int | None, body: bytes | None, name: str
) -> None:
    broken_keys(run, mode=mode, body=body)
    for arguments in (["status"], ["verify"], ["refresh"], ["ingest", "landing"]):
        explains_itself(run(*arguments), code=3, name=name)


def test_what_a_missing_key_file_asks_for_can_be_done(run: CommandLine) -> None:
    broken_keys(run, mode=None)
    assert "channelsafe keys create" in run("status").err
    assert run("keys", "create").code == 0
    assert run("status").code == 0
    explains_itself(run("keys", "create"), code=3, name="keys_exist")


def with_database(run: CommandLine, url: str) -> CommandLine:
    write_test_keys(run.keys)
    return CommandLine(run.home, run.keys, (("CHANNELSAFE_DATABASE_URL", url),))


def unwritable(folder: Path) -> str:
    (folder / "file").write_text("in the way")
    return f"sqlite:///{folder}/file/store.sqlite3"


def no_database(folder: Path) -> str:
    (folder / "store.sqlite3").write_bytes(f"{VENDOR} is not a database. ".encode() * 100)
    return f"sqlite:///{folder}/store.sqlite3"


def foreign(folder: Path) -> str:
    with sqlite3.connect(folder / "store.sqlite3") as connection:
        connection.execute("CREATE TABLE incidents (name TEXT)")
    connection.close()
    return f"sqlite:///{folder}/store.sqlite3"


@pytest.mark.parametrize("make", [unwritable, no_database, foreign])
def test_a_database_that_cannot_be_used_is_unavailable(
    run: CommandLine, tmp_path: Path, make: Callable[[Path], str]
) -> None:
    answer = with_database(run, make(tmp_path))("status")
    assert answer.code == 3, answer
    assert "to do:" in answer.err
    assert VENDOR not in answer.everything


def test_a_server_without_a_database_is_unavailable_and_its_password_is_not_shown(run: CommandLine) -> None:
    answer = with_database(run, "postgresql://someone:hunter2secret@127.0.0.1:9/none")("status")
    assert answer.code == 3, answer
    assert "hunter2secret" not in answer.everything


@pytest.mark.parametrize("url", ["oracle://a.example/x", "not a url"])
def test_another_kind_of_database_is_refused(run: CommandLine, url: str) -> None:
    answer = with_database(run, url)("status")
    assert answer.code in {2, 3}, answer
    assert "to do:" in answer.err


def test_a_home_that_may_not_be_written_is_unavailable(run: CommandLine) -> None:
    write_test_keys(run.keys)
    # Not even root may make a folder among the running processes.
    nowhere = CommandLine(Path("/proc/channelsafe"), run.keys)
    explains_itself(nowhere("status"), code=3, name="home_unavailable")


def test_a_home_that_is_a_file_is_unavailable(run: CommandLine) -> None:
    write_test_keys(run.keys)
    run.home.parent.mkdir(exist_ok=True)
    run.home.write_text("in the way")
    explains_itself(run("status"), code=3, name="home_unavailable")


@pytest.mark.parametrize(
    "arguments",
    [
        ["refresh", "INC-404"],
        ["refresh", "INC-404", "--at", "feed-end"],
        ["history", "INC-404"],
        ["show", "INC-404", "harbourline"],
        ["explain", "INC-404", "harbourline"],
        ["replay", "candidate", "INC-404", "harbourline"],
    ],
)
def test_an_unknown_incident_is_a_wrong_call(run: CommandLine, arguments: list[str]) -> None:
    run("ingest", "landing")
    explains_itself(run(*arguments), code=2, name="incident_unknown", where="INC-404")


@pytest.mark.parametrize("at", ["yesterday", "2025-03-04", "2025-03-04T10:00:00", "2025-03-04T10:00:00-00:00"])
def test_an_instant_that_nobody_can_place_is_a_wrong_call(run: CommandLine, tmp_path: Path, at: str) -> None:
    ingest(run, tmp_path, json.dumps(GOOD).encode())
    explains_itself(run("refresh", "INC-1", "--at", at), code=2, name="instant_unreadable")


@pytest.mark.parametrize("arguments", [["no-such-command"], ["show"], ["refresh", "--no-such-option"], ["verify", "x"]])
def test_a_call_that_cannot_be_understood_exits_with_2_and_shows_the_usage(
    run: CommandLine, arguments: list[str]
) -> None:
    answer = run(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("Usage:")


def test_a_fault_of_ours_exits_with_5_and_shows_no_data(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_workspace: object) -> None:
        raise RuntimeError(VENDOR)

    monkeypatch.setattr(questions, "incident_overviews", broken)
    run("ingest", "landing")
    answer = run("status")
    assert answer.code == 5
    assert "internal error RuntimeError" in answer.err
    assert "test_cli_bad_input.py:" in answer.err
    assert VENDOR not in answer.everything


@pytest.mark.parametrize("fault", [SystemError, KeyError, MemoryError, RecursionError, OSError, AssertionError])
def test_no_kind_of_fault_exits_with_1(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise fault(VENDOR)

    run("ingest", "landing")
    monkeypatch.setattr(questions, "verify_store", broken)
    answer = run("verify")
    assert answer.code == 5
    assert VENDOR not in answer.everything
