"""What analysts find of releases: the two measures of the requirements, worked by hand, and the public file."""

import json
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE, PUBLIC_TABLES, VIEWS
from dagster_project.application.findings import record_finding
from dagster_project.application.issuing import sign_index
from dagster_project.application.receipts import VersionName, record_receipt
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.errors import ChannelsafeError, IntegrityViolation
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import SigningKey, read_envelope, sign_envelope
from dagster_project.review.decisions import Act
from dagster_project.sources.record import Classification
from dagster_project.store.signing_files import new_signing_key
from dagster_project.store.versions import latest_index, versions_of
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.stored_bodies import flip, stored_body
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT = load_scenario().incident
HARBOURLINE, TIDEWATER = "harbourline", "tidewater"


def approve_and_release(bench: Bench, bridge: str) -> None:
    """Everybody approves what they are asked for, and the page leaves."""
    for person in PEOPLE:
        bench.approve(person, INCIDENT, bridge)
    release(bench.workspace, INCIDENT, bridge)


def hear(workspace: Workspace, bridge: str, version: int, kind: str, *, reopened: bool | None = None) -> None:
    """Put a receipt on record."""
    record_receipt(workspace, VersionName(INCIDENT, bridge, version), kind, recipient="bridge-lead", reopened=reopened)


def find(workspace: Workspace, bridge: str, version: int, kind: str, pointer: str) -> None:
    """Put a finding on record."""
    record_finding(workspace, VersionName(INCIDENT, bridge, version), pointer, kind)


def tell_the_story(bench: Bench) -> None:
    """Play the demo's first ten steps: six versions for harbourline, the last of them a pull; one for tidewater."""
    workspace = bench.workspace
    play_scenario(workspace, until_step=1)
    bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, HARBOURLINE)  # version 1
    for step in (2, 6, 9, 10):
        play_scenario(workspace, from_step=2 if step == 2 else BEFORE[step] + 1, until_step=step)
        approve_and_release(bench, HARBOURLINE)  # versions 2 to 5
    approve_and_release(bench, TIDEWATER)  # version 1
    bench.act("leo", Act.PULL, INCIDENT, HARBOURLINE, version=5, fields=("/severity_code",), reason="argued about")


BEFORE = {6: 2, 9: 6, 10: 9}


def hear_of_it(workspace: Workspace) -> None:
    """Record what was heard: verdicts on some versions, findings about two."""
    for version in (1, 2, 3, 4):
        hear(workspace, HARBOURLINE, version, "handed_off")
    hear(workspace, TIDEWATER, 1, "handed_off")
    hear(workspace, HARBOURLINE, 2, "accepted", reopened=False)
    hear(workspace, HARBOURLINE, 3, "accepted", reopened=True)
    hear(workspace, HARBOURLINE, 4, "read_aloud")
    # Nobody recorded that version 5 was handed off; its verdict counts in neither measure.
    hear(workspace, HARBOURLINE, 5, "accepted", reopened=False)
    hear(workspace, TIDEWATER, 1, "accepted", reopened=False)
    find(workspace, HARBOURLINE, 3, "stale", "/incident_status")
    find(workspace, HARBOURLINE, 3, "stale", "/severity_code")
    find(workspace, HARBOURLINE, 5, "misleading", "/severity_code")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the story was told, heard of and published; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("released")
    bench = make_bench(make_workspace(folder))
    tell_the_story(bench)
    hear_of_it(bench.workspace)
    publish(bench.workspace)
    bench.workspace.store.engine.dispose()
    return folder


@pytest.fixture
def workspace(told: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(told, tmp_path / "copy")
    settings = make_workspace(tmp_path / "copy").settings
    return open_workspace(settings, clock=FixedClock(load_scenario().steps[9].at + timedelta(minutes=1)))


def ask(workspace: Workspace, question: str, name: str = INTERNAL_FILE) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(workspace.settings.published_analytics / name), read_only=True) as connection:
        return connection.execute(question).fetchall()


