"""What a bridge may notice: the premises of I1, read as narrowly as the rules of the product allow.

`tests.support.agreement` reads the premises by the letter: every field that the profile renders counts as seen. Here
a field counts only where nothing keeps it back: a record of a component that the account did not buy, a class that the
contract does not permit, a record in conflict, fed by rejected input, denied or told otherwise, or a leaf on which
people have not decided, must not show by its value, so it is mutated like any restricted value. What of it may show is
its place (that something stands there, on hold), and that stays among the premises.

Like the module that it narrows, it shares nothing with `dagster_project.packaging` but the profile's maps.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from dagster_project.clock import parse_instant
from dagster_project.packaging.profile import Profile
from dagster_project.sources.conflicts import CONFLICTING_COPIES_BELOW_HEAD
from dagster_project.sources.record import Record
from tests.support.agreement import GOVERNING, Premises
from tests.support.histories import History, heads

# The fields whose value is shown; the others of a rendered record say where it is shown, or of what it speaks.
VALUES: Final = {
    "incident": ("/severity", "/state", "/cause_confirmed", "/monitoring_until", "/data_integrity"),
    "service-health": ("/state", "/since"),
    "workaround": ("/readiness", "/verified", "/reference"),
    "bridge-timeline": ("/checkpoint", "/at"),
    "entitlement": ("/capabilities",),
}
STATUS: Final = ("/state", "/cause_confirmed", "/monitoring_until", "/data_integrity")
# What is a host on the inside whoever names it; a value that is exchanged for another may have more labels.
_HOST_INSIDE: Final = re.compile(r"\bdb-[0-9]{2,4}\.use1\.internal\b")


class NarrowPremises(Premises):
    """The premises of one bridge; `undecided` are the pointers of leaves that people keep on hold."""

    def __init__(self, history: History, profile: Profile, bridge: str, undecided: tuple[str, ...] = ()) -> None:
        super().__init__(history, profile, bridge)
        self.undecided = undecided
        data = self.contract.data
        self.nothing_permitted = bool(self.rivals) or not (
            parse_instant(data["valid_from"]) <= history.at < parse_instant(data["valid_until"])
        )
        self.permitted = set.intersection(*({*one.data["permitted_fields"]} for one in (self.contract, *self.rivals)))
        if self.rivals:
            self.entitled = set()
        self.disputed: dict[tuple[str, str, int], list[tuple[str, ...]]] = {}
        for one in history.snapshot.conflicts:
            if one.kind != CONFLICTING_COPIES_BELOW_HEAD:
                for side in one.references:
                    place = (side.source, side.recordid, side.recordversion)
                    self.disputed.setdefault(place, []).append(one.source_fields)
        self.refused = {(one.source, one.type, one.subject) for one in history.rejected}
        self.told_ahead = len(heads(history, "incident")) == 1 and self._told_ahead()
        self.denied = self.denied_terms()

    def hides(self, record: Record, pointer: str, value: object = None) -> bool:
        """Tell whether the value of a field that the profile renders is kept back from this bridge."""
        return self.reason_to_hide(record, pointer, value) is not None

    def reason_to_hide(self, record: Record, pointer: str, value: object = None) -> str | None:
        """Return why the value of a field that the profile renders is kept back from this bridge, if it is."""
        if record.type in GOVERNING:
            return "rivals" if record.type == "entitlement" and self.rivals else None
        if pointer not in VALUES.get(record.type, ()):
            return "absent" if self.is_absent(record) else None
        reasons = {
            "absent": self.is_absent(record),
            "rivals": bool(self.rivals),
            "nothing permitted": self.nothing_permitted,
            "in doubt": self._is_in_doubt(record, pointer),
            "not permitted": self._is_not_permitted(record, pointer),
            "kept back": self._is_kept_back(record, pointer, value),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def is_absent(self, record: Record) -> bool:
        """Tell whether nothing of a record shows here, not even that it is there."""
        if record.type == "service-health":
            capability = self.capability.get(record.data["component"])
            return capability is not None and capability not in self.entitled
        if record.type == "workaround":
            named = [self.capability.get(one) for one in record.data["applies_to"]]
            return all(one is not None and one not in self.entitled for one in named)
        if record.type == "bridge-timeline":
            return "checkpoint" not in self.permitted
        return False

    def _is_in_doubt(self, record: Record, pointer: str) -> bool:
        if (record.source, record.type, record.subject) in self.refused:
            return True
        fields = self.disputed.get(record.version_identity, [])
        return any(not named or f"{record.type}#{pointer}" in named for named in fields)

    def _is_not_permitted(self, record: Record, pointer: str) -> bool:
        if record.type == "incident" and pointer == "/severity":
            return "severity" not in self.permitted
        return False

    def _is_kept_back(self, record: Record, pointer: str, value: object) -> bool:
        if record.type == "incident" and pointer == "/severity":
            return "/severity_code" in self.undecided
        if record.type == "incident":
            return self.told_ahead and pointer in STATUS
        if pointer == "/reference":
            return self.is_denied(str(value))
        return False

    def is_denied(self, reference: str) -> bool:
        flat = "".join(one for one in reference.lower() if one.isascii() and one.isalnum())
        return any(term in flat for term in self.denied) or bool(_HOST_INSIDE.search(reference))

    def _rendered_fields(self) -> Iterator[tuple[Any, ...]]:
        by_identity = {(one.identity, one.recordversion): one for one in self._read()}
        for identity, version, recorded, source_field, value in super()._rendered_fields():
            record = by_identity[identity, version]
            pointer = source_field.partition("#")[2]
            if not self.hides(record, pointer, value):
                yield (identity, version, recorded, source_field, value)

    def _holds(self) -> Iterator[tuple[Any, ...]]:
        yield from super()._holds()
        yield ("told ahead", self.told_ahead)
        for record in heads(self.history, "service-health"):
            if self.capability.get(record.data["component"]) is None:
                yield ("unmapped",)
        for record in heads(self.history, "workaround"):
            if not self.is_absent(record) and any(self.hides(record, one) for one in VALUES["workaround"]):
                named = self.action("workaround#/readiness") == self.action("workaround#/verified") == "render"
                usable = named and self.profile.readiness_codes.get(record.data["readiness"]) == "available_verified"
                said = usable and record.data["verified"]
                yield ("article", record.identity, bool(said and "reference" in record.data))
