"""Receipts and findings: recorded once, of a version that exists, with an audit entry, and nothing inferred."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.application.findings import FINDING_KINDS, record_finding
from dagster_project.application.receipts import RECEIPT_KINDS, VERDICTS, VersionName, record_receipt
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.documents import read_document
from dagster_project.review.decisions import Act
from dagster_project.store.audit import AuditEntry, all_entries_after
from dagster_project.store.findings import findings_of
from dagster_project.store.receipts import ReceiptRow, receipts_of
from tests.support.command_line import Answer, CommandLine, command_line_of
from tests.support.review_people import make_bench
from tests.support.trusted_people import code_of
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, BRIDGE = "INC-4711", "harbourline"
TOLD = VersionName(INCIDENT, BRIDGE, 1)
NEVER = VersionName(INCIDENT, BRIDGE, 2)
LEAD = "Zoë, Harbourline's bridge lead"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace in which one version was released: the acknowledgement."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    bench = make_bench(workspace)
    play_scenario(workspace, until_step=1)
    bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, BRIDGE)
    yield workspace
    workspace.store.engine.dispose()


def receipts(workspace: Workspace) -> list[ReceiptRow]:
    with workspace.store.read() as transaction:
        return receipts_of(transaction, INCIDENT)


def entries(workspace: Workspace, action: str) -> list[AuditEntry]:
    with workspace.store.read() as transaction:
        return [one for one in all_entries_after(transaction, 0) if one.action == action]


def refused(answer: Answer, code: str, exit_code: int) -> bool:
    return answer.code == exit_code and f"code:  {code}\n" in answer.err


# ---- receipts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RECEIPT_KINDS)
def test_every_kind_of_receipt_is_recorded_and_brings_no_other(told: Workspace, kind: str) -> None:
    # writing rule M16
    assert record_receipt(told, TOLD, kind, recipient=LEAD).is_new
    assert [(one.kind, one.recipient, one.reopened_internal) for one in receipts(told)] == [(kind, LEAD, None)]


def test_recording_the_same_again_changes_nothing(told: Workspace) -> None:
    now = told.clock.now()
    first = record_receipt(told, TOLD, "fetched", recipient=LEAD, at=now)
    # The same name in another spelling of the same characters, and another instant: still the same receipt.
    decomposed = LEAD.replace("ë", "e\u0308")
    again = record_receipt(told, TOLD, "fetched", recipient=f" {decomposed} ", at=now + timedelta(minutes=1))
    assert decomposed != LEAD
    assert (first.is_new, again.is_new, again.row) == (True, False, first.row)
    assert receipts(told) == [first.row]
    assert len(entries(told, "receipt_recorded")) == 1


@pytest.mark.parametrize("kind", VERDICTS)
@pytest.mark.parametrize("answer", [True, False, None])
def test_a_verdict_has_its_answer_or_that_nobody_gave_one(told: Workspace, kind: str, *, answer: bool | None) -> None:
    record_receipt(told, TOLD, kind, recipient=LEAD, reopened=answer)
    assert [one.reopened_internal for one in receipts(told)] == [answer]
    other = code_of(lambda: record_receipt(told, TOLD, kind, recipient=LEAD, reopened=not answer))
    assert other == "receipt_differs"
    assert [one.reopened_internal for one in receipts(told)] == [answer]


def test_a_receipt_that_cannot_be_is_refused_and_stores_nothing(told: Workspace) -> None:
    now = told.clock.now()

    def code(name: VersionName = TOLD, kind: str = "fetched", recipient: str = LEAD, **more: object) -> str:
        return code_of(lambda: record_receipt(told, name, kind, recipient=recipient, **more))  # type: ignore[arg-type] # passed through

    assert code(NEVER) == "no_such_version"
    assert code(VersionName("INC-404", BRIDGE, 1)) == "no_such_version"
    assert code(kind="dreamt") == "receipt_kind_unknown"
    assert code(recipient="  ") == "recipient_missing"
    assert code(recipient="a\udcff") == "recipient_missing"
    assert code(reopened=True) == "answer_without_verdict"
    assert code(at=now - timedelta(seconds=1)) == "receipt_before_version"
    assert code(at=now + timedelta(minutes=6)) == "receipt_from_the_future"
    assert receipts(told) == []
    assert entries(told, "receipt_recorded") == []
    assert code(at=now) == "accepted"


def test_the_audit_entry_of_a_receipt_names_no_recipient(told: Workspace) -> None:
    row = record_receipt(told, TOLD, "read_aloud", recipient=LEAD).row
    (entry,) = entries(told, "receipt_recorded")
    assert (entry.incident, entry.subject) == (INCIDENT, f"bridge/{BRIDGE}/version/1/receipt/read_aloud")
    assert LEAD not in str(entry)
    with told.store.read() as transaction:
        assert read_document(transaction.get_sealed(entry.details_digest))["recipient"] == row.recipient


# ---- findings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_every_kind_of_finding_is_recorded_once_with_its_audit_entry(told: Workspace, kind: str) -> None:
    first, again = (record_finding(told, TOLD, "/tlp", kind) for _time in range(2))
    assert (first.is_new, again.is_new, again.row) == (True, False, first.row)
    with told.store.read() as transaction:
        assert findings_of(transaction, INCIDENT) == [first.row]
    (entry,) = entries(told, "finding_recorded")
    assert entry.subject == f"bridge/{BRIDGE}/version/1/finding/{kind}"


def test_a_finding_about_nothing_is_refused(told: Workspace) -> None:
    assert code_of(lambda: record_finding(told, NEVER, "/tlp", "leak")) == "no_such_version"
    assert code_of(lambda: record_finding(told, TOLD, "/severity_code", "leak")) == "field_unknown"
    assert code_of(lambda: record_finding(told, TOLD, "/tlp", "ugly")) == "finding_kind_unknown"
    with told.store.read() as transaction:
        assert findings_of(transaction, INCIDENT) == []


# ---- the commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_run(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line of a workspace in which one version was released."""
    workspace = make_workspace(tmp_path)
    bench = make_bench(workspace)
    play_scenario(workspace, until_step=1)
    bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, BRIDGE)
    yield command_line_of(workspace.settings)
    workspace.store.engine.dispose()


