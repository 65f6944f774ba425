"""A reference server of the support systems: HTTP JSON on the loopback, over the same SQL tables as the SQL targets.

Each system listens on a port of its own, so that one can be down while others serve. Faults are switched on for one
system at a time, for a number of requests or until they are switched off. The server is honest otherwise: what it
answers is what the tables hold.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from sqlalchemy.engine import Engine

from dagster_project.closure.targets import (
    SubjectChanged,
    SubjectState,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.connections.targets.forms import FORMS, Kind
from dagster_project.connections.targets.http_exchange import HttpSystem, http_system
from dagster_project.connections.targets.sql import SqlArchive, SqlCaseReviewSystem, SqlTarget, sql_targets
from dagster_project.integrity.canonical import NotCanonical, parse_strict

CASE_REVIEW: Final = "case-review"
ARCHIVE_DOCUMENTS: Final = "archive"
SYSTEMS: Final = (*FORMS, CASE_REVIEW, ARCHIVE_DOCUMENTS)
UNTIL_SWITCHED_OFF: Final = 10**9
_LARGEST_REQUEST: Final = 64 * 1024


class Fault(StrEnum):
    """What a system does instead of its work. All but WRONG_READ_BACK befall writes alone."""

    LOST_RESPONSE = "lost_response"  # the effect happens, then the connection closes
    FAILS = "fails"  # 500 before the effect
    FAILS_AFTERWARDS = "fails_afterwards"  # 500 after the effect
    BUSY = "busy"  # 429 with Retry-After
    STALLS = "stalls"  # silent for `seconds`, then the effect and its answer
    REFUSES = "refuses"  # 403, whoever asks
    WRONG_READ_BACK = "wrong_read_back"  # a subject reads otherwise than it is


@dataclass
class _Switched:
    fault: Fault
    times: int
    seconds: float


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class SystemServer:
    """One system: its port, what it received, and the fault that is switched on."""

    engine: Engine
    name: str
    token: str | None
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)
    _switched: _Switched | None = None
    _at_work: int = 0
    _idle: threading.Condition = field(default_factory=threading.Condition)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def switch_on(self, fault: Fault, *, times: int = UNTIL_SWITCHED_OFF, seconds: float = 0.0) -> None:
        """Let a fault befall the next `times` requests; `seconds` is how long a stall or a Retry-After is."""
        with self._lock:
            self._switched = _Switched(fault, times, seconds)

    def switch_off(self) -> None:
        """Work again; what stalls goes on at once."""
        with self._lock:
            self._switched = None
        self.ends.set()
        self.ends = threading.Event()

    def take(self, *faults: Fault) -> _Switched | None:
        """Return the fault that befalls a request, if it is one of these, and count it."""
        with self._lock:
            switched = self._switched
            if switched is None or switched.fault not in faults or not switched.times:
                return None
            switched.times -= 1
            return switched

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a request as being worked on."""
        with self._idle:
            self._at_work += 1
        try:
            yield
        finally:
            with self._idle:
                self._at_work -= 1
                self._idle.notify_all()

    def wait_until_idle(self) -> None:
        """Wait until no request is being worked on, those included whose sender is gone.

        Raises:
            TimeoutError: that took half a minute.
        """
        with self._idle:
            if not self._idle.wait_for(lambda: not self._at_work, timeout=30):
                raise TimeoutError

    def up(self) -> None:
        """Listen: the first time on a free port, afterwards on the same."""
        if self._server is None:
            handler = type("Handler", (_Handler,), {"system": self})
            self._server = _Listener(("127.0.0.1", self.port), handler)
            self.port = self._server.server_address[1]
            # Polled often, so that a test does not wait half a second for each system that goes down.
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@dataclass(frozen=True)
class SupportServer:
    """All systems of one support-systems database."""

    systems: Mapping[str, SystemServer]

    def addresses(self, *, seconds: float = 10.0) -> Mapping[str, HttpSystem]:
        """Return where each system is reached, as the adapters take it."""
        return {
            name: http_system(system.address, token=system.token, seconds=seconds)
            for name, system in self.systems.items()
        }


@contextmanager
def serving(engine: Engine, *, token: str | None = None) -> Iterator[SupportServer]:
    """Serve all systems until the end."""
    systems = {name: SystemServer(engine, name, token) for name in SYSTEMS}
    for system in systems.values():
        system.up()
    try:
        yield SupportServer(systems)
    finally:
        for system in systems.values():
            system.switch_off()
            system.down()


