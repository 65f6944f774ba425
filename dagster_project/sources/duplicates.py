"""Duplicates: records that a source delivers again, and what they settle.

Belongs here: when a duplicate cannot pass as one because it says otherwise than what is known, and which rejected input
a well-delivered record settles. Comparing a record with the log is the business of whoever has the log.
"""

from typing import Final

from dagster_project.sources.admission import Rejection
from dagster_project.sources.record import Record

DUPLICATE_IS_RESTRICTED: Final = "duplicate_is_restricted"
DUPLICATE_ABOUT_ANOTHER: Final = "duplicate_about_another_subject"
_REASONS: Final = (DUPLICATE_IS_RESTRICTED, DUPLICATE_ABOUT_ANOTHER)


def says_otherwise(record: Record, known: Record) -> Rejection | None:
    """Return why a duplicate cannot pass as one: it is about something else, or for fewer eyes than what is known.

    Taking it for a duplicate would lose it, or keep showing what its source now restricts.
    """
    same = (known.type, known.subject) == (record.type, record.subject)
    if same and record.dataclassification.rank <= known.dataclassification.rank:
        return None
    return Rejection(
        reason_code=DUPLICATE_IS_RESTRICTED if same else DUPLICATE_ABOUT_ANOTHER,
        where="/dataclassification" if same else "/subject",
        source=record.source,
        type=record.type,
        subject=record.subject,
        recordid=record.recordid,
        recordversion=record.recordversion,
    )


def settles(record: Record, reason_code: str, rejected_version: int | None) -> bool:
    """Tell whether a record that its own source delivered well settles an input of the same record that was rejected.

    It does at that version or later. What was kept aside as a duplicate that says otherwise waits for a later version:
    the same one settles nothing.
    """
    wanted = 0 if rejected_version is None else rejected_version + int(reason_code in _REASONS)
    return wanted <= record.recordversion
