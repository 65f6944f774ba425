"""Permitted facts: what a bridge is entitled to have shown, and what becomes of each when it is changed alone.

A permitted fact is a value of the snapshot's latest record versions whose field the profile renders, that is labelled
for customers, concerns the bridge, and belongs to a field class that the bridge's contract permits. Each is exchanged
for every other value that its vocabulary knows. It counts as

- shown, if any of these changes the content (or takes the bridge away);
- on hold, if a leaf that reads it is visibly on hold, or a part of the package is because of its record;
- dominated, if one of the named rules in `DOMINATED` says why this fact decides nothing at present. The rules read
  records, never content.

Anything else is a silent omission.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dagster_project.clock import format_instant, parse_instant
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.profile import Action, Profile
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.sources.record import Classification, Record, reference_to
from dagster_project.sources.source_fields import field_classification, present_fields
from tests.support.histories import History, changed, heads

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
_FIRST_TRIED: Final = 8
_LONG, _SOON = timedelta(days=400), timedelta(minutes=65)


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
    def profile(self) -> Profile:
        return self.context.profile

    def capability(self, record: Record) -> str | None:
        """Return what a customer would call the component of a health record, or None where nobody mapped it."""
        return self.context.tables.capability_by_component.get(record.data["component"])

    def bucket(self, record: Record) -> str | None:
        return self.context.tables.bucket_by_region.get(record.data["region"])

    def status(self, record: Record) -> str:
        return self.profile.status_codes.get(record.data["state"], "")

    def stands_where(self, other: Record) -> bool:
        """Tell whether a page would state this health record and another of its capability in one place."""
        permitted = {name for one in self.context.bridge.contracts for name in one.data["permitted_fields"]}
        return self.bucket(other) == self.bucket(self.record) or "region_status" not in permitted

    @property
    def siblings(self) -> list[Record]:
        """The latest health records of the same capability, this one included."""
        own = self.capability(self.record)
        return [one for one in heads(self.history, "service-health") if self.capability(one) == own]

    def replaced(self, value: object) -> History:
        """Return the history with another value in the place of this one."""
        return self.history.replacing((self.record, changed(self.record, self.pointer, value)))


def alternatives(fact: Fact) -> tuple[object, ...]:
    """Return what the fact could say instead, in the words of its profile; its own value may be among them."""
    profile, at = fact.profile, fact.history.at
    past, ahead = format_instant(at - _LONG), format_instant(at + _LONG)
    early, late = format_instant(at - timedelta(days=60)), format_instant(at + _SOON)
    components = tuple(name for one in profile.capabilities.values() for name in one.components)
    capabilities = sorted(profile.capabilities)
    words: dict[str, tuple[object, ...]] = {
        "incident#/severity": tuple(profile.severities),
        "incident#/state": tuple(profile.incident_states),
        "incident#/cause_confirmed": (True, False),
        "incident#/monitoring_until": (early, late),
        "incident#/data_integrity": ("no_loss", "loss", "under_review"),
        "service-health#/component": components,
        "service-health#/region": tuple(name for one in profile.region_buckets.values() for name in one.regions),
        "service-health#/state": tuple(profile.status_codes),
        "service-health#/since": (early, late),
        "workaround#/readiness": tuple(profile.readiness_codes),
        "workaround#/verified": (True, False),
        "workaround#/applies_to": (*([one] for one in components), [*components[:1], *components[3:4]]),
        "workaround#/reference": ("KB-9001",),
        "bridge-timeline#/checkpoint": tuple(profile.checkpoint_kinds),
        "bridge-timeline#/at": (early, late),
        "contract#/account": ("NOBODY",),
        "contract#/bridges": ({"elsewhere": {"incidents": ["*"]}},),
        "contract#/permitted_fields": ([], ["severity"], [*CLASSES]),
        "contract#/required_fields": ([], [*CLASSES]),
        "contract#/committed_cadence_minutes": (45, 50),
        "contract#/valid_from": (past, ahead),
        "contract#/valid_until": (past, ahead),
        "entitlement#/account": ("NOBODY",),
        "entitlement#/capabilities": tuple([one] for one in capabilities),
        "entitlement#/valid_from": (past, ahead),
        "entitlement#/valid_until": (past, ahead),
    }
    return words[fact.source_field]


def concerns(context: RenderingContext, record: Record) -> bool:
    data = record.data
    capability = context.tables.capability_by_component
    if record.type in {"contract", "entitlement"}:
        return bool(data["account"] == context.bridge.account)
    if record.type == "service-health":
        return capability.get(data["component"]) in context.entitled
    if record.type == "workaround":
        return any(capability.get(one) in context.entitled for one in data["applies_to"])
    return True


def facts(history: History, tables: ProfileTables | None = None) -> Iterator[Fact]:
    """Yield every permitted fact of every bridge; `tables` as `History.contexts` takes them."""
    for bridge, context in history.contexts(tables).items():
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
    return fact.profile.incident_states.get(fact.record.data["state"], "unknown")


def conditions_a_claim_that_is_not_made(fact: Fact) -> bool:
    """A confirmed cause decides on `identified` only; the monitoring period and data integrity on `resolved` only."""
    claim = {"incident#/cause_confirmed": "identified"}.get(fact.source_field, "resolved")
    return fact.source_field in _CONDITIONS and _mapped_state(fact) != claim


def conditions_a_claim_that_fails_another_condition(fact: Fact) -> bool:
    """While another condition of `resolved` fails, a condition of it cannot make an incident resolved."""
    if fact.source_field not in _CONDITIONS[1:] or _mapped_state(fact) != "resolved":
        return False
    data = fact.record.data
    met = {
        "incident#/monitoring_until": parse_instant(data.get("monitoring_until", _NEVER)) <= fact.history.at,
        "incident#/data_integrity": data.get("data_integrity") in {"no_loss", "loss", "under_review"},
        "incident#/resolution_confirmed_by": "resolution_confirmed_by" in data,
    }
    return not all(holds for name, holds in met.items() if name != fact.source_field)


_CONDITIONS: Final = ("incident#/cause_confirmed", "incident#/monitoring_until", "incident#/data_integrity")
_NEVER: Final = "9999-01-01T00:00:00Z"


def as_bad_elsewhere_in_the_same_bucket(fact: Fact) -> bool:
    """A state is hidden by the worst there is, of the same capability in the same bucket, or where none is told."""
    if fact.source_field not in {"service-health#/state", "service-health#/since"}:
        return False
    return any(
        fact.status(one) == "major_outage" and fact.stands_where(one) for one in fact.siblings if one is not fact.record
    )


def as_bad_elsewhere_in_every_bucket(fact: Fact) -> bool:
    """Where a part stands decides nothing if every region bucket has another part that is as bad or on hold."""
    if fact.source_field != "service-health#/region":
        return False
    own = badness(fact.status(fact.record))
    others = [one for one in fact.siblings if one is not fact.record]
    covered = {
        fact.bucket(one)
        for one in others
        if one.data["state"] not in fact.profile.status_codes or badness(fact.status(one)) >= own
    }
    return covered >= set(fact.profile.region_buckets)


def begins_neither_first_nor_last(fact: Fact) -> bool:
    """One instant is shown per capability: that of the worst part; another part's is not."""
    if fact.source_field != "service-health#/since":
        return False
    worst = max((fact.status(one) for one in fact.siblings), key=badness)
    return badness(fact.status(fact.record)) < badness(worst)


