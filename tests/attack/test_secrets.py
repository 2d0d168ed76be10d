"""The attacker reads the log of a pipeline that checks projects: a secret was put into the wrong place of one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from syncengine.adapters.vendors import CATALOG
from syncengine.errors import ConfigInvalid
from syncengine.mapping import load_project
from tests.support.places import MAPPINGS

SECRET = "hunter2-S3cret"
Loc = tuple[str | int, ...]


def places(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    """Where a value stands."""
    parts = data.items() if isinstance(data, dict) else enumerate(data)
    for step, part in parts:
        if isinstance(part, dict | list):
            yield from places(part, (*loc, step))
        else:
            yield (*loc, step)


@pytest.mark.parametrize("wrong", [SECRET, [SECRET], {SECRET: SECRET}], ids=["text", "list", "map"])
def test_no_fault_repeats_what_stands_in_connections(tmp_path: Path, wrong: Any) -> None:
    """Wherever a secret stands in connections.yaml instead of what belongs there, no fault shows it."""
    good = YAML(typ="safe").load((MAPPINGS / "connections.yaml").read_text("utf-8"))
    told: dict[Loc, str] = {}
    for *steps, last in places(good):
        data = copy.deepcopy(good)
        holder = data
        for step in steps:
            holder = holder[step]
        holder[last] = wrong
        (tmp_path / "connections.yaml").write_text(json.dumps(data), "utf-8")
        try:
            load_project(tmp_path, CATALOG, {})
        except ConfigInvalid as invalid:
            told[(*steps, last)] = str(invalid)
    assert len(told) > 20
    assert {loc: text for loc, text in told.items() if SECRET in text} == {}
