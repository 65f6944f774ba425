"""Histories: what was admitted and rejected up to an instant, and what leaves when it is packaged.

The sample scenario is judged line by line by the real admission; packaging runs on what it let through.
"""

import importlib
import importlib.util
import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from dagster_project.demo.scenario import load_scenario
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.packaging.context import ProfileTables, RenderingContext, SnapshotIndex, bridges_of
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.profile import Profile, Rule, read_profile
from dagster_project.packaging.release_check import ReleaseCheck, release_check
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.snapshot import RejectedInput, Snapshot, build_snapshot
from dagster_project.sources.admission import Rejection, admit_bytes
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.registry import shipped_registry

CODE_KEY = b"k" * 32
FULL = os.environ.get("CHANNELSAFE_EXAMPLES") == "full"
PROFILES = {
    "customer-bridge": "customer_bridge.yaml",
    "customer-bridge-faulty": "customer_bridge_faulty.yaml",
    "google-cloud-bridge": "google_cloud_bridge.yaml",
}


@dataclass(frozen=True)
class History:
    """Everything known of the incident at one evaluation instant."""

    at: datetime
    records: tuple[Record, ...]
    rejected: tuple[RejectedInput, ...] = ()
    incident: str = "INC-4711"
    profiles: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def snapshot(self) -> Snapshot:
        return build_snapshot(self.incident, self.records, rejected=self.rejected)

    def contexts(self, tables: ProfileTables | None = None) -> dict[str, RenderingContext]:
        """Return the context of every bridge, under one profile or under the profiles of the story."""
        index = SnapshotIndex(self.snapshot)
        return {
            bridge.bridge: RenderingContext(
                self.snapshot,
                tables or shipped_tables(self.profiles.get(bridge.bridge, "customer-bridge")),
                bridge,
                self.at,
                CODE_KEY,
                index,
            )
            for bridge in bridges_of(self.snapshot)
        }

    def replacing(self, *pairs: tuple[Record, Record]) -> "History":
        """Return this history with records exchanged, each for another."""
        others = {id(old): new for old, new in pairs}
        return replace(self, records=tuple(others.get(id(one), one) for one in self.records))

    def adding(self, *records: Record) -> "History":
        return replace(self, records=(*self.records, *records))

    def without(self, *records: Record) -> "History":
        gone = {id(one) for one in records}
        return replace(self, records=tuple(one for one in self.records if id(one) not in gone))


@cache
def shipped_profile(name: str = "customer-bridge") -> Profile:
    text = files("dagster_project.packaging").joinpath("profiles", PROFILES[name]).read_text()
    return read_profile(yaml.safe_load(text), where=name)


@cache
def shipped_tables(name: str = "customer-bridge") -> ProfileTables:
    return ProfileTables(shipped_profile(name))


def with_rule(profile: Profile, *added: Rule) -> Profile:
    """Return a profile with rules added; where they overlap others the most restrictive wins."""
    return msgspec.structs.replace(profile, rules=(*profile.rules, *added))


@cache
def story() -> tuple[History, ...]:
    """Return the scenario after each of its steps."""
    steps = load_scenario().steps
    told = histories_of((step.at, step.body.splitlines()) for step in steps)
    return tuple(replace(one, profiles=step.profiles) for one, step in zip(told, steps, strict=True))


def histories_of(
    deliveries: Iterable[tuple[datetime, Iterable[bytes]]], incident: str = "INC-4711"
) -> tuple[History, ...]:
    """Judge lines as they are delivered; return what is known of the incident after each delivery."""
    records: list[Record] = []
    rejected: dict[tuple[str, str, int], RejectedInput] = {}
    told: list[History] = []
    for at, lines in deliveries:
        for line in lines:
            judged = admit_bytes(line, received_at=at, registry=shipped_registry())
            if isinstance(judged, Rejection):
                key = (judged.source or "", judged.recordid or "", judged.recordversion or 0)
                rejected[key] = rejected_input(judged, line)
            else:
                records.append(judged)
                rejected = {origin: one for origin, one in rejected.items() if not _settles(judged, origin)}
        told.append(History(at, tuple(records), tuple(rejected.values()), incident))
    return tuple(told)


def rejected_input(judged: Rejection, line: bytes) -> RejectedInput:
    """Return what a snapshot knows of a line that was not admitted."""
    return RejectedInput(
        source=judged.source or "",
        type=judged.type or "",
        subject=judged.subject or "",
        reason_code=judged.reason_code,
        body_digest=digest_bytes(line),
    )


def _settles(record: Record, rejected: tuple[str, str, int]) -> bool:
    return record.identity == rejected[:2] and record.recordversion >= rejected[2]


def after(step: int) -> History:
    """Return the scenario after a step, counted from 1."""
    return story()[step - 1]


def heads(history: History, record_type: str) -> list[Record]:
    return [one for one in history.snapshot.heads if one.type == record_type]


def head(history: History, record_type: str, recordid: str) -> Record:
    found = [one for one in heads(history, record_type) if one.recordid == recordid]
    return found[0]


def with_data(record: Record, data: dict[str, Any], **envelope: Any) -> Record:  # noqa: ANN401 - any attribute
    return msgspec.structs.replace(record, data=data, datadigest=digest_of(data), **envelope)


def changed(record: Record, pointer: str, value: object) -> Record:
    """Return the record with another value at a source field's pointer; None removes it."""
    data = deepcopy(record.data)
    *parents, last = pointer.split("/")[1:]
    place = data
    for name in parents:
        place = place.setdefault(name, {"name": "Ines Albrecht"} if name == "commander" else {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return with_data(record, data)


def relabelled(record: Record, label: str) -> Record:
    return msgspec.structs.replace(record, dataclassification=Classification(label))


def make_record(record_type: str, recordid: str, data: dict[str, Any], **envelope: Any) -> Record:  # noqa: ANN401
    """Return a record of the sample incident; every attribute of the envelope can be given."""
    at = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
    attributes: dict[str, Any] = {
        "source": f"//test.example/{record_type}",
        "subject": "INC-4711",
        "time": at,
        "recordversion": 1,
        "recordedtime": at,
        "dataclassification": Classification.CUSTOMER,
    } | envelope
    attributes.setdefault("id", f"{attributes['source']}:{recordid}:{attributes['recordversion']}")
    return Record(type=record_type, recordid=recordid, data=data, datadigest=digest_of(data), **attributes)


@dataclass(frozen=True)
class Leaving:
    """Everything of one candidate that leaves or decides whether it may."""

    content: bytes
    views: Mapping[str, bytes]
    reasons: bytes
    passed: bool
    as_of: datetime | None
    valid_until: datetime | None


def rendered(context: RenderingContext) -> tuple[Rendering, ReleaseCheck]:
    rendering = render(context)
    lineage = lineage_of(context, rendering)
    return rendering, release_check(rendering.content, lineage, context, predecessor_digest=None)


def leaving(context: RenderingContext) -> Leaving:
    rendering, check = rendered(context)
    return Leaving(
        content=canonical_bytes(rendering.content),
        views=_views(rendering.content),
        reasons=msgspec.json.encode(check.reasons),
        passed=check.passed,
        as_of=rendering.as_of,
        valid_until=check.valid_until,
    )


def _views(content: dict[str, Any]) -> Mapping[str, bytes]:
    if importlib.util.find_spec("dagster_project.packaging.views") is None:
        return {}
    made: Mapping[str, bytes] = importlib.import_module("dagster_project.packaging.views").views_of(content)
    return made


def kinds_of(records: Iterable[Record]) -> set[str]:
    return {one.type for one in records}
