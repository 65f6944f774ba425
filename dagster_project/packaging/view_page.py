"""The page behind the views: package content in words, before any markup.

Belongs here: turning content into one frozen `Page`, so that HTML, Markdown and plain text cannot say different
things (incident_communication M12). Words come from `view_wording`; markup and escaping are `views`.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from dagster_project.clock import parse_instant
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging import view_wording as words
from dagster_project.packaging.content_schema import schema_violations
from dagster_project.packaging.fields import pointer_token, pointer_tokens
from dagster_project.packaging.view_wording import ON_HOLD, label

Content = dict[str, Any]
Labels = Mapping[str, str]

# What would break a line; what would turn the reading direction around, or is half a character.
_BREAKS: Final = re.compile("[\\s\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]+")
_TURNS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Slot states that keep nothing back; any other does.
_QUIET_STATES: Final = frozenset({"none_declared", "cleared"})
_PARAMETER: Final = re.compile(r"\{([a-z0-9_]+)\}")
# What reading raises where content has not the form of the contract.
_MISREAD: Final = (LookupError, TypeError, ValueError, AttributeError)


class State(msgspec.Struct, frozen=True):
    """One code in words. `held` says that the field itself is on hold and the code only stands in for it."""

    code: str
    label: str
    held: bool = False

    @property
    def icon(self) -> str:
        """The name of the shape that goes with the code; a pause for what is on hold."""
        return words.ICONS[ON_HOLD] if self.held else words.ICONS[self.code]


class Moment(msgspec.Struct, frozen=True):
    """An instant for machines, and its time and day in words; all None or empty where the instant is on hold."""

    machine: str | None = None
    time: str = ""
    day: str = ""

    @property
    def text(self) -> str:
        """The instant in words."""
        return words.TIME_ON_HOLD if self.machine is None else f"{self.time}, {self.day}"


class Phrase(msgspec.Struct, frozen=True):
    """A piece of a statement: fixed text of the approved template, a value, or a value on hold."""

    text: str
    is_value: bool = False
    held: bool = False


class Capability(msgspec.Struct, frozen=True):
    """One row of the matrix; `regions` follows `Page.regions`, None where nothing is stated."""

    name: str
    status: State | None
    since: Moment | None
    regions: tuple[State | None, ...]


class Workaround(msgspec.Struct, frozen=True):
    """A workaround's readiness, the capabilities it is for (None where none is stated), and what is said of it."""

    readiness: State
    applies_to: str | None
    applies_to_held: bool
    statements: tuple[tuple[Phrase, ...], ...]


class ShownHold(msgspec.Struct, frozen=True):
    """One slot that is on hold: what kind of detail, who decides, and which fields wait for it."""

    name: str
    state: str
    decides: str
    fields: tuple[str, ...]


class Page(msgspec.Struct, frozen=True):
    """All that the views say, in reading order. None or empty where the package states nothing."""

    status: State | None
    status_sentence: str
    severity: State | None
    document_status: State | None
    regions: tuple[str, ...]
    affected: tuple[Capability, ...]
    not_affected: tuple[tuple[str, State], ...]
    workarounds: tuple[Workaround, ...]
    statements: tuple[tuple[Phrase, ...], ...]
    holds: tuple[ShownHold, ...]
    cleared: tuple[str, ...]
    none_declared: tuple[str, ...]
    timeline: tuple[tuple[State, Moment], ...]
    sharing_label: str
    sharing: str
    partly_held: frozenset[str]
    # What a released page says of its own version; a candidate has none.
    version_lines: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Return a value as one line that reads in one direction: no break, no control, no turn of direction."""
    if text.isprintable() and "  " not in text:  # no separator but the space, no control, no turn: as most are
        return text.strip()
    return _TURNS.sub("\ufffd", _BREAKS.sub(" ", text)).strip()


def listed(items: tuple[str, ...]) -> str:
    """Join words as a sentence lists them: a; a and b; a, b and c."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def page_of(content: Content) -> Page:
    """Put package content into words; total over what the contract allows.

    Raises:
        UnsafeOrRejected: a code without words, see `view_wording.label`; or content that has not the form of the
            contract and cannot be read (`content_unreadable`).
        UsageError: an instant that cannot be read.
    """
    try:
        return _Reader(content).page()
    except _MISREAD:
        violations = schema_violations(content)
        if not violations:  # content is as agreed: a fault of ours, which must surface as one
            raise
        # The cause is left out: its text may quote a value.
        raise UnsafeOrRejected(
            "content_unreadable",
            what="the views cannot read this package content: it has not the form of the contract",
            where=violations[0],
            what_to_do="Look at the reasons of its release check; content that was changed by hand is never shown.",
        ) from None


