"""Targets as SQL tables: what happens when something breaks, and what can never be touched."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dagster_project.closure.targets import OutcomeUnknown, SubjectChanged, TargetRefused, TargetUnavailable
from dagster_project.connections.targets.forms import FORMS, LEDGER, NOTICES, SUBJECT_UNKNOWN, TRACKER
from dagster_project.connections.targets.sql import SqlArchive, SqlCaseReviewSystem, sql_targets
from dagster_project.connections.targets.support_systems import (
    SUBJECTS,
    create_support_systems,
    edit_subject,
    enter_disposition,
    file_document,
    metadata,
    open_support_systems,
)
from dagster_project.errors import UsageError
from dagster_project.store.engine import writing
from dagster_project.store.tables import metadata as operational
from tests.fixtures.postgresql import PostgresqlServer
from tests.support.dispositions import DISPOSITION, NOTE, PACKET
from tests.support.target_conformance import Bench
from tests.support.target_faults import FaultySqlTarget, Moment


@pytest.fixture(scope="module")
def postgresql_systems(postgresql_server: PostgresqlServer) -> Iterator[Engine]:
    engine = create_support_systems(postgresql_server.create_database("support_systems"))
    yield engine
    engine.dispose()
    postgresql_server.drop_database("support_systems")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def systems(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty support-systems database, once on each."""
    if request.param == "sqlite":
        engine = create_support_systems(f"sqlite:///{tmp_path / 'support.sqlite3'}")
        yield engine
        engine.dispose()
        return
    engine = request.getfixturevalue("postgresql_systems")
    with writing(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))
    yield engine


def bench(engine: Engine, name: str = LEDGER) -> Bench:
    return Bench(sql_targets(engine)[name], engine)


def test_setting_up_again_keeps_what_is_there(systems: Engine) -> None:
    at = bench(systems)
    subject = at.subject()
    create_support_systems(systems.url.render_as_string(hide_password=False)).dispose()
    assert at.target.read(subject) is not None


def test_no_table_is_also_one_of_the_operational_store() -> None:
    assert not set(metadata.tables) & set(operational.tables)


def test_each_field_of_a_form_is_a_column_and_no_form_names_a_state_that_is_not_ours() -> None:
    for name, form in FORMS.items():
        columns = {column.name for column in SUBJECTS[name].columns}
        assert set(form.fields) <= columns - {"state", "subject", "version"}
    assert all("state" in SUBJECTS[name].columns for name in (TRACKER, LEDGER))


def test_a_record_that_the_other_system_does_not_have_is_refused_and_not_made_up(systems: Engine) -> None:
    for name, form in FORMS.items():
        at = bench(systems, name)
        if form.opens_subjects:
            at.target.apply(at.request("subject-new"))
            assert at.state("subject-new").version == "1"
        else:
            with pytest.raises(TargetRefused, match=SUBJECT_UNKNOWN):
                at.target.apply(at.request("subject-new"))
            assert at.target.read("subject-new") is None


def test_a_subject_that_is_gone_is_not_opened_again_for_one_who_expects_it(systems: Engine) -> None:
    at = bench(systems, NOTICES)
    with pytest.raises(SubjectChanged):
        at.target.apply(at.request("subject-new", version="1"))
    assert at.target.read("subject-new") is None


@pytest.mark.parametrize("name", [TRACKER, LEDGER])
def test_no_write_and_no_undo_moves_the_state_of_an_escalation_or_case(systems: Engine, name: str) -> None:
    at = bench(systems, name)
    subject = at.subject()
    state, prior = at.row(subject)["state"], at.written(at.state(subject))
    written = at.target.apply(at.request(subject))
    assert at.row(subject)["state"] == state
    at.target.apply(at.request(subject, values=prior, version=written.version))
    assert at.row(subject)["state"] == state


@pytest.mark.parametrize("moment", Moment)
def test_a_write_that_breaks_off_has_happened_wholly_or_not_at_all(systems: Engine, moment: Moment) -> None:
    def breaks() -> None:
        raise OutcomeUnknown("broken")

    sound = bench(systems)
    request = sound.request(sound.subject())
    before = sound.row(request.subject)
    target = FaultySqlTarget(sql_targets(systems)[LEDGER], systems, moment, breaks)
    with pytest.raises(OutcomeUnknown):
        target.apply(request)
    found = target.probe(request.key)
    assert (found is not None) == (moment is Moment.AFTER) == (sound.row(request.subject) != before)
    receipt = target.apply(request)
    assert found in {None, receipt}
    assert sound.effects(request.key) == 1


@pytest.mark.postgresql
def test_a_connection_that_breaks_in_the_commit_leaves_the_outcome_unknown(empty_postgresql_url: str) -> None:
    systems = create_support_systems(empty_postgresql_url)
    others = sa.create_engine(systems.url, isolation_level="AUTOCOMMIT")

    def ends_every_other_connection() -> None:
        with others.connect() as connection:
            found = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            connection.exec_driver_sql(f"{found} AND datname = current_database()")

    sound = bench(systems)
    request = sound.request(sound.subject())
    target = FaultySqlTarget(sql_targets(systems)[LEDGER], systems, Moment.WITHIN, ends_every_other_connection)
    with pytest.raises(OutcomeUnknown, match="commit_without_answer"):
        target.apply(request)
    assert target.probe(request.key) is None
    target.apply(request)
    assert sound.effects(request.key) == 1
    systems.dispose()
    others.dispose()