class _Handler(BaseHTTPRequestHandler):
    system: SystemServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.system.at_work():
            self._get()

    def do_PUT(self) -> None:
        with self.system.at_work():
            self._put()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _get(self) -> None:
        if not self._is_known():
            return
        match self._segments():
            case [name, "effects", key] if name == self.system.name and name in FORMS:
                self._answer_receipt(self._target().probe(key))
            case ["case-review", case] if self.system.name == CASE_REVIEW:
                record = SqlCaseReviewSystem(self.system.engine).read(case)
                self._answer_document(msgspec.to_builtins(record) if record else None)
            case ["archive", reference] if self.system.name == ARCHIVE_DOCUMENTS:
                digest = SqlArchive(self.system.engine).digest_of(reference)
                self._answer_document({"reference": reference, "digest": digest} if digest else None)
            case [name, subject] if name == self.system.name and name in FORMS:
                self._answer_state(self._target().read(subject))
            case _:
                self._answer(404, {"code": "no_such_place"})

    def _put(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), _LARGEST_REQUEST))
        if not self._is_known(body):
            return
        match self._segments():
            case [name, "fences", subject] if name == self.system.name and name in FORMS:
                self._raise_fence(subject, body)
            case [name, subject] if name == self.system.name and name in FORMS:
                self._write(subject, body)
            case _:
                self._answer(404, {"code": "no_such_place"})

    def _write(self, subject: str, body: bytes) -> None:
        if self._is_kept_from_work():
            return
        request = self._request(subject, body)
        if request is None:
            self._answer(400, {"code": "not_understood"})
            return
        try:
            receipt = self._target().apply(request)
        except TargetFailure as failure:
            self._answer_failure(failure)
            return
        if self.system.take(Fault.LOST_RESPONSE):
            self.close_connection = True
        elif self.system.take(Fault.FAILS_AFTERWARDS):
            self._answer(500, {"code": "fault"})
        else:
            self._answer_receipt(receipt)

    def _raise_fence(self, subject: str, body: bytes) -> None:
        try:
            document = parse_strict(body)
        except NotCanonical:
            document = None
        match document:
            case {"fence": int() as fence} if len(document) == 1:
                self._keep_fence(subject, fence)
            case _:
                self._answer(400, {"code": "not_understood"})

    def _keep_fence(self, subject: str, fence: int) -> None:
        try:
            self._target().raise_fence(subject, fence)
        except TargetFailure as failure:
            self._answer_failure(failure)
            return
        self._answer_document({"subject": subject, "fence": fence})

    def _is_kept_from_work(self) -> bool:
        """Let a fault befall this request; True where it has been answered by it."""
        switched = self.system.take(Fault.FAILS, Fault.BUSY, Fault.REFUSES, Fault.STALLS)
        if switched is None:
            return False
        if switched.fault is Fault.STALLS:
            self.system.ends.wait(switched.seconds)
            return False
        if switched.fault is Fault.BUSY:
            self._answer(429, {"code": "busy"}, {"Retry-After": str(int(switched.seconds))})
        else:
            self._answer(500 if switched.fault is Fault.FAILS else 403, {"code": "fault"})
        return True

    def _request(self, subject: str, body: bytes) -> TargetRequest | None:
        key, fence, match = (self.headers.get(name) for name in ("Idempotency-Key", "X-Fence", "If-Match"))
        try:
            values = parse_strict(body)
        except NotCanonical:
            return None
        if key is None or fence is None or not fence.isdecimal() or not isinstance(values, dict):
            return None
        expected = match.removeprefix('"').removesuffix('"') if match is not None else None
        return TargetRequest(key=key, subject=subject, values=values, expected_version=expected, fence=int(fence))

    def _target(self) -> SqlTarget:
        return sql_targets(self.system.engine)[self.system.name]

    def _segments(self) -> list[str]:
        return [unquote(segment) for segment in urlsplit(self.path).path.split("/")[1:]]

    def _is_known(self, body: bytes = b"") -> bool:
        self.system.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
        if self.system.token is None or self.headers.get("Authorization") == f"Bearer {self.system.token}":
            return True
        self._answer(401, {"code": "unknown_caller"})
        return False

    def _answer_failure(self, failure: TargetFailure) -> None:
        if isinstance(failure, SubjectChanged):
            self._answer(412, {"code": failure.code})
        elif isinstance(failure, TargetRefused):
            self._answer(404 if failure.code == "subject_unknown" else 422, {"code": failure.code})
        elif isinstance(failure, TargetUnavailable):
            self._answer(503, {"code": "not_applied"})
        else:
            self._answer(500, {"code": "unknown"})

    def _answer_receipt(self, receipt: TargetReceipt | None) -> None:
        self._answer_versioned(msgspec.to_builtins(receipt) if receipt else None)

    def _answer_state(self, state: SubjectState | None) -> None:
        document = msgspec.to_builtins(state) if state else None
        if document is not None and self.system.take(Fault.WRONG_READ_BACK):
            kinds, values = FORMS[self.system.name].fields, document["values"]
            document["values"] = values | {name: _otherwise(kind, values[name]) for name, kind in kinds.items()}
        self._answer_versioned(document)

    def _answer_versioned(self, document: dict[str, Any] | None) -> None:
        self._answer_document(document, {"ETag": f'"{document["version"]}"'} if document else {})

    def _answer_document(self, document: dict[str, Any] | None, headers: Mapping[str, str] | None = None) -> None:
        if document is None:
            self._answer(404, {"code": "absent"})
        else:
            self._answer(200, document, headers)

    def _answer(self, status: int, document: object, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            return  # whoever asked is gone, as after a stall


def _otherwise(kind: Kind, value: object) -> object:
    if kind is Kind.NUMBER:
        return 0 if value != 0 else 1
    return ["someone else's"] if kind is Kind.NAMES else "someone else's"
