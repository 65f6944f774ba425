"""Partitions: one per incident.

Belongs here: the partition definitions. Keys are validated, upper-cased incident ids; registration is append-mostly,
because a deleted key leaves its materializations behind. And the tag by which a run knows what it was asked for.
"""

import dagster as dg

INCIDENTS = "incidents"
REVISION_TAG = "channelsafe/revision"

incident_partitions = dg.DynamicPartitionsDefinition(name=INCIDENTS)
