"""Invariant I1': every permitted fact, changed alone, changes the package or shows a hold. Nothing is silent.

A permitted fact is a value of the snapshot's latest record versions whose field the profile renders, that is labelled
for customers, concerns the bridge, and belongs to a field class that the bridge's contract permits. Each is exchanged
for every other value that its vocabulary knows. It counts as

- shown, if any of these changes the content (or takes the bridge away);
- on hold, if a leaf that reads it is visibly on hold;
- dominated, if one of the named rules in `DOMINATED` says why this fact decides nothing at present. The rules read
  records, never content, and each must be needed for at least one fact of the scenario.

Anything else is a silent omission and fails. Both shares are printed: with and without dominated facts.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dagster_project.clock import parse_instant
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging import rendering
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field
from dagster_project.packaging.profile import Action
from dagster_project.packaging.rendering import render
from dagster_project.sources.record import Classification, Record, reference_to
from dagster_project.sources.source_fields import field_classification, present_fields
from tests.support.histories import FULL, History, changed, heads, shipped_profile, story

CLASSES = (
    "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
    "template_parameter",
)  # fmt: skip
CLASS_OF = {
    "incident#/severity": "severity",
    "incident#/state": "incident_status",
    "incident#/cause_confirmed": "incident_status",
    "incident#/monitoring_until": "incident_status",
    "incident#/data_integrity": "template_parameter",
    "service-health#/component": "capability_status",
    "service-health#/region": "region_status",
    "service-health#/state": "capability_status",
    "service-health#/since": "capability_status",
    "workaround#/readiness": "workaround_readiness",
    "workaround#/verified": "workaround_readiness",
    "workaround#/applies_to": "workaround_readiness",
    "workaround#/reference": "template_parameter",
    "bridge-timeline#/checkpoint": "checkpoint",
    "bridge-timeline#/at": "checkpoint",
    "contract#/committed_cadence_minutes": "template_parameter",
}
EARLY, LATE, GONE, AHEAD = (
    "2026-01-01T00:00:00Z",
    "2026-03-04T11:30:00Z",
    "2026-02-01T00:00:00Z",
    "2027-06-01T00:00:00Z",
)
PROFILE = shipped_profile()
CAPABILITY = {name: key for key, one in PROFILE.capabilities.items() for name in one.components}
BUCKET = {name: key for key, one in PROFILE.region_buckets.items() for name in one.regions}
ALTERNATIVES: dict[str, tuple[object, ...]] = {
    "incident#/severity": tuple(PROFILE.severities),
    "incident#/state": tuple(PROFILE.incident_states),
    "incident#/cause_confirmed": (True, False),
    "incident#/monitoring_until": (EARLY, LATE),
    "incident#/data_integrity": ("no_loss", "loss", "under_review"),
    "service-health#/component": tuple(CAPABILITY),
    "service-health#/region": tuple(BUCKET),
    "service-health#/state": tuple(PROFILE.status_codes),
    "service-health#/since": (EARLY, LATE),
    "workaround#/readiness": tuple(PROFILE.readiness_codes),
    "workaround#/verified": (True, False),
    "workaround#/applies_to": (["report-builder"], ["console-web"], ["mx-relay", "inbox-api"], ["mx-relay"]),
    "workaround#/reference": ("KB-9001",),
    "bridge-timeline#/checkpoint": tuple(PROFILE.checkpoint_kinds),
    "bridge-timeline#/at": (EARLY, LATE),
    "contract#/account": ("QUAYSIDE",),
    "contract#/bridges": ({"quayside": {"incidents": ["*"]}},),
    "contract#/permitted_fields": ([], ["severity"]),
    "contract#/required_fields": ([], [*CLASSES]),
    "contract#/committed_cadence_minutes": (45,),
    "contract#/valid_from": (AHEAD,),
    "contract#/valid_until": (GONE,),
    "entitlement#/account": ("QUAYSIDE",),
    "entitlement#/capabilities": (["inbox-api"], ["reporting"]),
    "entitlement#/valid_from": (AHEAD,),
    "entitlement#/valid_until": (GONE,),
}


@dataclass(frozen=True)
class Fact:
    """One permitted value on one bridge at one step."""

    history: History
    bridge: str
    context: RenderingContext
    record: Record
    pointer: str

    @property
    def source_field(self) -> str:
        return f"{self.record.type}#{self.pointer}"

    @property
    def siblings(self) -> list[Record]:
        """The latest health records of the same capability, this one included."""
        own = CAPABILITY[self.record.data["component"]]
        return [one for one in heads(self.history, "service-health") if CAPABILITY.get(one.data["component"]) == own]


def concerns(context: RenderingContext, record: Record) -> bool:
    data = record.data
    if record.type in {"contract", "entitlement"}:
        return bool(data["account"] == context.bridge.account)
    if record.type == "service-health":
        return CAPABILITY.get(data["component"]) in context.entitled
    if record.type == "workaround":
        return any(CAPABILITY.get(one) in context.entitled for one in data["applies_to"])
    return True


def facts(history: History) -> Iterator[Fact]:
    for bridge, context in history.contexts().items():
        permitted = {name for one in context.bridge.contracts for name in one.data["permitted_fields"]} | {None}
        for record in history.snapshot.heads:
            for pointer, _value in present_fields(record) if concerns(context, record) else ():
                source_field = f"{record.type}#{pointer}"
                rule = context.tables.rules[source_field]
                label = field_classification(record, pointer)
                if rule.action is not Action.RENDER or label is not Classification.CUSTOMER:
                    continue
                if CLASS_OF.get(source_field) in permitted:
                    yield Fact(history, bridge, context, record, pointer)


# ---- why a fact may decide nothing at present ------------------------------------------------------------------


def _mapped_state(fact: Fact) -> str:
    return PROFILE.incident_states.get(fact.record.data["state"], "unknown")


def conditions_a_claim_that_is_not_made(fact: Fact) -> bool:
    """A confirmed cause decides on `identified` only; the monitoring period and data integrity on `resolved` only."""
    claim = {"incident#/cause_confirmed": "identified"}.get(fact.source_field, "resolved")
    return fact.source_field in _CONDITIONS and _mapped_state(fact) != claim


def conditions_a_claim_that_fails_another_condition(fact: Fact) -> bool:
    """While the monitoring period runs, what is known of data integrity cannot make an incident resolved."""
    if fact.source_field != "incident#/data_integrity" or _mapped_state(fact) != "resolved":
        return False
    return bool(parse_instant(fact.record.data["monitoring_until"]) > fact.history.at)


_CONDITIONS = ("incident#/cause_confirmed", "incident#/monitoring_until", "incident#/data_integrity")


def as_bad_elsewhere_in_the_same_bucket(fact: Fact) -> bool:
    """A state is hidden by the worst there is, in the same capability and region bucket, since as early."""
    if fact.source_field not in {"service-health#/state", "service-health#/since"}:
        return False
    return any(
        PROFILE.status_codes.get(one.data["state"]) == "major_outage"
        and BUCKET.get(one.data["region"]) == BUCKET.get(fact.record.data["region"])
        for one in fact.siblings
        if one is not fact.record
    )


def as_bad_elsewhere_in_every_bucket(fact: Fact) -> bool:
    """Where a part stands decides nothing if every region bucket has another part that is as bad or on hold."""
    if fact.source_field != "service-health#/region":
        return False
    own = _badness(PROFILE.status_codes.get(fact.record.data["state"], ""))
    others = [one for one in fact.siblings if one is not fact.record]
    covered = {
        BUCKET.get(one.data["region"])
        for one in others
        if one.data["state"] not in PROFILE.status_codes or _badness(PROFILE.status_codes[one.data["state"]]) >= own
    }
    return covered >= set(PROFILE.region_buckets)


def begins_neither_first_nor_last(fact: Fact) -> bool:
    """One instant is shown per capability: that of the worst part; another part's is not."""
    if fact.source_field != "service-health#/since":
        return False
    codes = [PROFILE.status_codes.get(one.data["state"], "") for one in fact.siblings]
    worst = max(codes, key=_badness)
    return _badness(PROFILE.status_codes.get(fact.record.data["state"], "")) < _badness(worst)


