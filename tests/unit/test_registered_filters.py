"""Nothing that decides what a package holds leaves anything out, but for the guards of the registry.

What the static test looks for, in every function and method of the modules in `DECIDING`: a condition in a
comprehension; an `if` that ends in `continue` or `return`; an `if` without `else` whose body yields, or appends, adds,
extends or updates. Such a function leaves out some of what it is given. So it is a registered guard
(`packaging.guards.GUARDS`), or serves registered guards of its module alone, or stands in `LEAVES_NOTHING_OUT` with the
reason why it keeps nothing from a package.
"""

import ast
from pathlib import Path
from pydoc import locate

import pytest

import dagster_project
from dagster_project.packaging.guards import GUARDS
from tests.harness.faults import FAULTS
from tests.harness.switches import SWITCHES, WALKED
from tests.support.guard_syntax import leaves_out, qualified, serves_only

SOURCE = Path(dagster_project.__file__).parent
DECIDING = (
    "packaging/absences.py", "packaging/annexes.py", "packaging/clearance.py", "packaging/context.py",
    "packaging/holds.py", "packaging/rendering.py", "packaging/reviewed_fields.py", "packaging/drafting/incident.py",
    "packaging/drafting/inputs.py", "packaging/drafting/service_state.py", "packaging/drafting/slots.py",
    "packaging/drafting/workarounds.py", "scanning/deny_list.py",
)  # fmt: skip
_TABLE = "it looks up what the profile or the snapshot says"
_FORM = "it decides on the form of what is there already"
_ABSENT = "it passes over what no record holds"
_SHAPE = "it asks the guard `shaping_rule`"
LEAVES_NOTHING_OUT = {
    "packaging.annexes.review_roles_by_rule": _TABLE,
    "packaging.annexes.seen_by": "it keeps a part of an annex from a role, and nothing from a package",
    "packaging.clearance.clearance_expires": _ABSENT,
    "packaging.context._withheld": _TABLE,
    "packaging.context._withheld_by_type": _TABLE,
    "packaging.context.ProfileTables.__init__": _TABLE,
    "packaging.context.ProfileTables.digest_of_rule": _TABLE,
    "packaging.context.SnapshotIndex.turning_points": _ABSENT,
    "packaging.holds.settle": "it walks the guards",
    "packaging.rendering.Rendering.held": _FORM,
    "packaging.rendering.reapply": _FORM,
    "packaging.rendering.render": "it walks the guards",
    "packaging.drafting.incident.incident_drafts": _SHAPE,
    "packaging.drafting.incident.timeline_drafts": _SHAPE,
    "packaging.drafting.inputs.present": _ABSENT,
    "packaging.drafting.service_state.service_state_fields": _SHAPE,
    "packaging.drafting.service_state._affected": "a region without a bucket shows by the guard `unmapped_regions`",
    "packaging.drafting.service_state._since_draft": _ABSENT,
    "packaging.drafting.service_state._status_draft": _ABSENT,
    "packaging.drafting.slots._inputs": _FORM,
    "packaging.drafting.slots._slot_fields": _FORM,
    "packaging.drafting.slots._slot_state": "it returns the most restrictive state of what the slot stands for",
    "packaging.drafting.slots.slot_fields_of_package": _FORM,
    "packaging.drafting.slots.slot_value": _FORM,
    "packaging.drafting.workarounds._statement": _SHAPE,
    "packaging.drafting.workarounds.statement_drafts": "it asks the guards `_may_be_applied` and `clearance_of`",
    "packaging.drafting.workarounds.workaround_drafts": _SHAPE,
    "scanning.deny_list._spoken": "it adds the short name of a host",
    "scanning.deny_list._strings": "numbers and booleans are no names",
    "scanning.deny_list.terms_of": "it is for scans of any text, and is asked about no package",
}


def unregistered(tree: ast.Module, registered: set[str]) -> set[str]:
    known = qualified(tree)
    dropping = {name for name, one in known.items() if leaves_out(one)}
    return {name for name in dropping if not serves_only(name, registered, known)}


def test_only_registered_guards_leave_anything_out() -> None:
    found = set()
    for place in DECIDING:
        module = place.removesuffix(".py").replace("/", ".")
        registered = {one.where.removeprefix(f"{module}.") for one in GUARDS if one.where.startswith(f"{module}.")}
        found |= {f"{module}.{name}" for name in unregistered(ast.parse((SOURCE / place).read_text()), registered)}
    assert found == set(LEAVES_NOTHING_OUT)


def test_every_registered_guard_stands_where_the_registry_says() -> None:
    assert [one.where for one in GUARDS if locate(f"dagster_project.{one.where}") is None] == []
    assert len({one.where for one in GUARDS}) == len(GUARDS)


def test_every_guard_has_a_switch_or_a_tuple_that_is_walked() -> None:
    assert {one.where for one in GUARDS if one.kind not in WALKED} == set(SWITCHES)
    assert {one.name for one in GUARDS if one.kind == "release"} == set(FAULTS)


@pytest.mark.parametrize(
    "branch",
    [
        "return [one for one in given if one.fits]",
        "for one in given:\n        if one.odd:\n            continue\n        yield one",
        "if given.odd:\n        return\n    yield given",
        "for one in given:\n        if one.fits:\n            yield one",
        "found = []\n    for one in given:\n        if one.fits:\n            found.append(one)\n    return found",
    ],
)
def test_the_static_test_finds_a_branch_that_leaves_something_out(branch: str) -> None:
    tree = ast.parse(f"def secret(given):\n    {branch}\ndef open(given):\n    yield from given\n")
    assert unregistered(tree, set()) == {"secret"}
    assert unregistered(tree, {"secret"}) == set()
