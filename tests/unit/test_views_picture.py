"""The picture of the first page tells what the sample story really holds at that minute."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from dagster_project.packaging.views import text_view

ROOT = Path(__file__).parents[2]
PICTURE = (ROOT / "docs" / "pictures" / "same_minute.svg").read_text(encoding="utf-8")
SCENARIO = ROOT / "dagster_project" / "demo" / "scenario"
STEP = "06-not-cleared"


def drawn() -> list[str]:
    texts = re.findall(r"<text\b[^>]*>(.*?)</text>", PICTURE, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", text) for text in texts]


def heads() -> dict[str, dict[str, Any]]:
    """Return the newest version of every record that had been delivered by that minute."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((SCENARIO / "deliveries").glob("*.ndjson")):
        if file.stem <= STEP:
            for line in file.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                known = found.get(record["recordid"])
                if known is None or int(known["recordversion"]) < int(record["recordversion"]):
                    found[record["recordid"]] = record
    return found


def test_the_records_on_the_left_are_the_newest_of_that_minute() -> None:
    records, said = heads(), drawn()
    health, dependency, incident = records["mx-relay/eu-west-1"], records["DEP-204"], records["INC-4711"]
    assert {f"mx-relay/eu-west-1 v{health['recordversion']}", f"version {health['recordversion']}"} <= set(said)
    assert f"DEP-204 v{dependency['recordversion']}" in said
    assert f"INC-4711 v{incident['recordversion']}" in said
    assert health["source"].endswith("/health-eu")
    assert f"state: {health['data']['state']}, since {health['data']['since'][11:16]}" in said
    assert health["data"]["host"] in said
    assert dependency["data"]["vendors"][0] in said
    quoted = re.search("“(.*)”", " ".join(said))
    assert quoted is not None
    assert quoted[1] in incident["data"]["suspected_cause"]


def test_the_page_on_the_right_is_the_one_of_that_minute() -> None:
    golden = ROOT / "tests" / "golden" / "scenario" / f"{STEP}-harbourline.json"
    page, said = text_view(json.loads(golden.read_text(encoding="utf-8"))), drawn()
    assert {"Investigating", "Severity 1", "Message delivery", "Major outage", "in Europe"} <= set(said)
    assert "Investigating | Severity 1" in page
    assert "Message delivery: Major outage, since 09:06 UTC, 4 March 2026\n    Europe: Major outage" in page
    assert "In preparation, for Message delivery" in page
    assert "Dependency: On hold: we cannot share this yet. Security decides." in page
    assert {"In preparation", "Dependency", "On hold: we cannot share this yet.", "Security decides."} <= set(said)
    assert "since 09:06 UTC, 4 March 2026" in said


def test_the_arrow_names_a_rule_that_renders_the_state() -> None:
    profile_file = ROOT / "dagster_project" / "packaging" / "profiles" / "customer_bridge.yaml"
    profile = yaml.safe_load(profile_file.read_text(encoding="utf-8"))
    rule = next(rule for rule in profile["rules"] if f"rule {rule['id']}" in drawn())
    assert "service-health#/state" in rule["covers"]
    assert rule["action"] == "render"


def test_the_minute_is_one_of_the_story() -> None:
    story = yaml.safe_load((SCENARIO / "scenario.yaml").read_text(encoding="utf-8"))
    at = next(step["at"] for step in story["steps"] if step["file"] == f"{STEP}.ndjson")
    assert f"The same minute: {at:%H:%M} UTC, {at.day} {at:%B} {at.year}" in drawn()


def test_the_picture_is_self_contained() -> None:
    assert re.findall(r"<(script|image|foreignObject|use)\b|href|url\(|@import", PICTURE) == []