def belongs_to_what_was_never_affected(fact: Fact) -> bool:
    """Of an unaffected capability the package says that it is unaffected: neither where nor since when."""
    if fact.source_field not in {"service-health#/since", "service-health#/region"}:
        return False
    identities = {one.identity for one in fact.siblings}
    known = [one for one in fact.history.snapshot.earlier if one.identity in identities]
    return all(PROFILE.status_codes.get(one.data["state"]) == "operational" for one in (*fact.siblings, *known))


def belongs_to_a_workaround_not_said_to_be_ready(fact: Fact) -> bool:
    """Verification and article count once the tracker says `ready` and, for the article, that it is verified."""
    data = fact.record.data
    if fact.source_field == "workaround#/verified":
        return PROFILE.readiness_codes.get(data["readiness"]) != "available_verified"
    ready = fact.record.type == "workaround" and PROFILE.readiness_codes.get(data["readiness"]) == "available_verified"
    return fact.source_field == "workaround#/reference" and not (ready and data["verified"])


def requires_what_is_there(fact: Fact) -> bool:
    """A required field class shows only where it is missing."""
    return fact.source_field == "contract#/required_fields"


def _badness(status: str) -> int:
    chain = ("operational", "maintenance", "degraded", "partial_outage", "major_outage")
    return chain.index(status) if status in chain else -1


