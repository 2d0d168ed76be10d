"""Benchmarks: what a pass costs beside the calls that it cannot do without."""