def test_the_command_records_a_receipt_and_its_answer(sqlite_run: CommandLine) -> None:
    name = [INCIDENT.lower(), BRIDGE, "1"]
    handed = sqlite_run("receipt", *name, "handed_off", "--recipient", LEAD, "--at", "2026-03-04T10:05:00+01:00")
    assert (handed.code, handed.out) == (0, f"recorded: version 1 handed_off 2026-03-04 09:05:00 UTC, {LEAD}\n")
    accepted = sqlite_run("receipt", *name, "accepted", "--recipient", LEAD, "--reopened", "no", "--json").json
    assert (accepted["is_new"], accepted["receipt"]["reopened_internal"]) == (True, False)
    again = sqlite_run("receipt", *name, "accepted", "--recipient", LEAD, "--reopened", "no")
    assert again.out.startswith("was recorded before")
    differs = sqlite_run("receipt", *name, "accepted", "--recipient", LEAD, "--reopened", "yes")
    assert refused(differs, "receipt_differs", 1)
    heard = sqlite_run("history", INCIDENT, "--json").json["versions"][0]["receipts"]
    assert [one["kind"] for one in heard] == ["handed_off", "accepted"]
    assert f"{LEAD}, without reopening an internal system" in sqlite_run("history", INCIDENT).out


def test_the_command_refuses_what_is_no_receipt(sqlite_run: CommandLine) -> None:
    assert sqlite_run("receipt", INCIDENT, BRIDGE, "1", "dreamt", "--recipient", LEAD).code == 2
    assert sqlite_run("receipt", INCIDENT, BRIDGE, "1", "fetched").code == 2
    assert refused(sqlite_run("receipt", INCIDENT, BRIDGE, "9", "fetched", "--recipient", LEAD), "no_such_version", 2)
    early = sqlite_run("receipt", INCIDENT, BRIDGE, "1", "fetched", "--recipient", LEAD, "--at", "2026-03-04T08:00:00Z")
    assert refused(early, "receipt_before_version", 1)
    unclear = sqlite_run("receipt", INCIDENT, BRIDGE, "1", "fetched", "--recipient", LEAD, "--at", "yesterday")
    assert refused(unclear, "instant_unreadable", 2)


@pytest.mark.parametrize("version", [(INCIDENT, BRIDGE, "1"), (f"{INCIDENT}/{BRIDGE}/1",)], ids=["words", "one word"])
def test_the_command_records_a_finding_of_a_version_in_either_spelling(
    sqlite_run: CommandLine, version: tuple[str, ...]
) -> None:
    recorded = sqlite_run("finding", "record", *version, "/tlp", "misleading", "--json").json
    assert (recorded["is_new"], recorded["finding"]["version"]) == (True, 1)
    again = sqlite_run("finding", "record", INCIDENT, BRIDGE, "1", "/tlp", "misleading")
    assert again.out == "was recorded before: misleading at /tlp\n"
    assert "misleading at /tlp" in sqlite_run("history", INCIDENT).out


@pytest.mark.parametrize("version", ["1", "a/b", "a/b/c", "a/b/-1", "a/b/٣", "a/b/1/2", "a/b/" + "9" * 30])
def test_the_command_refuses_what_names_no_version(sqlite_run: CommandLine, version: str) -> None:
    answer = sqlite_run("finding", "record", version, "/tlp", "leak")
    assert (answer.code, "INCIDENT/BRIDGE/NUMBER" in answer.err) == (2, True)
