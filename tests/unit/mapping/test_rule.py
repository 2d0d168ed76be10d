"""Field rules: looking, decoding, encoding, comparing."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.errors import RowInvalid
from syncengine.mapping import Unresolved
from syncengine.mapping.paths import put
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT
from tests.unit.mapping.helpers import context, load, person, rule


def test_a_path_reads_and_writes(tmp_path: Path) -> None:
    """A rule with a path looks there, decodes by type, and writes what it would read."""
    found = rule(tmp_path, "{type: string}", '"extra.nick"')
    assert found.extract({"extra": {"nick": "bo"}}) == "bo"
    assert found.extract({"extra": {}}) is ABSENT
    assert found.extract({}) is ABSENT
    assert found.decode("", context()) is None
    assert found.body(found.encode("bo", context())) == {"extra.nick": "bo"}
    assert found.roots == {"extra"}
    assert (found.reads, found.writes) == (True, True)


def test_what_does_not_fit_is_told_without_its_value(tmp_path: Path) -> None:
    """Looking never raises; decoding what does not fit tells the rule, and the value is evidence only."""
    found = rule(tmp_path, "{type: date}", "born")
    with pytest.raises(RowInvalid, match=r"person.yaml:\d+:\d+: .*no date") as raised:
        found.decode("Anna's birthday", context())
    assert "Anna" not in str(raised.value)
    assert raised.value.evidence["value"] == "Anna's birthday"
    deep = rule(tmp_path, "{type: string}", '"extra.nick"')
    raw = deep.extract({"extra": "Anna"})
    with pytest.raises(RowInvalid, match="an object"):
        deep.decode(raw, context())
    assert deep.same(raw, raw)


def test_refs_are_records_here_and_ids_there(tmp_path: Path) -> None:
    """A ref decodes to the record of the vendor's row and encodes to its id, in the vendor's type."""
    found = rule(tmp_path, "{type: ref, to: person}", "boss")
    assert found.decode(1, context()) == found.decode("1", context()) == "p1"
    assert found.encode("p2", context()) == 2
    assert found.refs(1) == (("person", Ref("one", "people", "1")),)
    assert found.same(1, "1")
    assert not found.same(1, 2)
    assert found.encode(None, context()) is None


def test_unlinked_refs_wait(tmp_path: Path) -> None:
    """A ref whose other side is not linked says what it waits for, by connection and never by value."""
    found = rule(tmp_path, "{type: ref, to: person}", "boss")
    with pytest.raises(Unresolved) as raised:
        found.decode(3, context())
    assert raised.value.wait.key == "ref:one/people/3"
    with pytest.raises(Unresolved) as raised:
        found.encode("p3", context())
    assert raised.value.wait.key == "rec:p3@one"
    assert raised.value.wait.what == "person in one"


def test_sets_of_refs_have_no_order(tmp_path: Path) -> None:
    """A set of refs compares and decodes without order, and is written as a list."""
    found = rule(tmp_path, "{type: set, of: ref, to: person}", "groups")
    assert found.decode(["2", "1", "2"], context()) == ["p1", "p2"]
    assert found.encode(["p1", "p2"], context()) == ["1", "2"]
    assert found.same(["2", "1"], ["1", "2"])
    assert len(found.refs(["2", "1"])) == 2
    assert found.encode(None, context()) == []


def test_one_value_at_a_list(tmp_path: Path) -> None:
    """A single value at a vendor's list is a list of one; more than one does not fit."""
    found = rule(tmp_path, "{type: ref, to: person}", "groups")
    assert found.decode(["1"], context()) == "p1"
    assert found.encode("p1", context()) == ["1"]
    assert found.decode([], context()) is None
    assert found.encode(None, context()) == []
    with pytest.raises(RowInvalid):
        found.decode(["1", "2"], context())


def test_list_items_by_key(tmp_path: Path) -> None:
    """An item of a list is found by its key, and an item that is not there is empty."""
    found = rule(tmp_path, "{type: string}", "\"attributes[name='Shirt size'].value\"")
    row = {"attributes": [{"name": "Shirt size", "value": "M"}]}
    assert found.extract(row) == "M"
    assert found.extract({"attributes": []}) is None
    for path, raw in found.body("L").items():
        put(row, path, raw)
    assert row == {"attributes": [{"name": "Shirt size", "value": "L"}]}


