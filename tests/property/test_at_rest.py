"""Nothing that is not for customers lies anywhere in the clear: canaries of every kind, sought in every byte.

A deployment is worked in as people and sources work in it, by the command line and by Dagster, with a word of its own
in every source field that no customer may see, in rejected input, in reasons and in a profile. Then the words are
sought in every file below the data folder, Dagster's and the published one included (`tests.support.bytes_at_rest`).
"""

import json
import secrets
import sqlite3
import string
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import dagster as dg
import jsonschema_rs
import pytest
import sqlalchemy as sa

from dagster_project.application.analytics import publish
from dagster_project.application.view_layout import lay_out_views
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import format_instant
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.settings import Settings
from dagster_project.sources.record import Classification
from dagster_project.sources.source_fields import record_schemas, source_fields_in_schema_order
from dagster_project.store import blobs
from tests.dagster.scenario_runs import run_whole_job
from tests.support.bytes_at_rest import contents_of, found_at_rest, packed_samples
from tests.support.present_day import AGO
from tests.support.review_room import BRIDGE, INCIDENT, ReviewRoom, open_room
from tests.support.workspaces import make_workspace, play_scenario

# In these no word can stand: a number and an instant.
WITHOUT_WORDS: Final = {"security-review#/expires", "security-review#/subject_version"}


