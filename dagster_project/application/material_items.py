"""Material items: the open items about what a bridge was told, kept as the sources and the versions move.

Belongs here: opening and resolving them. Material evidence is open for as long as the sources call for something else
than the bridge was told; a material change that left by the profile's own approval, until support leadership has
approved a page. Which versions they put under review is `open_questions`.
"""

from collections.abc import Iterable, Mapping, Sequence

from dagster_project.application.contexts import context_of, lineage_of_row
from dagster_project.application.open_questions import new_open_item
from dagster_project.application.review_state import told_page
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.documents import read_document
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field, leaves
from dagster_project.packaging.lineage import fields_from
from dagster_project.packaging.open_items import MATERIAL_CHANGE, MATERIAL_EVIDENCE, material_item
from dagster_project.review.changes import Change
from dagster_project.review.materiality import material_evidence
from dagster_project.store.candidates import latest_candidate
from dagster_project.store.open_items import NewOpenItem, keep_open_items, unresolved_items
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import versions_of


def keep_material_evidence(
    workspace: Workspace, transaction: Transaction, context: RenderingContext, fields: Iterable[Field]
) -> None:
    """Open and resolve the items about what a bridge was told, by what the sources call for now.

    Args:
        workspace: The deployment.
        transaction: One that may write.
        context: What the fields were rendered in.
        fields: The fields of the bridge's newest candidate, passed or not.
    """
    incident, bridge = context.snapshot.incident, context.bridge.bridge
    told = told_page(transaction, versions_of(transaction, incident, bridge))
    units = material_evidence(context, {one.pointer: one for one in fields}, told)
    items = (material_item(context, MATERIAL_EVIDENCE, sides) for sides in units)
    keep_open_items(
        transaction,
        [new_open_item(incident, one) for one in items],
        among={(incident, bridge)},
        kinds=(MATERIAL_EVIDENCE,),
        at=workspace.clock.now(),
    )


def note_new_version(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> None:
    """Look again at what the sources call for, now that the bridge was told something else."""
    row = latest_candidate(transaction, incident, bridge)
    if row is not None:
        content = read_document(transaction.get_sealed(row.content_digest))
        fields = fields_from(lineage_of_row(transaction, row), leaves(content))
        keep_material_evidence(workspace, transaction, context_of(workspace, transaction, row), fields)


def keep_material_changes(
    workspace: Workspace,
    transaction: Transaction,
    context: RenderingContext,
    fields: Mapping[str, Field],
    left_by_policy: Sequence[Change],
) -> None:
    """Open an item for every material change that left without a person being asked, beside those that are open."""
    incident, bridge = context.snapshot.incident, context.bridge.bridge
    units: dict[str, list[Field]] = {}
    for one in left_by_policy:
        if one.standing and one.material:
            units.setdefault(one.unit, []).append(fields[one.pointer])
    items = [material_item(context, MATERIAL_CHANGE, units[unit]) for unit in sorted(units)]
    found = [*_still_open(transaction, incident, bridge), *(new_open_item(incident, one) for one in items)]
    _keep_changes(workspace, transaction, incident, bridge, found)


def resolve_material_changes(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> None:
    """Resolve the items of changes that left by policy: support leadership has approved a page."""
    _keep_changes(workspace, transaction, incident, bridge, [])


def _keep_changes(
    workspace: Workspace, transaction: Transaction, incident: str, bridge: str, found: Sequence[NewOpenItem]
) -> None:
    keep_open_items(transaction, found, among={(incident, bridge)}, kinds=(MATERIAL_CHANGE,), at=workspace.clock.now())


def _still_open(transaction: Transaction, incident: str, bridge: str) -> list[NewOpenItem]:
    return [
        NewOpenItem(
            incident=row.incident,
            bridge=row.bridge,
            kind=row.kind,
            identity_digest=row.identity_digest,
            owner_role=row.owner_role,
            detail=transaction.get_sealed(row.body_digest),
        )
        for row in unresolved_items(transaction, incident)
        if (row.bridge, row.kind) == (bridge, MATERIAL_CHANGE)
    ]
