"""Partitions: one per incident.

Belongs here: the partition definitions. Keys are validated, upper-cased incident ids; registration is append-mostly,
because a deleted key leaves its materializations behind.
"""

import dagster as dg

INCIDENTS = "incidents"

incident_partitions = dg.DynamicPartitionsDefinition(name=INCIDENTS)
