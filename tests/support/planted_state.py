"""Internal state planted around the incidents of a status feed, as the systems around a provider's page hold it.

Dependency edges and vendors, suspected causes, times promised inside, credits, host names, people and ticket ids, in
records of every type, under whatever label each would have. Every value is made anew from a seed, and each holds a
token of its own that stands nowhere else, so that a search finds a part of a value as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any, Final

from tests.support.mutations import seeded

Event = dict[str, Any]
ACCOUNT: Final = "HARBOURLINE"
TOKEN_LENGTH: Final = 12
# What each planted subject must show, and nothing more: the slot that stands for it.
SLOT_OF_SUBJECT: Final = {
    "a dependency that is not cleared": "dependency",
    "an exploitability note": "exploitability",
    "a component that no customer knows, and a host typed as an article": "internal_component",
    "a step and a workaround for the inside": "other",
    "a contract amendment that could not be read": "contract",
}


@dataclass
class Planted:
    """What was planted: where each token stands, whole values, and the incident of each token (none: the account)."""

    random: Random
    places: dict[str, str] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    of_incident: dict[str, list[str]] = field(default_factory=dict)
    incident: str = ""

    def token(self, place: str) -> str:
        """Return a word that stands nowhere else."""
        pairs = range(TOKEN_LENGTH // 2)
        word = "".join(self.random.choice("bdfgklmnprstvz") + self.random.choice("aeiou") for _ in pairs)
        assert word not in self.places
        self.places[word] = place
        self.of_incident.setdefault(self.incident, []).append(word)
        return word

    def value(self, place: str, form: str) -> str:
        """Return a value: its form with a new token in the place of `{}`."""
        made = form.format(self.token(place))
        self.values.append(made)
        return made

    def text(self, place: str) -> str:
        """Return what somebody inside writes down: a cause, a time and money, of which none may be said."""
        said = " ".join(
            (
                self.value(f"{place}: cause", "We believe an expired certificate on the {} proxy broke the relay."),
                self.value(f"{place}: time", "Everything should work again by 16:40 once rack {} is swapped."),
                self.value(f"{place}: credit", "Legal expects a credit of 17 percent under clause {}."),
                self.value(f"{place}: person", "Ask Mirela {} before anybody is told."),
            )
        )
        self.prose.append(said)
        return said


def plant(events: Sequence[Event], seed: str) -> tuple[list[Event], Planted]:
    """Return a feed's events with internal state in them and around them, and what was planted."""
    planted = Planted(seeded(seed))
    around = list(_about_account(planted, min(one["recordedtime"] for one in events)))
    by_incident = sorted(events, key=lambda one: str(one["subject"]))
    for incident, own in groupby(by_incident, key=lambda one: str(one["subject"])):
        planted.incident = incident
        inside = [_with_inside_values(planted, one) for one in own]
        around += [*inside, *_about_incident(planted, inside)]
    return around, planted


def _with_inside_values(planted: Planted, event: Event) -> Event:
    """Fill what the schema has beside the fields that customers may see; version and instants stay as they are."""
    kind = event["type"]
    if kind == "incident":
        more: dict[str, Any] = {
            "suspected_cause": planted.text("incident#/suspected_cause"),
            "note": planted.text("incident#/note"),
            "commander": {
                "name": planted.value("incident#/commander/name", "Anneke {}"),
                "contact": planted.value("incident#/commander/contact", "{}@provider.example"),
            },
            "comms_channel": planted.value("incident#/comms_channel", "#inc-{}"),
            "mitigations": [planted.value("incident#/mitigations", "drained {} by hand")],
            "corrective_actions": [planted.value("incident#/corrective_actions", "replace {} in May")],
            "links": [planted.value("incident#/links", "https://tickets.internal.example/OPS-{}")],
        }
    elif kind == "service-health":
        more = {
            "host": planted.value("service-health#/host", "{}-07.iad.internal"),
            "note": planted.text("service-health#/note"),
        }
    else:
        more = {"note": f"{event['data'].get('note', '')} {planted.text('bridge-timeline#/note')}".strip()}
    return event | {"data": event["data"] | more}


