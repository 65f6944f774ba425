"""The wording of the views: plain English for every word that a package may use.

Belongs here: data alone, one table per closed vocabulary, and looking a word up. The words state what is recorded.
They promise nothing, estimate nothing, blame nobody and guess no cause (incident_communication N3 to N8, N11); a hold
says what kind of detail is kept back and who decides, never why. How a page is laid out is `view_page` and `views`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dagster_project.errors import UnsafeOrRejected

ON_HOLD: Final = "on_hold"

CAPABILITY_STATUS_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "operational": "Operational",
        "maintenance": "Maintenance",
        "degraded": "Degraded",
        "partial_outage": "Partial outage",
        "major_outage": "Major outage",
        "under_assessment": "Being assessed",
        "unknown": "Not known",
    }
)
# A capability that is listed as affected and is operational again.
RECOVERED: Final = "Recovered"

INCIDENT_STATUS_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "emerging": "Emerging",
        "investigating": "Investigating",
        "identified": "Cause confirmed",
        "mitigating": "Mitigating",
        "monitoring": "Monitoring",
        "resolved": "Resolved",
        "merged": "Merged",
        "withdrawn": "Withdrawn",
        "on_hold": "Status on hold",
    }
)
INCIDENT_STATUS_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "emerging": "An incident has been declared and its extent is being established.",
        "investigating": "The incident is being investigated.",
        "identified": "Incident command has confirmed the cause.",
        "mitigating": "Work to reduce the impact is under way.",
        "monitoring": "The service is being observed. Recovery is not confirmed.",
        "resolved": "Incident command has confirmed recovery.",
        "merged": "This incident is handled as part of another one.",
        "withdrawn": "The incident report has been withdrawn.",
        "on_hold": "The incident status is on hold: we cannot share it yet.",
    }
)
SEVERITY_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "severity_1": "Severity 1",
        "severity_2": "Severity 2",
        "severity_3": "Severity 3",
        "severity_4": "Severity 4",
        "on_hold": "Severity on hold",
    }
)
READINESS_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none_available": "None available",
        "in_preparation": "In preparation",
        "in_test_do_not_apply": "In test: do not apply",
        "available_verified": "Available and verified",
        "withdrawn": "Withdrawn: do not apply",
        "on_hold": "On hold: we cannot share this yet",
    }
)
CHECKPOINT_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "detected": "Incident detected",
        "engaged": "Bridge opened",
        "investigating": "Investigation started",
        "cause_confirmed": "Cause confirmed",
        "mitigation_started": "Mitigation started",
        "workaround_available": "Workaround available",
        "recovery_observed": "Recovery observed",
        "recovered": "Service recovered",
        "monitoring_started": "Monitoring started",
        "status_update": "Status update",
        "on_hold": "A step on hold: we cannot share this yet",
    }
)
DATA_INTEGRITY_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no_loss": "no loss of data",
        "loss": "loss of data",
        "under_review": "under review",
        "on_hold": "on hold",
    }
)
SLOT_STATE_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none_declared": "Nothing on hold",
        "on_hold": "On hold: we cannot share this yet",
        "in_review": "On hold: in review",
        "cleared": "Cleared to share",
    }
)
REVIEW_ROLE_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "incident_command": "Incident command",
        "support_leadership": "Support leadership",
        "account_leadership": "Account leadership",
        "security": "Security",
        "legal": "Legal",
    }
)
# The shipped slots. A slot that a profile declares beyond these is named by its own category.
SLOT_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "contract": "Contract",
        "dependency": "Dependency",
        "exploitability": "Security detail",
        "internal_component": "Internal component",
        "other": "Other detail",
    }
)
DOCUMENT_STATUS_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {"draft": "Draft", "interim": "Interim", "final": "Final", "on_hold": "Document status on hold"}
)
SHARING_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "TLP:CLEAR": "Can be shared without limit.",
        "TLP:GREEN": "For your community; not for publication.",
        "TLP:AMBER": "For your organisation and, where they need to know, its clients.",
        "TLP:AMBER+STRICT": "For your organisation only.",
        "TLP:RED": "For the named recipients only.",
    }
)
# The codes that stand in for text in a template parameter, by the parameter's name.
PARAMETER_LABELS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"data_integrity": DATA_INTEGRITY_LABELS})

ABOUT: Final = (
    "This page states recorded facts in customer terms. What cannot be said is named as on hold. "
    "It contains no estimates. Times are in UTC."
)

TIME_ON_HOLD: Final = "time on hold"
VALUE_ON_HOLD: Final = "on hold"
# The fields that may wait for a slot, as a reader names them; `part/leaf`, where the identifier between is left out.
FIELD_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "incident_status": "Incident status",
        "severity_code": "Severity",
        "document_status": "Document status",
        "affected_capabilities": "Capabilities beyond those listed",
        "not_affected": "What is not affected",
        "workarounds": "Workarounds beyond those listed",
        "workarounds/readiness": "Readiness of a workaround",
        "workarounds/applies_to": "What a workaround is for",
        "statements": "A statement",
        "timeline": "Steps beyond those listed",
        "timeline/checkpoint": "A step of the timeline",
        "timeline/at": "The time of a step",
        "statements/parameters/reference": "A help article",
        "statements/parameters/minutes": "The update interval",
        "statements/parameters/data_integrity": "Data integrity",
        "statements/parameters/public_names": "A service that is involved",
    }
)
SOME_FIELD: Final = "A field of this page"

NOTHING_AFFECTED: Final = "No capability is stated as affected."
NOTHING_UNAFFECTED: Final = "No capability is stated as not affected."
NO_WORKAROUND: Final = "No workaround is stated."
NO_STEPS: Final = "No step is stated."
MORE_ON_HOLD: Final = "There is more here that is on hold."

# From the worst to the best to read first; what is not known is not put behind what is known to be mild.
READING_ORDER: Final = (
    "major_outage", "partial_outage", "under_assessment", "unknown", "degraded", "maintenance", "operational",
)  # fmt: skip

# The shape that stands beside a word, so that no state is told by colour alone.
ICONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "operational": "tick",
        "maintenance": "bar",
        "degraded": "half",
        "partial_outage": "warning",
        "major_outage": "cross",
        "under_assessment": "dots",
        "unknown": "question",
        "none_available": "bar",
        "in_preparation": "dots",
        "in_test_do_not_apply": "warning",
        "available_verified": "tick",
        "withdrawn": "cross",
        "on_hold": "pause",
    }
)
_KEY: Final = re.compile(r"[a-z0-9_-]{0,64}")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def label(labels: Mapping[str, str], code: object, *, where: str) -> str:
    """Return the words for a code of a closed vocabulary.

    Args:
        labels: One of the tables of this module.
        code: The code as the package has it.
        where: The pointer of the field, for the error.

    Raises:
        UnsafeOrRejected: no words for this code. The error names the field, never the value, and of the field no key
            that has not the form of a page's keys: where content breaks its schema, a key may be anything.
    """
    if not isinstance(code, str) or code not in labels:
        raise UnsafeOrRejected(
            "word_without_label",
            what="the views have no words for the code in this field",
            where="/".join(one if _KEY.fullmatch(one) else "*" for one in where.split("/")),
            what_to_do="Use a code of the package vocabulary, or give the new code its words in `view_wording`.",
        )
    return labels[code]


def month_name(month: int) -> str:
    """Return the English name of a month, 1 to 12, whatever the machine's locale."""
    return _MONTHS[month - 1]
