"""Partitions: one per incident, and one per case that is closed.

Belongs here: the partition definitions. Keys are validated, upper-cased incident ids, and case ids as the case-review
system writes them; registration is append-mostly, because a deleted key leaves its materializations behind. And the tag
by which a run knows what it was asked for.
"""

from collections.abc import Iterable

import dagster as dg

INCIDENTS = "incidents"
CASES = "cases"
REVISION_TAG = "channelsafe/revision"

incident_partitions = dg.DynamicPartitionsDefinition(name=INCIDENTS)
case_partitions = dg.DynamicPartitionsDefinition(name=CASES)


def unknown_incidents(instance: dg.DagsterInstance, names: Iterable[str]) -> list[str]:
    """Return those of `names` that have no partition yet, sorted."""
    return sorted({name for name in names if not instance.has_dynamic_partition(INCIDENTS, name)})


def register_incidents(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Give every incident its partition, where it has none."""
    if unknown := unknown_incidents(instance, names):
        instance.add_dynamic_partitions(INCIDENTS, unknown)


def unknown_cases(instance: dg.DagsterInstance, names: Iterable[str]) -> list[str]:
    """Return those cases of `names` that have no partition yet, sorted."""
    return sorted({name for name in names if not instance.has_dynamic_partition(CASES, name)})


def may_be_case(name: str) -> bool:
    """Tell whether Dagster takes a case as a partition: it writes ranges of them with three dots."""
    return "..." not in name
