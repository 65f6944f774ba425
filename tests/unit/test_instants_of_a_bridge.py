"""No instant of one bridge's package says when a record came that the bridge does not see (docs/derived_leaks.md).

A refresh is of the whole incident. What it lets leave by policy would else leave at the instant of whatever record
brought it: of another customer's account, of the inside, of a component that this customer did not buy.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dagster_project.application import policy_releases
from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.pinned import read_snapshot
from dagster_project.application.policy_releases import keep_published, release_after_refresh, release_by_policy
from dagster_project.application.refresh import refresh
from dagster_project.application.reminders import next_reminder
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.integrity.digests import opaque_code
from dagster_project.integrity.publication import version_folder
from dagster_project.review import pulls
from dagster_project.settings import Settings
from dagster_project.sources.admission import record_bytes
from dagster_project.sources.record import Classification, Record
from dagster_project.store.candidates import latest_candidate
from dagster_project.store.versions import VersionRow, versions_of
from tests.support.histories import changed, make_record
from tests.support.review_people import Bench
from tests.support.told_bridges import BRIDGE, BRIDGES, INCIDENT, approved, told_both
from tests.support.workspaces import make_workspace

AGING = ("incident", "service-health", "workaround")
MINUTE = timedelta(minutes=1)
Published = Mapping[str, bytes]


def heads(workspace: Workspace) -> tuple[Record, ...]:
    with workspace.store.read() as transaction:
        row = latest_candidate(transaction, INCIDENT, BRIDGE)
        assert row is not None
        return read_snapshot(transaction, INCIDENT, row.snapshot_digest).heads


def said_now(workspace: Workspace, record: Record) -> Record:
    """Return what comes of a source that says something of this record now."""
    at, version = workspace.clock.now(), record.recordversion + 1
    return msgspec.structs.replace(record, id=f"{record.id}.{version}", recordversion=version, recordedtime=at, time=at)


def to(workspace: Workspace, at: datetime) -> None:
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(at)


def deliver(workspace: Workspace, records: Iterable[Record]) -> None:
    """Take records in and refresh, as any lane does it."""
    units = [DeliveredUnit("test", f"line {number}", record_bytes(one)) for number, one in enumerate(records, 1)]
    assert admit(workspace, units).rejected == ()
    refresh(workspace, INCIDENT)
    assert release_after_refresh(workspace, [INCIDENT]) == {}


def versions(workspace: Workspace, bridge: str = BRIDGE) -> list[VersionRow]:
    with workspace.store.read() as transaction:
        return versions_of(transaction, INCIDENT, bridge)


def folder(workspace: Workspace, bridge: str = BRIDGE) -> Published:
    """Return everything that lies in the published folder of a bridge's package."""
    root = workspace.settings.published / versions(workspace, bridge)[0].package_id
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def their_contract(workspace: Workspace) -> Record:
    contract = next(one for one in heads(workspace) if one.type == "contract" and one.data["account"] == "TIDEWATER")
    return changed(said_now(workspace, contract), "/terms", "other terms than before")


def a_dependency(workspace: Workspace) -> Record:
    """Return another dependency of a component that concerns the bridge; the slot for it is on hold already."""
    known = next(one for one in heads(workspace) if one.type == "dependency")
    at = workspace.clock.now()
    data = {"component": known.data["component"], "vendors": ["Ashgrove Hosting Ltd"]}
    return make_record(
        "dependency",
        "DEP-900",
        data,
        source=known.source,
        dataclassification=Classification.RESTRICTED,
        recordedtime=at,
        time=at,
    )


def a_step_for_the_inside(workspace: Workspace) -> Record:
    step = next(one for one in heads(workspace) if one.type == "bridge-timeline")
    new = msgspec.structs.replace(said_now(workspace, step), recordid="TL-900", id="TL-900", recordversion=1)
    return msgspec.structs.replace(new, dataclassification=Classification("internal"))


def a_component_nobody_here_bought(workspace: Workspace) -> Record:
    health = next(one for one in heads(workspace) if one.type == "service-health")
    new = msgspec.structs.replace(
        said_now(workspace, health), recordid="report-builder/us-east-1", id="RB-900", recordversion=1
    )
    return changed(changed(new, "/component", "report-builder"), "/state", "down")