def belongs_to_what_was_never_affected(fact: Fact) -> bool:
    """Of an unaffected capability the package says that it is unaffected: neither where nor since when."""
    if fact.source_field not in {"service-health#/since", "service-health#/region"}:
        return False
    identities = {one.identity for one in fact.siblings}
    known = [one for one in fact.history.snapshot.earlier if one.identity in identities]
    return all(fact.status(one) == "operational" for one in (*fact.siblings, *known))


def belongs_to_a_workaround_not_said_to_be_ready(fact: Fact) -> bool:
    """Verification and article count once the tracker says `ready` and, for the article, that it is verified."""
    data, codes = fact.record.data, fact.profile.readiness_codes
    if fact.source_field == "workaround#/verified":
        return codes.get(data["readiness"]) != "available_verified"
    ready = fact.record.type == "workaround" and codes.get(data["readiness"]) == "available_verified"
    return fact.source_field == "workaround#/reference" and not (ready and data["verified"])


def requires_what_is_there(fact: Fact) -> bool:
    """A required field class shows only where it is missing."""
    return fact.source_field == "contract#/required_fields"


def badness(status: str) -> int:
    """Return how bad a status is, from 0; -1 of what is no status of a capability."""
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


@dataclass(frozen=True)
class Shown:
    """What a bridge is shown: the package, and its content as bytes."""

    rendering: Rendering
    content: bytes


def packages_of(history: History, tables: ProfileTables | None = None) -> dict[str, Shown]:
    """Render every bridge."""
    made = {name: render(context) for name, context in history.contexts(tables).items()}
    return {name: Shown(one, canonical_bytes(one.content)) for name, one in made.items()}


def content_with(fact: Fact, value: object) -> bytes | None:
    """Return the content that a bridge has with another value of the fact; None where it has none any more."""
    contexts = fact.replaced(value).contexts(fact.context.tables)
    return canonical_bytes(render(contexts[fact.bridge]).content) if fact.bridge in contexts else None


def is_shown(fact: Fact, before: bytes) -> bool:
    own = fact.record.data[fact.pointer[1:]]
    others = [one for one in alternatives(fact) if one != own]
    # Those spread over a long list first: what is looked for is one that shows.
    apart = max(1, len(others) // _FIRST_TRIED)
    in_turn = [one for begin in range(apart) for one in others[begin::apart]]
    return any(content_with(fact, one) != before for one in in_turn)


def is_on_hold(fact: Fact, rendering: Rendering) -> bool:
    reference = reference_to(fact.record)
    cited = any(
        one.reference == reference and one.source_field == fact.source_field
        for field in rendering.held
        for one in field.draft.inputs
    )
    return cited or any(reference in absence.evidence for absence in rendering.absences)


def judge(fact: Fact, package: Shown) -> str:
    """Return what becomes of a fact: ``shown``, ``on hold``, the name of a rule of `DOMINATED`, or ``SILENT``."""
    if is_shown(fact, package.content):
        return "shown"
    if is_on_hold(fact, package.rendering):
        return "on hold"
    return next((rule.__name__ for rule in DOMINATED if rule(fact)), "SILENT")
