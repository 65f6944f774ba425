"""The use cases: they join domain and store. The command line, the desk and Dagster call only these."""
