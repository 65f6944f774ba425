"""Facts stated by a person: what the command line can record in a demo store.

Belongs here: turning a stated fact into an event and admitting it like any other. Until identities exist, whoever
states it is marked `unverified`, and only a store that the demo made accepts it.
"""

from datetime import datetime
from typing import Any, Final

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit
from dagster_project.application.demo_store import require_demo_store
from dagster_project.application.workspace import Workspace
from dagster_project.clock import format_instant
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of

FORMS_SOURCE: Final = "//channelsafe/forms"


def record_fact(
    workspace: Workspace,
    *,
    record_type: str,
    subject: str,
    recordid: str,
    recordversion: int,
    data: dict[str, Any],
    at: datetime,
    classification: str,
) -> AdmissionReport:
    """Admit one fact that a person states.

    Raises:
        UsageError: this is not a store that the demo made.
    """
    require_demo_store(workspace.settings)
    event = {
        "specversion": "1.0",
        "id": f"form-{digest_of([record_type, recordid, recordversion, data])[-16:]}",
        "source": FORMS_SOURCE,
        "type": record_type,
        "subject": subject,
        "time": format_instant(at),
        "datacontenttype": "application/json",
        "recordid": recordid,
        "recordversion": str(recordversion),
        "recordedtime": format_instant(at),
        "recordedby": "unverified",
        "dataclassification": classification,
        "data": data,
    }
    return admit(workspace, [DeliveredUnit(unit="form", locator=recordid, body=canonical_bytes(event))])
