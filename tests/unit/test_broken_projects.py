"""Broken projects: every fault of every file is told at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.errors import ConfigInvalid
from syncengine.mapping import load_project

BROKEN = Path(__file__).parents[1] / "broken"
NAMES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_all_faults_are_told_with_their_places(name: str) -> None:
    """A broken project is refused with exactly the faults that stand in its expected.txt."""
    with pytest.raises(ConfigInvalid) as raised:
        load_project(BROKEN / name, CATALOG, {})
    expected = (BROKEN / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert list(raised.value.faults) == expected


def test_there_are_twelve_and_none_tells_a_secret() -> None:
    """The broken projects are twelve, each with several faults, and what looks like a secret is not repeated."""
    told = {name: (BROKEN / name / "expected.txt").read_text(encoding="utf-8") for name in NAMES}
    assert len(told) == 12
    assert all(len(text.splitlines()) > 4 for text in told.values())
    assert not any("hunter2" in text for text in told.values())
