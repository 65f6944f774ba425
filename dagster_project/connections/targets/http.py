"""Targets over HTTP with JSON.

Belongs here: the requests of `closure.targets` as PUT and GET, and what each answer means. An answer counts only where
its form is exactly the one that is asked for; of anything else nothing is known. Does not belong here: connections and
their bounds (`http_exchange`). No text of another system goes into a failure: its words are ours, with the status.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from dagster_project.closure.disposition import Disposition
from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectChanged,
    SubjectState,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.connections.targets.forms import (
    FORMS,
    REFUSALS,
    SUBJECT_CHANGED,
    TargetForm,
    is_name,
    is_value,
    readable,
    refusal_of,
)
from dagster_project.connections.targets.http_exchange import Answer, HttpSystem, NoAnswer, NotSent, exchange
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict

TOKEN_VARIABLE: Final = "CHANNELSAFE_SUPPORT_SYSTEMS_TOKEN"  # noqa: S105 - the name of a variable, not a token
LONGEST_WAIT: Final = 3600.0  # seconds that a Retry-After may ask for; more counts as this
ABSENT: Final = "absent"
NOT_APPLIED: Final = "not_applied"
_UNREACHABLE: Final = "unreachable"
_NO_ANSWER: Final = "no_answer"
_NOT_UNDERSTOOD: Final = "answer_not_understood"
_VERSION: Final = re.compile(r"[\x21\x23-\x7e]{1,128}")  # what an ETag can hold between its quotes
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

OK: Final = 200
NOT_FOUND: Final = 404
REQUEST_TIMEOUT: Final = 408
CONFLICTS: Final = frozenset({409, 412})
TOO_MANY: Final = 429
BUSY: Final = 503
FIRST_REFUSAL: Final = 400
FIRST_FAULT: Final = 500

_Document = TypeVar("_Document")


class ReceiptDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a PUT, and to a probe that finds its effect."""

    key: str
    subject: str
    reference: str
    version: str


class StateDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a GET of a subject: every field that may be written, and no other."""

    subject: str
    version: str
    values: dict[str, object]


class FenceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a fence: the highest that the subject saw."""

    subject: str
    fence: int


class DigestDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer of the archive."""

    reference: str
    digest: str


class WordDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer where there is nothing, or nothing was done: one fixed word."""

    code: str


class HttpTarget:
    """One target behind HTTP."""

    def __init__(self, system: HttpSystem, form: TargetForm) -> None:
        self._system = system
        self._form = form

    @property
    def name(self) -> str:
        """The target's name."""
        return self._form.name

    def read(self, subject: str) -> SubjectState | None:
        """Return the fields and version of a subject; None where the target says that it knows none.

        Raises:
            TargetUnavailable: it cannot be reached, is busy, or its answer is not understood.
        """
        if not is_name(subject):
            return None
        answer = _get(self._system, _path(self.name, subject))
        return None if answer is None else self._state(answer, subject)

    def raise_fence(self, subject: str, fence: int) -> None:
        """PUT a fence; that may be repeated at will.

        Raises:
            TargetUnavailable: the target did not say that it keeps this fence, or a higher one.
        """
        if not is_name(subject):
            return
        body = canonical_bytes({"fence": fence})
        try:
            path, headers = _path(self.name, "fences", subject), {"Content-Type": "application/json"}
            answer = exchange(self._system, "PUT", path, headers, body)
        except NotSent:
            raise TargetUnavailable(_UNREACHABLE) from None
        except NoAnswer:
            raise TargetUnavailable(_NO_ANSWER) from None
        if answer.status != OK:
            raise TargetUnavailable(f"answered_{answer.status}", _seconds_to_wait(answer))
        _understood(answer, FenceDocument, lambda document: document.subject == subject and document.fence >= fence)

    def probe(self, key: str) -> TargetReceipt | None:
        """Return the receipt of the effect with a key; None where the target says that there was none.

        Raises:
            TargetUnavailable: as for `read`; nothing is known.
        """
        if not is_name(key):
            return None
        answer = _get(self._system, _path(self.name, "effects", key))
        if answer is None:
            return None
        document = _parsed(answer, ReceiptDocument)
        if document is None or document.key != key or not (is_name(document.subject) and is_name(document.reference)):
            raise TargetUnavailable(_NOT_UNDERSTOOD)
        return _receipt(document)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        """PUT the values under the request's key, fence and expected version.

        Raises:
            TargetRefused: a refusal of ours before anything is sent, or of the target (4xx).
            SubjectChanged: the target answers 409 or 412.
            TargetUnavailable: nothing was sent, or the target says that it did nothing (429; 503 with Retry-After).
            OutcomeUnknown: everything else.
        """
        refusal = refusal_of(self._form, request)
        if refusal is not None:
            raise TargetRefused(refusal)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": request.key,
            "X-Fence": str(request.fence),
            **({} if request.expected_version is None else {"If-Match": f'"{_sendable(request.expected_version)}"'}),
        }
        body = canonical_bytes(dict(request.values))
        try:
            answer = exchange(self._system, "PUT", _path(self.name, request.subject), headers, body)
        except NotSent:
            raise TargetUnavailable(_UNREACHABLE) from None
        except NoAnswer:
            raise OutcomeUnknown(_NO_ANSWER) from None
        if answer.status != OK:
            raise _failure_of_write(answer)
        document = _parsed(answer, ReceiptDocument)
        asked = (request.key, request.subject)
        if document is None or (document.key, document.subject) != asked or not is_name(document.reference):
            raise OutcomeUnknown(_NOT_UNDERSTOOD)
        return _receipt(document)

    def _state(self, answer: Answer, subject: str) -> SubjectState:
        document = _parsed(answer, StateDocument)
        if document is None or document.subject != subject or set(document.values) != set(readable(self._form)):
            raise TargetUnavailable(_NOT_UNDERSTOOD)
        if not all(is_value(readable(self._form)[field], value) for field, value in document.values.items()):
            raise TargetUnavailable(_NOT_UNDERSTOOD)
        return SubjectState(subject=subject, version=document.version, values=document.values)


