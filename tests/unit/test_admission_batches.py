"""Units admitted together end as they do one by one, and what admission asks does not grow with what is stored."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from dagster_project.application.admit import BATCH, DeliveredUnit, admit
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import load_scenario
from dagster_project.store.tables import (
    deliveries,
    incident_subjects,
    incidents,
    lagging_sources,
    rejected_inputs,
    source_records,
)
from tests.support.many_incidents import accounts, lines_of
from tests.support.workspaces import make_workspace


def units_of(lines: Sequence[bytes]) -> list[DeliveredUnit]:
    return [DeliveredUnit("a.ndjson", f"line {number}", line) for number, line in enumerate(lines, start=1)]


def contract(version: int, incidents_named: list[str], account: str = "TIDEWATER") -> bytes:
    """Return a version of a contract whose bridge is open for these incidents."""
    (line,) = [
        one
        for one in map(json.loads, accounts().splitlines())
        if (one["type"], one["subject"]) == ("contract", account)
    ]
    line |= {"recordversion": str(version), "id": f"{line['id']}/{version}/{incidents_named}"}
    line["data"]["bridges"] = {account.lower(): {"incidents": incidents_named}}
    return json.dumps(line).encode()


def spoilt(line: bytes) -> bytes:
    return json.dumps(json.loads(line) | {"data": {"unknown": 1}}).encode()


def deliveries_of(seed: int) -> list[bytes]:
    """Return a delivery of all kinds, in an order of its own."""
    draw = random.Random(seed)  # noqa: S311 - an order, not secrets
    good = [line for number in range(4) for line in lines_of(number, version=draw.randint(1, 2)).splitlines()]
    terms = [contract(version, named) for version, named in ((1, ["INC-10001"]), (2, ["*"]), (3, ["INC-10002"]))]
    scenario = [line for step in load_scenario().steps[:4] for line in step.body.splitlines()]
    narrowed = [json.dumps(json.loads(line) | {"dataclassification": "restricted"}).encode() for line in good[:3]]
    bad = [b"no json", b'{"source":"//status.example/health-eu"}', *(spoilt(line) for line in draw.sample(good, 6))]
    lines = [*good, *draw.sample(good, 5), *terms, *scenario, *narrowed, *bad, *bad[:2]]
    draw.shuffle(lines)
    return lines


def rows_of(workspace: Workspace, *columns: sa.Column[Any]) -> list[tuple[Any, ...]]:
    with workspace.store.read() as transaction:
        return sorted(map(tuple, transaction.connection.execute(sa.select(*columns))), key=repr)


def everything(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Return what admission wrote, without ids and revisions."""
    kept, of_record = rejected_inputs.c, source_records.c
    delivered = deliveries.c
    return {
        "log": rows_of(workspace, of_record.sequence, of_record.event_id, of_record.data_digest, of_record.body_digest),
        "deliveries": rows_of(workspace, delivered.locator, delivered.outcome, delivered.record_sequence),
        "rejected": rows_of(workspace, kept.rejected_input_id, kept.body_digest, kept.reason_code, kept.state),
        "incidents": rows_of(workspace, incidents.c.incident, incidents.c.severity_one, incidents.c.urgent),
        "subjects": rows_of(workspace, incident_subjects.c.incident, incident_subjects.c.subject),
        "lagging": rows_of(workspace, lagging_sources.c.source, lagging_sources.c.reason_code, lagging_sources.c.state),
    }


@pytest.mark.parametrize("seed", range(6))
def test_units_admitted_together_end_as_they_do_one_by_one(tmp_path: Path, seed: int) -> None:
    units = units_of(deliveries_of(seed))
    together, alone = make_workspace(tmp_path / "together"), make_workspace(tmp_path / "alone")
    report = admit(together, units)
    one_by_one = [admit(alone, [unit]) for unit in units]
    assert everything(together) == everything(alone)
    assert report.rejected == tuple(kept for one in one_by_one for kept in one.rejected)
    assert set(report.incidents) == {name for one in one_by_one for name in one.incidents}
    assert {"admitted", "duplicate", "rejected"} <= set(report.counts)
    assert len(units) < BATCH


def statements_of(workspace: Workspace, lines: Sequence[bytes]) -> list[str]:
    """Admit lines and return the statements that it took."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(workspace.store.engine, "before_cursor_execute", hear)
    admit(workspace, units_of(lines))
    event.remove(workspace.store.engine, "before_cursor_execute", hear)
    return said


def test_what_admission_asks_grows_neither_with_the_units_of_a_batch_nor_with_the_store(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    admit(workspace, units_of(accounts().splitlines()))
    small = statements_of(workspace, lines_of(1).splitlines())
    admit(workspace, units_of([line for number in range(2, 60) for line in lines_of(number).splitlines()]))
    large = statements_of(workspace, [line for number in range(60, 70) for line in lines_of(number).splitlines()])
    assert len(large) == len(small)


def test_no_question_of_admission_is_answered_by_reading_a_whole_table(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    lines = [*accounts().splitlines(), *lines_of(1).splitlines(), b"no json", spoilt(lines_of(2).splitlines()[0])]
    questions = {one for one in statements_of(workspace, lines) if one.startswith(("SELECT", "UPDATE"))}
    with workspace.store.read() as transaction:
        plans = {
            question: [
                str(row[3])
                for row in transaction.connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {question}", ("1",) * question.count("?")
                )
            ]
            for question in questions
        }
    scanned = {question: plan for question, plan in plans.items() if any(step.startswith("SCAN ") for step in plan)}
    small = ("max(source_records.sequence)", "FROM (SELECT", "FROM body_keys")
    assert [one for one in scanned if not any(part in one for part in small)] == []
    assert len(plans) > 8