class Canaries:
    """Words that nothing else says, each with the place where it was planted."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """Return a new word for a place."""
        word = "".join(secrets.choice(string.ascii_lowercase) for _ in range(18))
        self.words[f"{place} ({len(self.words)})"] = word
        return word

    def places(self) -> set[str]:
        return {name.rpartition(" (")[0] for name in self.words}


def value_with(schema: dict[str, Any], place: str, canary: Canaries) -> object:
    """Return a value of a schema with a canary wherever a word may stand, or None where none may."""
    if schema["type"] == "array":
        inner = value_with(schema["items"], place, canary)
        return None if inner is None else [inner]
    if schema["type"] == "object":
        return {name: value_with(one, place, canary) for name, one in schema["properties"].items()}
    if schema["type"] != "string" or "enum" in schema or "format" in schema:
        return None
    return canary(place)


def planted_records(canary: Canaries) -> list[dict[str, Any]]:
    """Return a record of every type in which every field that no customer may see holds canaries."""
    every = [json.loads(line) for step in load_scenario().steps for line in step.body.splitlines()]
    sound = [one for one in every if jsonschema_rs.is_valid(dict(record_schemas()[one["type"]]), one["data"])]
    now = format_instant(datetime.now(UTC).replace(microsecond=0) - AGO)
    made = []
    for kind, schema in sorted(record_schemas().items()):
        template = next(one for one in sound if one["type"] == kind)
        data = dict(template["data"])
        for field in source_fields_in_schema_order():
            if field.type == kind and field.classification is not Classification.CUSTOMER:
                _plant(data, dict(schema), field.pointer, canary)
        assert jsonschema_rs.is_valid(dict(schema), data), kind
        times = {"time": now, "recordedtime": now}
        own = {"id": f"planted-{kind}", "recordid": f"P-{kind}", "recordversion": "1", "data": data}
        made.append({name: one for name, one in (template | times | own).items() if name != "datadigest"})
    return made


def _plant(data: dict[str, Any], schema: dict[str, Any], pointer: str, canary: Canaries) -> None:
    place = f"{schema['title']}#{pointer}"
    *outer, last = pointer.split("/")[1:]
    for name in outer:
        schema, inner = schema["properties"][name], dict(data.get(name, {}))
        data[name] = inner
        data = inner
    value = value_with(schema["properties"][last], place, canary)
    if value is not None:
        data[last] = value


def rejected_lines(canary: Canaries, record: dict[str, Any]) -> list[bytes]:
    """Return lines that are kept aside: broken off, with an unknown field, of an unknown type, too long a key."""
    broken = json.dumps(record | {"id": "broken", "data": {"note": canary("a line that is broken off")}}).encode()[:-2]
    # A plain word that no schema knows is repeated as the name of a field (`envelope.pointer_to`); others are not.
    name = f"{canary('the name of an unknown field')} Ltd"
    data = record["data"] | {name: canary("the value of an unknown field")}
    unknown = record | {"id": "unknown", "recordid": "P-unknown", "data": data}
    other = record | {"id": "other", "type": "gossip", "data": {"note": canary("a record of an unknown type")}}
    return [broken, json.dumps(unknown).encode(), json.dumps(other).encode()]


def work_with(room: ReviewRoom, canary: Canaries) -> None:
    """Let sources, people and Dagster work with the canaries."""
    room.release_first()
    records = planted_records(canary)
    lines = [json.dumps(one).encode() for one in records] + rejected_lines(canary, records[0])
    file = room.folder / "planted.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")
    assert room.run("ingest", "landing", str(file), "--json").json["counts"] == {
        "admitted": len(records),
        "rejected": len(lines) - len(records),
    }
    room.run("refresh", INCIDENT)
    room.decide("leo", "hold", BRIDGE, "--role", "legal", "--reason", canary("the reason of a hold"))
    pointer = room.shown("tidewater")["changes"][0]["pointer"]
    room.decide("sam", "reject", "tidewater", pointer, "--reason", canary("the reason of a rejection"))
    reason = canary("the reason of a withdrawal")
    room.decide("leo", "withdraw", BRIDGE, "1", "--reason", reason)
    open_every_annex(room, canary)
    profile = room.folder / "profile.yaml"
    shipped = Path("dagster_project/packaging/profiles/customer_bridge.yaml").read_text()
    term = canary("a denied term of a profile")
    profile.write_text(shipped.replace("denied_terms: []", f"denied_terms: [{term}]").replace("name: ", "name: x", 1))
    assert room.run("profile", "load", str(profile)).code == 0


def open_every_annex(room: ReviewRoom, canary: Canaries) -> None:
    """Open the annexes of one candidate, and fail to open one: both reasons are kept."""
    people = {"incident_command": "ines", "security": "selma", "legal": "leo", "support_leadership": "sam"}
    newest = [one for one in room.done("annex", "list", INCIDENT) if one["stage"] == "candidate"][-1]
    for one in newest["annexes"]:
        for role in (one["audience"], "account_leadership"):
            who = ("--role", role, "--key", str(room.key(people[one["audience"]])))
            reason = canary("the reason of an opening")
            code = room.run("annex", "open", INCIDENT, one["annex"], *who, "--reason", reason).code
            assert code == (0 if role == one["audience"] else 1)


def work_by_dagster(room: ReviewRoom) -> None:
    """Refresh by Dagster on an instance in the data folder, publish the analysts' files, lay out pages."""
    workspace = open_workspace(settings_of(room))
    workspace.settings.dagster_home.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.local_temp(str(workspace.settings.dagster_home)) as instance:
        run_whole_job(workspace, instance)
    publish(workspace)
    lay_out_views(workspace, INCIDENT)
    workspace.store.engine.dispose()


def settings_of(room: ReviewRoom) -> Settings:
    return Settings(home=room.run.home, keys=room.run.keys)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReviewRoom, Canaries]:
    room, canary = open_room(tmp_path_factory.mktemp("room"), (1, 2, 3, 4, 5, 6)), Canaries()
    work_with(room, canary)
    work_by_dagster(room)
    return room, canary


def test_every_field_that_no_customer_may_see_and_that_holds_words_was_planted() -> None:
    canary = Canaries()
    planted_records(canary)
    inside = [one for one in source_fields_in_schema_order() if one.classification is not Classification.CUSTOMER]
    assert {str(one) for one in inside} - canary.places() == WITHOUT_WORDS
    assert len(canary.places()) > 20


def test_no_canary_lies_anywhere_in_the_clear(worked: tuple[ReviewRoom, Canaries]) -> None:
    room, canary = worked
    words = canary.words | {f"scenario: {one.where}": one.value for one in restricted_values() if len(one.value) >= 6}
    home = room.run.home
    assert found_at_rest(home, words) == {}
    looked_at = {path.relative_to(home).parts[0] for path in home.rglob("*") if path.is_file()}
    assert {"blobs", "channelsafe.sqlite3", "dagster", "landing", "analytics", "published"} <= looked_at


