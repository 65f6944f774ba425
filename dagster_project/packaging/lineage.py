"""Lineage: for every leaf of a package, the source versions and the rule behind it.

Belongs here: the stored form of lineage (one group per leaf, `inputs = []` only for profile constants) and reading
it back. Semantics follow OpenLineage's column lineage; the unit is the cell, the source a record version.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.integrity.documents import typed_bytes
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Absence, Draft, Field, Hold
from dagster_project.packaging.rendering import Rendering


class LineageGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that made one leaf: rule, transformation, inputs, the hold if any, and the value's digest."""

    draft: Draft
    rule_digest: str
    value_digest: str
    hold: Hold | None = None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The lineage of one candidate: a group per leaf in pointer order, and the holds without a leaf."""

    content_digest: str
    groups: tuple[LineageGroup, ...]
    absences: tuple[Absence, ...]


def lineage_of(context: RenderingContext, rendering: Rendering) -> Lineage:
    """Write down the lineage of a rendering."""
    return Lineage(
        content_digest=digest_bytes(rendering.content_bytes),
        groups=tuple(
            LineageGroup(
                draft=field.draft,
                rule_digest=context.tables.digest_of_rule(field.draft.rule_id, field.draft.transformation),
                value_digest=digest_of(field.value),
                hold=field.hold,
            )
            for field in rendering.fields
        ),
        absences=rendering.absences,
    )


def lineage_bytes(lineage: Lineage) -> bytes:
    """Return the canonical bytes of lineage."""
    return typed_bytes(lineage)


def read_lineage(body: bytes) -> Lineage:
    """Read stored lineage back from its verified bytes."""
    return msgspec.json.decode(body, type=Lineage)


def fields_from(lineage: Lineage, values: dict[str, Any]) -> tuple[Field, ...]:
    """Join stored lineage with the leaves of its content, as rendered fields."""
    return tuple(
        Field(draft=group.draft, value=values.get(group.draft.pointer), hold=group.hold) for group in lineage.groups
    )


def groups_by_pointer(groups: Iterable[LineageGroup]) -> dict[str, LineageGroup]:
    """Return the groups by the pointer of their leaf."""
    return {group.draft.pointer: group for group in groups}
