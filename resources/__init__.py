"""Dagster resources: what assets, checks and the sensor are given. No rules."""
