"""Sources that say something new about the sample incident: one more version of a record, admitted and refreshed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.pinned import read_snapshot
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.sources.admission import record_bytes
from dagster_project.sources.record import Record
from dagster_project.store.candidates import latest_candidate
from tests.support.histories import changed, make_record

INCIDENT, BRIDGE = "INC-4711", "harbourline"


def newest(workspace: Workspace, record_type: str, recordid: str) -> Record:
    """Return the newest version of a record that the latest candidate was rendered from."""
    with workspace.store.read() as transaction:
        row = latest_candidate(transaction, INCIDENT, BRIDGE)
        assert row is not None
        heads = read_snapshot(transaction, INCIDENT, row.snapshot_digest).heads
    return next(one for one in heads if (one.type, one.recordid) == (record_type, recordid))


def pass_time(workspace: Workspace, minutes: float = 1) -> None:
    """Let time pass."""
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(workspace.clock.now() + timedelta(minutes=minutes))


def say(workspace: Workspace, record_type: str, recordid: str, values: Mapping[str, Any], **envelope: Any) -> None:  # noqa: ANN401
    """Let a source say something else of what it spoke of before; refresh.

    Args:
        workspace: Its clock must be a `FixedClock`; a minute passes.
        record_type: Type of the record.
        recordid: Which one.
        values: New values by pointer; None removes one.
        envelope: Other attributes of the envelope.
    """
    record = newest(workspace, record_type, recordid)
    for pointer, value in values.items():
        record = changed(record, pointer, value)
    _deliver(workspace, msgspec.structs.replace(record, recordversion=record.recordversion + 1, **envelope))


def speak_of(workspace: Workspace, record_type: str, recordid: str, data: dict[str, Any], **envelope: Any) -> None:  # noqa: ANN401
    """Let a source speak of something for the first time; refresh. A minute passes."""
    _deliver(workspace, make_record(record_type, recordid, data, **envelope))


def _deliver(workspace: Workspace, record: Record) -> None:
    pass_time(workspace)
    at = workspace.clock.now() - timedelta(seconds=20)
    told = msgspec.structs.replace(
        record, id=f"{record.recordid}:{record.recordversion}:moved", recordedtime=at, time=at
    )
    report = admit(workspace, [DeliveredUnit("test", "line 1", record_bytes(told))])
    assert report.rejected == ()
    refresh(workspace, INCIDENT)
