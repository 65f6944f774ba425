"""Mutations of what must not show: values, records and times of the inside, varied and valid by the schemas."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import jsonschema_rs
import msgspec

from dagster_project.packaging.profile import Action, Profile, winning_rules
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import all_source_fields, record_schemas
from tests.support.agreement import CONFIRMATION, Premises, opening_contracts
from tests.support.histories import History, changed, heads, kinds_of, make_record, relabelled, with_data

WORDS = (
    "x", "no", "-", "Meridian Transit AG", "Ashgrove Hosting Ltd", "db-14.use1.internal", "10.12.0.7", "north",
    "Northgate", "gate", "KB-1842", "Europe", "Message delivery", "HARBOURLINE", "TIDEWATER", "Harbourline Freight",
    "major_outage", "resolved", "down", "relay-07.eu.internal", "Łódź 東京 \N{ZERO WIDTH SPACE} façade", "no loss",
    "'; DROP TABLE packages; --", "<b>root cause</b>", "on_hold", "a vendor certificate " * 300, "Grüße " * 30,
)  # fmt: skip
INSTANTS = ("2026-03-04T08:00:00Z", "2026-03-04T10:30:00+01:00", "2031-01-01T00:00:00Z", "1999-12-31T23:59:59Z")
STATUSES = ("emerging", "investigating", "identified", "mitigating", "monitoring", "all clear")
BRIDGES = ("harbourline", "tidewater", "quayside", "moorings")
COMPONENTS = (
    "mx-relay", "outbound-gateway", "delivery-queue", "billing-core", "ledger-db", "auth-proxy", "mailbox-cache",
    "report-builder", "inbox-api",
)  # fmt: skip
# Fields of a review that say what it clears: they declassify, whatever rule the profile has for them.
DECLASSIFYING = frozenset(
    f"security-review#/{name}"
    for name in ("review_subject", "subject_version", "outcome", "scope", "channels", "expires")
)
BY_FIELD: dict[str, tuple[str, ...]] = {
    "customer-status#/incident_status": STATUSES,
    "customer-status#/bridge": BRIDGES,
    "dependency#/component": COMPONENTS,
    "incident#/state": ("investigating", "identified", "mitigating", "resolved", "mystery"),
    "service-health#/state": ("up", "degraded", "partial", "down", "brownout"),
    "workaround#/readiness": ("drafting", "in_test", "withdrawn", "banana"),
    "bridge-timeline#/checkpoint": ("detected", "recovered", "banana"),
    "incident#/severity": ("SEV1", "SEV2", "SEV3", "banana"),
}


def seeded(seed: str) -> Random:
    """Return a source of varied test values that is the same in every run."""
    return Random(seed)  # noqa: S311 - nothing secret is made of it


def restricted_fields(profile: Profile) -> tuple[str, ...]:
    """Return the source fields that must not show: no rule renders them and they declassify nothing.

    The confirmation is among them: whether it is there declassifies, whose it is does not.
    """
    rules = winning_rules(profile)
    kept = {
        str(one)
        for one in all_source_fields()
        if rules[str(one)].action is not Action.RENDER and str(one) not in DECLASSIFYING
    }
    return tuple(sorted({*kept, CONFIRMATION}))


def is_valid(record: Record) -> bool:
    return jsonschema_rs.is_valid(dict(record_schemas()[record.type]), record.data)


def any_value(source_field: str, history: History, random: Random) -> object:
    """Return a value of the field's type that is likely to matter if anything looks at it."""
    record_type, _, pointer = source_field.partition("#")
    schema: dict[str, Any] = {"properties": record_schemas()[record_type]["properties"]}
    for name in pointer.split("/")[1:]:
        schema = schema["properties"][name]
    return _of_schema(schema, BY_FIELD.get(source_field, _words(history, random)), random)


def _words(history: History, random: Random) -> tuple[str, ...]:
    other = random.choice(history.records)
    own = tuple(one for one in other.data.values() if isinstance(one, str))
    return (*WORDS, *own)


def _of_schema(schema: dict[str, Any], words: tuple[str, ...], random: Random) -> object:
    if schema["type"] == "array":
        many = {msgspec.json.encode(_of_schema(schema["items"], words, random)) for _ in range(random.randint(1, 3))}
        return [msgspec.json.decode(one) for one in sorted(many)]
    if schema["type"] == "object":
        return {name: _of_schema(one, words, random) for name, one in schema["properties"].items()}
    if schema["type"] == "boolean":
        return random.random() < 0.5
    if schema["type"] == "integer":
        return random.randint(1, 9)
    if schema.get("format") == "date-time":
        return random.choice(INSTANTS)
    return random.choice(words)[: schema.get("maxLength", 200000)]


