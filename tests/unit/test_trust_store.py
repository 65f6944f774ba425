"""Trust in a deployment, on both databases: what holds, what is refused and changes nothing, and what was tampered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from dagster_project.application.demo_store import MARK
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.trust import adopt, current_trust, latest_trust, service_key, trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.integrity.canonical import parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.public_trust import follow_public_trust
from dagster_project.integrity.signatures import SigningKey, envelope_bytes
from dagster_project.integrity.trust import SERVICES, Trust, trust_bytes
from dagster_project.integrity.trust_changes import (
    next_version,
    replace_service_key,
)
from dagster_project.integrity.trust_succession import public_chain_bytes, sign_trust
from dagster_project.store.audit import entries_after
from dagster_project.store.review_tables import trust_versions
from dagster_project.store.signing_files import SIGNING_FILE_NAME, add_service_keys, new_signing_key
from dagster_project.store.trust import add_trust, adopted_versions
from tests.support.trusted_people import ADOPTED_AT, EXPIRES, code_of, key, sample_trust
from tests.support.workspaces import make_workspace

PEOPLE = {"kim": ("security",), "robin": ("legal", "incident_command"), "sam": ()}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A fresh deployment at the instant of the sample trust, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    opened = make_workspace(tmp_path, FixedClock(ADOPTED_AT), database_url=url)
    yield opened
    opened.store.engine.dispose()


def adopt_signed(workspace: Workspace, trust: Trust, keys: Sequence[SigningKey]) -> Trust:
    with workspace.store.begin() as transaction:
        chain = trust_chain(transaction, workspace)
        return adopt(workspace, transaction, sign_trust(trust, keys), chain[-1].trust if chain else None)


def read(workspace: Workspace, function: Callable[..., Any]) -> Any:  # noqa: ANN401 - what the function returns
    with workspace.store.read() as transaction:
        return function(transaction, workspace)


def code_now(workspace: Workspace) -> str:
    return code_of(partial(read, workspace, current_trust))


def everything(workspace: Workspace) -> tuple[object, object]:
    """Return all that a change of trust would change."""
    with workspace.store.read() as transaction:
        return adopted_versions(transaction), entries_after(transaction, 0, limit=100)


def set_clock(workspace: Workspace, instant: Any) -> None:  # noqa: ANN401 - a datetime
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(instant)


# ---- what holds -----------------------------------------------------------------------------------------------------


def test_nobody_is_trusted_until_trust_is_adopted(workspace: Workspace) -> None:
    assert code_now(workspace) == "no_trust"
    assert code_of(partial(service_key, workspace, "release")) == "no_trust"
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    assert read(workspace, current_trust) == sample_trust()


def test_an_expired_trust_gives_nobody_a_right_and_still_says_what_services_sign_with(workspace: Workspace) -> None:
    keys = make_demo_trust(workspace, PEOPLE, demo=False)
    trust = read(workspace, current_trust)
    set_clock(workspace, trust.expires - timedelta(microseconds=1))
    assert code_now(workspace) == "accepted"
    set_clock(workspace, trust.expires)
    assert code_now(workspace) == "trust_expired"
    assert read(workspace, latest_trust) == trust
    assert service_key(workspace, "index").keyid in trust.service_keys("index")
    renewed = next_version(trust, expires=trust.expires + timedelta(days=1), threshold=None)
    adopt_signed(workspace, renewed, [keys["kim"], keys["sam"]])
    assert read(workspace, current_trust) == renewed


def test_trust_made_in_one_go_needs_two_custodians_to_change_and_lets_services_sign(workspace: Workspace) -> None:
    keys = make_demo_trust(workspace, PEOPLE, demo=False)
    trust = read(workspace, current_trust)
    assert {name: trust.roles_of(name) for name in PEOPLE} == {name: set(roles) for name, roles in PEOPLE.items()}
    assert {trust.person_of(one.keyid) for one in keys.values()} == set(PEOPLE)
    assert [service_key(workspace, one).keyid for one in SERVICES] == [
        *(keyid for one in SERVICES for keyid in trust.service_keys(one))
    ]
    change = next_version(trust, expires=None, threshold=None)
    assert code_of(partial(adopt_signed, workspace, change, [keys["kim"]])) == "trust_signatures_missing"
    assert code_of(partial(adopt_signed, workspace, change, [keys["kim"], keys["robin"]])) == "accepted"


def test_every_adoption_is_in_the_audit_log_with_ids_and_digests_alone(workspace: Workspace) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    adopt_signed(workspace, sample_trust(version=2), [key(2), key(3), key(4)])
    with workspace.store.read() as transaction:
        entries = entries_after(transaction, 0, limit=10)
        details = [parse_strict(transaction.get_sealed(one.details_digest)) for one in entries]
    assert [(one.action, one.subject, one.at) for one in entries] == [
        ("trust_changed", "trust/1", ADOPTED_AT),
        ("trust_changed", "trust/2", ADOPTED_AT),
    ]
    assert [one["signed_by"] for one in details] == [["kim", "robin"], ["alex", "robin", "sam"]]
    assert details[1]["trust_digest"] == digest_bytes(trust_bytes(sample_trust(version=2)))


def test_the_stored_chain_is_one_that_outsiders_can_follow(workspace: Workspace) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    adopt_signed(workspace, sample_trust(version=2), [key(2), key(3)])
    chain = read(workspace, trust_chain)
    followed = follow_public_trust(public_chain_bytes([one.public for one in chain]))
    assert [one.version for one in followed.versions] == [one.trust.version for one in chain] == [1, 2]


# ---- service keys ---------------------------------------------------------------------------------------------------


def test_a_service_signs_with_its_old_key_until_the_new_one_is_adopted(workspace: Workspace) -> None:
    keys = make_demo_trust(workspace, PEOPLE, demo=False)
    old, fresh = service_key(workspace, "index"), new_signing_key()
    others = [service_key(workspace, one) for one in ("release", "audit")]
    add_service_keys(workspace.settings.keys, {"index": fresh})
    assert service_key(workspace, "index") == old
    following = next_version(read(workspace, current_trust), expires=None, threshold=None)
    adopt_signed(workspace, replace_service_key(following, "index", fresh.public), [keys["kim"], keys["sam"]])
    assert service_key(workspace, "index") == fresh
    assert [service_key(workspace, one) for one in ("release", "audit")] == others


def test_a_service_whose_key_is_not_here_signs_nothing(workspace: Workspace) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    assert code_of(partial(service_key, workspace, "release")) == "keys_missing"
    add_service_keys(workspace.settings.keys, {"release": new_signing_key(), "index": key(102)})
    assert code_of(partial(service_key, workspace, "release")) == "service_key_missing"
    assert code_of(partial(service_key, workspace, "audit")) == "service_key_missing"
    assert service_key(workspace, "index") == key(102)
    (workspace.settings.keys / SIGNING_FILE_NAME).chmod(0o640)
    assert code_of(partial(service_key, workspace, "index")) == "keys_exposed"


# ---- what is refused and changes nothing ----------------------------------------------------------------------------


def test_a_refused_version_changes_nothing(workspace: Workspace) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    before = everything(workspace)
    refused = [
        (sample_trust(version=2), [key(1)], "trust_signatures_missing"),
        (sample_trust(version=3), [key(1), key(2)], "trust_version_not_next"),
        (sample_trust(), [key(1), key(2)], "trust_version_not_next"),
        (sample_trust(version=2, expires=ADOPTED_AT), [key(1), key(2)], "trust_expired"),
        (sample_trust(version=2, threshold=1), [key(1), key(2)], "trust_threshold_impossible"),
        (sample_trust(version=2, deployment="1" * 32), [key(1), key(2)], "trust_deployment_differs"),
    ]
    for trust, keys, code in refused:
        assert code_of(partial(adopt_signed, workspace, trust, keys)) == code
        assert everything(workspace) == before
    assert code_of(partial(adopt_signed, workspace, sample_trust(version=2), [key(1), key(2)])) == "accepted"
    assert everything(workspace) != before


def test_of_two_changes_at_once_one_is_adopted_and_the_other_told(workspace: Workspace) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])
    rivals = [sample_trust(version=2, expires=EXPIRES + timedelta(days=days)) for days in (1, 2)]
    start = Barrier(len(rivals))

    def change(trust: Trust) -> str:
        start.wait(timeout=30)
        return code_of(partial(adopt_signed, workspace, trust, [key(1), key(2)]))

    with ThreadPoolExecutor(len(rivals)) as pool:
        ends = list(pool.map(change, rivals))
    assert sorted(ends) == ["accepted", "trust_version_not_next"]
    assert read(workspace, current_trust) == rivals[ends.index("accepted")]


@pytest.mark.parametrize("version", [1, 3])
def test_the_store_itself_takes_only_the_very_next_version(workspace: Workspace, version: int) -> None:
    adopt_signed(workspace, sample_trust(), [key(1), key(2)])

    def add(number: int) -> None:
        with workspace.store.begin() as transaction:
            add_trust(transaction, version=number, trust_digest=f"d{number}", internal=b"a", public=b"b", at=ADOPTED_AT)

    assert code_of(partial(add, version)) == "trust_overtaken"
    assert code_of(partial(add, 2)) == "accepted"


# ---- demo trust -----------------------------------------------------------------------------------------------------


def test_demo_trust_is_refused_by_a_store_that_the_demo_did_not_make(workspace: Workspace) -> None:
    before = everything(workspace)
    assert code_of(partial(make_demo_trust, workspace, PEOPLE, demo=True)) == "demo_trust_refused"
    assert everything(workspace) == before
    (workspace.settings.home / MARK).touch()
    assert code_of(partial(make_demo_trust, workspace, PEOPLE, demo=True)) == "accepted"
    assert read(workspace, current_trust).threshold == 1


def test_demo_trust_that_was_carried_to_another_store_is_refused_by_whatever_asks_for_it(workspace: Workspace) -> None:
    (workspace.settings.home / MARK).touch()
    make_demo_trust(workspace, PEOPLE, demo=True)
    assert code_now(workspace) == "accepted"
    (workspace.settings.home / MARK).unlink()
    for function in (current_trust, latest_trust, trust_chain):
        assert code_of(partial(read, workspace, function)) == "demo_trust_refused"
    assert code_of(partial(service_key, workspace, "release")) == "demo_trust_refused"


def test_one_custodian_changes_demo_trust_alone(workspace: Workspace) -> None:
    (workspace.settings.home / MARK).touch()
    keys = make_demo_trust(workspace, PEOPLE, demo=True)
    change = next_version(read(workspace, current_trust), expires=None, threshold=None)
    assert code_of(partial(adopt_signed, workspace, change, [keys["sam"]])) == "accepted"


# ---- what was tampered with -----------------------------------------------------------------------------------------


def put(workspace: Workspace, version: int, values: Mapping[str, object]) -> None:
    with workspace.store.begin() as transaction:
        statement = sa.update(trust_versions).where(trust_versions.c.version == version).values(values)
        assert transaction.connection.execute(statement).rowcount == 1


def sealed(workspace: Workspace, body: bytes) -> str:
    with workspace.store.begin() as transaction:
        return transaction.put_sealed(body)


@pytest.fixture
def three_versions(workspace: Workspace) -> Workspace:
    for version in (1, 2, 3):
        adopt_signed(workspace, sample_trust(version=version), [key(1), key(2)])
    assert code_now(workspace) == "accepted"
    return workspace


def test_a_version_put_into_the_store_without_enough_signatures_is_found(three_versions: Workspace) -> None:
    forged = sign_trust(sample_trust(version=3, people={"eve": sample_trust().people["alex"]}), [key(4)])
    put(three_versions, 3, {"trust_body_digest": sealed(three_versions, envelope_bytes(forged.internal))})
    assert code_now(three_versions) == "trust_chain_broken"


def test_a_version_signed_by_too_few_is_found(three_versions: Workspace) -> None:
    few = sign_trust(sample_trust(version=3), [key(1)])
    put(three_versions, 3, {"public_body_digest": sealed(three_versions, envelope_bytes(few.public))})
    assert code_now(three_versions) == "trust_chain_broken"


def test_a_version_that_is_missing_is_found(three_versions: Workspace) -> None:
    with three_versions.store.begin() as transaction:
        transaction.connection.execute(sa.delete(trust_versions).where(trust_versions.c.version == 2))
    assert code_now(three_versions) == "trust_chain_broken"


def test_a_version_stored_under_another_number_is_found(three_versions: Workspace) -> None:
    put(three_versions, 3, {"version": 4})
    assert code_now(three_versions) == "trust_chain_broken"
    put(three_versions, 4, {"version": 3})
    assert code_now(three_versions) == "accepted"


def test_a_row_that_says_another_digest_or_instant_is_found(three_versions: Workspace) -> None:
    put(three_versions, 2, {"adopted_at": EXPIRES})
    assert code_now(three_versions) == "trust_chain_broken"
    put(three_versions, 2, {"adopted_at": ADOPTED_AT})
    assert code_now(three_versions) == "accepted"
    put(three_versions, 2, {"trust_digest": "sha256:" + "0" * 64})
    assert code_now(three_versions) == "trust_chain_broken"


def test_what_was_verified_once_is_read_again_where_a_row_changed_and_only_there(three_versions: Workspace) -> None:
    chain = read(three_versions, trust_chain)
    assert all(one is again for one, again in zip(chain, read(three_versions, trust_chain), strict=True))
    adopt_signed(three_versions, sample_trust(version=4), [key(1), key(2)])
    longer = read(three_versions, trust_chain)
    assert [one.trust.version for one in longer] == [1, 2, 3, 4]
    assert all(one is again for one, again in zip(chain, longer[:3], strict=True))


def test_a_body_that_is_gone_is_found(three_versions: Workspace) -> None:
    put(three_versions, 1, {"public_body_digest": "sha256:" + "0" * 64})
    assert code_now(three_versions) == "body_not_intact"
