"""Faces as they are stored: rows of every earlier version can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.ledger.links import _base_from_json, _base_to_json
from syncengine.model.link import Base, Doubt

OLD: list[list[Any]] = [
    [{"job": "dev"}, {"job": "DEV"}, ["job"]],
    [{"job": "dev"}, {"job": "DEV"}, ["job"], {"job": "a.b"}],
]


@pytest.mark.parametrize("stored", OLD)
def test_faces_of_an_earlier_version_have_no_doubts(stored: list[Any]) -> None:
    """A database that was made before doubts were kept goes on to work."""
    base = _base_from_json(stored)
    assert (base.canonical, base.vendor, base.expected) == ({"job": "dev"}, {"job": "DEV"}, {"job"})
    assert base.rules == (stored[3] if len(stored) > 3 else {})
    assert not base.doubts


def test_doubts_come_back_as_they_were_stored() -> None:
    """What stood there before, until when and how far it is proved."""
    doubts = {"job": Doubt("dev", 7.0, "shown"), "name": Doubt(None, claimed=False)}
    base = Base({"job": "lead"}, {"job": "lead"}, frozenset({"job"}), {}, doubts)
    assert _base_from_json(_base_to_json(base)) == base
    released = replace(base, released={"job": "gone"})
    assert _base_from_json(_base_to_json(released)) == released


def test_a_field_that_is_forgotten_leaves_nothing_in_doubt() -> None:
    """What a row shows is compared anew, and there is no claim left that would ask for the former value."""
    doubts = {"job": Doubt("dev"), "name": Doubt("Ann")}
    base = Base({"job": "lead"}, {"job": "lead", "name": "Anne"}, frozenset({"job"}), {}, doubts)
    assert base.forget({"job"}) == Base(
        {"job": "lead"}, {"name": "Anne"}, frozenset(), {}, {"name": doubts["name"]}
    )
