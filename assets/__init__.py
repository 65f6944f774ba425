"""Dagster assets, one module per group. They call the application and hold no rule."""
