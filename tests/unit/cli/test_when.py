"""Times as people type them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import typer

from syncengine.cli.when import parse

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 10, 4, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("08:00", "2026-11-27 08:00"), ("18:00", "2026-11-26 18:00"), ("10:04", "2026-11-26 10:04"),
        ("12h", "2026-11-26 22:04"), ("2d", "2026-11-25 10:04"), ("90m", "2026-11-27 08:34"),
        ("2026-11-20", "2026-11-20 00:00"), ("2026-11-20 18:00", "2026-11-20 18:00"),
    ],
)  # fmt: skip
def test_a_time_is_the_last_one_that_is_meant(text: str, meant: str) -> None:
    """In the project's zone, whatever that of the machine is."""
    at = parse(text, NOW.timestamp(), ZONE, "--since")
    assert datetime.fromtimestamp(at, ZONE).strftime("%Y-%m-%d %H:%M") == meant


def test_a_zone_that_is_typed_counts() -> None:
    """As ISO 8601 says."""
    at = parse("2026-11-20T17:00:00Z", NOW.timestamp(), ZONE, "--since")
    assert datetime.fromtimestamp(at, ZONE).hour == 18


@pytest.mark.parametrize("text", ["", "25:00", "yesterday", "2026-13-01", "999999999999d", "-1h"])
def test_what_is_no_time_is_bad_usage(text: str) -> None:
    """It says what would be one."""
    with pytest.raises(typer.BadParameter, match="expected a time as 18:00"):
        parse(text, NOW.timestamp(), ZONE, "--since")
