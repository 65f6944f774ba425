"""The fast acknowledgement: the constant first text of a bridge, without anything derived from an incident (rule R7).

Belongs here: its content and lineage, made of the profile alone. Who may send it is `review`.
"""

from collections.abc import Iterator
from typing import Any

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.packaging.context import WHOLE_PROFILE, ProfileTables
from dagster_project.packaging.fields import Draft, assemble, leaves
from dagster_project.packaging.lineage import Lineage, LineageGroup
from dagster_project.packaging.rendering import CONTENT_SCHEMA

_SECTIONS = ("affected_capabilities", "not_affected", "workarounds", "timeline", "statements", "names", "held")
_PLACE = "/statements/acknowledgement"


def acknowledgement_content(tables: ProfileTables) -> dict[str, Any]:
    """Return the content: channel, label, the one approved sentence, and every slot with nothing declared."""
    values = {draft.pointer: value for draft, value in _leaves(tables)}
    return {name: {} for name in _SECTIONS} | assemble(values) | {"statements": _statement(values)}


def acknowledgement_lineage(tables: ProfileTables) -> Lineage:
    """Return the lineage: every leaf is a constant of the profile."""
    content = acknowledgement_content(tables)
    drafts = {draft.pointer: draft for draft, _value in _leaves(tables)}
    return Lineage(
        content_digest=digest_bytes(canonical_bytes(content)),
        groups=tuple(
            LineageGroup(
                draft=drafts[pointer],
                rule_digest=tables.digest,
                value_digest=digest_of(value),
            )
            for pointer, value in sorted(leaves(content).items())
        ),
        absences=(),
    )


def _statement(values: dict[str, Any]) -> dict[str, Any]:
    stated = {name: values[f"{_PLACE}/{name}"] for name in ("template", "text")}
    return {"acknowledgement": stated | {"parameters": {}}}


def _leaves(tables: ProfileTables) -> Iterator[tuple[Draft, Any]]:
    profile = tables.profile
    name = profile.review_policy.fast_acknowledgement
    yield _draft("/schema", "content_schema", ""), CONTENT_SCHEMA
    yield _draft("/channel", "profile_constant", "/channel"), profile.channel
    yield _draft("/tlp", "profile_constant", "/label"), profile.label
    yield _draft(f"{_PLACE}/template", "profile_constant", "/review_policy/fast_acknowledgement"), name
    yield _draft(f"{_PLACE}/text", "profile_constant", f"/templates/{name}/text"), profile.templates[name].text
    for slot, entry in sorted(profile.slots.items()):
        place = f"/held/{slot}"
        yield _draft(f"{place}/category", "profile_constant", f"/slots/{slot}/category"), entry.category
        yield _draft(f"{place}/review_role", "profile_constant", f"/slots/{slot}/review_role"), entry.review_role
        yield _draft(f"{place}/slot_state", "slot_state", slot), "none_declared"
        yield _draft(f"{place}/fields", "slot_fields", slot), []


def _draft(pointer: str, transformation: str, argument: str) -> Draft:
    return Draft(
        pointer=pointer,
        field_class=None,
        held_as="list",
        rule_id=WHOLE_PROFILE,
        transformation=transformation,
        argument=argument,
    )
