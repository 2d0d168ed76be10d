"""Texts that nobody would write, read by a process that may die of them."""