def everything(workspace: Workspace, name: str = INTERNAL_FILE) -> Mapping[str, list[str]]:
    return {view: sorted(map(repr, ask(workspace, f"FROM {view}", name))) for view in VIEWS}


def test_the_share_accepted_without_reopening_comes_with_its_response_rate_as_worked_by_hand(
    workspace: Workspace,
) -> None:
    # harbourline has six versions: 1 acknowledgement, 2 to 5 releases, 6 the pull. Handed off: 1, 2, 3 and 4. Of these
    # 2 and 3 have a verdict: 2 / 4 answered. 2 was accepted and nothing reopened, for 3 something was reopened: 1 / 2.
    # tidewater: one version, handed off, accepted, nothing reopened: 1 / 1 and 1 / 1.
    assert ask(workspace, "FROM acceptance ORDER BY bridge") == [
        (INCIDENT, HARBOURLINE, 6, 4, 2, 1, 1, 0.5, 0.5),
        (INCIDENT, TIDEWATER, 1, 1, 1, 1, 0, 1.0, 1.0),
    ]
    # Over both: 2 of 3 verdicts accepted without reopening, 3 of 5 hand-offs answered.
    together = """SELECT sum(accepted_without_reopening) / sum(with_verdict), sum(with_verdict) / sum(handed_off)
        FROM acceptance"""
    assert ask(workspace, together) == [(2 / 3, 3 / 5)]


def test_findings_are_counted_by_kind_over_all_that_left_as_worked_by_hand(workspace: Workspace) -> None:
    # Seven versions left, six of harbourline and one of tidewater. Two stale findings are about one version, so 2 / 7
    # per version; one is misleading, 1 / 7; no leak was found, which is said too.
    assert ask(workspace, "FROM findings_by_kind ORDER BY kind") == [
        ("leak", 0, 0, 7, 0.0),
        ("misleading", 1, 1, 7, 1 / 7),
        ("stale", 2, 1, 7, 2 / 7),
    ]


def test_a_rejection_beside_an_acceptance_is_no_acceptance(workspace: Workspace) -> None:
    hear(workspace, TIDEWATER, 1, "rejected", reopened=False)
    publish(workspace)
    of_tidewater = "SELECT with_verdict, accepted_without_reopening FROM acceptance WHERE bridge = 'tidewater'"
    assert ask(workspace, of_tidewater) == [(1, 0)]


def test_an_acceptance_without_an_answer_is_no_acceptance_without_reopening(workspace: Workspace) -> None:
    hear(workspace, HARBOURLINE, 4, "accepted")
    publish(workspace)
    of_harbourline = "SELECT with_verdict, accepted_without_reopening FROM acceptance WHERE bridge = 'harbourline'"
    assert ask(workspace, of_harbourline) == [(3, 1)]


def test_versions_come_with_their_states_and_what_was_approved_for_each(workspace: Workspace) -> None:
    question = """SELECT version, kind, publication_state, approved_changes > 0
        FROM version_origins JOIN released_versions USING (package_id, version)
        WHERE bridge = 'harbourline' ORDER BY version"""
    found = ask(workspace, question)
    # The pulled severity is in the releases; the acknowledgement said nothing of it.
    assert found[0] == (1, "acknowledgement", "superseded", False)
    assert found[-1] == (6, "pull", "released", False)
    assert [one[1] for one in found[1:-1]] == ["release"] * 4
    assert {state for _, _, state, _ in found[1:-1]} <= {"suspended", "superseded"}
    assert found[4] == (5, "release", "suspended", True)
    acts = dict(ask(workspace, "SELECT act, count(*) FROM decisions GROUP BY act"))
    assert (acts["acknowledge"], acts["pull"]) == (1, 1)
    assert acts["approve"] > 5


