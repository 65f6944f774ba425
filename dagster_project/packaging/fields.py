"""Fields: the leaves of a package on their way from source values to rendered values, with their lineage.

Belongs here: the typed records that drafting, holds, transformations and lineage share. No rules.
"""

from typing import Any

import msgspec

from dagster_project.sources.record import Classification, RecordReference


class Input(msgspec.Struct, frozen=True, kw_only=True, order=True, cache_hash=True, gc=False):
    """One source value that a field reads.

    `relation` and `subtype` are OpenLineage's: DIRECT (IDENTITY, TRANSFORMATION, AGGREGATION) for a value that
    enters the field, INDIRECT (CONDITIONAL, FILTER, GROUP_BY) for one that only decides. `masking` is true
    where the value itself must not be recoverable from the field.
    """

    reference: RecordReference
    source_field: str
    relation: str
    subtype: str
    masking: bool = False


class ReadValue(msgspec.Struct, frozen=True, gc=False):
    """One input with what the pinned record holds, None where it holds nothing, and with who may see that."""

    source: Input
    value: Any
    label: Classification


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A field before its value: where it stands, which rule makes it, and from what.

    `argument` is what the transformation needs besides inputs: a profile pointer or a parameter name.
    `held_as` names the kind of value that stands here while the field is on hold.
    """

    pointer: str
    field_class: str | None
    held_as: str
    rule_id: str
    transformation: str
    inputs: tuple[Input, ...] = ()
    argument: str = ""


class Hold(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Why a field is kept from the channel, and in which slot that shows."""

    reason: str
    slot: str


class Absence(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A hold on a part of the package where no leaf can stand yet, shown in its slot by pointer."""

    pointer: str
    reason: str
    slot: str
    evidence: tuple[RecordReference, ...] = ()
    rejected: tuple[str, ...] = ()


class Field(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rendered leaf: its draft, its value, and the hold that stands in for the value, if any."""

    draft: Draft
    value: Any
    hold: Hold | None = None

    @property
    def pointer(self) -> str:
        """The JSON pointer of the leaf in the package content."""
        return self.draft.pointer


def pointer_token(name: str) -> str:
    """Escape one name for use in a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_tokens(pointer: str) -> list[str]:
    """Split a JSON pointer into its names (RFC 6901)."""
    tokens = pointer.split("/")[1:]
    return [one.replace("~1", "/").replace("~0", "~") for one in tokens] if "~" in pointer else tokens


def leaves(content: Any, prefix: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return every leaf of package content by pointer. A leaf is whatever is no object; lists are leaves."""
    found: dict[str, Any] = {}
    _collect(content, prefix, found)
    return found


def _collect(content: Any, pointer: str, found: dict[str, Any]) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(content, dict):
        for name, inner in content.items():
            _collect(inner, f"{pointer}/{pointer_token(name)}", found)
    else:
        found[pointer] = content


def assemble(values: dict[str, Any]) -> dict[str, Any]:
    """Build package content from leaf values by pointer."""
    content: dict[str, Any] = {}
    for pointer, value in values.items():
        *parents, last = pointer_tokens(pointer)
        place = content
        for name in parents:
            place = place.setdefault(name, {})
        place[last] = value
    return content
