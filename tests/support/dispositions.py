"""One final disposition, as a case-review system would hold it, and what the archive holds for it."""

from typing import Final

from dagster_project.closure.disposition import ArchiveReference, Disposition

PACKET: Final = ArchiveReference("archive/packets/1", "sha256:" + "1" * 64)
NOTE: Final = ArchiveReference("archive/notes/1", "sha256:" + "2" * 64)
DISPOSITION: Final = Disposition(
    case="CASE-1",
    escalation="ESC-1",
    episode="EP-1",
    disposition_version=3,
    state="closure_approved",
    closure_packet=PACKET,
    internal_review_note=NOTE,
    tracker_record="TRK-1",
    ledger_record=None,
    queue_item="Q-1",
    coordinator="coordination-desk",
    closed_at="2026-03-04T10:00:00Z",
)
