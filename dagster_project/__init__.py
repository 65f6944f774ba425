"""Channelsafe: the live state of a severity-one incident, rendered safe for its channel.

This package holds the domain and the Dagster code location. Nothing runs at import.
"""
