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
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_of

FORMS_SOURCE: Final = "//channelsafe/forms"


def parse_data(text: str) -> dict[str, Any]:
    """Read a stated fact from JSON.

    Raises:
        UsageError: it is not one JSON object within the restricted profile of canonical JSON.
    """
    try:
        stated = parse_strict(text.encode())
    except NotCanonical as error:
        raise _not_an_object(error.reason) from error
    if not isinstance(stated, dict):
        raise _not_an_object("not_an_object")
    return stated


def _not_an_object(reason: str) -> UsageError:
    return UsageError(
        "data_not_json",
        what=f"the stated fact is not acceptable JSON ({reason})",
        where="the data of the stated fact",
        what_to_do="""Write one JSON object, for example '{"readiness": "drafting"}'.""",
    )


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
