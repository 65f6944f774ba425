"""The registry of guards: every function of packaging that holds, drops, denies, refuses or finds fault, in one list.

Belongs here: names, kinds, and what each keeps back; the functions themselves stand where they are used. A static test
fails on a branch that keeps something back outside of this list, and the harness (`make prove-guards`) switches each
off in turn and must find out.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from dagster_project.packaging.absences import ABSENCE_GUARDS
from dagster_project.packaging.holds import HOLD_GUARDS, REVIEW_GUARDS
from dagster_project.packaging.profile_validation import JUDGES
from dagster_project.packaging.release_rules import RELEASE_RULES
from dagster_project.packaging.rendering import DROP_GUARDS


class Guard(msgspec.Struct, frozen=True, order=True):
    """One guard: its kind, where it stands (``packaging.holds.leaks``), and what it does in a sentence."""

    kind: str
    where: str
    does: str

    @property
    def name(self) -> str:
        """The last part of where it stands."""
        return self.where.rpartition(".")[2]


# Functions that pass on some of what they are given: of each what it leaves out.
FILTERS: Final[Mapping[str, str]] = {
    "packaging.context.bridges_of": "A bridge that no contract opens for this incident.",
    "packaging.context._facts": "Entitlements of other accounts.",
    "packaging.context.is_in_force": "What a contract or entitlement grants before it begins or after it ends.",
    "packaging.context.RenderingContext.entitled": "What was bought on a bridge that two contracts open.",
    "packaging.context.RenderingContext.unlisted": "Entries for records not for customers, lest they be counted.",
    "packaging.clearance.clearance_of": "What security review has not cleared for this version, field and channel.",
    "packaging.drafting.inputs.shaping_rule": "Fields of the package that annexed or ignored source fields would make.",
    "packaging.drafting.incident._told_inputs": "What other bridges were told.",
    "packaging.drafting.service_state._observed": "Capabilities that the account did not buy.",
    "packaging.drafting.slots._concerning": "Security reviews of dependencies of what the account did not buy.",
    "packaging.drafting.workarounds.helped_workarounds": "Workarounds for what the account did not buy.",
    "packaging.drafting.workarounds.relevant_dependencies": "Dependencies of what the account did not buy.",
    "packaging.drafting.workarounds._may_be_applied": "The article of a workaround that is not ready and verified.",
    "packaging.rendering._feeding": "Instants of records that feed no rendered field.",
    "packaging.reviewed_fields.reviewed_fields": "Leaves that give way to what an earlier version said.",
    "packaging.annexes.annexes_of": "Withheld values of another account's contract and entitlement.",
}
# What decides whether source-derived text holds a name that is denied.
DENIALS: Final[Mapping[str, str]] = {
    "packaging.context.RenderingContext.denies": "Source-derived text with a denied term.",
    "scanning.deny_list.DenyList.hits": "Text in which a term stands, in any case and with any separators.",
    "scanning.shipped.breaks_a_rule": "Text with a secret, personal data, a host or a promise.",
    "scanning.deny_list.names_in_records": "Short values of fields that are not for customers, and accounts by name.",
    "scanning.deny_list.deny_list_of": "Internal names, other accounts' names and denied terms, less public names.",
}
_REGISTRIES: Final[Mapping[str, Iterable[Callable[..., Any]]]] = {
    "hold": HOLD_GUARDS,
    "review": REVIEW_GUARDS,
    "absence": ABSENCE_GUARDS,
    "drop": DROP_GUARDS,
    "release": RELEASE_RULES,
    "profile": JUDGES,
}


def _guard(kind: str, function: Callable[..., Any]) -> Guard:
    where = f"{function.__module__.partition('.')[2]}.{function.__qualname__}"
    return Guard(kind, where, (function.__doc__ or "").partition("\n")[0])


GUARDS: Final = (
    *(_guard(kind, one) for kind, functions in _REGISTRIES.items() for one in functions),
    *(Guard("filter", where, does) for where, does in FILTERS.items()),
    *(Guard("deny", where, does) for where, does in DENIALS.items()),
)
