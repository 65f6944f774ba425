"""Targets over HTTP: what each answer, and each missing one, is taken for."""

import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.engine import Engine

from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectChanged,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.connections.targets.forms import FORMS, LEDGER, NOTICES, SUBJECT_UNKNOWN
from dagster_project.connections.targets.http import (
    HttpArchive,
    HttpCaseReviewSystem,
    HttpTarget,
    http_targets,
    read_token,
)
from dagster_project.connections.targets.http_exchange import http_system
from dagster_project.connections.targets.support_systems import (
    create_support_systems,
    enter_disposition,
    file_document,
)
from dagster_project.errors import UsageError
from tests.support.dispositions import DISPOSITION, PACKET
from tests.support.scripted_answers import an_answer, saying
from tests.support.self_signed import self_signed
from tests.support.target_conformance import VALUES, Bench
from tests.support.target_server import ARCHIVE_DOCUMENTS, CASE_REVIEW, Fault, SupportServer, serving

REQUEST = TargetRequest(key="key-1", subject="LED-1", values=VALUES[LEDGER], expected_version="1", fence=7)
RECEIPT = {"key": "key-1", "subject": "LED-1", "reference": "ref-1", "version": "2"}
STATE = {"subject": "LED-1", "version": "2", "values": dict(VALUES[LEDGER])}
TAG = 'ETag: "2"'
SHORT = 0.3


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[Engine]:
    engine = create_support_systems(f"sqlite:///{tmp_path / 'support.sqlite3'}")
    yield engine
    engine.dispose()


@pytest.fixture
def server(systems: Engine) -> Iterator[SupportServer]:
    with serving(systems) as running:
        yield running


def ledger(address: str, *, seconds: float = 10.0) -> HttpTarget:
    return HttpTarget(http_system(address, seconds=seconds), FORMS[LEDGER])


def bench(server: SupportServer, engine: Engine, *, seconds: float = 10.0) -> Bench:
    return Bench(http_targets(server.addresses(seconds=seconds))[LEDGER], engine)


def document(content: object, *headers: str) -> bytes:
    return an_answer(200, json.dumps(content).encode(), *headers)


def word(status: int, code: str, *headers: str) -> bytes:
    return an_answer(status, json.dumps({"code": code}).encode(), *headers)


Told = tuple[type[TargetFailure], str, float | None]
UNKNOWN: Told = (OutcomeUnknown, "answer_not_understood", None)
WRITES: Mapping[str, tuple[bytes, Told]] = {
    "no json": (an_answer(200, b"done", TAG), UNKNOWN),
    "nothing": (an_answer(200, b"", TAG), UNKNOWN),
    "no tag": (document(RECEIPT), UNKNOWN),
    "another tag": (document(RECEIPT, 'ETag: "3"'), UNKNOWN),
    "a weak tag": (document(RECEIPT, 'ETag: W/"2"'), UNKNOWN),
    "two tags": (document(RECEIPT, TAG, TAG), UNKNOWN),
    "a member more": (document({**RECEIPT, "note": "more"}, TAG), UNKNOWN),
    "a member less": (document({"key": "key-1"}, TAG), UNKNOWN),
    "a number for a text": (document({**RECEIPT, "version": 2}, TAG), UNKNOWN),
    "a member twice": (an_answer(200, b'{"key": "x", ' + json.dumps(RECEIPT).encode()[1:], TAG), UNKNOWN),
    "another key": (document({**RECEIPT, "key": "key-2"}, TAG), UNKNOWN),
    "another subject": (document({**RECEIPT, "subject": "LED-2"}, TAG), UNKNOWN),
    "a reference of many words": (document({**RECEIPT, "reference": "call the customer"}, TAG), UNKNOWN),
    "created": (an_answer(201), (OutcomeUnknown, "answered_201", None)),
    "accepted": (an_answer(202), (OutcomeUnknown, "answered_202", None)),
    "without content": (an_answer(204), (OutcomeUnknown, "answered_204", None)),
    "a redirect": (an_answer(307, b"", "Location: /elsewhere"), (OutcomeUnknown, "answered_307", None)),
    "bad request": (an_answer(400), (TargetRefused, "answered_400", None)),
    "unauthorized": (an_answer(401), (TargetRefused, "answered_401", None)),
    "forbidden": (an_answer(403), (TargetRefused, "answered_403", None)),
    "not found": (an_answer(404), (TargetRefused, "answered_404", None)),
    "an unknown subject": (word(404, SUBJECT_UNKNOWN), (TargetRefused, SUBJECT_UNKNOWN, None)),
    "a word of theirs": (word(422, "kim said no"), (TargetRefused, "answered_422", None)),
    "request timeout": (an_answer(408), (OutcomeUnknown, "answered_408", None)),
    "conflict": (an_answer(409), (SubjectChanged, "subject_changed", None)),
    "precondition failed": (an_answer(412), (SubjectChanged, "subject_changed", None)),
    "too many": (an_answer(429), (TargetUnavailable, "answered_429", None)),
    "too many, wait": (an_answer(429, b"", "Retry-After: 7"), (TargetUnavailable, "answered_429", 7.0)),
    "wait for years": (an_answer(429, b"", "Retry-After: 99999999"), (TargetUnavailable, "answered_429", 3600.0)),
    "wait in words": (an_answer(429, b"", "Retry-After: soon"), (TargetUnavailable, "answered_429", None)),
    "wait for less than nothing": (an_answer(429, b"", "Retry-After: -1"), (TargetUnavailable, "answered_429", None)),
    "busy, wait": (an_answer(503, b"", "Retry-After: 7"), (TargetUnavailable, "answered_503", 7.0)),
    "busy": (an_answer(503), (OutcomeUnknown, "answered_503", None)),
    "a fault": (an_answer(500), (OutcomeUnknown, "answered_500", None)),
    "a fault that did nothing": (word(500, "not_applied"), (TargetUnavailable, "answered_500", None)),
    "a gateway's fault": (an_answer(502), (OutcomeUnknown, "answered_502", None)),
    "no http": (b"hello\r\n\r\n", (OutcomeUnknown, "no_answer", None)),
    "silence": (b"", (OutcomeUnknown, "no_answer", None)),
    "half an answer": (document(RECEIPT, TAG)[:-5], (OutcomeUnknown, "no_answer", None)),
    "too large an answer": (an_answer(200, b" " * (256 * 1024 + 1), TAG), (OutcomeUnknown, "no_answer", None)),
}


