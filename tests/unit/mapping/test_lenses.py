"""What each rule keeps of a value on its way there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncengine.mapping.lenses import LensVerdict, Loss, get_put, lens_report, smallest
from syncengine.mapping.rule import Context
from syncengine.model.record import Record, World
from tests.unit.mapping.helpers import TODAY, load, person, rule

FIELDS = """
name: {type: string, required: true}
born: {type: date}
done: {type: datetime}
state: {type: enum, choices: [open, shut]}
span: {type: duration}
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def report(
    folder: Path, spelled: str, seen: tuple[Context, ...] = (), fields: str = FIELDS
) -> dict[str, LensVerdict]:
    """Field -> what its rule keeps, also of rows that were seen."""
    project = load(folder, person=person(fields, spelled))
    return {v.field: v for v in lens_report(project, {("person", "one"): seen})}


def seen(row: dict[str, Any], **values: Any) -> Context:
    """A row that was seen, and the values of its record."""
    return Context("one", World(TODAY), Record("p1", "person", values), row)


def test_each_rule_is_two_way_lossy_or_one_way(tmp_path: Path) -> None:
    """A rule says which way values flow, and of a two-way one what is lost, with a value that shows it."""
    spelled = """
name: name
born: {field: born, flow: in}
done: {field: done, codec: happened}
state: {field: state, values: {open: [A, B]}}
"""
    verdicts = report(tmp_path, spelled)
    assert (verdicts["name"].verdict, verdicts["name"].loss) == ("two-way", None)
    assert (verdicts["born"].verdict, verdicts["born"].detail) == ("one-way", "in")
    assert verdicts["done"].verdict == "lossy"
    assert "when it happened" in verdicts["done"].detail
    assert verdicts["done"].loss is not None
    assert verdicts["state"].verdict == "lossy"
    assert verdicts["state"].loss == Loss("ours", "shut", refused=True)


ACCENTS = """name: {read: row.name, write: {name: "name.contains('é') ? 'e' : name"}}\n"""


def test_records_show_what_samples_do_not(tmp_path: Path) -> None:
    """A loss that no sample shows is found on a record that holds such a value, and told with the smallest one."""
    assert report(tmp_path, ACCENTS)["name"].verdict == "two-way"
    rows = (seen({"name": "Anna"}, name="Anna"), seen({"name": "Rene"}, name="René Meier"))
    found = report(tmp_path, ACCENTS, rows)["name"]
    assert (found.verdict, found.loss) == ("lossy", Loss("ours", "é", "e", seen=True))


def test_a_vendor_s_value_that_cannot_be_written_again_is_a_loss(tmp_path: Path) -> None:
    """GetPut: what is read can be written as it was; what does not fit at all is another question."""
    spelled = """{read: "row.state", write: {state: "{'A': 'A', 'B': 'A'}[x]"}}"""
    made = rule(tmp_path, "{type: enum, choices: [A, B, C]}", spelled)
    context = seen({})
    assert get_put(made, {"state": "A"}, context) is None
    assert get_put(made, {"state": "B"}, context) == Loss("theirs", {"state": "B"}, {"state": "A"})
    refused = get_put(made, {"state": "C"}, context)
    assert refused == Loss("theirs", {"state": "C"}, refused=True)
    assert get_put(made, {"state": "none of ours"}, context) is None


def test_an_expression_that_drops_something_is_lossy(tmp_path: Path) -> None:
    """What an expression loses is a loss, although the engine takes both spellings for the same."""
    spelled = """
span: {read: "row.number == null ? null : row.number * 60", write: {number: "span == null ? null : span / 60"}}
"""
    found = report(tmp_path, spelled, (), FIELDS.replace("duration", "integer"))["span"]
    assert (found.verdict, found.loss) == ("lossy", Loss("ours", 1, 0))


@given(JSON)
def test_what_is_made_smaller_is_still_lost(value: Any) -> None:
    """Going down ends, at a value for which the loss still holds, and that is no longer than the first."""

    def still(candidate: Any) -> Loss | None:
        return Loss("ours", candidate) if "1" in repr(candidate) else None

    start = still(value)
    if start is None:
        return
    least = smallest(start, still)
    assert "1" in repr(least.given)
    assert len(repr(least.given)) <= len(repr(value))
    assert least.seen
