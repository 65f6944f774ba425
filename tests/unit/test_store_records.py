"""The record log admits each record version once, whoever else is admitting it."""

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dagster_project.errors import ChannelsafeError, IntegrityViolation
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.sources.record import Classification, Record
from dagster_project.store import intake, records
from dagster_project.store.intake import LandingFileRow, LandingState, NewDelivery, NewRejection, RejectedState
from dagster_project.store.record_appending import Insertion, NewRecord, append_records
from dagster_project.store.records import Outcome
from dagster_project.store.store import Store
from dagster_project.store.transaction import Transaction
from tests.support.stored_bodies import pack_files

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def _record(recordid: str = "one", version: int = 1, *, state: str = "AVAILABLE", subject: str = "INC-1") -> Record:
    data = {"state": state}
    return Record(
        id=f"{recordid}-{version}-{state}",
        source="//health.example/eu",
        type="service-health",
        subject=subject,
        time=AT,
        recordid=recordid,
        recordversion=version,
        recordedtime=AT + timedelta(minutes=version),
        data=data,
        datadigest=digest_of(data),
        recordedby=None,
    )


def _body(record: Record) -> bytes:
    return canonical_bytes(msgspec.to_builtins(record))


def _insert(
    transaction: Transaction, record: Record, classification: Classification = Classification.RESTRICTED
) -> Insertion:
    (inserted,) = _insert_all(transaction, [record], classification)
    return inserted


def _insert_all(
    transaction: Transaction, news: list[Record], classification: Classification = Classification.RESTRICTED
) -> list[Insertion]:
    return append_records(
        transaction,
        [NewRecord(record=record, body=_body(record), body_classification=classification) for record in news],
        admitted_at=AT,
    )


@pytest.mark.parametrize("classification", list(Classification))
def test_an_admitted_record_is_read_back_as_it_was(store: Store, classification: Classification) -> None:
    record = _record()
    with store.begin() as transaction:
        inserted = _insert(transaction, record, classification)
    with store.read() as transaction:
        (row,) = records.records_for_subjects(transaction, ["INC-1"])
        assert records.record_bodies(transaction, [row]) == [_body(record)]
    assert inserted == Insertion(outcome=Outcome.ADMITTED, sequence=row.sequence)
    assert (row.source, row.recordid, row.recordversion) == record.version_identity
    assert (row.event_id, row.recorded_at, row.occurred_at) == (record.id, record.recordedtime, record.time)
    assert (row.classification, row.data_digest, row.recorded_by) == (classification, record.datadigest, None)


def test_the_same_version_with_equal_data_is_a_duplicate(store: Store) -> None:
    with store.begin() as transaction:
        first = _insert(transaction, _record())
        again = _insert(transaction, _record())
        assert again == Insertion(outcome=Outcome.DUPLICATE, sequence=first.sequence)
        assert records.last_sequence(transaction) == first.sequence


def test_the_same_event_with_equal_data_is_a_duplicate_under_another_version_too(store: Store) -> None:
    with store.begin() as transaction:
        first = _insert(transaction, _record())
        again = _insert(transaction, msgspec.structs.replace(_record(), recordversion=2))
    assert (again.outcome, again.sequence) == (Outcome.DUPLICATE, first.sequence)


def test_a_duplicate_in_another_envelope_says_so(store: Store) -> None:
    with store.begin() as transaction:
        _insert(transaction, _record())
        again = _insert(transaction, msgspec.structs.replace(_record(), recordedby="someone"))
    assert (again.outcome, again.envelope_differs) == (Outcome.DUPLICATE, True)


def test_the_same_version_with_other_data_is_a_conflicting_copy_and_both_are_kept(store: Store) -> None:
    with store.begin() as transaction:
        _insert(transaction, _record())
        outcome = _insert(transaction, _record(state="SERVICE_OUTAGE")).outcome
        kept = records.heads_by_subject(transaction, ["INC-1"], "service-health")["INC-1"]
    assert outcome is Outcome.CONFLICTING_COPY
    assert len(kept) == 2


def test_the_same_event_with_other_data_is_a_conflicting_copy(store: Store) -> None:
    other = msgspec.structs.replace(_record("other", state="SERVICE_OUTAGE"), id=_record().id)
    with store.begin() as transaction:
        _insert(transaction, _record())
        assert _insert(transaction, other).outcome is Outcome.CONFLICTING_COPY


def test_another_version_is_no_copy(store: Store) -> None:
    with store.begin() as transaction:
        outcomes = [_insert(transaction, _record(version=version)).outcome for version in (2, 1, 3)]
    assert outcomes == [Outcome.ADMITTED] * 3