class _Reader:
    """Reads one content with its names and its held pointers at hand."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._held = frozenset(pointer for slot in content["held"].values() for pointer in slot["fields"])
        self._names = {key: clean(name) for key, name in content["names"].items()}

    def page(self) -> Page:
        """Return the whole page."""
        content = self._content
        regions = self._regions()
        statements = {key: self._statement(key) for key in sorted(content["statements"])}
        status = self._top("/incident_status", words.INCIDENT_STATUS_LABELS)
        return Page(
            status=status,
            status_sentence=words.INCIDENT_STATUS_SENTENCES[status.code] if status else "",
            severity=self._top("/severity_code", words.SEVERITY_LABELS),
            document_status=self._top("/document_status", words.DOCUMENT_STATUS_LABELS),
            regions=tuple(self._name(region) for region in regions),
            affected=self._affected(regions),
            not_affected=self._not_affected(),
            workarounds=tuple(self._workaround(key, statements) for key in sorted(content["workarounds"])),
            statements=tuple(said for key, said in statements.items() if key not in content["workarounds"]),
            # A slot is shown as a hold by its state, or because a field waits for it.
            holds=tuple(hold for state, hold in self._slots if state not in _QUIET_STATES or hold.fields),
            cleared=self._slots_in("cleared"),
            none_declared=self._slots_in("none_declared"),
            timeline=self._timeline(),
            sharing_label=content["tlp"],
            sharing=label(words.SHARING_LABELS, content["tlp"], where="/tlp"),
            partly_held=frozenset(pointer[1:] for pointer in self._held if "/" not in pointer[1:]),
        )

    def _name(self, key: str) -> str:
        return self._names[key] if key in self._names else clean(key)

    def _state(self, pointer: str, code: object, labels: Labels) -> State:
        return State(str(code), label(labels, code, where=pointer), held=code == ON_HOLD or pointer in self._held)

    def _top(self, pointer: str, labels: Labels) -> State | None:
        """Return a state of the whole package; one that is on hold shows even where no leaf stands yet."""
        code = self._content.get(pointer[1:])
        if code is None and pointer in self._held:
            code = ON_HOLD
        return None if code is None else self._state(pointer, code, labels)

    def _moment(self, pointer: str, instant: str | None) -> Moment:
        if instant is None or pointer in self._held:
            return Moment()
        read = parse_instant(instant)
        return Moment(
            machine=instant,
            time=f"{read.hour:02}:{read.minute:02} UTC",
            day=f"{read.day} {words.month_name(read.month)} {read.year}",
        )

    def _regions(self) -> tuple[str, ...]:
        listed_regions = {
            region for one in self._content["affected_capabilities"].values() for region in one.get("regions", {})
        }
        return tuple(sorted(listed_regions, key=lambda region: (self._name(region), region)))

    def _affected(self, regions: tuple[str, ...]) -> tuple[Capability, ...]:
        parts: Content = self._content["affected_capabilities"]
        return tuple(
            self._capability(key, parts[key], regions)
            for key in sorted(parts, key=lambda key: (_reading_rank(parts[key]), self._name(key), key))
        )

    def _capability(self, key: str, stated: Content, regions: tuple[str, ...]) -> Capability:
        place = f"/affected_capabilities/{pointer_token(key)}"
        by_region = stated.get("regions", {})
        status = None
        if "capability_status" in stated:
            status = self._state(
                f"{place}/capability_status", stated["capability_status"], words.CAPABILITY_STATUS_LABELS
            )
            if status.code == "operational" and not status.held:
                status = State(status.code, words.RECOVERED)
        return Capability(
            name=self._name(key),
            status=status,
            since=self._moment(f"{place}/since", stated["since"]) if "since" in stated else None,
            regions=tuple(
                self._state(
                    f"{place}/regions/{pointer_token(region)}", by_region[region], words.CAPABILITY_STATUS_LABELS
                )
                if region in by_region
                else None
                for region in regions
            ),
        )

    def _not_affected(self) -> tuple[tuple[str, State], ...]:
        parts = self._content["not_affected"]
        return tuple(
            (
                self._name(key),
                self._state(f"/not_affected/{pointer_token(key)}", parts[key], words.CAPABILITY_STATUS_LABELS),
            )
            for key in sorted(parts, key=lambda key: (self._name(key), key))
        )

    def _workaround(self, key: str, statements: dict[str, tuple[Phrase, ...]]) -> Workaround:
        stated = self._content["workarounds"][key]
        place = f"/workarounds/{pointer_token(key)}"
        capabilities = stated["applies_to"]
        known = isinstance(capabilities, list) and f"{place}/applies_to" not in self._held
        return Workaround(
            readiness=self._state(f"{place}/readiness", stated["readiness"], words.READINESS_LABELS),
            applies_to=listed(tuple(sorted(map(self._name, capabilities)))) if known and capabilities else None,
            applies_to_held=not known,
            statements=(statements[key],) if key in statements else (),
        )

    def _statement(self, key: str) -> tuple[Phrase, ...]:
        """Fill an approved template. Only declared parameters are replaced, and no value is read as a template."""
        stated = self._content["statements"][key]
        place = f"/statements/{pointer_token(key)}/parameters"
        pieces = _PARAMETER.split(clean(stated["text"]))
        return tuple(
            self._parameter(place, piece, stated["parameters"]) if index % 2 else Phrase(piece)
            for index, piece in enumerate(pieces)
            if piece
        )

    def _parameter(self, place: str, name: str, parameters: Content) -> Phrase:
        pointer = f"{place}/{pointer_token(name)}"
        value = parameters.get(name)
        if value is None or value == ON_HOLD or pointer in self._held:
            return Phrase(words.VALUE_ON_HOLD, is_value=True, held=True)
        if name in words.PARAMETER_LABELS:
            return Phrase(label(words.PARAMETER_LABELS[name], value, where=pointer), is_value=True)
        several = value if isinstance(value, list) else [value]
        return Phrase(listed(tuple(clean(str(one)) for one in several)), is_value=True)

    def _slot_name(self, slot: Content) -> str:
        category = slot["category"]
        return words.SLOT_LABELS.get(category, clean(category.replace("_", " ")).capitalize())

    @cached_property
    def _slots(self) -> tuple[tuple[str, ShownHold], ...]:
        """Return every slot with its state's code, in a fixed order."""
        return tuple(
            (
                slot["slot_state"],
                ShownHold(
                    name=self._slot_name(slot),
                    state=label(words.SLOT_STATE_LABELS, slot["slot_state"], where=f"/held/{key}/slot_state"),
                    decides=label(words.REVIEW_ROLE_LABELS, slot["review_role"], where=f"/held/{key}/review_role"),
                    fields=tuple(dict.fromkeys(self._field_name(pointer) for pointer in slot["fields"])),
                ),
            )
            for key, slot in sorted(self._content["held"].items())
        )

    def _slots_in(self, wanted: str) -> tuple[str, ...]:
        """Return the slots that keep nothing back and are in one state."""
        return tuple(hold.name for state, hold in self._slots if state == wanted and not hold.fields)

    def _field_name(self, pointer: str) -> str:
        """Name the field at a pointer as a reader of the page would."""
        part, *rest = pointer_tokens(pointer)
        if part in {"affected_capabilities", "not_affected"} and rest:
            capability, *leaf = rest
            name = self._name(capability)
            match leaf:
                case ["regions", region]:
                    return f"{name} in {self._name(region)}"
                case ["regions"]:
                    return f"Further regions of {name}"
                case ["since"]:
                    return f"Start time of {name}"
                case [] | ["capability_status"]:
                    return f"Overall state of {name}"
                case _:
                    return words.SOME_FIELD
        return words.FIELD_LABELS.get("/".join((part, *rest[1:])) if rest else part, words.SOME_FIELD)

    def _timeline(self) -> tuple[tuple[State, Moment], ...]:
        """Return the steps in time order; those without a time stand last."""
        parts: Content = self._content["timeline"]
        return tuple(
            (
                self._state(f"/timeline/{pointer_token(key)}/checkpoint", step["checkpoint"], words.CHECKPOINT_LABELS),
                self._moment(f"/timeline/{pointer_token(key)}/at", step["at"]),
            )
            for key, step in sorted(parts.items(), key=_step_order)
        )


def _reading_rank(capability: Content) -> int:
    """Return how early a capability is read: by the worst of what it states."""
    codes = [capability.get("capability_status"), *capability.get("regions", {}).values()]
    return min((words.READING_ORDER.index(code) for code in codes if code in words.READING_ORDER), default=0)


def _step_order(item: tuple[str, Content]) -> tuple[bool, float, str]:
    key, step = item
    at = step["at"]
    return (at is None, 0.0 if at is None else parse_instant(at).timestamp(), key)
