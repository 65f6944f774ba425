"""Benchmarks: named comparisons, each beside a baseline in the same run, printed as a ratio. Nothing is asserted."""