@pytest.mark.parametrize("seed", range(8))
def test_records_appended_together_end_as_they_do_one_by_one(store: Store, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - which records, not secrets
    drawn = [
        msgspec.structs.replace(
            _record(draw.choice("ab"), version=draw.randint(1, 3), state=draw.choice(("UP", "DOWN"))),
            id=f"event-{draw.randint(1, 6)}",
        )
        for _ in range(12)
    ]
    one_by_one = [msgspec.structs.replace(record, source="//b.example/alone") for record in drawn]
    with store.begin() as transaction:
        _insert_all(transaction, drawn[:4])
        together = _insert_all(transaction, drawn[4:])
        alone = [_insert(transaction, record) for record in one_by_one][4:]
        rows = {row.sequence: row for row in records.records_after(transaction, 0, limit=100)}
    told = [
        [(one.outcome, one.envelope_differs, rows[one.sequence].event_id) for one in ended]
        for ended in (together, alone)
    ]
    assert told[0] == told[1]
    assert len({one.outcome for one in together}) > 1


def test_heads_are_the_greatest_versions_whatever_order_they_came_in(store: Store) -> None:
    with store.begin() as transaction:
        for version in (10, 9, 2):
            _insert(transaction, _record(version=version))
        _insert(transaction, _record("two"))
        _insert(transaction, _record(version=11, subject="INC-2"))
        _insert(transaction, msgspec.structs.replace(_record("two", version=2, state="OTHER"), type="workaround"))
        found = records.heads_by_subject(transaction, ["INC-1", "INC-2", "INC-3"], "service-health")
    told = {name: [(row.recordid, row.recordversion) for row in rows] for name, rows in found.items()}
    assert told == {"INC-1": [("one", 10)], "INC-2": [("one", 11)], "INC-3": []}


def test_records_are_read_as_known_at_an_instant_and_up_to_a_sequence(store: Store) -> None:
    with store.begin() as transaction:
        sequences = [_insert(transaction, _record(version=version)).sequence for version in (3, 1, 2)]

        def versions(until: datetime | None, sequence: int | None) -> list[int]:
            found = records.records_for_subjects(
                transaction, ["INC-1", "INC-9"], recorded_until=until, sequence_until=sequence
            )
            return [row.recordversion for row in found]

        assert versions(None, None) == [3, 1, 2]
        assert versions(AT + timedelta(minutes=2), None) == [1, 2]
        assert versions(None, sequences[1]) == [3, 1]
        assert versions(AT + timedelta(minutes=2), sequences[1]) == [1]


def test_a_cursor_reads_the_log_in_parts_and_misses_nothing(store: Store) -> None:
    with store.begin() as transaction:
        for version in range(1, 8):
            _insert(transaction, _record(version=version))
    position, read = 0, []
    with store.read() as transaction:
        while rows := records.records_after(transaction, position, limit=3):
            read += [row.recordversion for row in rows]
            position = rows[-1].sequence
        assert position == records.last_sequence(transaction)
    assert read == list(range(1, 8))


def test_two_processes_that_admit_the_same_records_admit_each_once(store: Store, tmp_path: Path) -> None:
    program = Path(__file__).parents[1] / "fixtures" / "admit_many.py"
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, str(program), str(tmp_path / "home"), url, str(tmp_path / "keys")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert all(sorted(pair) == ["admitted", "duplicate"] for pair in zip(*outcomes, strict=True))
    with store.read() as transaction:
        rows = records.records_for_subjects(transaction, ["INC-1"])
        assert len({row.recordid for row in rows}) == len(rows) == len(outcomes[0]) == 40


def test_a_rejected_input_is_kept_once_with_its_reason_and_body(store: Store) -> None:
    rejection = NewRejection(reason_code="float", where_pointer="/data/x", received_at=AT, subject="INC-1")
    with store.begin() as transaction:
        (first,) = intake.keep_rejected(transaction, [(rejection, b"{bad")])
        again = intake.keep_rejected(transaction, [(rejection, body) for body in (b"{worse", b"{bad", b"{worse")])
        assert again[1] == first
        assert again[0] == again[2] != first
        kept = intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=["INC-1"])
        assert transaction.get_sealed(kept[0].body_digest) == b"{bad"
        assert intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=["INC-2"]) == []
    assert kept[0].rejected_input_id == first
    assert (kept[0].reason_code, kept[0].where_pointer, kept[0].source) == ("float", "/data/x", None)


def test_a_decision_about_a_rejected_input_is_taken_once_and_outlives_a_redelivery(store: Store) -> None:
    rejection = NewRejection(reason_code="float", where_pointer="", received_at=AT)
    with store.begin() as transaction:
        numbers = intake.keep_rejected(transaction, [(rejection, b"{bad")])
        assert intake.decide_rejected(transaction, numbers, RejectedState.DISMISSED) == 1
        assert intake.decide_rejected(transaction, numbers, RejectedState.ADMITTED) == 0
        intake.keep_rejected(transaction, [(rejection, b"{bad")])
        assert intake.rejected_inputs_in(transaction, RejectedState.OPEN) == []
        assert len(intake.rejected_inputs_in(transaction, RejectedState.DISMISSED)) == 1


