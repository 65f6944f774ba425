"""The profile and the account of the sample bridge that are shipped for the status feed."""

import os
import runpy
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.connections.google_cloud_records import feed_records
from dagster_project.packaging.profile import Profile, read_profile
from dagster_project.packaging.profile_validation import validate_profile
from dagster_project.sources.admission import Rejection, admit_bytes
from dagster_project.sources.conflicts import find_conflicts
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry

# Run by its path: the tests are no package, so that any of them can be started from anywhere.
EXPECTED = runpy.run_path(str(Path(__file__).with_name("google_cloud_expected.py")))
PRODUCTS: dict[str, tuple[str, str]] = EXPECTED["PRODUCTS"]
LOCATIONS: dict[str, str] = EXPECTED["LOCATIONS"]
REAL_DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
REAL_FEED = REAL_DATA / "incidents" / "google_cloud_incidents.json"
NOW = datetime(2026, 3, 4, tzinfo=UTC)


def profile() -> Profile:
    file = resources.files("dagster_project.packaging") / "profiles" / "google_cloud_bridge.yaml"
    return read_profile(yaml.safe_load(file.read_text(encoding="utf-8")), where="google_cloud_bridge.yaml")


def account_records() -> list[Record | Rejection]:
    file = resources.files("dagster_project.demo") / "google_cloud" / "account_records.ndjson"
    lines = file.read_bytes().splitlines()
    return [admit_bytes(line, received_at=NOW, registry=shipped_registry()) for line in lines]


def test_the_profile_has_no_finding() -> None:
    assert validate_profile(profile()) == ()


def test_every_product_and_location_maps_as_the_hand_written_table_says() -> None:
    capabilities = {one: name for name, entry in profile().capabilities.items() for one in entry.components}
    buckets = {one: name for name, entry in profile().region_buckets.items() for one in entry.regions}
    assert capabilities == {one: capability for one, (_title, capability) in PRODUCTS.items()}
    assert buckets == LOCATIONS
    assert len(set(capabilities.values())) >= 20
    assert len(set(buckets.values()) - {"global", "not-stated"}) >= 6


def test_the_sample_account_is_entitled_to_every_capability_on_one_bridge() -> None:
    contract, entitlement = account_records()
    assert isinstance(contract, Record), contract
    assert isinstance(entitlement, Record), entitlement
    assert contract.data["bridges"] == {"harbourline": {"incidents": ["*"]}}
    assert set(entitlement.data["capabilities"]) == set(profile().capabilities)
    assert contract.subject == entitlement.subject == contract.data["account"] == entitlement.data["account"]


def real_feed() -> list[dict[str, Any]]:
    if not REAL_FEED.exists():
        pytest.skip(f"the acceptance data does not lie at {REAL_DATA}")
    return parse_feed(read_feed(str(REAL_FEED)))


@pytest.mark.real_data
def test_every_product_and_location_of_the_real_feed_maps_under_its_title() -> None:
    products = {one["id"]: one["title"] for incident in real_feed() for one in incident["affected_products"]}
    updates = [update for incident in real_feed() for update in incident["updates"]]
    locations = {place["id"] for update in updates for place in update["affected_locations"]}
    assert products == {one: title for one, (title, _capability) in PRODUCTS.items()}
    assert locations == LOCATIONS.keys() - {"unspecified"}


@pytest.mark.real_data
def test_every_record_of_the_real_feed_is_admitted_and_none_conflicts() -> None:
    lines = feed_records(real_feed())
    outcomes = [admit_bytes(line, received_at=NOW, registry=shipped_registry()) for line in lines]
    records = [one for one in outcomes if isinstance(one, Record)]
    assert len(records) == len(lines)
    assert len({record.id for record in records}) == len(records)
    assert find_conflicts(records) == ()
    notes = [one.data["note"] for one in records if "note" in one.data]
    assert len(notes) == sum(len(one["updates"]) for one in real_feed())
