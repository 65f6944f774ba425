"""Rules about profiles: who must approve one, and when a profile is stricter than the one it replaces (rule R3)."""

from collections.abc import Mapping
from typing import Any, Final

from dagster_project.packaging.profile import Profile, Rule, profile_document, winning_rules
from dagster_project.review.coverage import filled_roles

PROFILE_ROLES: Final = frozenset({"incident_command", "support_leadership", "security", "legal"})
# What may differ where nothing but what rules do with source fields became stricter.
_OWN: Final = ("name", "rules")


def missing_profile_roles(approving: Mapping[str, frozenset[str]], *, stricter: bool) -> tuple[str, ...]:
    """Return the roles whose approval a profile lacks, each to be given by another person.

    Args:
        approving: The roles of everyone who approved it, by person.
        stricter: It only takes back: then one approval puts it in force, as a hold.
    """
    if stricter and any(approving.values()):
        return ()
    filled = filled_roles(sorted(PROFILE_ROLES), approving)
    return tuple(sorted(PROFILE_ROLES - filled))


def is_stricter(before: Profile, after: Profile) -> bool:
    """Tell whether a profile only shows less: every source field is treated as strictly or more, all else is equal."""
    left, right = _without_rules(before), _without_rules(after)
    if left != right or before == after:
        return False
    was, now = winning_rules(before), winning_rules(after)
    if was.keys() != now.keys():
        return False
    return all(now[name].action.rank >= was[name].action.rank and _same_place(was[name], now[name]) for name in was)


def _same_place(was: Rule, now: Rule) -> bool:
    """Tell whether a rule that still renders does it in the same way."""
    same = (was.slot, was.template, was.trusted) == (now.slot, now.template, now.trusted)
    return same if was.action is now.action else not now.trusted


def _without_rules(profile: Profile) -> dict[str, Any]:
    return {key: value for key, value in profile_document(profile).items() if key not in _OWN}