UNSEEN: dict[str, Callable[[Workspace], Record]] = {
    "a record of another bridge's account": their_contract,
    "a dependency": a_dependency,
    "a step for the inside": a_step_for_the_inside,
    "a component that this account did not buy": a_component_nobody_here_bought,
}
ACCOUNT_AND_INSIDE = tuple(UNSEEN)[:2]


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, datetime]:
    """Both bridges were told; then inside records came that put slots on hold, and the page says so."""
    workspace = make_workspace(tmp_path_factory.mktemp("told"))
    bench = told_both(workspace)
    to(workspace, workspace.clock.now() + MINUTE)
    known = make_record(
        "dependency",
        "DEP-800",
        {"component": "mx-relay", "vendors": ["Meridian Transit AG"]},
        source="//cmdb.example/dependencies",
        dataclassification=Classification.RESTRICTED,
        recordedtime=workspace.clock.now(),
        time=workspace.clock.now(),
    )
    deliver(workspace, [known, a_step_for_the_inside_of(workspace, "TL-800")])
    workspace.store.engine.dispose()
    return bench, workspace.clock.now()


@pytest.fixture
def bench(beginning: tuple[Bench, datetime], tmp_path: Path) -> Iterator[Bench]:
    """A copy of that beginning."""
    told, at = beginning
    shutil.copytree(told.workspace.settings.home, tmp_path / "home")
    settings = Settings(home=tmp_path / "home", keys=told.workspace.settings.keys)
    workspace = open_workspace(settings, clock=FixedClock(at))
    yield Bench(workspace, told.keys)
    workspace.store.engine.dispose()


def a_step_for_the_inside_of(workspace: Workspace, recordid: str) -> Record:
    return msgspec.structs.replace(a_step_for_the_inside(workspace), recordid=recordid, id=recordid)


def reconfirmed(workspace: Workspace) -> datetime:
    """Let every source say the same again, and return from when on the page is to be reaffirmed."""
    to(workspace, workspace.clock.now() + MINUTE)
    deliver(workspace, [said_now(workspace, one) for one in heads(workspace) if one.type in AGING])
    due = next_reminder(workspace, INCIDENT, BRIDGE)
    assert due is not None
    assert due > workspace.clock.now()
    return due


@pytest.mark.parametrize("name", UNSEEN)
def test_a_record_that_the_bridge_does_not_see_makes_no_version_no_index_and_no_instant(
    bench: Bench, name: str
) -> None:
    workspace = bench.workspace
    to(workspace, reconfirmed(workspace) + MINUTE)
    before = folder(workspace)
    deliver(workspace, [UNSEEN[name](workspace)])
    assert folder(workspace) == before
    # The round that comes after it has an instant of its own, and finds the page due.
    to(workspace, workspace.clock.now() + MINUTE)
    assert keep_published(workspace, at_most=MINUTE).failed == {}
    last = versions(workspace)[-1]
    assert (last.kind, last.issued_at) == ("reaffirmation", workspace.clock.now())


@pytest.mark.parametrize("name", ACCOUNT_AND_INSIDE)
def test_a_page_that_waits_for_its_release_does_not_leave_at_the_instant_of_a_record_it_does_not_show(
    bench: Bench, name: str
) -> None:
    workspace = bench.workspace
    to(workspace, workspace.clock.now() + MINUTE)
    severity = next(one for one in heads(workspace) if one.type == "incident")
    deliver(workspace, [changed(said_now(workspace, severity), "/severity", "SEV2")])
    before = len(versions(workspace))
    approved(bench, BRIDGE)
    to(workspace, workspace.clock.now() + MINUTE)
    deliver(workspace, [UNSEEN[name](workspace)])
    assert len(versions(workspace)) == before
    to(workspace, workspace.clock.now() + MINUTE)
    assert keep_published(workspace, at_most=MINUTE).failed == {}
    assert [one.issued_at for one in versions(workspace)[before:]] == [workspace.clock.now()]


def test_what_the_bridge_sees_leaves_with_its_own_refresh(bench: Bench) -> None:
    workspace = bench.workspace
    to(workspace, reconfirmed(workspace) + MINUTE)
    deliver(workspace, [said_now(workspace, one) for one in heads(workspace) if one.type in AGING])
    last = versions(workspace)[-1]
    assert (last.kind, last.issued_at) == ("reaffirmation", workspace.clock.now())


def test_a_hold_leaves_with_its_own_refresh(bench: Bench) -> None:
    workspace = bench.workspace
    before = len(versions(workspace))
    to(workspace, workspace.clock.now() + MINUTE)
    incident = next(one for one in heads(workspace) if one.type == "incident")
    deliver(workspace, [changed(said_now(workspace, incident), "/severity", "nobody knows")])
    assert [one.issued_at for one in versions(workspace)[before:]] == [workspace.clock.now()]