def mutate_field(history: History, source_field: str, random: Random, *, inside: bool = False) -> History | None:
    """Return the history with one value of a field exchanged or taken away, or None where it cannot be.

    With `inside` only records that are not labelled for customers are touched.
    """
    record_type, _, pointer = source_field.partition("#")
    found = [
        one
        for one in heads(history, record_type)
        if not inside or one.dataclassification is not Classification.CUSTOMER
    ]
    if not found:
        return None
    record = random.choice(found)
    takes_away = random.random() < 0.1 and not inside and source_field != CONFIRMATION
    value = None if takes_away else any_value(source_field, history, random)
    if source_field == CONFIRMATION and "resolution_confirmed_by" not in record.data:
        return None
    mutant = changed(record, pointer, value)
    if not is_valid(mutant) or mutant.data == record.data:
        return None
    return history.replacing((record, mutant))


def is_released(history: History, profile: Profile, source_field: str) -> bool:
    """Tell whether a clearance lets this field out at present, so that it is not restricted at all."""
    if source_field != "dependency#/vendors":
        return False
    return any(
        Premises(history, profile, bridge).clearance(one) == "cleared"
        for bridge in ("harbourline", "tidewater")
        if opening_contracts(history, bridge)
        for one in heads(history, "dependency")
    )


def add_dependency(history: History, random: Random) -> History:
    data = {
        "component": random.choice(COMPONENTS),
        "vendors": [random.choice(WORDS)],
        "edges": [{"from": "relay-07.eu.internal", "to": random.choice(WORDS)}],
    }
    return history.adding(
        make_record(
            "dependency",
            f"DEP-{random.randint(300, 999)}",
            data,
            source="//cmdb.example/dependencies",
            subject=history.incident,
            dataclassification=Classification.RESTRICTED,
            recordedtime=history.at,
        )
    )


def add_review(history: History, random: Random) -> History:
    data = {
        "review_subject": random.choice(("dependency/DEP-999", "workaround/WA-31", "dependency/DEP-1")),
        "subject_version": 1,
        "outcome": random.choice(("cleared", "not_cleared", "in_review", "narrowed")),
        "scope": ["/vendors"],
        "channels": ["customer_bridge"],
        "reviewer": random.choice(WORDS),
    }
    return history.adding(
        make_record(
            "security-review",
            f"SR-{random.randint(300, 999)}",
            data,
            source="//security.example/reviews",
            subject=history.incident,
            dataclassification=Classification.RESTRICTED,
            recordedtime=history.at,
        )
    )


def add_told(history: History, random: Random) -> History:
    data = {
        "bridge": random.choice(BRIDGES),
        "incident_status": random.choice((*STATUSES, "resolved", "resolved")),
        "told_at": random.choice(INSTANTS),
        "told_by": random.choice(WORDS),
        "note": random.choice(WORDS),
    }
    return history.adding(
        make_record(
            "customer-status",
            f"CS-{random.randint(300, 999)}",
            data,
            source="//incidents.example/bridge",
            subject=history.incident,
            recordedtime=history.at,
        )
    )


def _is_inside(record: Record) -> bool:
    return record.dataclassification is not Classification.CUSTOMER


def add_another_inside_step(history: History, random: Random) -> History | None:
    """Add a step of the inside where there is one: of the first the page says that there is more."""
    return add_inside_step(history, random) if any(map(_is_inside, heads(history, "bridge-timeline"))) else None


def add_another_inside_workaround(history: History, random: Random) -> History | None:
    """Add a workaround of the inside where there is one, for the same components: only these are spoken of."""
    known = [one for one in heads(history, "workaround") if _is_inside(one)]
    if not known:
        return None
    added = add_inside_workaround(history, random)
    new = added.records[-1]
    applies_to = random.choice(known).data["applies_to"]
    return history.adding(changed(new, "/applies_to", applies_to))


def add_inside_step(history: History, random: Random) -> History:
    data = {"checkpoint": random.choice(("detected", "recovered", "banana")), "at": random.choice(INSTANTS)}
    return history.adding(_inside_record("bridge-timeline", f"TL-{random.randint(300, 999)}", data, history, random))


def add_inside_workaround(history: History, random: Random) -> History:
    data = {
        "readiness": random.choice(("ready", "in_test", "banana")),
        "applies_to": [random.choice(COMPONENTS)],
        "verified": random.random() < 0.5,
        "reference": random.choice(WORDS)[:200],
    }
    return history.adding(_inside_record("workaround", f"WA-{random.randint(300, 999)}", data, history, random))