def test_read_alone_flows_in(tmp_path: Path) -> None:
    """A read expression is looked at as its value, and nothing of it can be written."""
    found = rule(tmp_path, "{type: integer}", '{read: "row.extra.count * 2"}')
    assert found.extract({"extra": {"count": 4}}) == 8
    assert found.extract({"name": "x"}) is ABSENT
    assert found.decode(8, context()) == 8
    assert (found.flow, found.body(8)) == ("in", {})
    assert found.same(8, "8")
    broken = found.extract({"extra": {"count": "4"}})
    with pytest.raises(RowInvalid, match="cannot be computed"):
        found.decode(broken, context())


def test_write_alone_flows_out(tmp_path: Path) -> None:
    """A write rule fills its paths from the record, and agrees where the row holds just that."""
    written = '{write: {name: "x + \'!\'", state: "upper(x)"}}'
    found = rule(tmp_path, "{type: string}", written)
    now = context(record=Record("p1", "person", {"x": "old"}), old="bo")
    raw = found.encode("bo", now)
    assert raw == {"name": "bo!", "state": "BO"}
    assert found.body(raw) == raw
    assert found.extract({"name": "bo!", "state": "BO", "id": "1"}) == raw
    assert found.same(raw, {"state": "BO", "name": "bo!"})
    assert not found.same(raw, {"name": "bo!", "state": "bo"})
    assert found.flow == "out"
    assert found.decode(raw, now) == "bo"
    assert found.decode({"name": "?"}, now) != "bo"


def test_read_and_write_agree_by_what_is_read(tmp_path: Path) -> None:
    """A rule that reads and writes compares by the value read, and writes its own paths only."""
    spelled = """
  read: "row.extra.first + ' ' + row.extra.last"
  write: {extra.first: "x", extra.last: "'B'"}
"""
    found = rule(tmp_path, "{type: string}", spelled)
    row = {"extra": {"first": "Bo", "last": "B", "age": 5}, "name": "n"}
    raw = found.extract(row)
    assert found.decode(raw, context()) == "Bo B"
    now = context(record=Record("p1", "person", {}), row=row)
    sent = found.encode("Al", now)
    assert found.body(sent) == {"extra.first": "Al", "extra.last": "B"}
    assert found.decode(sent, context()) == "Al B"
    assert row["extra"] == {"first": "Bo", "last": "B", "age": 5}
    assert found.same(raw, {"extra": {"first": "Bo", "last": "B"}})
    assert not found.same(raw, sent)


def test_values_and_enums(tmp_path: Path) -> None:
    """An enum reads all its spellings, writes the first, and sets an unknown one aside."""
    kind = "{type: enum, choices: [open, shut, ajar]}"
    found = rule(tmp_path, kind, "{field: state, values: {open: [NEW, OLD], shut: [DONE]}}")
    assert [found.decode(raw, context()) for raw in ("NEW", "OLD", "DONE", None)] == [
        "open", "open", "shut", None,
    ]  # fmt: skip
    assert found.encode("open", context()) == "NEW"
    assert found.same("NEW", "OLD")
    with pytest.raises(RowInvalid):
        found.decode("ELSE", context())
    with pytest.raises(RowInvalid):
        found.encode("ajar", context())


def test_rules_flow_as_far_as_they_can(tmp_path: Path) -> None:
    """A rule takes the system's flow, narrowed to what the vendor takes and a formula can give."""
    fields = """
x: {type: string}
s: {type: datetime}
f: {type: string, formula: "upper(x)"}
n: {type: string}
"""
    spelled = """
x: name
s: seen
f: state
n: {field: mail, flow: in, apply: if_empty}
"""
    rules = load(tmp_path, person=person(fields, spelled)).entities["person"].systems["one"].rules
    assert {name: r.flow for name, r in rules.items()} == {
        "x": "both", "s": "in", "f": "out", "n": "in",
    }  # fmt: skip
    assert rules["n"].apply == "if_empty"
