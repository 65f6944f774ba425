"""Fetching the status feed and judging it as a whole, from real files and a real HTTP server on the loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dagster_project.connections import feed_reading
from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.errors import Unavailable, UnsafeOrRejected, UsageError

SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "google_cloud_sample.json"


def sample() -> list[dict[str, Any]]:
    feed: list[dict[str, Any]] = json.loads(SAMPLE.read_bytes())
    return feed


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {"/feed": (200, SAMPLE.read_bytes()), "/moved": (302, b""), "/local": (302, b"")}
        status, body = answers.get(self.path.partition("?")[0], (503, b"later"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/feed" if self.path == "/moved" else SAMPLE.as_uri())
        self.send_header("Content-Length", str(len(body) + (9 if self.path == "/feed?cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_the_feed_is_read_alike_from_a_file_and_from_a_server() -> None:
    with serving() as address:
        assert read_feed(f"{address}/feed") == read_feed(f"{address}/moved") == read_feed(str(SAMPLE))


def test_a_server_that_fails_is_unavailable_and_no_secret_of_the_address_is_repeated() -> None:
    with serving() as address:
        with pytest.raises(Unavailable, match="503") as caught:
            read_feed(f"{address}/down?token=hunter2")
        assert "hunter2" not in str(caught.value)
        with pytest.raises(Unavailable) as caught:
            read_feed(address.replace("//", "//kim:hunter2@") + "/feed")
        assert "hunter2" not in str(caught.value)


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_feed() -> None:
    with serving() as address, pytest.raises(Unavailable, match="broke off"):
        read_feed(f"{address}/feed?cut")


def test_a_server_cannot_redirect_to_a_local_file() -> None:
    with serving() as address, pytest.raises(Unavailable):
        read_feed(f"{address}/local")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with serving() as address:
        gone = address
    with pytest.raises(Unavailable, match="feed_unavailable"):
        read_feed(f"{gone}/feed")


def test_a_missing_file_and_a_folder_are_unavailable(tmp_path: Path) -> None:
    for location in (tmp_path / "none.json", tmp_path):
        with pytest.raises(Unavailable, match="feed_unavailable"):
            read_feed(str(location))


def test_another_scheme_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="feed_location_unknown"):
        read_feed("ftp://feeds.example/incidents.json")


def test_a_feed_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reading, "LARGEST_FEED", 1000)
    path = tmp_path / "feed.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(UnsafeOrRejected, match="feed_too_large"):
        read_feed(str(path))


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>busy</html>", b"", b"\xff\xfe[]", b'[{"id": "a"'])
def test_what_is_not_json_is_rejected(content: bytes) -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_not_json"):
        parse_feed(content)


def test_an_empty_feed_is_rejected() -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_empty"):
        parse_feed(b"[]")


def broken(**changes: object) -> list[dict[str, Any]]:
    """Return the sample with the second update of its second incident changed; `...` removes a member."""
    feed = sample()
    update = {**feed[1]["updates"][1], **changes}
    feed[1]["updates"][1] = {name: value for name, value in update.items() if value is not ...}
    return feed


@pytest.mark.parametrize(
    ("feed", "place"),
    [
        (broken(when="2025-03-05 14:20"), "/1/updates/1/when"),
        (broken(when="2025-03-05T14:20:00"), "/1/updates/1/when"),
        (broken(status=...), "/1/updates/1/status"),
        (broken(status=3), "/1/updates/1/status"),
        (broken(retracted=True), "/1/updates/1/retracted"),
        (broken(affected_locations=["us-east1"]), "/1/updates/1/affected_locations/0"),
        (broken(affected_locations=[{"id": "../x", "title": ""}]), "/1/updates/1/affected_locations/0/id"),
        ([*sample(), {**sample()[0], "id": sample()[0]["id"].swapcase()}], "/5/id"),
        ([{**sample()[0], "updates": []}], "/0/updates"),
        ([{**sample()[0], "id": "no id"}], "/0/id"),
        ({"incidents": sample()}, "the whole feed"),
    ],
)
def test_one_malformed_incident_rejects_the_whole_feed_and_is_named(feed: object, place: str) -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_malformed") as caught:
        parse_feed(json.dumps(feed).encode())
    assert caught.value.where == place
    assert "proxies" not in str(caught.value)


def test_a_key_that_comes_twice_rejects_the_whole_feed() -> None:
    doubled = SAMPLE.read_text().replace(
        '"status": "AVAILABLE"', '"status": "AVAILABLE", "status": "SERVICE_OUTAGE"', 1
    )
    with pytest.raises(UnsafeOrRejected, match="duplicate_key") as caught:
        parse_feed(doubled.encode())
    assert caught.value.where == "/0/updates/0"


def test_a_heading_that_we_do_not_know_is_tolerated_on_an_incident() -> None:
    assert len(parse_feed(json.dumps([{**one, "kind": "x"} for one in sample()]).encode())) == len(sample())


@pytest.mark.parametrize("escaped", [True, False])
def test_an_accent_in_two_characters_does_not_reject_the_feed(escaped: bool) -> None:  # noqa: FBT001 - a case
    text = 'the cafe\u0301 said \\u0301 and "\U0001f600"'
    content = json.dumps(broken(text=text), ensure_ascii=escaped).encode()
    (update,) = [one for one in parse_feed(content)[1]["updates"] if "said" in one["text"]]
    assert update["text"] == 'the caf\u00e9 said \\u0301 and "\U0001f600"'
