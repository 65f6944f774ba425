"""Open questions: the open items of incidents, and which current versions they put under review.

Belongs here: reading stored open items back, and the one answer to "is this version under review", which every internal
view asks. It shows on no page of a customer and in no public file. What opens items is `packaging.open_items`; those
about what a bridge was told are kept by `material_items`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dagster_project.application.pinned import require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.open_items import RELEASE_RESOLUTIONS, OpenItem
from dagster_project.store import incidents
from dagster_project.store.open_items import NewOpenItem, OpenItemRow, unresolved_items
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow

__all__ = ["OpenItem", "OpenQuestion", "is_under_review", "new_open_item", "open_questions", "read_open_item"]


@dataclass(frozen=True)
class OpenQuestion:
    """One open item; `puts_under_review` says that it is about what the current version of its bridge implies."""

    incident: str
    opened_at: datetime
    puts_under_review: bool
    item: OpenItem


def open_questions(
    workspace: Workspace, incident: str | None = None, bridge: str | None = None
) -> tuple[OpenQuestion, ...]:
    """Return what is open, by incident and bridge.

    Args:
        workspace: The deployment.
        incident: Only this one; None for all.
        bridge: Only items about this bridge.

    Raises:
        UsageError: no record about the incident was ever admitted.
    """
    with workspace.store.read() as transaction:
        if incident is None:
            names = sorted(one.incident for one in incidents.all_incidents(transaction))
        else:
            names = [require_incident(transaction, incident).incident]
        found = [
            OpenQuestion(row.incident, row.opened_at, _is_about_what_was_told(row), read_open_item(transaction, row))
            for name in names
            for row in unresolved_items(transaction, name)
            if bridge in {None, row.bridge}
        ]
    return tuple(sorted(found, key=_place))


def _place(one: OpenQuestion) -> tuple[object, ...]:
    return (one.incident, one.item.bridge, one.item.kind, one.item.slot, one.item.fields)


def _is_about_what_was_told(row: OpenItemRow) -> bool:
    return row.kind in RELEASE_RESOLUTIONS


def is_under_review(row: VersionRow, items: Iterable[OpenItemRow]) -> bool:
    """Tell whether a version is under review: it is the current one, and an item about what it implies is open.

    Args:
        row: The version.
        items: The unresolved items of its incident.
    """
    return row.state == "released" and any(one.bridge == row.bridge and _is_about_what_was_told(one) for one in items)


def read_open_item(transaction: Transaction, row: OpenItemRow) -> OpenItem:
    """Return a stored open item with both its sides."""
    return msgspec.json.decode(transaction.get_sealed(row.body_digest), type=OpenItem)


def new_open_item(incident: str, item: OpenItem) -> NewOpenItem:
    """Return an item in the form in which it is stored."""
    return NewOpenItem(
        incident=incident,
        bridge=item.bridge,
        kind=item.kind,
        identity_digest=item.identity_digest,
        owner_role=item.owner_role,
        detail=canonical_bytes(document_of(item)),
    )
