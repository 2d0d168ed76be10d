"""The attacker writes a file of the project, or a row at a vendor: small texts that would grow without bound."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.errors import RowInvalid
from syncengine.mapping import Expression, source
from syncengine.mapping.cost import TooLarge
from syncengine.mapping.expressions import Env
from syncengine.mapping.source import LARGEST, MOST, read
from syncengine.model.record import Record
from tests.unit.mapping.helpers import faults, person
from tests.unit.mapping.test_expressions import ANN, FIELDS, WORLD, formula


@contextmanager
def bounded(seconds: float, megabytes: float) -> Iterator[None]:
    """Fails if what is done inside takes longer, or holds more memory of Python at once."""
    tracemalloc.start()
    before = time.process_time()
    try:
        yield
        assert time.process_time() - before < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def faults_of(folder: Path, text: str) -> list[str]:
    """What reading a file with this text reports."""
    (folder / "bomb.yaml").write_text(text, encoding="utf-8")
    return sorted(text for _, text in read(folder / "bomb.yaml", "bomb.yaml").faults)


def laughs(levels: int) -> str:
    """A list of ten, of which each level repeats the one before ten times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize("levels", [6, 9, 20])
def test_aliases_that_repeat_aliases_are_a_fault(tmp_path: Path, levels: int) -> None:
    """The attacker edits a file of the project: aliases of aliases are counted each time and soon refused."""
    with bounded(seconds=15, megabytes=200):
        told = faults_of(tmp_path, laughs(levels))
    assert told == [f"file: has more than {MOST:,} values, repeat less with & and *"]


def test_an_alias_may_be_used_often(tmp_path: Path) -> None:
    """What people write aliases for is not refused."""
    text = "base: &base {type: string, clear: true}\n"
    assert not faults_of(tmp_path, text + "".join(f"f{n}: *base\n" for n in range(500)))


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "- " * 9_000 + "a", "? " * 9_000, "{a: " * 9_000, "&a [*a]"]
)
def test_nesting_without_end_is_a_fault(tmp_path: Path, text: str) -> None:
    """The attacker edits a file of the project: what is nested too deeply is told as such, and the rest is not read."""
    with bounded(seconds=5, megabytes=30):
        told = faults_of(tmp_path, text)
    assert len(told) == 1
    assert "nested too deeply" in told[0]


def test_a_file_of_too_many_values_is_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker edits a file of the project: of a list that is ten times too long no more than a part is held."""
    monkeypatch.setattr(source, "MOST", MOST // 50)
    with bounded(seconds=20, megabytes=10):
        told = faults_of(tmp_path, "[" + "a," * (MOST // 5) + "]")
    assert told == [f"file: has more than {MOST:,} values, repeat less with & and *"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """The attacker puts a huge file into the project's folder."""
    assert faults_of(tmp_path, "#" * (LARGEST + 1)) == [
        "file: is larger than 1 MiB, write several files instead"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "tags.map(x, x + x).map(x, x + x)",
        "tags.map(x, [x, x]).filter(x, true).map(y, [y, y])",
        "(tags.map(x, x) + tags).map(x, x)",
        "coalesce(tags.map(x, x), tags).map(x, x)",
        "[tags.map(x, x)][0].map(x, x)",
        "[1]" + ".map(x,[x,x,x,x,x,x])" * 12,
    ],
)
def test_a_map_of_a_map_is_refused(tmp_path: Path, source: str) -> None:
    """The attacker writes an expression: each ``map`` multiplies, so one may not feed another."""
    fields = FIELDS + f'\nout: {{type: object, formula: "{source}"}}'
    told = faults(tmp_path, person=person(fields, "name: name"))
    assert any("'map' follows another 'map', say both steps in one" in line for line in told)


@pytest.mark.parametrize(
    "source",
    [
        "tags.filter(x, x != '').map(x, x + '!')",
        "tags.map(x, x + '!').filter(x, x != '')",
        "join(tags.map(x, x) + tags.map(x, x), '') == '' ? tags : tags.map(x, x)",
    ],
)
def test_maps_beside_each_other_are_not(tmp_path: Path, source: str) -> None:
    """What people write is not refused."""
    assert formula(tmp_path, source, "list, of: string").on_record(ANN, WORLD)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (" + ".join(["name"] * 140), "string"),
        ("[" + ",".join(["name"] * 150) + "].map(x, x+x+x)", "list, of: string"),
        ("tags.map(x, name)", "list, of: string"),
        ("tags.filter(x, (name + x).contains(name))", "list, of: string"),
        ("join(tags, name)", "string"),
        ("tags.map(x, join(tags, x))", "list, of: string"),
    ],
)
def test_a_value_too_large_for_an_expression_is_a_fault_of_its_row(
    tmp_path: Path, source: str, kind: str
) -> None:
    """The attacker writes a megabyte into a field of a row, and a thousand items into another one: nothing is made of
    them that would fill the memory, neither by words that repeat them nor by each item."""
    expression = formula(tmp_path, source, kind)
    large = {"name": "x" * 1_000_000, "tags": ["x" * 100] * 1000}
    record = Record("p3", "person", {**ANN.values, **large})
    with (
        bounded(seconds=5, megabytes=50),
        pytest.raises(RowInvalid, match=r"cannot be computed .*use less"),
    ):
        expression.on_record(record, WORLD)
    assert expression.on_record(ANN, WORLD)


@pytest.mark.parametrize("most", [True, False])
@pytest.mark.parametrize(
    "source",
    [
        "tags.map(x, [x, x, x, x])",
        "tags.filter(x, x != '')",
        "tags.map(x, extra)",
        "tags.map(x, x + name)",
    ],
)
def test_a_list_of_many_items_holds_nobody_up(tmp_path: Path, source: str, most: bool) -> None:
    """The attacker writes a list of thousands of items into a field of a row: each item has all before it copied, so
    that only as many are taken as that can be done with in a second or so; the others are a fault of the row."""
    expression = formula(tmp_path, f"size({source})", "integer")
    count = 1
    while allowed(expression, count * 2):
        count *= 2
    assert count >= 64, "usual lists are taken"
    with bounded(seconds=10, megabytes=100):
        if most:
            assert expression.on_record(many(count), WORLD) is not None
        else:
            assert not allowed(expression, 100_000)


def many(count: int) -> Record:
    """Somebody with so many tags."""
    extra = {"a": [1, 2, 3]}
    return Record(f"p{count}", "person", {"name": "x" * 50, "tags": ["yy"] * count, "extra": extra})


def allowed(expression: Expression, count: int) -> bool:
    """Whether it would be begun."""
    bound = {slot: get(Env(WORLD, many(count))) for slot, get in expression._slots}
    try:
        expression._cost.allow(bound)
    except TooLarge:
        return False
    return True
