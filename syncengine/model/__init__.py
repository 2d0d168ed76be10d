"""Frozen values in the engine's own words; no I/O, no clock, no random."""