def test_the_public_file_shows_what_bridges_can_see_of_released_versions_and_nothing_else(workspace: Workspace) -> None:
    filled = {view for view, rows in everything(workspace, PUBLIC_FILE).items() if rows}
    assert filled == set(PUBLIC_TABLES)
    for table in PUBLIC_TABLES:
        assert ask(workspace, f"FROM {table} ORDER BY ALL", PUBLIC_FILE) == ask(workspace, f"FROM {table} ORDER BY ALL")
    content = (workspace.settings.published_analytics / PUBLIC_FILE).read_bytes()
    inside = [INCIDENT, HARBOURLINE, TIDEWATER, *(one.value for one in restricted_values())]
    text = "\n".join(
        str(value) for table in PUBLIC_TABLES for row in ask(workspace, f"FROM {table}", PUBLIC_FILE) for value in row
    )
    assert [word for word in inside if word.encode() in content or word in text] == []
    assert not {*PEOPLE} & {*text.split()}


def test_a_released_field_reads_as_the_signed_package_does_and_a_pulled_version_has_none(workspace: Workspace) -> None:
    with workspace.store.read() as transaction:
        versions = versions_of(transaction, INCIDENT, HARBOURLINE)
        current = json.loads(transaction.get_sealed(versions[-1].content_digest))
    # Only harbourline's package has so many versions.
    shown = dict(ask(workspace, "SELECT pointer, value FROM released_fields WHERE version = 6", PUBLIC_FILE))
    assert shown["/incident_status"] == current["incident_status"]
    assert ask(workspace, "FROM released_fields WHERE version = 5", PUBLIC_FILE) == []
    states = "SELECT publication_state, content_digest FROM released_versions WHERE version = 5"
    assert ask(workspace, states, PUBLIC_FILE) == [("suspended", versions[4].content_digest)]


def test_a_decision_a_receipt_and_a_finding_alone_are_each_news(workspace: Workspace) -> None:
    assert not publish(workspace).is_new
    hear(workspace, HARBOURLINE, 4, "acknowledged")
    assert publish(workspace).is_new
    find(workspace, HARBOURLINE, 4, "leak", "/incident_status")
    assert publish(workspace).is_new
    assert ask(workspace, "SELECT findings FROM findings_by_kind WHERE kind = 'leak'") == [(1,)]
    assert not publish(workspace).is_new


def test_rows_of_what_did_not_move_are_kept_as_they_would_be_read_again(workspace: Workspace) -> None:
    declared = next(line for line in load_scenario().steps[0].body.splitlines() if b'"type": "incident"' in line)
    admit(workspace, [DeliveredUnit("other", "line 1", declared.replace(INCIDENT.encode(), b"INC-4800"))])
    before = everything(workspace)
    assert publish(workspace).incidents == 2
    kept = everything(workspace)
    assert kept["released_fields"] == before["released_fields"] != []
    shutil.rmtree(workspace.settings.published_analytics)
    publish(workspace)
    assert {**everything(workspace), "publication": []} == {**kept, "publication": []}


