"""The code location: what it is made of, and what loading it costs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from checks.analytics import EXPECTATIONS_CHECK, SCHEMAS_CHECK
from checks.standing import STANDING_CHECK
from dagster_project.application.analytics_columns import VIEWS
from dagster_project.application.closing_promises import PROMISES
from dagster_project.application.reporting import release_rules
from dagster_project.cli.development import seed_dagster_home
from dagster_project.definitions import build_definitions
from dagster_project.settings import Settings

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "asset_graph.json"
# Closures are light, but tens of milliseconds at every start of a code location.
CLOSURES = ("dagster_project.closure.steps", "dagster_project.connections.targets", "dagster_project.store.closures")
HEAVY = (*CLOSURES, "pandas", "pandera", "great_expectations", "numpy", "duckdb", "dagster_pandera", "hyperscan")


def _graph() -> dict[str, object]:
    settings = Settings(home=Path("home"), keys=Path("keys"))
    definitions = build_definitions(settings)
    specs = sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key.to_user_string())
    checks = sorted(
        (spec for one in definitions.asset_checks or () for spec in getattr(one, "check_specs", ())),
        key=lambda spec: spec.name,
    )
    return {
        "assets": {
            spec.key.to_user_string(): {
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "group": spec.group_name,
                "owners": list(spec.owners),
                "kinds": sorted(spec.kinds),
                "partitioned": spec.partitions_def is not None,
            }
            for spec in specs
        },
        "checks": {
            spec.name: {
                "asset": spec.asset_key.to_user_string(),
                "blocking": spec.blocking,
                "partitioned": spec.partitions_def is not None,
            }
            for spec in checks
        },
        "jobs": sorted(job.name for job in definitions.jobs or ()),
        "schedules": sorted(schedule.name for schedule in definitions.schedules or ()),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or ()),
    }


def test_the_graph_is_the_golden_one() -> None:
    graph = json.dumps(_graph(), indent=2, sort_keys=True) + "\n"
    if os.environ.get("CHANNELSAFE_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(graph)
    assert graph == GOLDEN.read_text()


def test_every_release_rule_is_one_blocking_partitioned_check() -> None:
    checks = _graph()["checks"]
    assert isinstance(checks, dict)
    assert set(checks) == {*release_rules(), *PROMISES, STANDING_CHECK, SCHEMAS_CHECK, EXPECTATIONS_CHECK}
    gating = [checks[name] for name in release_rules()]
    assert all(one["blocking"] and one["partitioned"] for one in gating)
    assert not checks[STANDING_CHECK]["blocking"]


def test_analytics_is_downstream_of_no_gated_asset() -> None:
    assets = _graph()["assets"]
    assert isinstance(assets, dict)
    assert assets["analytics"]["deps"] == []


def test_definitions_load_in_a_fresh_interpreter_without_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, dagster_project.definitions as d; assert d.defs is not None; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"


def test_loading_definitions_opens_and_writes_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"CHANNELSAFE_HOME": str(tmp_path / "home"), "CHANNELSAFE_KEYS": str(tmp_path / "keys")}
    code = "import dagster_project.definitions"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


def test_resources_can_be_replaced_by_name() -> None:
    settings = Settings(home=Path("home"), keys=Path("keys"))
    replaced = build_definitions(settings, resources={"channelsafe": "another"})
    assert isinstance(replaced, dg.Definitions)
    assert (replaced.resources or {})["channelsafe"] == "another"


def test_the_embedded_instance_ends_runs_whose_process_is_gone_and_runs_one_per_incident(tmp_path: Path) -> None:
    home = seed_dagster_home(Settings(home=tmp_path / "home", keys=tmp_path / "keys"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.run_monitoring_enabled
        assert 0 < instance.run_monitoring_max_runtime_seconds <= 3600
        assert not instance.run_retries_enabled
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    (limit,) = queue.tag_concurrency_limits
    assert (limit["key"], limit["limit"]) == ("dagster/partition", 1)


def test_every_view_of_the_analysts_shows_its_columns_in_the_ui() -> None:
    definitions = build_definitions(Settings(home=Path("home"), keys=Path("keys")))
    (spec,) = [one for one in definitions.resolve_all_asset_specs() if one.key.to_user_string() == "analytics"]
    for name, view in VIEWS.items():
        shown = spec.metadata[f"columns of {name}"]
        assert isinstance(shown, dg.TableSchemaMetadataValue)
        assert [column.name for column in shown.schema.columns] == [column.name for column in view.columns]
        assert all(column.description for column in shown.schema.columns)
