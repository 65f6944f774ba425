"""The sample scenario in the present, for processes that go by the machine's clock, and many small ones like it."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagster_project.clock import format_instant, parse_instant
from dagster_project.demo.scenario import load_scenario

# A step lies this far back, so that no record claims to come from the future.
AGO: Final = timedelta(minutes=1)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def step_in_the_present(number: int) -> bytes:
    """Return the delivery of a step of the sample scenario, moved in time as if it were delivered now."""
    step = load_scenario().steps[number - 1]
    now = datetime.now(UTC).replace(microsecond=0)
    by = now - AGO - step.at
    return _INSTANT.sub(lambda found: format_instant(parse_instant(found[0]) + by), step.body.decode()).encode()


def many_incidents(names: list[str], *, severity: str = "SEV2") -> bytes:
    """Return the first step of the scenario for each of `names`: contracts and entitlements once, three records each.

    Args:
        names: Incident ids.
        severity: Of every one of them.
    """
    records: list[dict[str, Any]] = [json.loads(line) for line in step_in_the_present(1).splitlines()]
    incident = load_scenario().incident
    shared = [one for one in records if one["subject"] != incident]
    own = [json.dumps(one) for one in records if one["subject"] == incident]
    lines = [json.dumps(one) for one in shared]
    for name in names:
        lines.extend(_renamed(json.loads(text), incident, name, severity) for text in own)
    return "".join(f"{line}\n" for line in lines).encode()


def _renamed(record: dict[str, Any], before: str, name: str, severity: str) -> str:
    recordid = name if record["recordid"] == before else f"{name}/{record['recordid']}"
    changed = record | {"id": f"{name}:{record['id']}", "subject": name, "recordid": recordid}
    if record["type"] == "incident":
        changed["data"] = record["data"] | {"severity": severity}
    return json.dumps(changed)
