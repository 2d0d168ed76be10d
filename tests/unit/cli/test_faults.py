"""Faults as people correct them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.cli.faults import lines
from syncengine.errors import ConfigInvalid
from syncengine.mapping import load_project
from tests.support.places import MAPPINGS, ROOT


def told(folder: Path) -> list[str]:
    """What is printed of a project's faults."""
    with pytest.raises(ConfigInvalid) as raised:
        load_project(folder, CATALOG, {})
    return [line.plain for line in lines(raised.value.faults, folder)]


def broken(folder: Path, file: str, old: str, new: str) -> Path:
    """The shipped project with one mistake."""
    made = folder / "project"
    shutil.copytree(MAPPINGS, made)
    text = (made / file).read_text()
    assert old in text
    (made / file).write_text(text.replace(old, new, 1))
    return made


def test_a_fault_comes_with_its_line_and_a_caret(tmp_path: Path) -> None:
    """The caret stands below the column that the fault names."""
    made = broken(tmp_path, "person.yaml", "type: date", "type: dtae")
    fault, source, caret = told(made)
    place = fault.split(": ")[0].split(":")
    number, _, text = source.partition(" | ")
    assert int(number) == int(place[1])
    assert text[caret.index("^") - len(number) - 3 :].startswith("dtae")


def test_one_misspelt_name_is_one_mistake(tmp_path: Path) -> None:
    """Seven places name what is declared under another name: the declaration is shown, and they are listed."""
    made = broken(tmp_path, "person.yaml", "entity: person", "entity: persn")
    head, place, source, caret, places = told(made)
    assert head.startswith("7 places name the entity 'person', which is not there")
    assert "as 'persn'" in head
    assert place.startswith("person.yaml:")
    assert source[caret.index("^") :].startswith("persn")
    assert places.count(".yaml:") == 7


def test_a_file_that_cannot_be_read_comes_first(tmp_path: Path) -> None:
    """And what only follows from it says so."""
    made = broken(tmp_path, "person.yaml", "fields:", "fields: [")
    first, _, caret, follows, _ = told(made)
    assert first.startswith("person.yaml:")
    assert "no YAML" in first
    assert "^" in caret
    assert "perhaps only since a file above cannot be read" in follows


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "broken").iterdir()), ids=lambda p: p.name
)
def test_every_fault_is_told_and_no_secret_is(path: Path) -> None:
    """Each place stands somewhere, whatever was put together; lines that may hold a secret are left out."""
    printed = "\n".join(told(path))
    for fault in (path / "expected.txt").read_text().splitlines():
        assert ":".join(fault.split(": ")[0].split(":")[:3]) in printed
    assert "hunter2" not in printed
