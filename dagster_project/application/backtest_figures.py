"""Backtest figures: what a rehearsal of each incident predicts, and the sums over all of them.

Belongs here: the typed predictions and the report, and counting. Values of fields, names and texts are no part of
either: leaves are spoken of by pointer class, where `*` stands for every name and code.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final

from dagster_project.packaging.fields import pointer_tokens

# Maps whose members are named by the profile, by a code or by a slot.
_KEYED: Final = frozenset(
    {"affected_capabilities", "not_affected", "workarounds", "timeline", "statements", "held", "names"}
)
_KEYED_WITHIN: Final = frozenset({"regions", "parameters"})


@dataclass(frozen=True, kw_only=True)
class PredictedVersion:
    """One version that would arise. `approved` are the changes that people approved for it.

    `decisions` counts by role the decisions that it is the first to rest on.
    """

    incident: str
    bridge: str
    version: int
    kind: str
    issued_at: datetime
    stale_after: datetime
    content_digest: str
    approved: int
    decisions: Mapping[str, int]


@dataclass(frozen=True, order=True)
class FailedCheck:
    """Why pages did not pass their release check: rule, code and pointer class (empty where no leaf is named)."""

    rule: str
    code: str
    pointer_class: str


@dataclass(frozen=True)
class IncidentPrediction:
    """What is predicted of one incident.

    `places` are its bridges; `failed` counts refreshes by why they failed; `differing` counts leaves by pointer class
    and by how they differ from the profile that is compared with (`gained`, `lost`, `changed`).
    """

    incident: str
    last_post: datetime | None
    moments: int
    places: tuple[str, ...]
    refreshes: int
    contents: int
    versions: tuple[PredictedVersion, ...]
    answered: Mapping[str, int]
    source_was_asked: bool
    refreshes_failed: int
    failed: Mapping[FailedCheck, int]
    differing: Mapping[tuple[str, str], int]
    rejected: Mapping[str, int]


@dataclass(frozen=True)
class Spread:
    """Numbers, one per release: how many there are, their median, the most, and their sum."""

    releases: int
    median: float
    most: int
    total: int


@dataclass(frozen=True)
class StaleInterval:
    """One time in which a bridge's current page would be too old."""

    incident: str
    bridge: str
    version: int
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class FieldDifference:
    """How many leaves of a pointer class differ: shown only under the new profile, only under the other, otherwise."""

    pointer_class: str
    gained: int
    lost: int
    changed: int


@dataclass(frozen=True)
class FailedChecks:
    """How many refreshes, of how many incidents, failed for one reason."""

    rule: str
    code: str
    pointer_class: str
    refreshes: int
    incidents: int


@dataclass(frozen=True)
class BacktestReport:
    """What replaying history under a profile and its review policy predicts.

    `against` are the digests of the profiles that are compared with, by bridge (empty: every bridge). `never_told`
    are bridges that no version would have reached, `without_bridge` incidents that no contract opens a bridge for.
    """

    profile: str
    profile_digest: str
    against: Mapping[str, str]
    incidents: int
    moments: int
    bridges: int
    without_bridge: int
    never_told: int
    refreshes: int
    contents: int
    versions: Mapping[str, int]
    by_policy_alone: int
    changes: Spread
    changes_where_asked: Spread
    decisions: Mapping[str, Spread]
    reminders_answered: Mapping[str, int]
    sources_asked: int
    stale: tuple[StaleInterval, ...]
    fields: tuple[FieldDifference, ...]
    refreshes_failed: int
    failed: tuple[FailedChecks, ...]
    rejected: Mapping[str, int]


def pointer_class(pointer: str) -> str:
    """Return a leaf's pointer with `*` for every name, code and slot in it."""
    tokens = pointer_tokens(pointer)
    if len(tokens) > 1 and tokens[0] in _KEYED:
        tokens[1] = "*"
    classes = ["*" if before in _KEYED_WITHIN else one for before, one in pairwise(["", *tokens])]
    return "/" + "/".join(classes)


def spread_of(numbers: Sequence[int]) -> Spread:
    """Return the spread of numbers; of none, zeros."""
    if not numbers:
        return Spread(0, 0, 0, 0)
    return Spread(len(numbers), median(numbers), max(numbers), sum(numbers))