def test_every_delivery_ends_at_a_record_or_at_a_rejected_input(store: Store) -> None:
    with store.begin() as transaction:
        sequence = _insert(transaction, _record()).sequence
        rejection = NewRejection(reason_code="x", where_pointer="", received_at=AT)
        (number,) = intake.keep_rejected(transaction, [(rejection, b"")])
        for outcome in (Outcome.ADMITTED, Outcome.DUPLICATE):
            _deliver(transaction, outcome, record_sequence=sequence)
        _deliver(transaction, Outcome.REJECTED, rejected_input_id=number)
        counted = {row.outcome: row.count for row in intake.count_deliveries(transaction)}
    assert counted == {Outcome.ADMITTED: 1, Outcome.DUPLICATE: 1, Outcome.REJECTED: 1}
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        _deliver(transaction, Outcome.ADMITTED)
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        _deliver(transaction, Outcome.REJECTED, record_sequence=sequence)


def _deliver(
    transaction: Transaction,
    outcome: Outcome,
    *,
    record_sequence: int | None = None,
    rejected_input_id: int | None = None,
) -> None:
    delivery = NewDelivery(
        unit="line",
        locator="a.ndjson:1",
        received_at=AT,
        outcome=outcome,
        record_sequence=record_sequence,
        rejected_input_id=rejected_input_id,
    )
    intake.record_deliveries(transaction, [delivery])


def test_a_source_lags_from_its_first_unreadable_unit_until_it_is_heard_again(store: Store) -> None:
    with store.begin() as transaction:
        for minutes in (0, 5):
            intake.mark_lagging(transaction, "//a", "not_json", AT + timedelta(minutes=minutes))
        assert [row.since for row in intake.open_lagging(transaction)] == [AT]
        assert intake.close_lagging(transaction, "//a") == 1
        assert intake.open_lagging(transaction) == []
        intake.mark_lagging(transaction, "//a", "not_json", AT + timedelta(hours=1))
        assert [row.since for row in intake.open_lagging(transaction)] == [AT + timedelta(hours=1)]


def test_a_landing_file_stands_where_the_farthest_reader_got(store: Store) -> None:
    def note(transaction: Transaction, lines: int, state: LandingState) -> LandingFileRow | None:
        row = LandingFileRow(state=state, lines=lines)
        intake.note_landing_file(transaction, digest="sha256:1", name="a.ndjson", row=row, at=AT)
        return intake.landing_file(transaction, digest="sha256:1", name="a.ndjson")

    with store.begin() as transaction:
        assert intake.landing_file(transaction, digest="sha256:1", name="a.ndjson") is None
        assert note(transaction, 500, LandingState.PICKED_UP) == LandingFileRow(state=LandingState.PICKED_UP, lines=500)
        assert note(transaction, 400, LandingState.PICKED_UP) == LandingFileRow(state=LandingState.PICKED_UP, lines=500)
        assert note(transaction, 700, LandingState.DONE) == LandingFileRow(state=LandingState.DONE, lines=700)
        assert note(transaction, 700, LandingState.PICKED_UP) == LandingFileRow(state=LandingState.DONE, lines=700)
        assert intake.landing_file(transaction, digest="sha256:2", name="a.ndjson") is None


def test_only_open_rejected_input_of_the_named_records_is_looked_up(store: Store) -> None:
    def rejection(recordid: str | None) -> NewRejection:
        return NewRejection(reason_code="float", where_pointer="", received_at=AT, recordid=recordid)

    with store.begin() as transaction:
        bodies = {"A-1": b"1", "A-2": b"2", "A-3": b"3", None: b"4"}
        numbers = intake.keep_rejected(transaction, [(rejection(one), body) for one, body in bodies.items()])
        intake.decide_rejected(transaction, numbers[1:2], RejectedState.DISMISSED)
        found = intake.open_rejected_of(transaction, {"A-1", "A-2", "A-9"})
        assert [row.rejected_input_id for row in found] == numbers[:1]
        assert intake.open_rejected_of(transaction, ()) == []


def test_a_record_whose_body_is_gone_is_not_handed_out(store: Store) -> None:
    with store.begin() as transaction:
        _insert(transaction, _record())
    for path in pack_files(store):
        path.unlink()
    with store.read() as transaction:
        (row,) = records.records_for_subjects(transaction, ["INC-1"])
        with pytest.raises(IntegrityViolation):
            records.record_bodies(transaction, [row])