def _about_incident(planted: Planted, events: Sequence[Event]) -> Iterator[Event]:
    """Yield records of other systems about one incident, some at its beginning and some at its end."""
    incident = str(events[0]["subject"])
    moments = sorted({str(one["recordedtime"]) for one in events})
    component = next(one["data"]["component"] for one in events if one["type"] == "service-health")
    for version, at in enumerate(dict.fromkeys((moments[0], moments[len(moments) // 2], moments[-1])), 1):
        yield _event(incident, "dependency", "DEP-1", version, at, "restricted", _dependency(planted, component))
        yield _event(incident, "security-review", "SR-1", version, at, "restricted", _review(planted, version))
        step = {"checkpoint": "status_update", "at": at, "note": planted.text("bridge-timeline#/note")}
        yield _event(incident, "bridge-timeline", f"STEP-{version}", 1, at, "internal", step)
    first = moments[0]
    ready = _workaround(planted, component)
    # Somebody typed a host where the number of a help article belongs.
    host = next(one["data"]["host"] for one in events if one["type"] == "service-health")
    mistaken = ready | {"readiness": "ready", "verified": True, "reference": host}
    yield _event(incident, "workaround", "WA-1", 1, first, "customer", mistaken)
    yield _event(incident, "workaround", "WA-2", 1, first, "internal", _workaround(planted, component))
    told = {
        "bridge": "harbourline",
        "incident_status": "emerging",
        "told_at": first,
        "told_by": planted.value("customer-status#/told_by", "Piotr {}"),
        "note": planted.text("customer-status#/note"),
    }
    yield _event(incident, "customer-status", "TOLD-1", 1, first, "customer", told)
    unknown = {
        "component": planted.value("service-health#/component", "{}-cache"),
        "region": planted.value("service-health#/region", "{}-zone-b"),
        "state": "down",
        "since": first,
        "host": planted.value("service-health#/host", "{}-31.fra.internal"),
    }
    yield _event(incident, "service-health", "UNKNOWN-1", 1, first, "customer", unknown)


def _dependency(planted: Planted, component: str) -> dict[str, Any]:
    hosts = [planted.value("dependency#/edges", "{}-12.edge.internal") for _ in range(3)]
    return {
        "component": component,
        "vendors": [planted.value("dependency#/vendors", form) for form in ("{} Carrier AG", "{} Hosting Ltd")],
        "edges": [{"from": hosts[0], "to": hosts[1]}, {"from": hosts[1], "to": hosts[2]}],
        "note": planted.text("dependency#/note"),
    }


def _review(planted: Planted, version: int) -> dict[str, Any]:
    return {
        "review_subject": "dependency/DEP-1",
        "subject_version": version,
        "outcome": "not_cleared",
        "scope": [],
        "channels": ["customer_bridge"],
        "reviewer": planted.value("security-review#/reviewer", "Selma {}"),
        "exploitability_note": planted.text("security-review#/exploitability_note"),
    }


def _workaround(planted: Planted, component: str) -> dict[str, Any]:
    return {
        "readiness": "in_test",
        "verified": False,
        "applies_to": [component],
        "internal_steps": [planted.value("workaround#/internal_steps", "fail over {} to the standby")],
        "note": planted.text("workaround#/note"),
    }


def _about_account(planted: Planted, at: str) -> Iterator[Event]:
    """Yield the account's contract with its terms, and an amendment that admission refuses."""
    planted.incident = ""
    contract = {
        "account": ACCOUNT,
        "bridges": {"harbourline": {"incidents": ["*"]}},
        "permitted_fields": [
            "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
            "template_parameter",
        ],
        "required_fields": ["capability_status", "incident_status"],
        "valid_from": "2021-01-01T00:00:00Z",
        "valid_until": "2031-01-01T00:00:00Z",
    }  # fmt: skip
    terms = contract | {"terms": planted.text("contract#/terms")}
    yield _event(ACCOUNT, "contract", "harbourline-contract", 2, at, "customer", terms)
    amendment = contract | {"promised_credit": planted.text("contract#/promised_credit")}
    yield _event(ACCOUNT, "contract", "AMENDMENT-1", 1, at, "customer", amendment)


_SOURCES: Final = {
    "dependency": "//cmdb.example/dependencies",
    "security-review": "//security.example/reviews",
    "workaround": "//workarounds.example/tracker",
    "customer-status": "//incidents.example/bridge",
    "bridge-timeline": "//incidents.example/bridge",
    "service-health": "//status.example/health-eu",
    "harbourline-contract": "//accounts.example/contracts",
    # Another source than the contract's: what it would have amended is in doubt, not the whole contract.
    "AMENDMENT-1": "//channelsafe/forms",
}


def _event(subject: str, kind: str, name: str, version: int, at: str, label: str, data: dict[str, Any]) -> Event:
    recordid = name if kind == "contract" else f"{subject}/{name}"
    return {
        "specversion": "1.0",
        "id": f"{kind}/{recordid}/{version}",
        "source": _SOURCES.get(name) or _SOURCES[kind],
        "type": kind,
        "subject": subject,
        "time": at,
        "datacontenttype": "application/json",
        "recordid": recordid,
        "recordversion": str(version),
        "recordedtime": at,
        "recordedby": "ops",
        "dataclassification": label,
        "data": data,
    }
