"""What cannot be decided: facts made so that nobody can say what is true, each with the place where a hold must show.

Unknown words, names that nobody mapped, lapsed rights, lines that must be refused, copies in conflict, steps that stay
inside, texts that no page may hold. Where the hold must show is written down here and not asked of the product.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

import msgspec

from dagster_project.clock import format_instant
from dagster_project.sources.admission import record_bytes
from dagster_project.sources.record import Classification, Record
from tests.harness.bases import Base, refused
from tests.harness.scenarios import GLOBAL
from tests.support.agreement import PROGRESS
from tests.support.histories import History, changed, heads, make_record
from tests.support.mutations import add_inside_step


@dataclass(frozen=True)
class Undecidable:
    """A mutant in which something cannot be decided, and the pointer that a slot of the bridge must then list."""

    name: str
    history: History
    bridge: str
    pointer: str


def _said_by_customer_records(base: Base, kind: str) -> list[Record]:
    return [one for one in heads(base.history, kind) if one.dataclassification is Classification.CUSTOMER]


def _shows_severity(base: Base, bridge: str) -> bool:
    premises = base.premises[bridge]
    rendered = premises.action("incident#/severity") == "render"
    return rendered and not base.kept_back and "severity" in premises.contract.data["permitted_fields"]


def _unknown_severity(base: Base, bridge: str, random: Random) -> Undecidable | None:
    if not _shows_severity(base, bridge):
        return None
    record = random.choice(heads(base.history, "incident"))
    word = f"unheard-of-{random.randint(1, 999)}"
    mutant = base.history.replacing((record, changed(record, "/severity", word)))
    return Undecidable("an unknown word", mutant, bridge, "/severity_code")


def _unmapped_component(base: Base, bridge: str, random: Random) -> Undecidable | None:
    found = heads(base.history, "service-health")
    if not found:
        return None
    record = random.choice(found)
    mutant = base.history.replacing((record, changed(record, "/component", f"nobody-{random.randint(1, 999)}")))
    return Undecidable("an unmapped component", mutant, bridge, "/affected_capabilities")


def _unmapped_region(base: Base, bridge: str, random: Random) -> Undecidable | None:
    premises = base.premises[bridge]
    bought = [
        one
        for one in heads(base.history, "service-health")
        if premises.capability.get(one.data["component"]) in premises.entitled
        # Of copies in conflict another may be the one that stands once this is changed.
        and one.version_identity not in premises.disputed
    ]
    if not bought:
        return None
    record = random.choice(bought)
    place = f"/affected_capabilities/{premises.capability[record.data['component']]}/regions"
    mutant = base.history.replacing((record, changed(record, "/region", f"moon-{random.randint(1, 999)}")))
    return Undecidable("an unmapped region", mutant, bridge, place)


def _lapsed_entitlement(base: Base, bridge: str, random: Random) -> Undecidable | None:
    premises = base.premises[bridge]
    own = [one for one in heads(base.history, "entitlement") if one.data["account"] == premises.account]
    if not own:
        return None
    gone = format_instant(base.history.at - timedelta(minutes=random.randint(1, 9999)))
    lapsed = [(one, changed(one, "/valid_until", gone)) for one in own]
    mutant = base.history.replacing(*lapsed)
    return Undecidable("a lapsed entitlement", mutant, bridge, "/affected_capabilities")


def _lapsed_contract(base: Base, bridge: str, random: Random) -> Undecidable | None:
    contract = base.premises[bridge].contract
    if "incident_status" not in base.premises[bridge].permitted:
        return None
    gone = format_instant(base.history.at - timedelta(minutes=random.randint(1, 9999)))
    mutant = base.history.replacing((contract, changed(contract, "/valid_until", gone)))
    return Undecidable("a lapsed contract", mutant, bridge, "/incident_status")


def _required_class(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Require a class, and take away every record that could feed it."""
    contract = base.premises[bridge].contract
    empty = {
        "workaround_readiness": ("/workarounds", "workaround"),
        "checkpoint": ("/timeline", "bridge-timeline"),
    }
    name = random.choice(sorted(empty))
    pointer, kind = empty[name]
    left = base.history.without(*(one for one in base.history.records if one.type == kind))
    mutant = left.replacing((contract, changed(contract, "/required_fields", [name])))
    return Undecidable("a required class without records", mutant, bridge, pointer)