@pytest.mark.postgresql
def test_a_person_who_writes_between_our_look_and_our_write_is_not_overwritten(postgresql_systems: Engine) -> None:
    at = bench(postgresql_systems)
    request = at.request(at.subject())
    people = sa.create_engine(postgresql_systems.url)
    moves_on = sa.update(SUBJECTS[LEDGER]).where(SUBJECTS[LEDGER].c.subject == request.subject)

    def a_person_writes_first(*execution: Any) -> None:  # noqa: ANN401 - as SQLAlchemy calls it
        if execution[2].startswith("UPDATE ledger_entries"):
            with people.begin() as connection:
                connection.execute(moves_on.values(version=2, closed_at="by hand"))

    sa.event.listen(postgresql_systems, "before_cursor_execute", a_person_writes_first)
    try:
        with pytest.raises(SubjectChanged):
            at.target.apply(request)
    finally:
        sa.event.remove(postgresql_systems, "before_cursor_execute", a_person_writes_first)
        people.dispose()
    assert at.state(request.subject).values["closed_at"] == "by hand"
    assert at.effects(request.key) == 0


def test_each_target_knows_keys_of_its_own(systems: Engine) -> None:
    ledger, tracker = bench(systems, LEDGER), bench(systems, TRACKER)
    ledger.target.apply(ledger.request(ledger.subject(), key="one"))
    assert tracker.target.probe("one") is None
    tracker.target.apply(tracker.request(tracker.subject(), key="one"))
    assert (ledger.effects("one"), tracker.effects("one")) == (1, 1)


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/support.sqlite3", "postgresql://someone:verysecret@127.0.0.1:1/one"]
)
def test_a_database_that_is_down_is_unavailable_and_nothing_was_written(url: str) -> None:
    engine = open_support_systems(url)
    at = bench(engine)
    with pytest.raises(TargetUnavailable, match="database_unavailable"):
        at.target.apply(at.request("subject"))
    with pytest.raises(TargetUnavailable):
        at.target.read("subject")
    with pytest.raises(TargetUnavailable):
        at.target.probe("key")
    with pytest.raises(TargetUnavailable):
        SqlCaseReviewSystem(engine).read("CASE-1")
    with pytest.raises(TargetUnavailable):
        SqlArchive(engine).digest_of("archive/packets/1")


def test_an_address_of_another_kind_of_database_is_refused() -> None:
    with pytest.raises(UsageError):
        open_support_systems("mysql://localhost/one")
    with pytest.raises(UsageError):
        open_support_systems("postgres")


def test_eight_writers_with_one_key_have_one_effect(systems: Engine) -> None:
    at = bench(systems)
    request = at.request(at.subject())
    with ThreadPoolExecutor(8) as pool:
        receipts = set(pool.map(lambda _: msgspec.json.encode(at.target.apply(request)), range(8)))
    assert len(receipts) == 1
    assert at.effects(request.key) == 1


def test_of_eight_writers_who_expect_one_version_one_writes(systems: Engine) -> None:
    at = bench(systems)
    subject = at.subject()
    version = at.state(subject).version

    def writes(_: int) -> bool:
        try:
            at.target.apply(at.request(subject, version=version))
        except SubjectChanged:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(writes, range(8))) == 1


def test_a_name_that_could_mean_something_else_is_no_subject_and_no_key(systems: Engine) -> None:
    at = bench(systems, NOTICES)
    for name in ("", ".", "..", "a b", "a\nb", "a\0b", "\xe9", "x" * 513):
        for request in (at.request(name), msgspec.structs.replace(at.request("subject"), key=name)):
            with pytest.raises(TargetRefused, match="name_not_allowed"):
                at.target.apply(request)
        assert at.target.read(name) is None
        assert at.target.probe(name) is None
        assert SqlCaseReviewSystem(systems).read(name) is None
        assert SqlArchive(systems).digest_of(name) is None


def test_the_record_of_a_case_reads_as_it_was_entered_last(systems: Engine) -> None:
    reader = SqlCaseReviewSystem(systems)
    assert reader.read("CASE-1") is None
    enter_disposition(systems, DISPOSITION)
    assert reader.read("CASE-1") == DISPOSITION
    reopened = msgspec.structs.replace(DISPOSITION, state="reopened", disposition_version=4, queue_item=None)
    enter_disposition(systems, reopened)
    assert reader.read("CASE-1") == reopened


def test_an_archive_reference_has_the_digest_of_what_it_holds_now(systems: Engine) -> None:
    archive = SqlArchive(systems)
    assert archive.digest_of(PACKET.reference) is None
    file_document(systems, PACKET)
    assert archive.digest_of(PACKET.reference) == PACKET.digest
    file_document(systems, msgspec.structs.replace(PACKET, digest=NOTE.digest))
    assert archive.digest_of(PACKET.reference) == NOTE.digest


def test_a_person_may_edit_what_no_completion_may(systems: Engine) -> None:
    at = bench(systems)
    subject = at.subject()
    edit_subject(systems, LEDGER, subject, {"state": "reopened"})
    assert at.row(subject)["state"] == "reopened"
    assert at.state(subject).version == "2"
