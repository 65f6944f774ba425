"""Materiality: what the sources call for that would change what a page implied.

Belongs here: picking the material changes out of all that differ from what a bridge was told. Whether one change is
material is the profile's table (`packaging.review_policy`).
"""

from collections.abc import Iterator, Mapping

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field
from dagster_project.review.changes import changes_of
from dagster_project.review.pages import ReleasedPage


def material_evidence(
    context: RenderingContext, now: Mapping[str, Field], told: ReleasedPage | None
) -> Iterator[tuple[Field, ...]]:
    """Yield, unit by unit, the leaves of both sides whose change would alter what the bridge was told.

    What stood on hold implied nothing, so nothing can alter it.

    Args:
        context: What `now` was rendered in.
        now: What the sources call for, by pointer.
        told: What the bridge was told last of the incident, or None.
    """
    if told is None:
        return
    units: dict[str, list[Field]] = {}
    for one in changes_of(context, now, told):
        before = told.fields.get(one.pointer)
        if one.material and (before is None or before.hold is None):
            sides = (before, now.get(one.pointer))
            units.setdefault(one.unit, []).extend(side for side in sides if side is not None)
    for unit in sorted(units):
        yield tuple(units[unit])
