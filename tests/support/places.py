"""Where things of this repository stand."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MAPPINGS = ROOT / "mappings"
"""The project that is shipped."""
SPINDEL = ROOT / "tests" / "spindel"
"""A project with a vendor of its own."""
