"""Whole passes: a sync, a sweep, a worker's slice of work, recovery after a restore."""
