"""Pages as review compares them: leaves with what stands behind each, and the parts that are decided together.

Belongs here: reading one leaf of a released page or of what the sources call for now, and which leaves are one unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, Field, Hold, leaves, pointer_tokens
from dagster_project.packaging.lineage import Lineage, fields_from
from dagster_project.packaging.transformations import READ_FOR_PRESENCE

# What the profile words itself is approved with the profile, not with each page.
_CONSTANT: Final = ("profile_constant", "content_schema")
_DERIVED_SLOT_PARTS: Final = ("fields", "category", "review_role")
_WORDED_BY_THE_PROFILE: Final = ("template", "text")
SLOT_STATE: Final = "slot_state"
_STATUS_UNIT: Final = "incident_status"


@dataclass(frozen=True)
class Page:
    """One page: its fields by pointer."""

    fields: Mapping[str, Field]

    def capability_part(self, capability: str) -> str | None:
        """Return in which part of the page a capability stands, or None."""
        for part in ("affected_capabilities", "not_affected"):
            place = f"/{part}/{capability}"
            if any(pointer == place or pointer.startswith(f"{place}/") for pointer in self.fields):
                return part
        return None


@dataclass(frozen=True)
class ReleasedPage(Page):
    """What the bridge was told last, by version number."""

    version: int


def page_of(fields: Mapping[str, Field]) -> Page:
    """Return a rendering's fields as a page."""
    return Page(fields=fields)


def released_page(version: int, content: dict[str, Any], lineage: Lineage) -> ReleasedPage:
    """Return a released version's stored content and lineage as a page."""
    return ReleasedPage(fields={one.pointer: one for one in fields_from(lineage, leaves(content))}, version=version)


def is_decided_upon(draft: Draft) -> bool:
    """Tell whether a change of this leaf is one that people or their standing approval decide upon."""
    if draft.transformation in _CONSTANT:
        return False
    tokens = pointer_tokens(draft.pointer)
    part, last = tokens[0], tokens[-1]
    # By place as well: a version that kept such a leaf says of it that it was kept.
    worded = part == "names" or (part == "statements" and last in _WORDED_BY_THE_PROFILE)
    return not worded and not (part == "held" and last in _DERIVED_SLOT_PARTS)


def unit_of(pointer: str, before: Page | None, now: Page) -> str:
    """Name the unit that a leaf belongs to: what cannot be told apart without telling something untrue.

    A capability that moves between the parts of a page is one unit; else its state and each region stand alone.
    """
    tokens = pointer_tokens(pointer)
    if tokens[0] in {"affected_capabilities", "not_affected"}:
        capability = tokens[1]
        moved = before is None or before.capability_part(capability) != now.capability_part(capability)
        region = "regions" in tokens and not moved
        return f"capability/{capability}/{tokens[-1]}" if region else f"capability/{capability}"
    if tokens[0] in {"incident_status", "document_status"} or tokens[:2] == ["statements", "data-integrity"]:
        return _STATUS_UNIT
    if tokens[0] in {"workarounds", "statements"}:
        return f"item/{tokens[1]}"
    return "/".join(tokens[:2])


def is_companion(draft: Draft) -> bool:
    """Tell whether a leaf only says more of the state it stands beside: an instant, the status of the document."""
    return draft.held_as in {"instant", "document_status"}


def support_digest(context: RenderingContext, draft: Draft) -> str:
    """Return the digest of the values, not the envelopes, that a rule read to make a field (glossary).

    Of an earlier version of a record, and of a value that is read for its presence, a rule asks only whether there is
    one: so what they say is no support. Else every reconfirmation would make another, and who confirmed a resolution
    could be told from which approvals lapsed.
    """
    resolved = context.index.resolved
    newest: dict[tuple[str, str], int] = {}
    for one in draft.inputs:
        key = (one.reference.source, one.reference.recordid)
        newest[key] = max(newest.get(key, 0), one.reference.recordversion)
    read = {
        (*key, one.source_field, is_newest): resolved[one].value if says else None
        for one in draft.inputs
        for key in [(one.reference.source, one.reference.recordid)]
        for is_newest in [one.reference.recordversion == newest[key]]
        for says in [is_newest and one.source_field not in READ_FOR_PRESENCE]
    }
    return digest_of([[*key, read[key]] for key in sorted(read)])


def hold_in_slot(page: Page, slot: str) -> tuple[Hold, ...]:
    """Return the holds of a page's leaves that show in a slot."""
    return tuple(one.hold for one in page.fields.values() if one.hold is not None and one.hold.slot == slot)
