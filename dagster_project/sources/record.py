"""The record: one version of one object in a source system, as an event (CloudEvents 1.0 JSON).

Belongs here: the typed envelope and what can be said of one record alone. Reading bytes into records is
`admission`; what several records say of each other is `conflicts`; the fields of each type are `source_fields`.
"""

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import msgspec


class Classification(StrEnum):
    """Who may see a value, from the widest to the narrowest circle. Absent means restricted."""

    CUSTOMER = "customer"
    INTERNAL = "internal"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """0 for customer, 1 for internal, 2 for restricted."""
        return _RANKS[self]


_RANKS: Final = {one: rank for rank, one in enumerate(Classification)}


def most_restrictive(*classifications: Classification) -> Classification:
    """Return the narrowest circle named; of nothing, `restricted`."""
    return max(classifications, key=_RANKS.__getitem__, default=Classification.RESTRICTED)


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One admitted record version.

    `data` is canonical JSON content (no floats, NFC strings); `datadigest` is the digest of its canonical bytes.
    `recordversion` is an integer; order comes from it within (source, recordid), never from a clock.
    `recordedtime` is when the source recorded this version, `time` when the stated fact happened.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    recordid: str
    recordversion: int
    recordedtime: datetime
    data: dict[str, Any]
    datadigest: str
    dataclassification: Classification = Classification.RESTRICTED
    recordedby: str | None = None
    causationid: str | None = None
    specversion: str = "1.0"
    datacontenttype: str = "application/json"

    @property
    def identity(self) -> tuple[str, str]:
        """(source, recordid): the object in its source system."""
        return (self.source, self.recordid)

    @cached_property
    def reference(self) -> "RecordReference":
        """What names this version by its bytes; made once, because every field that reads the record cites it."""
        return RecordReference(
            source=self.source,
            recordid=self.recordid,
            recordversion=self.recordversion,
            datadigest=self.datadigest,
        )

    @property
    def version_identity(self) -> tuple[str, str, int]:
        """(source, recordid, recordversion): the same identity with other bytes is a conflicting copy."""
        return (self.source, self.recordid, self.recordversion)


class RecordReference(msgspec.Struct, frozen=True, kw_only=True, order=True, cache_hash=True, gc=False):
    """Names one stored record version by its bytes: what a snapshot pins and a lineage row cites."""

    source: str
    recordid: str
    recordversion: int
    datadigest: str


def reference_to(record: Record) -> RecordReference:
    """Return the reference that names `record`."""
    return record.reference
