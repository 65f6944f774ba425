"""Generated incidents for benchmarks: as many as wanted, each of 64 records and over 40 fields on two bridges.

Belongs here: records as a source would deliver them, under the shipped customer profile. Nothing is measured here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from typing import Any, Final

import orjson

from dagster_project.clock import format_instant
from dagster_project.demo.scenario import load_scenario

COMPONENTS: Final = (
    "mx-relay", "outbound-gateway", "delivery-queue", "inbox-api", "inbox-search", "console-web", "hook-dispatch",
    "report-builder",
)  # fmt: skip
REGIONS: Final = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1", "ap-northeast-1")
CHECKPOINTS: Final = ("detected", "bridge_opened", "investigating", "mitigation_started", "recovery_observed")
STATES: Final = ("degraded", "partial", "down", "degraded", "up")
RECORDS_PER_INCIDENT: Final = 64
_HEALTH_SOURCES: Final = {"eu": "//status.example/health-eu", "us": "//status.example/health-us"}
_HEALTH_ELSEWHERE: Final = "//status.example/health-global"


@cache
def begins_at() -> datetime:
    """Return the instant at which the first versions have just been recorded."""
    return load_scenario().steps[0].at


def name_of(number: int) -> str:
    """Return the name of a generated incident."""
    return f"INC-{100_000 + number}"


@cache
def shared_records() -> tuple[bytes, ...]:
    """Return the contracts and entitlements of two accounts, whose bridges are open for every incident."""
    scenario = load_scenario()
    lines = scenario.steps[0].body.splitlines()
    return tuple(line for line in lines if orjson.loads(line)["subject"] != scenario.incident)


def records_of(number: int, *, severity: str = "SEV2", at: datetime | None = None) -> list[bytes]:
    """Return the first version of the 64 records of an incident, one NDJSON line each, recorded at `at`."""
    return [orjson.dumps(one) for one in _first_versions(number, severity, at or begins_at())]


def changed_records(number: int, round_number: int, *, at: datetime | None = None) -> list[bytes]:
    """Return what one change brings: the next version of two of an incident's health records.

    Args:
        number: The incident.
        round_number: Counts the changes of every incident from 1; version 1 was delivered before.
        at: When they were recorded; a second after the change before, if it is not said.
    """
    at = at or begins_at() + timedelta(seconds=round_number)
    places = list(product(COMPONENTS, REGIONS))
    chosen = [places[(number + round_number) % len(places)], places[(number * 7 + round_number + 11) % len(places)]]
    version = round_number + 1
    return [orjson.dumps(_health(number, place, version, at)) for place in dict.fromkeys(chosen)]


def _first_versions(number: int, severity: str, at: datetime) -> Iterator[dict[str, Any]]:
    yield _record(
        number, "//incidents.example/command", "incident", "INCIDENT", 1, at, "customer",
        {"severity": severity, "state": "investigating", "note": "Found by a synthetic sender.", "links": []},
    )  # fmt: skip
    for where in product(COMPONENTS, REGIONS):
        yield _health(number, where, 1, at)
    for place, checkpoint in enumerate(CHECKPOINTS):
        yield _record(
            number, "//incidents.example/bridge", "bridge-timeline", f"TL-{place}", 1, at, "customer",
            {"checkpoint": checkpoint, "at": format_instant(at - timedelta(minutes=place)), "note": "As said."},
        )  # fmt: skip
    for place, component in enumerate(COMPONENTS[:3]):
        yield _record(
            number, "//workarounds.example/tracker", "workaround", f"WA-{place}", 1, at, "customer",
            {
                "readiness": "drafting", "verified": False, "applies_to": [component],
                "internal_steps": ["Move the pool by hand"], "note": "Borrowed from a drill.",
            },
        )  # fmt: skip
    for place, component in enumerate(COMPONENTS[:4]):
        yield _record(
            number, "//cmdb.example/dependencies", "dependency", f"DEP-{place}", 1, at, "restricted",
            {
                "component": component, "vendors": [f"Carrier {number} {place}"],
                "edges": [{"from": component, "to": f"{component}-{place}.eu.internal"}], "note": "Not load-tested.",
            },
        )  # fmt: skip
    for review in range(3):
        yield _record(
            number, "//security.example/reviews", "security-review", f"SR-{review}", 1, at, "restricted",
            {
                "review_subject": f"dependency/DEP-{review}/{number}", "subject_version": 1, "outcome": "in_review",
                "scope": [], "channels": [], "reviewer": "On duty", "exploitability_note": "Being looked at.",
            },
        )  # fmt: skip


def _health(number: int, place: tuple[str, str], version: int, at: datetime) -> dict[str, Any]:
    component, region = place
    turn = number + version + COMPONENTS.index(component) * len(REGIONS) + REGIONS.index(region)
    data = {
        "component": component,
        "region": region,
        "state": STATES[turn % len(STATES)],
        "since": format_instant(at),
        "host": f"{component}-{number % 40}.{region}.internal",
        "note": "Handshake errors, climbing.",
    }
    source = _HEALTH_SOURCES.get(region[:2], _HEALTH_ELSEWHERE)
    return _record(number, source, "service-health", f"{component}/{region}", version, at, "customer", data)


def _record(
    number: int, source: str, kind: str, object_id: str, version: int, at: datetime, label: str, data: dict[str, Any]
) -> dict[str, Any]:
    instant = format_instant(at)
    recordid = f"{object_id}/{number}"
    return {
        "specversion": "1.0",
        "id": f"{kind}:{recordid}:{version}",
        "source": source,
        "type": kind,
        "subject": name_of(number),
        "time": instant,
        "datacontenttype": "application/json",
        "recordid": recordid,
        "recordversion": str(version),
        "recordedtime": instant,
        "recordedby": "p-1000",
        "dataclassification": label,
        "data": data,
    }