@pytest.mark.parametrize("case", WRITES)
def test_each_answer_to_a_write_is_taken_for_no_more_than_it_says(case: str) -> None:
    answer, told = WRITES[case]
    with saying([answer]) as scripted, pytest.raises(TargetFailure) as caught:
        ledger(scripted.address).apply(REQUEST)
    failure = caught.value
    assert (type(failure), failure.code, getattr(failure, "after", None)) == told
    assert len(scripted.requests) == 1


def test_a_receipt_is_believed_where_it_is_exactly_what_was_asked_for() -> None:
    with saying([document(RECEIPT, TAG)]) as scripted:
        assert ledger(scripted.address).apply(REQUEST) == TargetReceipt(**RECEIPT)
    (sent,) = scripted.requests
    for line in (b"PUT /case_ledger/LED-1 HTTP/1.1", b"Idempotency-Key: key-1", b'If-Match: "1"', b"X-Fence: 7"):
        assert line in sent.split(b"\r\n")


READS: Mapping[str, bytes] = {
    "no json": an_answer(200, b"here", TAG),
    "no tag": document(STATE),
    "another subject": document({**STATE, "subject": "LED-2"}, TAG),
    "a field more": document({**STATE, "values": {**VALUES[LEDGER], "state": "open"}}, TAG),
    "a field less": document({**STATE, "values": {"closed_at": None}}, TAG),
    "a field of another kind": document({**STATE, "values": {**VALUES[LEDGER], "closed_at": 7}}, TAG),
    "a nested field": document({**STATE, "values": {**VALUES[LEDGER], "closed_at": {"at": None}}}, TAG),
    "a bare 404": an_answer(404, b"<h1>Not Found</h1>"),
    "another word": word(404, "no_such_place"),
    "a redirect": an_answer(302, b"", "Location: /elsewhere"),
    "forbidden": an_answer(403),
    "a fault": an_answer(500),
    "silence": b"",
    "half an answer": document(STATE, TAG)[:-5],
}


@pytest.mark.parametrize("case", READS)
def test_of_an_answer_to_a_read_that_is_not_understood_nothing_is_known(case: str) -> None:
    with saying([READS[case]]) as scripted:
        target, system = ledger(scripted.address), http_system(scripted.address)
        for read in (
            lambda: target.read("LED-1"),
            lambda: target.probe("key-1"),
            lambda: HttpCaseReviewSystem(system).read("CASE-1"),
            lambda: HttpArchive(system).digest_of(PACKET.reference),
        ):
            with pytest.raises(TargetUnavailable):
                read()


def test_nothing_is_there_only_where_the_system_says_so() -> None:
    with saying([word(404, "absent")]) as scripted:
        target, system = ledger(scripted.address), http_system(scripted.address)
        assert target.read("LED-1") is None
        assert target.probe("key-1") is None
        assert HttpCaseReviewSystem(system).read("CASE-1") is None
        assert HttpArchive(system).digest_of(PACKET.reference) is None