def _inside_record(kind: str, recordid: str, data: dict[str, Any], history: History, random: Random) -> Record:
    """Return a record of a kind of which some are shown, labelled for the inside, from where others come from."""
    others = heads(history, kind)
    return make_record(
        kind,
        recordid,
        data,
        source=others[0].source if others else "//workarounds.example/articles",
        subject=history.incident,
        dataclassification=random.choice((Classification.INTERNAL, Classification.RESTRICTED)),
        recordedtime=history.at,
    )


def remove_inside_entry(history: History, random: Random) -> History | None:
    """Take away a step or a workaround of the inside, all versions of it, where there is another."""
    inside = [one for kind in ("bridge-timeline", "workaround") for one in heads(history, kind) if _is_inside(one)]
    several = [one for one in inside if sum(other.type == one.type for other in inside) > 1]
    if not several:
        return None
    gone = random.choice(several)
    return history.without(*(one for one in history.records if one.identity == gone.identity))


def remove_record(history: History, random: Random) -> History | None:
    inside = [one for one in history.records if one.type in {"dependency", "security-review", "customer-status"}]
    return history.without(random.choice(inside)) if inside else None


def retime_record(history: History, random: Random) -> History | None:
    inside = [one for one in history.records if one.type in {"dependency", "security-review", "customer-status"}]
    if not inside:
        return None
    record = random.choice(inside)
    at = history.at.replace(hour=random.randint(0, 23), minute=random.randint(0, 59))
    return history.replacing((record, msgspec.structs.replace(record, recordedtime=at, time=at)))


def several_fields(history: History, fields: tuple[str, ...], random: Random) -> History | None:
    mutant = history
    for source_field in random.sample(fields, k=random.randint(3, 6)):
        mutant = mutate_field(mutant, source_field, random) or mutant
    return mutant if mutant is not history else None


RecordMutation = Callable[[History, Random], History | None]
RECORD_MUTATIONS: dict[str, RecordMutation] = {
    "dependency added": add_dependency,
    "security-review added": add_review,
    "customer-status added": add_told,
    "inside record removed": remove_record,
    "inside record retimed": retime_record,
}
# Of what a page says once that there is more: how many there are must not show.
ENTRY_MUTATIONS: dict[str, RecordMutation] = {
    "inside step added": add_another_inside_step,
    "inside workaround added": add_another_inside_workaround,
    "inside step or workaround removed": remove_inside_entry,
}


def with_inside_labels(history: History, random: Random) -> History:
    """Return the history with one record of each rendered type labelled for the inside."""
    kinds = kinds_of(history.records) & {"service-health", "workaround", "bridge-timeline", "incident"}
    chosen = [random.choice(heads(history, kind)) for kind in sorted(kinds) if random.random() < 0.7]
    labels = ("internal", "restricted")
    return history.replacing(*((one, relabelled(one, random.choice(labels))) for one in chosen))


def every_account_mutation(history: History, account: str, bridge: str, random: Random) -> Iterator[History]:
    """Yield histories in which what concerns one account alone is another: contract, entitlement, what was told."""
    for record_type, names in (
        ("contract", ("permitted_fields", "required_fields", "committed_cadence_minutes", "terms", "valid_until")),
        ("entitlement", ("capabilities", "plan", "valid_until")),
        ("customer-status", ("incident_status", "told_at", "told_by", "note")),
    ):
        own = [one for one in heads(history, record_type) if account == one.subject or one.data.get("bridge") == bridge]
        for record in own:
            for name in names:
                value = _of_account(f"{record_type}#/{name}", history, random)
                mutant = changed(record, f"/{name}", value)
                if is_valid(mutant):
                    yield history.replacing((record, mutant))
                    newer = with_data(record, mutant.data, recordversion=record.recordversion + 1)
                    yield history.adding(msgspec.structs.replace(newer, id=f"{record.id}+"))
            if record_type != "contract":
                yield history.without(*(one for one in history.records if one.identity == record.identity))


def _of_account(source_field: str, history: History, random: Random) -> object:
    classes = ("capability_status", "region_status", "incident_status", "severity", "checkpoint", "slot")
    if source_field.endswith("_fields"):
        return sorted(random.sample(classes, k=3))
    if source_field == "entitlement#/capabilities":
        return sorted(random.sample(("message-delivery", "inbox-api", "reporting", "event-webhooks"), k=2))
    return any_value(source_field, history, random)
