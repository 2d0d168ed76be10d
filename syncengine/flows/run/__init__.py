"""Whole passes: a sync, a sweep, the turn of a worker, the first look after a restore."""