def test_what_was_sealed_is_there_to_be_opened(worked: tuple[ReviewRoom, Canaries]) -> None:
    """Every canary was stored: else not finding one would prove nothing."""
    room, canary = worked
    workspace = open_workspace(settings_of(room))
    sealed = b"\n".join(opened_bodies(workspace))
    workspace.store.engine.dispose()
    assert [name for name, word in canary.words.items() if word.encode() not in sealed] == []


def opened_bodies(workspace: Workspace) -> Iterator[bytes]:
    """Yield every stored body as it was before it was sealed; what was signed, as it was before base64."""
    with workspace.store.read() as transaction:
        for row in transaction.connection.execute(blobs.PLACES).all():
            place = blobs.Place(*row)
            (stored,) = transaction.blobs.packs.read(place.pack, [(place.start, place.length)]) or []
            data, _classification = blobs.verified_body(transaction.blobs, place, stored)
            yield data
            if data.startswith(b'{"payload":"'):
                yield b64decode(json.loads(data)["payload"])


def test_a_store_that_did_not_seal_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "encrypt", lambda _key, data, _name: data)
    monkeypatch.setattr(blobs, "decrypt", lambda _key, data, _name: data)
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=3)
    workspace.store.engine.dispose()
    words = {one.where: one.value for one in restricted_values() if len(one.value) >= 6}
    found = found_at_rest(workspace.settings.home, words)
    assert {name.split("/")[0] for name in found} == {"blobs"}
    assert "dependency#/vendors" in set().union(*found.values())


@pytest.mark.postgresql
def test_rows_in_postgresql_hold_no_restricted_value(tmp_path: Path, postgresql_url: str) -> None:
    workspace = make_workspace(tmp_path, database_url=postgresql_url)
    play_scenario(workspace, until_step=6)
    metadata = sa.MetaData()
    metadata.reflect(workspace.store.engine)
    with workspace.store.engine.connect() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    workspace.store.engine.dispose()
    (tmp_path / "home" / "rows.txt").write_text("\n".join(map(repr, rows)), encoding="utf-8")
    assert len(rows) > 100
    words = {one.where: one.value for one in restricted_values() if len(one.value) >= 6}
    assert found_at_rest(workspace.settings.home, words) == {}


# ---- the search itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", packed_samples("Qvarnström vault"))
def test_a_word_is_found_however_it_is_packed(tmp_path: Path, how: str) -> None:
    for word in ("orchid carriers", "qvarnstrom-7"):
        (tmp_path / "file").write_bytes(packed_samples(word)[how])
        assert found_at_rest(tmp_path, {"word": word}) == {"file": {"word"}}
        assert found_at_rest(tmp_path, {"other": f"un{word}"}) == {}


BEFORE: Final = range(700, 1200, 11)


def test_a_word_is_found_across_the_pages_of_a_database_and_in_a_file_s_name(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "rows.sqlite3") as connection:
        connection.execute("CREATE TABLE notes (note TEXT)")
        for before in BEFORE:
            note = "x" * before + f"secret-word-{before}" + "y" * (5100 - before)
            connection.execute("INSERT INTO notes VALUES (?)", [note])
    connection.close()
    raw = (tmp_path / "rows.sqlite3").read_bytes()
    words = {str(before): f"secret-word-{before}y" for before in BEFORE}
    assert any(word.encode() not in raw for word in words.values()), "none lies on two pages: the test proves nothing"
    assert found_at_rest(tmp_path, words) == {"rows.sqlite3": set(words)}
    (tmp_path / "a-name-of-its-own.txt").touch()
    assert found_at_rest(tmp_path, {"name": "a-name-of-its-own"}) == {"a-name-of-its-own.txt": {"name"}}
    assert list(contents_of(tmp_path / "a-name-of-its-own.txt")) == [b""]
