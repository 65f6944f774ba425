"""The difference of two profiles, in words: what was added, removed and changed, and what becomes stricter or looser.

Belongs here: comparing two profiles part by part. Which is stricter is said by `profile_rules`; what a difference does
to pages is found by rendering them (`application.profile_effect`).
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Final

import msgspec

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.profile import Profile, winning_rules
from dagster_project.packaging.review_policy import ReviewPolicy
from dagster_project.review.profile_rules import is_stricter

_SCALARS: Final = ("name", "channel", "label", "expires")
_MAPS: Final = (
    "freshness_minutes", "capabilities", "region_buckets", "status_codes", "incident_states", "severities",
    "readiness_codes", "checkpoint_kinds", "slots", "templates",
)  # fmt: skip
_POLICY_MAPS: Final = ("requirements", "orders", "listed_worsenings")
_POLICY_SCALARS: Final = ("standing", "reaffirmations", "reaffirm_before_minutes", "fast_acknowledgement")
# A profile's lists of names hold internal ones; only how many there are is said.
_UNSAID: Final = ("approved_public_names", "denied_terms")


class Verdict(StrEnum):
    """How a profile stands to the one before: only a stricter one is put in force by one approval (rule R3)."""

    SAME = "same"
    STRICTER = "stricter"
    LOOSER = "looser"
    OTHER = "neither"


class Difference(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One difference: in which part, of what, and what it reads before and after (empty where it is not there).

    `direction` is ``stricter`` or ``looser`` where the action over a source field changed, else empty.
    """

    part: str
    where: str
    kind: str
    old: str
    new: str
    direction: str = ""


def verdict_on(old: Profile, new: Profile) -> Verdict:
    """Say whether a profile is only stricter, only looser, the same, or neither."""
    if old == new:
        return Verdict.SAME
    if is_stricter(old, new):
        return Verdict.STRICTER
    return Verdict.LOOSER if is_stricter(new, old) else Verdict.OTHER


def differences_of(old: Profile, new: Profile) -> tuple[Difference, ...]:
    """Return every difference between two profiles, by part and place."""
    found = chain(_scalars(old, new), _maps(old, new), _rules(old, new), _lexicons(old, new), _policy(old, new))
    return tuple(sorted(found))


def _scalars(old: Profile, new: Profile) -> Iterator[Difference]:
    yield from _compared("profile", *({name: getattr(one, name) for name in _SCALARS} for one in (old, new)))


def _maps(old: Profile, new: Profile) -> Iterator[Difference]:
    for part in _MAPS:
        yield from _compared(part, getattr(old, part), getattr(new, part))


def _rules(old: Profile, new: Profile) -> Iterator[Difference]:
    """Compare rules by id, and what becomes of each source field: a field may move between rules and fare as before."""
    yield from _compared("rules", {one.id: one for one in old.rules}, {one.id: one for one in new.rules})
    was, now = winning_rules(old), winning_rules(new)
    for source_field in was.keys() & now.keys():
        before, after = was[source_field].action, now[source_field].action
        if before is not after:
            yield Difference(
                part="source_fields",
                where=source_field,
                kind="changed",
                old=before,
                new=after,
                direction=(Verdict.STRICTER if after.rank > before.rank else Verdict.LOOSER).value,
            )


def _lexicons(old: Profile, new: Profile) -> Iterator[Difference]:
    for name in _UNSAID:
        before, after = ({*_items(getattr(one.lexicons, name))} for one in (old, new))
        for kind, count in (("added", len(after - before)), ("removed", len(before - after))):
            if count:
                says = f"{count} of {len(after if kind == 'added' else before)}"
                yield Difference(
                    part="lexicons",
                    where=name,
                    kind=kind,
                    old=says if kind == "removed" else "",
                    new=says if kind == "added" else "",
                )


def _items(names: Mapping[str, str] | tuple[str, ...]) -> Iterator[object]:
    yield from names.items() if isinstance(names, Mapping) else names


def _policy(old: Profile, new: Profile) -> Iterator[Difference]:
    was, now = old.review_policy, new.review_policy
    for name in _POLICY_MAPS:
        yield from _compared(f"review_policy/{name}", getattr(was, name), getattr(now, name))
    scalars = ({name: getattr(one, name) for name in _POLICY_SCALARS} for one in (was, now))
    yield from _compared("review_policy", *scalars)
    before, after = (_rows(one) for one in (was, now))
    yield from _compared("review_policy/materiality", before, after)
    # The first row that fits decides, so their order is part of what they say.
    if before.keys() == after.keys() and [*before] != [*after]:
        ordered = {"old": _text([*before]), "new": _text([*after])}
        yield Difference(part="review_policy", where="materiality", kind="changed", **ordered)


def _rows(policy: ReviewPolicy) -> dict[str, object]:
    found: dict[str, object] = {}
    for row in policy.materiality:
        found.setdefault(f"{row.field_class}: {row.old} to {row.new}", row.material)
    return found


def _compared(part: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Difference]:
    for where in old.keys() | new.keys():
        kind = "added" if where not in old else "removed" if where not in new else "changed"
        before, after = _told_apart(document_of(old.get(where)), document_of(new.get(where)))
        if before != after:
            yield Difference(part=part, where=where, kind=kind, old=_text(before), new=_text(after))


def _told_apart(before: object, after: object) -> tuple[object, object]:
    """Return two values, of records with members only those in which they differ."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return before, after
    other = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in other}, {name: after.get(name) for name in other}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical_bytes(value).decode()