def test_who_was_not_asked_is_said_to_wait_for_the_round(bench: Bench) -> None:
    workspace = bench.workspace
    to(workspace, reconfirmed(workspace) + MINUTE)
    deliver(workspace, [a_dependency(workspace)])
    assert {one.bridge: one.waits_for for one in release_by_policy(workspace, INCIDENT)} == dict.fromkeys(
        BRIDGES, "next_round"
    )


@pytest.mark.parametrize("name", ACCOUNT_AND_INSIDE)
def test_without_the_rule_the_instant_of_the_record_shows(
    bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_releases, "may_show", lambda _transaction, _row: True)
    workspace = bench.workspace
    to(workspace, reconfirmed(workspace) + MINUTE)
    deliver(workspace, [UNSEEN[name](workspace)])
    assert versions(workspace)[-1].issued_at == workspace.clock.now()


# ---- what versions say beside each other ----------------------------------------------------------------------------


def made_inside(workspace: Workspace) -> tuple[str, str]:
    """Let a step that was told become a matter of the inside; return its pointer and the instant that it says."""
    step = next(
        one for one in heads(workspace) if one.type == "bridge-timeline" and one.dataclassification.value == "customer"
    )
    to(workspace, workspace.clock.now() + MINUTE)
    deliver(workspace, [msgspec.structs.replace(said_now(workspace, step), dataclassification=Classification.INTERNAL)])
    with workspace.store.read() as transaction:
        code = opaque_code(transaction.keys.opaque_codes, INCIDENT, BRIDGE, step.source, step.recordid)
    return f"/timeline/{code}", code


def test_what_becomes_a_matter_of_the_inside_is_pulled_from_every_version_that_showed_it(bench: Bench) -> None:
    workspace = bench.workspace
    told = folder(workspace)
    _pointer, code = made_inside(workspace)
    shown = [name for name, body in told.items() if code.encode() in body]
    assert shown
    now = folder(workspace)
    assert not [name for name in shown if name in now]
    assert [name for name in now if name.startswith("tombstones/")]
    newest = now[f"{version_folder(versions(workspace)[-1].version)}/package.json"]
    assert b'"other":{"category":"other","fields":["/timeline"]' in newest
    states = [(one.kind, one.state) for one in versions(workspace)]
    assert ("pull", "superseded") in states or ("pull", "released") in states


def test_the_entry_goes_with_the_next_version_and_nobody_is_asked(bench: Bench) -> None:
    workspace = bench.workspace
    pointer, code = made_inside(workspace)
    to(workspace, workspace.clock.now() + MINUTE)
    assert keep_published(workspace, at_most=MINUTE).failed == {}
    newest = folder(workspace)[f"{version_folder(versions(workspace)[-1].version)}/package.json"]
    assert code.encode() not in newest, pointer


def test_without_the_rule_an_older_version_shows_what_was_scrubbed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "_made_inside", lambda _before, _now: set())
    _pointer, code = made_inside(bench.workspace)
    shown = [name for name, body in folder(bench.workspace).items() if code.encode() in body]
    assert shown
    # What leaves from now on does not keep it, pull or no pull.
    assert not [name for name in shown if name.startswith(version_folder(versions(bench.workspace)[-1].version))]


def test_a_name_that_turns_out_to_be_internal_is_pulled_from_every_version_that_showed_it(bench: Bench) -> None:
    """Somebody typed a name as an article before any record named a host like that."""
    workspace = bench.workspace
    at, host = workspace.clock.now(), "Orchidvault"
    data = {"readiness": "ready", "verified": True, "applies_to": ["mx-relay"], "reference": host}
    source = {"source": "//workarounds.example/tracker", "recordedtime": at, "time": at}
    deliver(workspace, [make_record("workaround", "WA-900", data, **source)])
    for person in ("ines", "selma", "ada", "sam", "ivan"):
        bench.approve(person, INCIDENT, BRIDGE)
    assert keep_published(workspace, at_most=MINUTE).failed == {}
    assert [name for name, body in folder(workspace).items() if host.encode() in body]
    to(workspace, at + MINUTE)
    health = next(one for one in heads(workspace) if one.type == "service-health")
    deliver(workspace, [changed(said_now(workspace, health), "/host", host)])
    assert not [name for name, body in folder(workspace).items() if host.encode() in body]