def test_a_busy_system_says_when_it_may_be_read_again() -> None:
    with saying([an_answer(429, b"", "Retry-After: 4")]) as scripted, pytest.raises(TargetUnavailable) as caught:
        ledger(scripted.address).read("LED-1")
    assert caught.value.after == 4.0


def test_an_answer_about_another_case_or_document_or_effect_is_not_believed() -> None:
    other = msgspec.to_builtins(msgspec.structs.replace(DISPOSITION, case="CASE-2"))
    with saying([document(other)]) as scripted, pytest.raises(TargetUnavailable, match="not_understood"):
        HttpCaseReviewSystem(http_system(scripted.address)).read("CASE-1")
    with saying([document({"reference": "other", "digest": "d"})]) as scripted, pytest.raises(TargetUnavailable):
        HttpArchive(http_system(scripted.address)).digest_of("this")
    with saying([document(RECEIPT, TAG)]) as scripted, pytest.raises(TargetUnavailable, match="not_understood"):
        ledger(scripted.address).probe("key-2")


def test_a_record_of_a_case_with_a_member_more_is_not_understood() -> None:
    more = {**msgspec.to_builtins(DISPOSITION), "transcript": "the customer said"}
    with saying([document(more)]) as scripted, pytest.raises(TargetUnavailable, match="not_understood") as caught:
        HttpCaseReviewSystem(http_system(scripted.address)).read("CASE-1")
    assert "customer" not in str(caught.value)


def test_a_server_that_sends_a_byte_now_and_then_is_cut_off_at_the_deadline() -> None:
    drops = [bytes([byte]) for byte in document(RECEIPT, TAG)]
    with saying(drops, pause=SHORT / 3) as scripted, pytest.raises(OutcomeUnknown, match="no_answer"):
        ledger(scripted.address, seconds=SHORT).apply(REQUEST)


def test_an_answer_of_unknown_length_counts_where_it_ends_and_not_where_it_was_cut_off() -> None:
    without_length = document(RECEIPT, TAG).replace(b"Content-Length", b"X-Length")
    with saying([without_length]) as scripted:
        assert ledger(scripted.address).apply(REQUEST) == TargetReceipt(**RECEIPT)
    with saying([without_length], pause=60) as scripted, pytest.raises(OutcomeUnknown, match="no_answer"):
        ledger(scripted.address, seconds=SHORT).apply(REQUEST)


def test_a_redirect_is_not_followed_and_carries_no_token_elsewhere() -> None:
    with saying([document(RECEIPT, TAG)]) as elsewhere:
        moved = an_answer(308, b"", f"Location: {elsewhere.address}/case_ledger/LED-1")
        with saying([moved]) as scripted:
            target = HttpTarget(http_system(scripted.address, token="a-token"), FORMS[LEDGER])  # noqa: S106 - a test's
            with pytest.raises(OutcomeUnknown):
                target.apply(REQUEST)
            with pytest.raises(TargetUnavailable):
                target.read("LED-1")
        assert elsewhere.requests == []


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with saying([document(RECEIPT, TAG)], context=context) as scripted:
        with pytest.raises(TargetUnavailable, match="unreachable"):
            ledger(scripted.address).apply(REQUEST)
        assert scripted.requests == []


def test_what_may_not_be_written_is_not_even_sent() -> None:
    with saying([document(RECEIPT, TAG)]) as scripted:
        target = ledger(scripted.address)
        for values in ({"state": "closed"}, {"closed_at": {"a": "b"}}, {}):
            with pytest.raises(TargetRefused):
                target.apply(msgspec.structs.replace(REQUEST, values=values))
        for name in ("..", "a\r\nX-Other: 1", ""):
            with pytest.raises(TargetRefused):
                target.apply(msgspec.structs.replace(REQUEST, key=name))
            assert target.read(name) is None
        with pytest.raises(SubjectChanged):
            target.apply(msgspec.structs.replace(REQUEST, expected_version='1"\r\nX-Other: "1'))
        assert scripted.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://systems.example", "https://", "systems.example", "https://kim:verysecret@systems.example",
        "https://systems.example/?token=verysecret", "https://systems.example/#verysecret", "https://[bad", "",
        "https://systems.example:port", "https://systems.example/a b",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        http_system(url)
    assert "verysecret" not in str(caught.value)


def test_a_token_travels_encrypted_or_not_beyond_this_machine_and_is_shown_nowhere() -> None:
    token = read_token({"CHANNELSAFE_SUPPORT_SYSTEMS_TOKEN": "verysecret"})
    assert read_token({}) is None
    with pytest.raises(UsageError) as caught:
        http_system("http://systems.example", token=token)
    assert "verysecret" not in str(caught.value)
    with pytest.raises(UsageError):
        http_system("https://systems.example", token="two\nlines")  # noqa: S106 - a test's
    assert "verysecret" not in repr(http_system("https://systems.example", token=token))
    assert http_system("http://localhost:8080", token=token).token == token


