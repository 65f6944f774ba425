"""Faults: of each release rule, the fault of rendering that it is there for.

Release rules judge what rendering made, so switching one off changes nothing while rendering is honest. A fault makes a
candidate that says something else than an honest rendering does, and that this one rule must refuse.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any, Final

import msgspec

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging import (
    release_check,
    rendering,
)
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.drafting import slots
from dagster_project.packaging.fields import assemble, leaves
from dagster_project.packaging.lineage import Lineage, lineage_of
from tests.harness.switches import Patch, without
from tests.support.histories import shipped_profile


@dataclass(frozen=True)
class Faulty:
    """A candidate that says something it must not, and the context that it claims to be rendered from."""

    content: dict[str, Any]
    lineage: Lineage
    context: RenderingContext

    def passes(self) -> bool:
        check = release_check.release_check(self.content, self.lineage, self.context, predecessor_digest=None)
        return check.passed


Fault = Callable[[RenderingContext, Random, Patch], Faulty | None]


def _rendered(one: RenderingContext) -> Faulty:
    made = rendering.render(one)
    return Faulty(made.content, lineage_of(one, made), one)


def _under(one: RenderingContext, tables: ProfileTables) -> RenderingContext:
    return replace(one, tables=tables)


@cache
def _profile(fault: str) -> ProfileTables:
    shipped = shipped_profile()
    changed = {
        "raw words": lambda: msgspec.structs.replace(
            shipped, severities={name: f"{name} as typed" for name in shipped.severities}
        ),
        "flattery": lambda: msgspec.structs.replace(
            shipped, status_codes=shipped.status_codes | {"down": "operational", "partial": "degraded"}
        ),
        "trust": lambda: shipped_profile("customer-bridge-faulty"),
    }
    return ProfileTables(changed[fault]())


def _a_word_of_the_source(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("raw words")))


def _another_value(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    honest = _rendered(one)
    said = leaves(honest.content)
    if "/severity_code" not in said:
        return None
    said["/severity_code"] = "severity_4" if said["/severity_code"] != "severity_4" else "severity_3"
    content = honest.content | assemble({"/severity_code": said["/severity_code"]})
    return Faulty(content, msgspec.structs.replace(honest.lineage, content_digest=digest_of(content)), one)


def _a_part_left_out(one: RenderingContext, random: Random, _patch: Patch) -> Faulty | None:
    honest = _rendered(one)
    regions = [group.draft.pointer for group in honest.lineage.groups if "/regions/" in group.draft.pointer]
    if not regions:
        return None
    gone = random.choice(regions)
    content = {name: {} for name in honest.content} | assemble(
        {pointer: value for pointer, value in leaves(honest.content).items() if pointer != gone}
    )
    groups = tuple(group for group in honest.lineage.groups if group.draft.pointer != gone)
    lineage = msgspec.structs.replace(honest.lineage, groups=groups, content_digest=digest_of(content))
    return Faulty(content, lineage, one)


def _a_denied_text(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("trust")))


def _a_conflict_not_held(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    kept = {field.pointer for field in rendering.render(one).held}
    without(patch, "hold", "in_conflict")
    without(patch, "hold", "fed_by_rejected_input")
    shown = {group.draft.pointer for group in _rendered(one).lineage.groups if group.hold is None}
    # What another guard holds too is no fault.
    return _rendered(one) if kept & shown else None


def _a_rosier_state(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("flattery")))


def _a_hold_that_does_not_show(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    patch.setattr(slots, "_slot_fields", lambda _slot, _held, _absences: [])
    return _rendered(one)


def _a_class_not_permitted(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    without(patch, "drop", "not_permitted_by_contract")
    return _rendered(one)


def _old_news(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    """What was true three hours ago; a final page, or one that shows nothing of any record, does not age."""
    made = rendering.render(one)
    if made.as_of is None or made.content.get("document_status") in {"final", "on_hold"}:
        return None
    return _rendered(replace(one, evaluation_instant=one.evaluation_instant + timedelta(hours=3)))


FAULTS: Final[Mapping[str, Fault]] = {
    "schema": _a_word_of_the_source,
    "lineage": _another_value,
    "nothing_left_out": _a_part_left_out,
    "leak": _a_denied_text,
    "honest_about_conflicts": _a_conflict_not_held,
    "not_better_than_source": _a_rosier_state,
    "holds_are_visible": _a_hold_that_does_not_show,
    "permitted": _a_class_not_permitted,
    "fresh": _old_news,
}