def _refused_line(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a source speak for the first time, in a form that must be refused."""
    data = {"component": "mx-relay", "region": "eu-west-1", "state": "down", "estimated_end": "soon"}
    record = make_record(
        "service-health",
        f"new-{random.randint(1, 999)}",
        data,
        source="//channelsafe/forms",
        subject=base.history.incident,
        recordedtime=base.history.at,
    )
    mutant = refused(base.history, record, record_bytes(record))
    return Undecidable("a refused line", mutant, bridge, "/affected_capabilities")


def _refused_line_of_the_incident(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let the source of the incident's record say something more, in a form that must be refused."""
    if not _shows_severity(base, bridge):
        return None
    (incident, *_) = heads(base.history, "incident")
    record = make_record(
        "incident",
        f"INC-{random.randint(300, 999)}",
        incident.data | {"estimated_end": "soon"},
        source=incident.source,
        subject=incident.subject,
        recordedtime=base.history.at,
    )
    mutant = refused(base.history, record, record_bytes(record))
    return Undecidable("a refused line of the incident", mutant, bridge, "/severity_code")


def _copy_of_what_was_not_bought(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a copy of a record arrive that contradicts one of a component that this account did not buy."""
    foreign = [one for one in heads(base.history, "service-health") if base.premises[bridge].is_absent(one)]
    if not foreign:
        return None
    record = random.choice(foreign)
    copy = changed(record, "/note", f"another copy {random.randint(1, 999)}")
    return Undecidable("copies in conflict", base.history.adding(copy), bridge, "/affected_capabilities")


def _copy_of_a_dependency(base: Base, bridge: str, random: Random) -> Undecidable | None:
    found = heads(base.history, "dependency")
    if not found:
        return None
    copy = changed(random.choice(found), "/note", f"another copy {random.randint(1, 999)}")
    return Undecidable("a dependency in conflict", base.history.adding(copy), bridge, "/statements")


def _sources_that_contradict(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a second source contradict what is said of a component that this account bought."""
    premises = base.premises[bridge]
    bought = [
        one
        for one in _said_by_customer_records(base, "service-health")
        if premises.capability.get(one.data["component"]) in premises.entitled
        and premises.bucket.get(one.data["region"]) is not None
        and one.source != GLOBAL
    ]
    if not bought or premises.nothing_permitted or "capability_status" not in premises.permitted:
        return None
    record = random.choice(bought)
    state = random.choice([one for one in ("up", "down", "partial") if one != record.data["state"]])
    other = msgspec.structs.replace(changed(record, "/state", state), source=GLOBAL, id=f"{record.id}-elsewhere")
    if any(one.identity == other.identity for one in base.history.records):
        return None
    place = f"/affected_capabilities/{premises.capability[record.data['component']]}/capability_status"
    return Undecidable("sources that contradict", base.history.adding(other), bridge, place)


def _article_that_no_text_may_hold(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a workaround be ready whose article is what no text may hold, though no record names it."""
    premises = base.premises[bridge]
    in_sight = not premises.nothing_permitted and "template_parameter" in premises.permitted
    rule = premises.rule("workaround#/reference")
    kept_back = premises.action("workaround#/readiness") != "render"
    helped = [name for name, capability in sorted(premises.capability.items()) if capability in premises.entitled]
    if not in_sight or kept_back or not helped or rule is None or rule.template is None:
        return None
    number = random.randint(300, 999)
    said = random.choice((f"db-{number}.use1.internal", f"10.12.{number % 250}.7", f"ana{number}@example.org"))
    data = {"readiness": "ready", "verified": True, "applies_to": [random.choice(helped)], "reference": said}
    record = make_record(
        "workaround",
        f"WA-{number}",
        data,
        source="//workarounds.example/tracker",
        subject=base.history.incident,
        recordedtime=base.history.at,
    )
    mutant = base.history.adding(record)
    (name, *_) = base.profile.templates[rule.template].parameters
    place = f"/statements/{base.contexts(mutant)[bridge].code(record)}/parameters/{name}"
    return Undecidable("an article that no text may hold", mutant, bridge, place)


def _step_of_the_inside(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a step be reached that is labelled for the inside: that there is more must show, and nothing of it."""
    premises = base.premises[bridge]
    if "checkpoint" not in premises.permitted:
        return None
    return Undecidable("a step of the inside", add_inside_step(base.history, random), bridge, "/timeline")


def _told_ahead(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let the customer have been told that it is over while the source of record does not say so."""
    incidents = [*heads(base.history, "incident")]
    premises = base.premises[bridge]
    in_sight = not premises.nothing_permitted and "incident_status" in premises.permitted
    if len(incidents) != 1 or incidents[0].dataclassification is not Classification.CUSTOMER or not in_sight:
        return None
    if premises.status_said() not in PROGRESS[:-1]:
        return None
    at = base.history.at
    told = make_record(
        "customer-status",
        f"CS-{random.randint(300, 999)}",
        {"bridge": bridge, "incident_status": "resolved", "told_at": format_instant(at), "told_by": "somebody"},
        source="//incidents.example/bridge",
        subject=base.history.incident,
        recordedtime=at,
    )
    return Undecidable("told ahead of the source", base.history.adding(told), bridge, "/incident_status")


def _second_contract(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let another account claim the bridge too, by a contract that comes after the first in every order."""
    contract = base.premises[bridge].contract
    number = random.randint(300, 999)
    named = {"id": f"{contract.id}-{number}", "recordid": f"Z-CTR-{number}", "subject": "ELSEWHERE"}
    other = msgspec.structs.replace(changed(contract, "/account", "ELSEWHERE"), **named)
    return Undecidable("a second contract", base.history.adding(other), bridge, "/affected_capabilities")


UNDECIDABLE: Final[tuple[Callable[[Base, str, Random], Undecidable | None], ...]] = (
    _unknown_severity,
    _unmapped_component,
    _unmapped_region,
    _lapsed_entitlement,
    _lapsed_contract,
    _required_class,
    _refused_line,
    _refused_line_of_the_incident,
    _copy_of_what_was_not_bought,
    _copy_of_a_dependency,
    _sources_that_contradict,
    _article_that_no_text_may_hold,
    _step_of_the_inside,
    _told_ahead,
    _second_contract,
)
