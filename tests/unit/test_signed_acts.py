"""What a person signed is read only in the one form in which it is written: nothing rides along unread."""

from datetime import UTC, datetime

import pytest

from dagster_project.closure.commands import COMMAND_TYPE, ClosureAct, ClosureCommand, read_command, sign_command
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import Envelope, SigningKey, read_envelope, sign_envelope
from dagster_project.integrity.statements import Statement, statement_bytes
from dagster_project.review.openings import OPENING_TYPE, Opening, read_opening, sign_opening

KEY = SigningKey(b"k" * 32)
AT = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
COMMAND = ClosureCommand(deployment="d", act=ClosureAct.RETRY, case="CASE-1", plan=1, decided_at=AT)
OPENING = Opening(deployment="d", incident="INC-1", annex="a", role="legal", reason="why", requested_at=AT)
RIDER = {"package": "sha256:" + "0" * 64}


def signed(predicate_type: str, document: dict[str, object], subjects: dict[str, str]) -> Envelope:
    return read_envelope(sign_envelope(statement_bytes(Statement(predicate_type, subjects, document)), [KEY]))


def test_what_was_signed_reads_back_as_it_was() -> None:
    assert read_command(read_envelope(sign_command(COMMAND, KEY))) == COMMAND
    assert read_opening(read_envelope(sign_opening(OPENING, KEY))) == OPENING


def test_an_act_with_a_subject_that_it_does_not_name_is_refused() -> None:
    with pytest.raises(IntegrityViolation) as told:
        read_command(signed(COMMAND_TYPE, document_of(COMMAND), RIDER))
    assert told.value.code == "command_refused"
    with pytest.raises(IntegrityViolation) as told:
        read_opening(signed(OPENING_TYPE, document_of(OPENING), RIDER))
    assert told.value.code == "opening_refused"


def test_an_act_that_leaves_out_what_is_empty_is_refused() -> None:
    document = {name: value for name, value in document_of(COMMAND).items() if name != "reason"}
    with pytest.raises(IntegrityViolation) as told:
        read_command(signed(COMMAND_TYPE, document, {}))
    assert told.value.code == "command_refused"
