"""Decisions of people: answers to cases, links changed by hand, pausing, undo."""
