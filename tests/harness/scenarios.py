"""Scenarios: incidents made up from a seed, as the lines that their sources deliver, step by step.

Belongs here: which records there are, what they say, in which order and when. Nothing here knows what a package makes
of them. Everything varies: components, regions, states, labels, versions, contracts, what was told, and what goes
wrong on the way (late and malformed lines, conflicting copies, sources that contradict each other).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from dagster_project.clock import format_instant
from tests.support.histories import History, histories_of
from tests.support.mutations import seeded

OURS: Final = ("harbourline", "tidewater")
ACCOUNTS: Final = {"harbourline": "HARBOURLINE", "tidewater": "TIDEWATER", "quayside": "QUAYSIDE"}
CLASSES: Final = (
    "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
    "template_parameter",
)  # fmt: skip
CAPABILITIES: Final = ("message-delivery", "inbox-api", "admin-console", "event-webhooks", "reporting")
COMPONENTS: Final = (
    "mx-relay", "outbound-gateway", "delivery-queue", "inbox-api", "inbox-search", "console-web", "hook-dispatch",
    "report-builder",
)  # fmt: skip
REGIONS: Final = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1", "ap-northeast-1")
STATES: Final = ("up", "maintenance", "degraded", "partial", "down")
INCIDENT_STATES: Final = (
    "declared", "investigating", "identified", "mitigating", "monitoring", "resolved", "resolved", "merged",
    "false_alarm",
)  # fmt: skip
CHECKPOINTS: Final = (
    "detected", "bridge_opened", "investigating", "cause_confirmed", "mitigation_started", "workaround_available",
    "recovery_observed", "recovered", "monitoring_started",
)  # fmt: skip
SOURCES: Final = {
    "incident": "//incidents.example/command",
    "bridge-timeline": "//incidents.example/bridge",
    "customer-status": "//incidents.example/bridge",
    "dependency": "//cmdb.example/dependencies",
    "entitlement": "//accounts.example/entitlements",
    "contract": "//accounts.example/contracts",
    "workaround": "//workarounds.example/tracker",
    "security-review": "//security.example/reviews",
}
HEALTH: Final = {"eu": "//status.example/health-eu", "us": "//status.example/health-us"}
GLOBAL: Final = "//status.example/health-global"
CLEARABLE: Final = "Northgate Carrier Services"
_VENDORS: Final = ("Meridian Transit AG", "Ashgrove Hosting Ltd", "Brackwater Peering", CLEARABLE)
_PEOPLE: Final = ("Ines Albrecht", "Tomas Ferreira", "Wen Li", "Agnieszka Nowak")
_WORDS: Final = ("certificate", "relay", "spool", "failover", "handshake", "replica", "backlog", "upstream", "lease")


@dataclass(frozen=True)
class Delivery:
    """What arrived at one instant, as lines; packages are judged at that instant too."""

    at: datetime
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Scenario:
    """An incident as it was delivered."""

    seed: str
    incident: str
    deliveries: tuple[Delivery, ...]

    def histories(self) -> tuple[History, ...]:
        """Judge its lines; return what is known after each delivery."""
        return histories_of(((one.at, one.lines) for one in self.deliveries), self.incident)


def make_scenario(seed: str) -> Scenario:
    """Return the scenario of a seed, always the same."""
    return _Maker(seed, seeded(f"scenario {seed}")).scenario()


@dataclass
class _Told:
    """An object of a source system, and the event of its newest version."""

    kind: str
    recordid: str
    source: str
    subject: str
    event: dict[str, Any] = field(default_factory=dict)


class _Maker:
    """Makes up one scenario; every choice comes from `random`."""

    def __init__(self, seed: str, random: Random) -> None:
        self._seed, self._random = seed, random
        self._incident = f"INC-{random.randint(1000, 9999)}"
        self._begin = datetime(2026, random.randint(2, 10), random.randint(1, 28), random.randint(0, 21), tzinfo=UTC)
        self._at = self._begin
        self._known: list[_Told] = []
        self._delivered: list[bytes] = []

    def scenario(self) -> Scenario:
        steps = self._random.randint(1, 5)
        deliveries = []
        for number in range(steps):
            wait = self._random.randint(40, 200) if self._chance(0.04) else self._random.randint(1, 7)
            self._at += timedelta(minutes=wait, seconds=self._random.randint(0, 59))
            events = [*(self._first() if number == 0 else self._later())]
            lines = [json.dumps(one, ensure_ascii=False).encode() for one in events]
            lines += self._troubles() if number == steps - 1 else ()
            if self._delivered and self._chance(0.2):
                lines.append(self._random.choice(self._delivered))
            self._random.shuffle(lines)
            self._delivered += lines
            deliveries.append(Delivery(self._at, tuple(lines)))
        return Scenario(self._seed, self._incident, tuple(deliveries))

    def _first(self) -> Iterator[dict[str, Any]]:
        for bridge in ("harbourline", "tidewater", *(["quayside"] if self._chance(0.5) else [])):
            yield from self._account(bridge)
        yield self._version(self._new("incident", self._incident), self._of_incident())
        places = [(component, region) for component in COMPONENTS for region in REGIONS]
        for component, region in self._random.sample(places, k=self._random.randint(1, 6)):
            told = self._health(component, region)
            yield self._version(told, self._of_health(component, region))
        for _ in range(self._random.choice((0, 0, 1, 2, 2))):
            told = self._new("dependency", f"DEP-{self._random.randint(100, 299)}")
            yield self._version(told, self._of_dependency())
        for kind, make, counts in (
            ("workaround", self._of_workaround, (0, 1, 2, 2, 3)),
            ("bridge-timeline", self._of_step, range(5)),
            ("customer-status", self._of_told, range(3)),
        ):
            for _ in range(self._random.choice(counts)):
                yield self._version(self._new(kind, f"{kind[:2].upper()}-{self._random.randint(1, 99999)}"), make())

    def _later(self) -> Iterator[dict[str, Any]]:
        """Yield newer versions of what is known, and now and then something new."""
        for told in [one for one in self._known if one.kind not in {"contract", "entitlement"}]:
            if self._chance(0.55):
                yield self._version(told, self._again(told))
        for told in [one for one in self._known if one.kind == "dependency"]:
            if self._chance(0.5):
                review = self._new("security-review", f"SR-{self._random.randint(100, 99999)}")
                yield self._version(review, self._of_review(told))
        if self._chance(0.3):
            told = self._new("bridge-timeline", f"BR-{self._random.randint(1, 99999)}")
            yield self._version(told, self._of_step())
        if self._chance(0.1):
            contract = self._random.choice([one for one in self._known if one.kind == "contract"])
            yield self._version(contract, {**contract.event["data"], "permitted_fields": self._classes(4)})

    def _again(self, told: _Told) -> dict[str, Any]:
        data = told.event["data"]
        if told.kind == "service-health":
            return self._of_health(data["component"], data["region"])
        if told.kind == "security-review":
            return {**data, "outcome": self._random.choice(("cleared", "narrowed", "in_review", "not_cleared"))}
        make = {
            "incident": self._of_incident,
            "dependency": self._of_dependency,
            "workaround": self._of_workaround,
            "bridge-timeline": self._of_step,
            "customer-status": self._of_told,
        }[told.kind]
        return make()

    # ---- what goes wrong -------------------------------------------------------------------------------------------

    def _troubles(self) -> Iterator[bytes]:
        """Yield lines that contradict others, or that must be refused."""
        if self._chance(0.16):
            kinds = {"service-health", "incident", "workaround", "bridge-timeline", "dependency"}
            told = self._random.choice([one for one in self._known if one.kind in kinds])
            copy = {**told.event, "data": self._again(told)}
            yield json.dumps(copy, ensure_ascii=False).encode()
        if self._chance(0.12):
            told = self._random.choice([one for one in self._known if one.kind == "service-health"])
            component, region = told.event["data"]["component"], told.event["data"]["region"]
            other = _Told("service-health", f"{component}/{region}", GLOBAL, self._incident)
            yield json.dumps(self._version(other, self._of_health(component, region))).encode()
        if self._chance(0.12):
            kinds = {"service-health", "incident", "workaround", "bridge-timeline"}
            told = self._random.choice([one for one in self._known if one.kind in kinds])
            event = {**told.event, "recordversion": str(int(told.event["recordversion"]) + 1)}
            event["data"] = {**event["data"], "estimated_end": "soon"}
            yield json.dumps(event, ensure_ascii=False).encode()

    # ---- what records say ------------------------------------------------------------------------------------------

    def _account(self, bridge: str) -> Iterator[dict[str, Any]]:
        account = ACCOUNTS[bridge]
        which = [self._incident, "INC-1"] if self._chance(0.9) else ["INC-1"]
        opened = {bridge: {"incidents": ["*"] if self._chance(0.7) else which}}
        if bridge == "quayside" and self._chance(0.5):
            opened |= {self._random.choice(OURS): {"incidents": ["*"]}}
        contract: dict[str, Any] = {
            "account": account,
            "bridges": opened,
            "permitted_fields": self._classes(4) if self._chance(0.4) else [*CLASSES],
            "required_fields": self._classes(1)[:2] if self._chance(0.6) else [],
            **self._validity(0.08),
        }
        if self._chance(0.5):
            contract["committed_cadence_minutes"] = self._random.choice((15, 30, 60))
        if self._chance(0.8):
            contract["terms"] = f"Service credit of {self._random.randint(2, 40)} percent after {self._note()}"
        told = _Told("contract", f"CTR-{account[:3]}-{self._random.randint(100, 999)}", SOURCES["contract"], account)
        yield self._version(told, contract, label="customer")
        entitlement: dict[str, Any] = {
            "account": account,
            "capabilities": sorted(self._random.sample(CAPABILITIES, k=self._random.randint(1, 4))),
            **self._validity(0.06),
        }
        if self._chance(0.8):
            entitlement["plan"] = f"Enterprise, negotiated by {self._random.choice(_PEOPLE)}"
        told = _Told("entitlement", f"ENT-{account[:3]}", SOURCES["entitlement"], account)
        yield self._version(told, entitlement, label="customer")

    def _validity(self, lapsed: float) -> dict[str, str]:
        until = self._begin - timedelta(days=1) if self._chance(lapsed) else self._begin + timedelta(days=200)
        return {
            "valid_from": format_instant(self._begin - timedelta(days=100)),
            "valid_until": format_instant(until),
        }

    def _of_incident(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "severity": self._word(("SEV1", "SEV2", "SEV3", "SEV4")),
            "state": self._word(INCIDENT_STATES),
        }
        ends = self._at + timedelta(minutes=self._random.choice((-30, -2, 50)))
        self._perhaps(data, 0.5, cause_confirmed=self._chance(0.5), data_integrity=self._integrity())
        self._perhaps(data, 0.6, monitoring_until=format_instant(ends))
        self._perhaps(
            data,
            0.6,
            resolution_confirmed_by=self._random.choice(_PEOPLE),
            commander={"name": self._random.choice(_PEOPLE), "contact": f"+49 30 {self._random.randint(10**6, 10**7)}"},
            comms_channel=f"#war-room-{self._random.randint(100, 999)}",
            suspected_cause=self._note(),
            mitigations=[self._note(), self._note()],
            corrective_actions=[self._note()],
            links=[f"https://wiki.relaywell.example/p/{self._random.randint(100, 9999)}"],
            note=self._note(),
        )
        return data

    def _of_health(self, component: str, region: str) -> dict[str, Any]:
        if self._chance(0.02):
            component = f"ledger-{self._random.randint(1, 9)}"
        if self._chance(0.03):
            region = "moon-1"
        since = self._at - timedelta(minutes=self._random.randint(0, 90))
        data: dict[str, Any] = {
            "component": component,
            "region": region,
            "state": self._word(STATES),
            "since": format_instant(since),
        }
        self._perhaps(data, 0.6, host=self._host(), note=self._note())
        return data

    def _of_dependency(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "component": self._random.choice((*COMPONENTS, "billing-core")),
            "vendors": [CLEARABLE] if self._chance(0.4) else sorted({self._random.choice(_VENDORS) for _ in range(2)}),
        }
        self._perhaps(data, 0.7, edges=[{"from": self._host(), "to": self._host()}], note=self._note())
        return data

    def _of_review(self, dependency: _Told) -> dict[str, Any]:
        expires = self._at + timedelta(minutes=self._random.choice((-5, 45, 600)))
        data: dict[str, Any] = {
            "review_subject": f"dependency/{dependency.recordid}",
            "subject_version": int(dependency.event["recordversion"]) - (1 if self._chance(0.1) else 0),
            "outcome": self._random.choice(("cleared", "cleared", "narrowed", "in_review", "not_cleared")),
            "scope": [] if self._chance(0.1) else ["/vendors"],
            "channels": ["public_page"] if self._chance(0.1) else ["customer_bridge"],
        }
        self._perhaps(data, 0.8, expires=format_instant(expires))
        self._perhaps(data, 0.6, reviewer=self._random.choice(_PEOPLE), exploitability_note=self._note())
        return data

    def _of_workaround(self) -> dict[str, Any]:
        components = (*COMPONENTS, "billing-core") if self._chance(0.05) else COMPONENTS
        data: dict[str, Any] = {
            "readiness": self._word(("none", "drafting", "in_test", *["ready"] * 4, "withdrawn")),
            "verified": self._chance(0.8),
            "applies_to": sorted(self._random.sample(components, k=self._random.randint(1, 3))),
        }
        if self._chance(0.85):
            data["reference"] = self._article()
        self._perhaps(data, 0.7, internal_steps=[self._note(), self._note()], note=self._note())
        return data

    def _of_step(self) -> dict[str, Any]:
        at = self._at - timedelta(minutes=self._random.randint(0, 50))
        data: dict[str, Any] = {"checkpoint": self._word(CHECKPOINTS), "at": format_instant(at)}
        self._perhaps(data, 0.6, note=self._note())
        return data

    def _of_told(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "bridge": self._random.choice((*OURS, "quayside")),
            "incident_status": self._random.choice(("emerging", "emerging", "investigating", "monitoring", "resolved")),
            "told_at": format_instant(self._at - timedelta(minutes=3)),
        }
        self._perhaps(data, 0.6, told_by=self._random.choice(_PEOPLE), note=self._note())
        return data

    # ---- small choices ---------------------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _perhaps(self, data: dict[str, Any], share: float, **values: object) -> None:
        data.update({name: value for name, value in values.items() if self._chance(share)})

    def _word(self, words: Sequence[str]) -> str:
        return f"odd-{self._random.randint(1, 99)}" if self._chance(0.03) else self._random.choice(words)

    def _integrity(self) -> str:
        return self._random.choice(("no_loss", "no_loss", "loss", "under_review", "unclear"))

    def _classes(self, least: int) -> list[str]:
        return sorted(self._random.sample(CLASSES, k=self._random.randint(least, len(CLASSES))))

    def _note(self) -> str:
        return f"{' '.join(self._random.sample(_WORDS, k=3))} {self._random.randint(10**5, 10**6)}"

    def _article(self) -> str:
        """Return the code of an article, or now and then what must not stand in one: a vendor, an account, a host."""
        number = self._random.randint(1000, 9999)
        if self._chance(0.1):
            return f"db-{number}.use1.internal"
        known = [one.event["data"] for one in self._known]
        inside = [name for one in known for name in one.get("vendors", ()) if name != CLEARABLE]
        if inside and self._chance(0.75):
            return str(self._random.choice(inside)).replace(" ", "-")
        return f"{self._random.choice(('KB-', 'KB-', 'KB-', 'Tidewater-'))}{number}"

    def _host(self) -> str:
        return f"{self._random.choice(_WORDS)}-{self._random.randint(10, 999)}.use1.internal"

    def _new(self, kind: str, recordid: str) -> _Told:
        return _Told(kind, recordid, SOURCES[kind], self._incident)

    def _health(self, component: str, region: str) -> _Told:
        source = HEALTH.get(region[:2], GLOBAL)
        return _Told("service-health", f"{component}/{region}", source, self._incident)

    def _version(self, told: _Told, data: dict[str, Any], label: str | None = None) -> dict[str, Any]:
        """Return the event of an object's next version."""
        number = int(told.event.get("recordversion", "0")) + 1
        recorded = format_instant(self._at - timedelta(seconds=self._random.randint(1, 50)))
        told.event = {
            "specversion": "1.0",
            "id": f"{told.source}:{told.recordid}:{number}",
            "source": told.source,
            "type": told.kind,
            "subject": told.subject,
            "time": recorded,
            "recordid": told.recordid,
            "recordversion": str(number),
            "recordedtime": recorded,
            "data": data,
        }
        chosen = label or self._label(told.kind)
        if chosen is not None:
            told.event["dataclassification"] = chosen
        if told not in self._known:
            self._known.append(told)
        return told.event

    def _label(self, kind: str) -> str | None:
        """Return a label, or None for a record without one."""
        if kind in {"dependency", "security-review"}:
            return self._random.choice(("restricted", None))
        return self._random.choice(("internal", "restricted", None)) if self._chance(0.07) else "customer"
