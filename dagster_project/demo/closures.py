"""The closures of the demo: what its support systems hold, and what happens when (`scenario/closures.yaml`).

Belongs here: reading them into frozen records. Playing them is `application.demo_closures`.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
import yaml

from dagster_project.closure.disposition import ArchiveReference, Disposition, DispositionEvent
from dagster_project.integrity.digests import digest_bytes

SOURCE = "case-review"
_CLOSED_AT = "2026-03-05T08:45:00Z"


class _WrittenRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down of a source record; its names in other systems follow from its case."""

    case: str
    escalation: str
    episode: str
    disposition_version: int
    state: str


class DemoSkip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the story has skip which step, and why."""

    person: str
    case: str
    step: str
    reason: str


class ClosureMoment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One moment: an event or an operator's act or neither, and which systems are away or refuse just then."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    title: str
    event: Mapping[str, str | int] = {}
    unreachable: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    skip: DemoSkip | None = None


class _WrittenClosures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The YAML document."""

    records: tuple[_WrittenRecord, ...]
    moments: tuple[ClosureMoment, ...]


class DemoClosures(msgspec.Struct, frozen=True):
    """The source records by case, and the moments in their order."""

    records: Mapping[str, Disposition]
    moments: tuple[ClosureMoment, ...]


@cache
def load_closures() -> DemoClosures:
    """Return the shipped closures."""
    text = (files("dagster_project.demo") / "scenario" / "closures.yaml").read_text(encoding="utf-8")
    written = msgspec.convert(yaml.safe_load(text), _WrittenClosures)
    return DemoClosures({one.case: _record(one) for one in written.records}, written.moments)


def event_of(closures: DemoClosures, moment: ClosureMoment) -> DispositionEvent:
    """Return the event of a moment that has one: what the record of its case says, unless the story says otherwise."""
    record = closures.records[str(moment.event["case"])]
    told = {name: getattr(record, name) for name in DispositionEvent.__struct_fields__ if hasattr(record, name)}
    return msgspec.convert({**told, "source": SOURCE, **moment.event}, DispositionEvent)


def _record(written: _WrittenRecord) -> Disposition:
    number = written.case.rpartition("-")[2]
    return Disposition(
        **msgspec.structs.asdict(written),
        closure_packet=_document(f"archive/packets/{number}"),
        internal_review_note=_document(f"archive/notes/{number}"),
        tracker_record=f"TRK-{number}",
        ledger_record=f"LED-{number}",
        queue_item=f"QUE-{number}",
        coordinator="support-operations",
        closed_at=_CLOSED_AT,
    )


def _document(reference: str) -> ArchiveReference:
    return ArchiveReference(reference, digest_bytes(f"the document at {reference}".encode()))