DOMINATED: tuple[Callable[[Fact], bool], ...] = (
    conditions_a_claim_that_is_not_made,
    conditions_a_claim_that_fails_another_condition,
    as_bad_elsewhere_in_the_same_bucket,
    as_bad_elsewhere_in_every_bucket,
    begins_neither_first_nor_last,
    belongs_to_what_was_never_affected,
    belongs_to_a_workaround_not_said_to_be_ready,
    requires_what_is_there,
)


# ---- judging ---------------------------------------------------------------------------------------------------


def is_shown(fact: Fact, before: bytes) -> bool:
    value = fact.record.data[fact.pointer[1:]]
    for other in ALTERNATIVES[fact.source_field]:
        if other == value:
            continue
        contexts = fact.history.replacing((fact.record, changed(fact.record, fact.pointer, other))).contexts()
        if fact.bridge not in contexts or canonical_bytes(render(contexts[fact.bridge]).content) != before:
            return True
    return False


def is_on_hold(fact: Fact, fields: tuple[Field, ...]) -> bool:
    reference = reference_to(fact.record)
    return any(
        one.reference == reference and one.source_field == fact.source_field
        for field in fields
        if field.hold is not None
        for one in field.draft.inputs
    )


def judge(fact: Fact, before: bytes, fields: tuple[Field, ...]) -> str:
    if is_shown(fact, before):
        return "shown"
    if is_on_hold(fact, fields):
        return "on hold"
    return next((rule.__name__ for rule in DOMINATED if rule(fact)), "SILENT")


def judgements(histories: tuple[History, ...]) -> Iterator[tuple[Fact, str]]:
    for history in histories:
        packages = {name: render(context) for name, context in history.contexts().items()}
        contents = {name: canonical_bytes(one.content) for name, one in packages.items()}
        for fact in facts(history):
            yield fact, judge(fact, contents[fact.bridge], packages[fact.bridge].fields)


def test_every_permitted_fact_is_shown_or_on_hold_or_dominated_by_a_named_rule(
    announce: Callable[[str], None],
) -> None:
    histories = story() if FULL else (*story()[:8:2], *story()[8:22:3], *story()[22:])
    judged = list(judgements(histories))
    counts = Counter(verdict for _fact, verdict in judged)
    dominated = sum(counts[rule.__name__] for rule in DOMINATED)
    visible = counts["shown"] + counts["on hold"]
    rows = [f"{verdict:56}{times:6}" for verdict, times in counts.most_common()]
    share = visible / (len(judged) - dominated)
    shares = f"shown or on hold {visible / len(judged):.1%}; of what is not dominated {share:.1%}"
    announce("\n".join(["", f"I1', {len(judged)} permitted facts", *rows, shares, ""]))
    silent = [
        f"{fact.history.at} {fact.bridge} {fact.record.recordid} {fact.source_field}"
        for fact, verdict in judged
        if verdict == "SILENT"
    ]
    assert silent == []
    assert share >= 0.95
    assert visible / len(judged) >= 0.85
    assert {rule.__name__ for rule in DOMINATED} <= set(counts), "a rule that explains nothing must go"


def test_a_field_that_is_dropped_without_a_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: the renderer forgets the timeline, or a region; the property names the facts that this hides."""
    for forgotten in ("/timeline/", "/severity_code", "/since"):
        monkeypatch.setattr(
            rendering, "DROP_GUARDS", (lambda _context, field, place=forgotten: place in field.pointer,)
        )
        assert "SILENT" in {verdict for _fact, verdict in judgements((story()[6],))}
