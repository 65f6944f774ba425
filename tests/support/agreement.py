"""When two histories agree, in the sense of invariant I1: a second, independent reading of its premises.

Nothing here looks at rendered content: that would make the property circular. The premises are read from records,
from the profile's document and from the design, by code that shares nothing with `dagster_project.packaging` but
the profile's maps:

(a) every source field whose winning rule is `render`, in records labelled `customer` that this bridge reads, with
    the envelope of its record. Contracts and entitlements count whatever their label: what a customer may see is
    the rule of the game. Those of other accounts do not count.
(b) declassification inputs. Of a confirmation only whether it is there. Of clearance what it comes to: for every
    dependency that concerns the bridge its state, and where it is cleared the names that this releases and when
    it lapses.
(c) active holds, by their cause and place: records with rendered fields that are not labelled `customer`, values
    that declare a slot, references that hold a denied term, what the customer was told against what the source
    says, conflicts, rejected input.
(d) no decisions exist yet.
(e) the evaluation instant; envelopes are part of (a).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dagster_project.clock import parse_instant
from dagster_project.packaging.profile import Profile, Rule
from dagster_project.sources.conflicts import CONFLICTING_COPIES_BELOW_HEAD
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import field_classification, present_fields
from tests.support.histories import History, heads

PROGRESS = ("emerging", "investigating", "identified", "mitigating", "monitoring", "resolved")
RANK = ("render", "ignore", "annex", "hold")
GOVERNING = ("contract", "entitlement")
CONFIRMATION = "incident#/resolution_confirmed_by"


def flat(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def opening_contracts(history: History, bridge: str) -> list[Record]:
    """Return the contracts that open a bridge for the incident."""
    return [
        one
        for one in heads(history, "contract")
        if {"*", history.incident} & {*one.data["bridges"].get(bridge, {"incidents": []})["incidents"]}
    ]


class Premises:
    """What one bridge of a history is entitled to have shown, and why else something would be kept back."""

    def __init__(self, history: History, profile: Profile, bridge: str) -> None:
        self.history, self.profile, self.bridge = history, profile, bridge
        self.contract, *self.rivals = opening_contracts(history, bridge)
        self.account = self.contract.data["account"]
        self.capability = {name: key for key, one in profile.capabilities.items() for name in one.components}
        self.bucket = {name: key for key, one in profile.region_buckets.items() for name in one.regions}
        self.entitled = {
            capability
            for one in heads(history, "entitlement")
            if one.data["account"] == self.account
            and parse_instant(one.data["valid_from"]) <= history.at < parse_instant(one.data["valid_until"])
            for capability in one.data["capabilities"]
        }

    def rule(self, source_field: str) -> Rule | None:
        covering = [one for one in self.profile.rules if source_field in one.covers]
        return max(covering, key=lambda one: (RANK.index(one.action.value), one.id), default=None)

    def action(self, source_field: str) -> str:
        rule = self.rule(source_field)
        return rule.action.value if rule else "none"

    def agreement(self) -> dict[str, Any]:
        """Return everything that must agree, by the letter of its premise."""
        return {
            "a": sorted(map(repr, self._rendered_fields())),
            "b": sorted(map(repr, self._declassified())),
            "c": sorted({repr(one) for one in self._holds()}),
            "e": self.history.at,
        }

    def _read(self) -> Iterator[Record]:
        for one in (*self.history.snapshot.heads, *self.history.snapshot.earlier):
            if one.type not in GOVERNING or one.data["account"] == self.account:
                yield one

    def _rendered_fields(self) -> Iterator[tuple[Any, ...]]:
        for record in self._read():
            for pointer, value in present_fields(record):
                label = field_classification(record, pointer)
                source_field = f"{record.type}#{pointer}"
                counts = label is Classification.CUSTOMER or record.type in GOVERNING
                if self.action(source_field) == "render" and counts:
                    yield (record.identity, record.recordversion, record.recordedtime, source_field, value)

    def concerns(self, dependency: Record) -> bool:
        capability = self.capability.get(dependency.data["component"])
        return capability is None or capability in self.entitled

    def clearance(self, dependency: Record) -> str:
        reviews = [
            one
            for one in heads(self.history, "security-review")
            if one.data["review_subject"] == f"dependency/{dependency.recordid}"
        ]
        conflicts = [one for one in self.history.snapshot.conflicts if one.kind != CONFLICTING_COPIES_BELOW_HEAD]
        in_doubt = {reference.recordid for one in conflicts for reference in one.references}
        refused = {(one.source, one.type, one.subject) for one in self.history.rejected}
        names = [one for one in heads(self.history, "dependency") if one.recordid == dependency.recordid]
        if not reviews or len(names) > 1 or {dependency.recordid, *(one.recordid for one in reviews)} & in_doubt:
            return "on_hold"
        if any((one.source, one.type, one.subject) in refused for one in reviews):
            return "on_hold"
        states = {self._clears(one.data, dependency) for one in reviews}
        return "on_hold" if "on_hold" in states else "in_review" if "in_review" in states else "cleared"

    def _clears(self, review: dict[str, Any], dependency: Record) -> str:
        if review["outcome"] == "in_review":
            return "in_review"
        lapses = parse_instant(review["expires"]) if "expires" in review else self.history.at
        said = review["outcome"] in {"cleared", "narrowed"} and "/vendors" in review["scope"]
        for_us = self.profile.channel in review["channels"] and review["subject_version"] == dependency.recordversion
        return "cleared" if said and for_us and lapses > self.history.at else "on_hold"

    def _lapses(self, dependency: Record) -> datetime:
        return min(
            parse_instant(one.data["expires"])
            for one in heads(self.history, "security-review")
            if one.data["review_subject"] == f"dependency/{dependency.recordid}"
        )

    def _declassified(self) -> Iterator[tuple[Any, ...]]:
        for record in heads(self.history, "incident"):
            yield ("confirmed", record.identity, CONFIRMATION.rpartition("/")[2] in record.data)
        states = set()
        public = self.profile.lexicons.approved_public_names
        for record in heads(self.history, "dependency"):
            if not self.concerns(record):
                continue
            states.add(self.clearance(record))
            if self.clearance(record) == "cleared":
                names = sorted({public.get(one, "no public name") for one in record.data["vendors"]})
                yield ("cleared", record.identity, names, self._lapses(record))
        yield ("dependencies", "on_hold" in states, "in_review" in states, "cleared" in states)

    def _holds(self) -> Iterator[tuple[Any, ...]]:
        yield from self._labelled_inside()
        yield from self._slots_declared()
        yield from self._denied_references()
        yield ("told", self._told_ahead())
        for conflict in self.history.snapshot.conflicts:
            sides = [(one.source, one.recordid, one.recordversion) for one in conflict.references]
            yield ("conflict", conflict.kind, sorted(sides), conflict.source_fields)
        for refused in self.history.rejected:
            yield ("rejected", refused.source, refused.type, refused.subject)

    def _labelled_inside(self) -> Iterator[tuple[Any, ...]]:
        """Place every record that has fields to render but is not labelled for customers: its fields are on hold."""
        for record in self._read():
            if record.dataclassification is Classification.CUSTOMER or record.type in GOVERNING:
                continue
            data = record.data
            if record.type == "service-health":
                well = self.profile.status_codes.get(data["state"]) == "operational"
                place = (self.capability.get(data["component"]), self.bucket.get(data["region"]))
                yield ("inside", place) if record in self.history.snapshot.heads else ("past", record.identity, well)
            elif record.type in {"workaround", "bridge-timeline"} and not self._is_reviewed(record):
                # Of all of them together the page says once that there is more: neither how many nor which.
                if record.type == "bridge-timeline" or any(self._concerns_us(one) for one in data["applies_to"]):
                    yield ("inside", record.type)
            elif record.type == "workaround":
                helps = any(self._concerns_us(one) for one in data["applies_to"])
                usable = (
                    data["verified"] and self.profile.readiness_codes.get(data["readiness"]) == "available_verified"
                )
                yield ("inside", record.identity, helps, bool(usable and "reference" in data))
            elif record.type in {"incident", "bridge-timeline"}:
                yield ("inside", record.identity)
            elif record.type == "customer-status":
                yield ("inside", data["bridge"] == self.bridge)

    def _is_reviewed(self, record: Record) -> bool:
        subjects = {one.data["review_subject"] for one in heads(self.history, "security-review")}
        return f"{record.type}/{record.recordid}" in subjects

    def _concerns_us(self, component: str) -> bool:
        return self.capability.get(component) is None or self.capability[component] in self.entitled

    def _slots_declared(self) -> Iterator[tuple[Any, ...]]:
        for record in self.history.snapshot.heads:
            if record.type == "dependency" and not self.concerns(record):
                continue
            if record.type == "security-review" and self._is_about_what_was_not_bought(record.data["review_subject"]):
                continue
            for pointer, _value in present_fields(record):
                rule = self.rule(f"{record.type}#{pointer}")
                if rule and rule.slot and rule.action.value == "annex" and record.type != "dependency":
                    yield ("declared", rule.slot)

    def _is_about_what_was_not_bought(self, subject: str) -> bool:
        named = [one for one in heads(self.history, "dependency") if f"dependency/{one.recordid}" == subject]
        return bool(named) and not any(self.concerns(one) for one in named)

    def denied_terms(self) -> set[str]:
        """Return every short text that is not for customers, and every other account's name, less public names."""
        pinned = (*self.history.snapshot.heads, *self.history.snapshot.earlier)
        inside = {
            text
            for record in pinned
            for pointer, value in present_fields(record)
            if field_classification(record, pointer) is not Classification.CUSTOMER
            or (pointer == "/account" and value != self.account)
            for text in strings(value)
            if len(text) <= 200
        }
        public = {flat(one) for one in self.profile.lexicons.approved_public_names.values()}
        hosts = {one.split(".")[0] for one in inside if one.count(".") >= 2 and re.fullmatch("[A-Za-z0-9.-]+", one)}
        denied = {flat(one) for one in (*inside, *hosts, *self.profile.lexicons.denied_terms)}
        return {one for one in denied if len(one) >= 4} - public

    def _denied_references(self) -> Iterator[tuple[Any, ...]]:
        rule = self.rule("workaround#/reference")
        if rule is None or rule.trusted:
            return
        terms = self.denied_terms()
        for record in heads(self.history, "workaround"):
            if record.dataclassification is not Classification.CUSTOMER and not self._is_reviewed(record):
                continue  # it makes no entry, so its article has no place
            text = flat(record.data.get("reference", ""))
            yield ("denied", record.identity, any(one in text for one in terms))

    def _told_ahead(self) -> bool:
        told = [
            one.data["incident_status"]
            for one in heads(self.history, "customer-status")
            if one.data["bridge"] == self.bridge
        ]
        (incident,) = heads(self.history, "incident")
        if incident.dataclassification is not Classification.CUSTOMER:
            return False  # the status is on hold for its label already
        said = self.status_said()
        if said not in PROGRESS:
            return False
        return any(one not in PROGRESS or PROGRESS.index(one) > PROGRESS.index(said) for one in told)

    def status_said(self) -> str:
        (incident,) = heads(self.history, "incident")
        data = incident.data
        said = self.profile.incident_states.get(data["state"], "unknown")
        if said == "identified" and not data.get("cause_confirmed"):
            return "investigating"
        over = "monitoring_until" in data and parse_instant(data["monitoring_until"]) <= self.history.at
        stated = data.get("data_integrity") in {"no_loss", "loss", "under_review"}
        if said == "resolved" and not (over and stated and "resolution_confirmed_by" in data):
            return "monitoring"
        return said
