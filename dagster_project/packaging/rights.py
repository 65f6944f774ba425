"""Rights: whether a bridge's contract and entitlements still allow what was told.

Belongs here: judging a leaf of an earlier page by what the bridge may be told now. What they allow of a new page is
settled while rendering: by `rendering` and `holds` for the contract, by `drafting` for entitlements.
"""

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, pointer_tokens


def is_allowed(context: RenderingContext, draft: Draft) -> bool:
    """Tell whether what a draft speaks of may be told to the bridge at the context's instant.

    A contract that has lapsed allows nothing new and takes nothing back: its fields are visibly on hold.

    Args:
        context: What the bridge may be told now.
        draft: A leaf of any page of this bridge.
    """
    if context.contract_in_force and not context.permits(draft.field_class) and draft.pointer != "/document_status":
        return False
    named = _capabilities(context, draft)
    return not named or None in named or bool(named & context.entitled)


def _capabilities(context: RenderingContext, draft: Draft) -> set[str | None]:
    """Return the capabilities that a leaf speaks of; None stands for a component that the profile does not know."""
    tokens = pointer_tokens(draft.pointer)
    if tokens[0] in {"affected_capabilities", "not_affected"}:
        return {tokens[1]}
    read = {(one.reference.source, one.reference.recordid) for one in draft.inputs if one.relation == "DIRECT"}
    table = context.tables.capability_by_component
    helped = [one for one in context.heads_by_type.get("workaround", ()) if one.identity in read]
    mapped = [one for one in context.heads_by_type.get("dependency", ()) if one.identity in read]
    components = [
        *(name for one in helped for name in one.data["applies_to"]),
        *(one.data["component"] for one in mapped),
    ]
    return {table.get(name) for name in components}
