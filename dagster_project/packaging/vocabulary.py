"""The words that a package may use, and what stands in a field that is on hold.

Belongs here: the closed vocabularies of the package contract and the least that a standard source state may be
rendered as. How one channel maps a source's words to these is the profile's business (`profile`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CAPABILITY_STATUSES: Final = (
    "operational", "maintenance", "degraded", "partial_outage", "major_outage", "under_assessment", "unknown",
)  # fmt: skip
INCIDENT_STATUSES: Final = (
    "emerging", "investigating", "identified", "mitigating", "monitoring", "resolved", "merged", "withdrawn",
    "on_hold",
)  # fmt: skip
SEVERITY_CODES: Final = ("severity_1", "severity_2", "severity_3", "severity_4", "on_hold")
READINESS_CODES: Final = (
    "none_available", "in_preparation", "in_test_do_not_apply", "available_verified", "withdrawn", "on_hold",
)  # fmt: skip
CHECKPOINTS: Final = (
    "detected", "engaged", "investigating", "cause_confirmed", "mitigation_started", "workaround_available",
    "recovery_observed", "recovered", "monitoring_started", "status_update", "on_hold",
)  # fmt: skip
DATA_INTEGRITY: Final = ("no_loss", "loss", "under_review", "on_hold")
SLOT_STATES: Final = ("none_declared", "on_hold", "in_review", "cleared")
DOCUMENT_STATUSES: Final = ("draft", "interim", "final")
LABELS: Final = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")
REVIEW_ROLES: Final = ("incident_command", "support_leadership", "account_leadership", "security", "legal")
SHIPPED_SLOTS: Final = ("contract", "dependency", "exploitability", "internal_component", "other")

FIELD_CLASSES: Final = (
    "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
    "template_parameter", "slot",
)  # fmt: skip

# What stands in a leaf that is on hold. A hold is visible: no leaf disappears because it is on hold.
HELD_VALUES: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "capability_status": "under_assessment",
        "region_status": "under_assessment",
        "incident_status": "on_hold",
        "severity": "on_hold",
        "workaround_readiness": "on_hold",
        "checkpoint": "on_hold",
        "template_parameter": "on_hold",
        "instant": None,
        "list": None,
        "document_status": "interim",
    }
)

# From better to worse. Statuses that are not in the chain cannot be compared with those that are.
STATUS_CHAIN: Final = ("operational", "maintenance", "degraded", "partial_outage", "major_outage")

# The best that a standard source state may be rendered as, whatever a profile says: the ground on which the
# release check judges "better than its source". Words outside this table have no floor of their own.
STANDARD_STATE_FLOORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "maintenance": "maintenance",
        "under_maintenance": "maintenance",
        "degraded": "degraded",
        "degraded_performance": "degraded",
        "SERVICE_INFORMATION": "degraded",
        "partial": "partial_outage",
        "partial_outage": "partial_outage",
        "SERVICE_DISRUPTION": "partial_outage",
        "down": "major_outage",
        "major_outage": "major_outage",
        "SERVICE_OUTAGE": "major_outage",
    }
)


def is_better(left: str, right: str) -> bool:
    """Tell whether capability status `left` is strictly better than `right`; incomparable values are not."""
    if left not in STATUS_CHAIN or right not in STATUS_CHAIN:
        return False
    return STATUS_CHAIN.index(left) < STATUS_CHAIN.index(right)