def test_a_flipped_byte_in_the_statement_the_package_or_the_manifest_stops_the_publication(
    workspace: Workspace,
) -> None:
    with workspace.store.read() as transaction:
        row = versions_of(transaction, INCIDENT, HARBOURLINE)[1]
        files = json.loads(transaction.get_sealed(row.payload_digest))
    public, sealed = Classification.CUSTOMER, Classification.RESTRICTED
    for digest, kind in (
        (row.statement_digest, public),
        (files["package.json"], public),
        (row.manifest_digest, sealed),
    ):
        shutil.rmtree(workspace.settings.published_analytics, ignore_errors=True)
        body = stored_body(workspace.store, digest, kind)
        flip(body.path, body.start + body.length // 2)
        with pytest.raises(IntegrityViolation):
            publish(workspace)
        assert not (workspace.settings.published_analytics / PUBLIC_FILE).exists()
        flip(body.path, body.start + body.length // 2)
    publish(workspace)


@pytest.mark.parametrize(
    ("tampering", "code"),
    [
        # Whoever may write rows cannot make a suspended version look released: the signed index says otherwise.
        ("UPDATE versions SET state = 'superseded' WHERE bridge = 'harbourline' AND version = 5", "index_differs"),
        ("UPDATE versions SET state = 'withdrawn' WHERE bridge = 'harbourline' AND version = 2", "index_differs"),
        (
            "UPDATE versions SET content_digest = '{other}' WHERE bridge = 'harbourline' AND version = 2",
            "content_differs",
        ),
        ("DELETE FROM package_indexes", "index_missing"),
    ],
)
def test_a_row_that_says_otherwise_than_what_was_signed_stops_the_publication(
    workspace: Workspace, tampering: str, code: str
) -> None:
    shutil.rmtree(workspace.settings.published_analytics)
    with workspace.store.begin() as transaction:
        transaction.connection.execute(sa.text(tampering.format(other=digest_bytes(b"other"))))
    with pytest.raises(ChannelsafeError) as stopped:
        publish(workspace)
    assert stopped.value.code == code
    assert not (workspace.settings.published_analytics / PUBLIC_FILE).exists()


def signed_anew(workspace: Workspace, digest: str, key: SigningKey) -> str:
    """Sign the words of a stored envelope with a key, and store that."""
    with workspace.store.begin() as transaction:
        envelope = read_envelope(transaction.blobs.get(digest, Classification.CUSTOMER))
        return transaction.blobs.put(sign_envelope(envelope.payload, [key]), Classification.CUSTOMER)


def change_rows(workspace: Workspace, statement: str, **values: object) -> None:
    with workspace.store.begin() as transaction:
        transaction.connection.execute(sa.text(statement), values)


def test_an_index_that_another_key_signed_stops_the_publication(workspace: Workspace) -> None:
    with workspace.store.read() as transaction:
        index = latest_index(transaction, versions_of(transaction, INCIDENT, TIDEWATER)[0].package_id)
    assert index is not None
    forged = signed_anew(workspace, index.body_digest, new_signing_key())
    moved = "UPDATE package_indexes SET body_digest = :to WHERE body_digest = :was"
    change_rows(workspace, moved, to=forged, was=index.body_digest)
    shutil.rmtree(workspace.settings.published_analytics)
    with pytest.raises(IntegrityViolation) as stopped:
        publish(workspace)
    assert stopped.value.code == "index_not_signed"


def test_a_statement_that_another_key_signed_stops_the_publication_though_the_index_names_it(
    workspace: Workspace,
) -> None:
    with workspace.store.read() as transaction:
        row = versions_of(transaction, INCIDENT, TIDEWATER)[0]
    forged = signed_anew(workspace, row.statement_digest, new_signing_key())
    moved = "UPDATE versions SET statement_digest = :to WHERE package_id = :of"
    change_rows(workspace, moved, to=forged, of=row.package_id)
    with workspace.store.begin() as transaction:
        sign_index(workspace, transaction, INCIDENT, TIDEWATER, workspace.clock.now())
    shutil.rmtree(workspace.settings.published_analytics)
    with pytest.raises(IntegrityViolation) as stopped:
        publish(workspace)
    assert stopped.value.code == "release_not_signed"


@pytest.mark.postgresql
def test_releases_are_published_from_postgresql_alike(
    workspace: Workspace, tmp_path: Path, postgresql_url: str
) -> None:
    bench = make_bench(make_workspace(tmp_path / "other", database_url=postgresql_url))
    tell_the_story(bench)
    hear_of_it(bench.workspace)
    assert publish(bench.workspace).is_new
    assert not publish(bench.workspace).is_new
    for view in ("acceptance", "findings_by_kind"):
        assert everything(bench.workspace)[view] == everything(workspace)[view]
    states = "SELECT kind, publication_state, count(*) FROM released_versions GROUP BY ALL ORDER BY ALL"
    assert ask(bench.workspace, states, PUBLIC_FILE) == ask(workspace, states, PUBLIC_FILE)
    bench.workspace.store.engine.dispose()