class HttpCaseReviewSystem:
    """The case-review system behind HTTP: it is read, and there is no way here to write to it."""

    def __init__(self, system: HttpSystem) -> None:
        self._system = system

    def read(self, case: str) -> Disposition | None:
        """Return the record of a case as it is now; None where the system says that there is none.

        Raises:
            TargetUnavailable: it cannot be reached, is busy, or its answer is not understood.
        """
        answer = _get(self._system, _path("case-review", case)) if is_name(case) else None
        return None if answer is None else _understood(answer, Disposition, lambda record: record.case == case)


class HttpArchive:
    """The archive behind HTTP, as it is read."""

    def __init__(self, system: HttpSystem) -> None:
        self._system = system

    def digest_of(self, reference: str) -> str | None:
        """Return the digest of what a reference holds now; None where the archive says that it holds nothing.

        Raises:
            TargetUnavailable: it cannot be reached, is busy, or its answer is not understood.
        """
        answer = _get(self._system, _path("archive", reference)) if is_name(reference) else None
        if answer is None:
            return None
        return _understood(answer, DigestDocument, lambda document: document.reference == reference).digest


def http_targets(systems: Mapping[str, HttpSystem]) -> Mapping[str, HttpTarget]:
    """Return a target for each name in `forms.FORMS`, reached where `systems` says.

    Raises:
        KeyError: `systems` lacks one of them.
    """
    return MappingProxyType({name: HttpTarget(systems[name], form) for name, form in FORMS.items()})


def read_token(environment: Mapping[str, str]) -> str | None:
    """Return the bearer token of the support systems from the environment; None where none is set."""
    return environment.get(TOKEN_VARIABLE) or None


def _path(*segments: str) -> str:
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _sendable(version: str) -> str:
    if _VERSION.fullmatch(version) is None:
        # No answer of the target ever held it, so the subject cannot have it.
        raise SubjectChanged(SUBJECT_CHANGED)
    return version


def _get(system: HttpSystem, path: str) -> Answer | None:
    """Return an answer 200; None where the system says in so many words that there is nothing."""
    try:
        answer = exchange(system, "GET", path, {}, None)
    except NotSent:
        raise TargetUnavailable(_UNREACHABLE) from None
    except NoAnswer:
        raise TargetUnavailable(_NO_ANSWER) from None
    if answer.status == OK:
        return answer
    # A bare 404 may come from a proxy or a wrong address: it does not say that there is nothing.
    if answer.status == NOT_FOUND and _word(answer) == ABSENT:
        return None
    raise TargetUnavailable(f"answered_{answer.status}", _seconds_to_wait(answer))


def _failure_of_write(answer: Answer) -> TargetFailure:
    status, after, word = answer.status, _seconds_to_wait(answer), _word(answer)
    did_nothing = status == TOO_MANY or (status == BUSY and after is not None)
    if did_nothing or (status >= FIRST_FAULT and word == NOT_APPLIED):
        return TargetUnavailable(f"answered_{status}", after)
    if status in CONFLICTS:
        return SubjectChanged(SUBJECT_CHANGED)
    if FIRST_REFUSAL <= status < FIRST_FAULT and status != REQUEST_TIMEOUT:
        return TargetRefused(word if word in REFUSALS else f"answered_{status}")
    # Redirects too: who answers 303 may have done it.
    return OutcomeUnknown(f"answered_{status}")


def _seconds_to_wait(answer: Answer) -> float | None:
    """Return what Retry-After asks for in seconds; None where it is absent or a date, which would need a clock."""
    asked = answer.headers.get("retry-after", "").strip()
    return min(float(asked), LONGEST_WAIT) if _SECONDS.fullmatch(asked) else None


def _word(answer: Answer) -> str | None:
    document = _decoded(answer, WordDocument)
    return document.code if document is not None else None


def _receipt(document: ReceiptDocument) -> TargetReceipt:
    return TargetReceipt(
        key=document.key, subject=document.subject, reference=document.reference, version=document.version
    )


def _understood(answer: Answer, kind: type[_Document], is_asked_for: Callable[[_Document], bool]) -> _Document:
    document = _decoded(answer, kind)
    if document is None or not is_asked_for(document):
        raise TargetUnavailable(_NOT_UNDERSTOOD)
    return document


_Versioned = TypeVar("_Versioned", ReceiptDocument, StateDocument)


def _parsed(answer: Answer, kind: type[_Versioned]) -> _Versioned | None:
    """Return an answer that names a version; None where its form is wrong or its ETag says another version."""
    document = _decoded(answer, kind)
    if document is None or _VERSION.fullmatch(document.version) is None:
        return None
    return document if answer.headers.get("etag") == f'"{document.version}"' else None


def _decoded(answer: Answer, kind: type[_Document]) -> _Document | None:
    try:
        return msgspec.convert(parse_strict(answer.body), kind)
    except (NotCanonical, msgspec.ValidationError):
        return None