def times_too_old(told: Sequence[tuple[datetime, datetime]], end: datetime) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield when a bridge's current page is too old: the place of the version, and from when to when.

    Args:
        told: When each version was issued, and after when it is too old, in order.
        end: Until when the bridge is followed.
    """
    for place, ((_, stale_after), (following, _)) in enumerate(pairwise(told)):
        if stale_after < min(following, end):
            yield place, stale_after, min(following, end)
    if told and told[-1][1] < end:
        yield len(told) - 1, told[-1][1], end


def report_of(
    predictions: Sequence[IncidentPrediction],
    *,
    profile: tuple[str, str],
    against: Mapping[str, str],
    roles: Iterable[str],
    rejected_of_all: Mapping[str, int],
) -> BacktestReport:
    """Add up the predictions of all incidents.

    Args:
        predictions: One per incident.
        profile: Name and digest of the profile.
        against: Digests of the profiles compared with, by bridge.
        roles: Every role that somebody holds.
        rejected_of_all: What is rejected of the records that each incident was given, by reason code.
    """
    versions = [one for each in predictions for one in each.versions]
    releases = [one for one in versions if one.kind == "release"]
    asked = [one.approved for one in releases if one.approved]
    return BacktestReport(
        profile=profile[0],
        profile_digest=profile[1],
        against=dict(against),
        incidents=len(predictions),
        moments=_total(predictions, lambda one: one.moments),
        bridges=_total(predictions, lambda one: len(one.places)),
        without_bridge=sum(1 for one in predictions if not one.places),
        never_told=sum(
            1 for one in predictions for place in one.places if place not in {v.bridge for v in one.versions}
        ),
        refreshes=_total(predictions, lambda one: one.refreshes),
        contents=_total(predictions, lambda one: one.contents),
        versions=dict(sorted(Counter(one.kind for one in versions).items())),
        by_policy_alone=len(releases) - len(asked),
        changes=spread_of([one.approved for one in releases]),
        changes_where_asked=spread_of(asked),
        decisions={role: spread_of([one.decisions.get(role, 0) for one in releases]) for role in sorted({*roles})},
        reminders_answered=_added(one.answered for one in predictions),
        sources_asked=sum(one.source_was_asked for one in predictions),
        stale=tuple(interval for one in predictions for interval in _stale(one)),
        fields=_differences(predictions),
        refreshes_failed=_total(predictions, lambda one: one.refreshes_failed),
        failed=_failed(predictions),
        rejected=_added([rejected_of_all, *(Counter(one.rejected) - Counter(rejected_of_all) for one in predictions)]),
    )


def _total(predictions: Iterable[IncidentPrediction], number: Callable[[IncidentPrediction], int]) -> int:
    return sum(map(number, predictions))


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for one in counts:
        added.update(one)
    return dict(sorted(added.items()))


def _stale(prediction: IncidentPrediction) -> Iterator[StaleInterval]:
    for bridge in prediction.places:
        own = [one for one in prediction.versions if one.bridge == bridge]
        told = [(one.issued_at, one.stale_after) for one in own]
        if prediction.last_post is not None:
            for place, begin, end in times_too_old(told, prediction.last_post):
                yield StaleInterval(prediction.incident, bridge, own[place].version, begin, end)


def _differences(predictions: Iterable[IncidentPrediction]) -> tuple[FieldDifference, ...]:
    added: Counter[tuple[str, str]] = Counter()
    for one in predictions:
        added.update(one.differing)
    return tuple(
        FieldDifference(name, *(added[name, how] for how in ("gained", "lost", "changed")))
        for name in sorted({name for name, _how in added})
    )


def _failed(predictions: Iterable[IncidentPrediction]) -> tuple[FailedChecks, ...]:
    refreshes: Counter[FailedCheck] = Counter()
    incidents: Counter[FailedCheck] = Counter()
    for one in predictions:
        refreshes.update(one.failed)
        incidents.update(one.failed.keys())
    return tuple(
        FailedChecks(why.rule, why.code, why.pointer_class, refreshes[why], incidents[why]) for why in sorted(refreshes)
    )
