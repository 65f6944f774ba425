"""Many small incidents: the first step of the sample scenario under other names, delivered line by line."""

import json
from collections.abc import Iterable

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import load_scenario


def incident_name(number: int) -> str:
    return f"INC-{10_000 + number}"


def lines_of(number: int, *, severity: str = "SEV2", version: int = 1) -> bytes:
    """Return the records of one incident, at one version, as the lines of a landing file."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in _records(number, severity, version))


def _records(number: int, severity: str, version: int) -> Iterable[dict[str, object]]:
    scenario = load_scenario()
    for line in scenario.steps[0].body.splitlines():
        record = json.loads(line)
        if record["subject"] != scenario.incident:
            continue
        record |= {
            "subject": incident_name(number),
            "id": f"{record['id']}:{number}:{version}",
            "recordid": f"{record['recordid']}/{number}",
            "recordversion": str(version),
        }
        if record["type"] == "incident":
            record["data"]["severity"] = severity
        if record["type"] == "service-health" and version > 1:
            record["data"]["state"] = "down"
        yield record


def accounts() -> bytes:
    """Return the contracts and entitlements of the sample accounts, which open a bridge for every incident."""
    scenario = load_scenario()
    lines = scenario.steps[0].body.splitlines()
    return b"".join(line + b"\n" for line in lines if json.loads(line)["subject"] != scenario.incident)


def assign_customer_bridge(workspace: Workspace) -> None:
    assign_profile(workspace, load_profile(workspace, shipped_profile("customer_bridge")))


def deliver(workspace: Workspace, body: bytes, name: str = "delivery") -> AdmissionReport:
    lines = enumerate(body.splitlines(), start=1)
    return admit(workspace, [DeliveredUnit(name, f"line {number}", line) for number, line in lines])