def test_a_system_that_asks_for_a_token_gets_it(systems: Engine) -> None:
    with serving(systems, token="a-token") as server:  # noqa: S106 - a test's
        at = bench(server, systems)
        at.target.apply(at.request(at.subject()))
        stranger = ledger(server.systems[LEDGER].address)
        with pytest.raises(TargetRefused, match="answered_401"):
            stranger.apply(REQUEST)
        with pytest.raises(TargetUnavailable, match="answered_401"):
            stranger.read("LED-1")


def test_a_lost_response_leaves_the_outcome_unknown_and_the_probe_finds_it(
    server: SupportServer, systems: Engine
) -> None:
    at = bench(server, systems)
    request = at.request(at.subject())
    server.systems[LEDGER].switch_on(Fault.LOST_RESPONSE, times=1)
    with pytest.raises(OutcomeUnknown):
        at.target.apply(request)
    found = at.target.probe(request.key)
    assert found is not None
    assert at.target.apply(request) == found
    assert at.effects(request.key) == 1


@pytest.mark.parametrize(("fault", "happened"), [(Fault.FAILS, False), (Fault.FAILS_AFTERWARDS, True)])
def test_after_a_fault_of_the_server_only_the_probe_can_tell(
    server: SupportServer, systems: Engine, fault: Fault, *, happened: bool
) -> None:
    at = bench(server, systems)
    request = at.request(at.subject())
    server.systems[LEDGER].switch_on(fault, times=1)
    with pytest.raises(OutcomeUnknown):
        at.target.apply(request)
    assert (at.target.probe(request.key) is not None) == happened
    at.target.apply(request)
    assert at.effects(request.key) == 1


def test_a_stalled_write_that_goes_on_after_its_repetition_has_no_second_effect(
    server: SupportServer, systems: Engine
) -> None:
    at = bench(server, systems, seconds=SHORT)
    request = at.request(at.subject())
    server.systems[LEDGER].switch_on(Fault.STALLS, times=1, seconds=60)
    with pytest.raises(OutcomeUnknown):
        at.target.apply(request)
    assert at.target.probe(request.key) is None
    bench(server, systems).target.apply(request)
    server.systems[LEDGER].switch_off()
    server.systems[LEDGER].wait_until_idle()
    assert at.effects(request.key) == 1


def test_each_other_fault_is_told_for_what_it_is(server: SupportServer, systems: Engine) -> None:
    at, system = bench(server, systems), server.systems[LEDGER]
    request = at.request(at.subject())
    system.switch_on(Fault.BUSY, seconds=3)
    with pytest.raises(TargetUnavailable) as caught:
        at.target.apply(request)
    assert caught.value.after == 3.0
    system.switch_on(Fault.REFUSES)
    with pytest.raises(TargetRefused, match="answered_403"):
        at.target.apply(request)
    assert at.effects(request.key) == 0
    system.switch_off()
    at.target.apply(request)
    system.switch_on(Fault.WRONG_READ_BACK)
    assert at.written(at.state(request.subject)) != at.values
    system.switch_off()
    assert at.written(at.state(request.subject)) == at.values


def test_one_system_is_down_while_the_others_serve_and_comes_back_where_it_was(
    server: SupportServer, systems: Engine
) -> None:
    at = bench(server, systems)
    request = at.request(at.subject())
    server.systems[LEDGER].down()
    with pytest.raises(TargetUnavailable, match="unreachable"):
        at.target.apply(request)
    with pytest.raises(TargetUnavailable, match="unreachable"):
        at.target.probe(request.key)
    other = Bench(http_targets(server.addresses())[NOTICES], systems)
    other.target.apply(other.request("thread"))
    server.systems[LEDGER].up()
    at.target.apply(request)
    assert at.effects(request.key) == 1


def test_the_record_of_a_case_and_the_archive_are_read_as_they_are_now(server: SupportServer, systems: Engine) -> None:
    addresses = server.addresses()
    reviews, archive = HttpCaseReviewSystem(addresses[CASE_REVIEW]), HttpArchive(addresses[ARCHIVE_DOCUMENTS])
    assert reviews.read("CASE-1") is None
    assert archive.digest_of(PACKET.reference) is None
    enter_disposition(systems, DISPOSITION)
    file_document(systems, PACKET)
    assert reviews.read("CASE-1") == DISPOSITION
    assert archive.digest_of(PACKET.reference) == PACKET.digest
