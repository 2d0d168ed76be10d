"""Expressions: names, empties, functions, errors."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.errors import RowInvalid
from syncengine.mapping import Expression, Project
from syncengine.mapping.draft import Draft, EntityDraft, RecordScope
from syncengine.mapping.functions import functions
from syncengine.mapping.schema import EntityFile, FieldPart
from syncengine.mapping.source import Document
from syncengine.model.record import Record, World
from syncengine.model.values import Json
from tests.unit.mapping.helpers import TODAY, faults, load, person

FIELDS = """
name: {type: string}
age: {type: integer}
score: {type: number}
born: {type: date}
seen: {type: datetime}
tags: {type: list, of: string}
extra: {type: object}
boss: {type: ref, to: person}
grown: {type: boolean, formula: "age != null && age >= 18"}
led: {type: boolean, formula: "boss.grown == true"}
"""
BOSS = Record("p2", "person", {"name": "Bo", "age": 50}, created_at="2026-01-02T03:04:05Z")
ANN = Record(
    "p1",
    "person",
    {"name": "Ann", "age": 17, "score": 1.0, "born": "2009-05-06", "tags": ["x", "y"],
     "seen": "2026-11-21T23:30:00Z", "extra": {"a": {"b": 5}}, "boss": "p2"},
    created_at="2026-11-01T00:00:00Z",
)  # fmt: skip
WORLD = World(TODAY, {"p1": ANN, "p2": BOSS}, {}, {("p1", "one"): "7"})


def formula(folder: Path, source: str, kind: str = "object") -> Expression:
    """The formula of this source; its result is taken as it comes."""
    fields = FIELDS + f'\nout: {{type: {kind}, formula: "{source}"}}'
    found = load(folder, person=person(fields, "name: name")).entities["person"].fields["out"]
    assert found.formula is not None
    return found.formula


@pytest.mark.parametrize(
    ("source", "kind", "value"),
    [
        ("name", "string", "Ann"),
        ("name + '!'", "string", "Ann!"),
        ("boss.name", "string", "Bo"),
        ("boss.boss.name", "string", None),
        ("boss.boss == null", "boolean", True),
        ("boss.id == boss", "boolean", True),
        ("boss.grown && !grown", "boolean", True),
        ("led", "boolean", True),
        ("id + '/' + join(systems, ',')", "string", "p1/one"),
        ("one in systems", "boolean", True),
        ("two in systems", "boolean", False),
        ("created_at < seen", "boolean", True),
        ("date(seen)", "string", "2026-11-22"),
        ("time(seen)", "string", "00:30"),
        ("month(today)", "string", "2026-11"),
        ("seen", "datetime", "2026-11-21T23:30:00Z"),
        ("add_days(born, 30)", "date", "2009-06-05"),
        ("days_between('2026-11-01', today)", "integer", 21),
        ("minutes_between('22:00', '24:00')", "integer", 120),
        ("minutes_between('22:00', '06:00')", "integer", 480),
        ("hours(5400)", "number", 1.5),
        ("coalesce(extra.none, extra.a.b)", "integer", 5),
        ("extra['a'].b", "integer", 5),
        ("tags.exists(t, t == 'y')", "boolean", True),
        ("tags.map(t, upper(t))", "list, of: string", ["X", "Y"]),
        ("name == 'a . b' // a comment", "boolean", False),
        ("score + 0.5", "number", 1.5),
        ("age > 16 ? 'old' : 'young'", "string", "old"),
        ("name.startsWith('A')", "boolean", True),
    ],
)
def test_expressions_mean_what_they_say(
    tmp_path: Path, source: str, kind: str, value: Json
) -> None:
    """Names, refs, dates and functions give their documented values, in the type of the field."""
    assert formula(tmp_path, source, kind).on_record(ANN, WORLD) == value


NFC, NFD = "M\u00fcller\u00a0", "Mu\u0308ller"
SPELLED = Record(
    "p3", "person", {"name": NFD + " AG", "tags": [NFD, "x"], "extra": {"a": {"b": NFD}}}
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (f"name == '{NFC}AG '", True),
        (f"'{NFC}AG' != name", False),
        (f"name in ['a', '{NFC}AG']", True),
        (f"name in ['a', '{NFC}']", False),
        (f"'{NFC}' in tags", True),
        (f"tags.exists(t, t == '{NFC}')", True),
        (f"tags.filter(t, t == '{NFC}')", [NFD]),
        (f"extra.a.b == '{NFC}'", True),
        (f"name.contains('{NFC}')", True),
        (f"name.startsWith('{NFC[:3]}')", True),
        ("name.startsWith('A ')", False),
        ("name.contains(' A')", True),
        ("name.contains(' ')", True),
        (f"name.matches('^{NFC[:6]}.*G$')", True),
        (f"trim(name) == '{NFC}AG'", True),
        (f"lower(name) + '!' == '{NFC.lower()}ag!'", True),
        (f"lower(name).startsWith('{NFC.lower()}')", True),
        (f"(name == '{NFC}AG' ? name : 'no')", NFD + " AG"),
        (f"name == '{NFC}AG' && !(name == 'x') || name == 'y' ? join([name, 'x'], '-') : 'no'", NFD + " AG-x"),
        (f"name < '{NFC}AH' && name >= '{NFC}AG'", True),
        (f"[name, 'x'] == ['{NFC}AG', 'x']", True),
        (f"name == '{NFC}' + 'AG'", True),
        ("size(name) == 11", True),
        (r"name == 'M\u00fcller AG'", True),
        ("age == null || age > 5", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
    ],
)  # fmt: skip
def test_texts_are_compared_as_they_are_seen(tmp_path: Path, source: str, value: Json) -> None:
    """Comparisons and searches take one text as one, however it is spelled; what is computed keeps its spelling."""
    kind = {bool: "boolean", str: "string", list: "list, of: string"}[type(value)]
    made = formula(tmp_path, source.replace("\\", "\\\\"), kind)
    assert made.on_record(SPELLED, WORLD) == value


def test_what_an_expression_reads_is_known(tmp_path: Path) -> None:
    """Names, depth of refs and the use of today are known without evaluating, through formulas too."""
    found = formula(tmp_path, "led && boss.led && born < today", "boolean")
    assert found.names == {"led", "boss.led", "born", "today"}
    assert found.depth == 2
    assert found.uses_today
    assert not formula(tmp_path, "name == 'today'", "boolean").uses_today


def test_a_failure_names_the_source_and_no_value(tmp_path: Path) -> None:
    """An expression that cannot be computed tells its source and place; values are evidence only."""
    found = formula(tmp_path, "name < age", "boolean")
    with pytest.raises(
        RowInvalid, match=r"person.yaml:\d+:\d+: the expression 'name < age'"
    ) as raised:
        found.on_record(ANN, WORLD)
    assert "Ann" not in str(raised.value)
    assert "'Ann'" in raised.value.evidence["values"]


@pytest.mark.parametrize("source", ["name", "age + 1", "name == 'x' ? 1 : 2"])
def test_a_condition_is_yes_or_no(tmp_path: Path, source: str) -> None:
    """A scope that is neither true nor false is refused, and an empty one is no."""
    system = f'    scope: "{source}"'
    project = load(tmp_path, person=person(FIELDS, "name: name", system))
    scope = project.entities["person"].systems["one"].scope
    assert scope is not None
    with pytest.raises(RowInvalid):
        scope.on_record(ANN, WORLD)
    if source == "name":
        assert scope.on_record(Record("p3", "person", {}), WORLD) is False


def test_rows_are_read_by_their_declared_types(tmp_path: Path) -> None:
    """A where condition sees a vendor's texts as the numbers and instants that its connector declares."""
    where = "row.number >= 5 && row.seen < timestamp('2026-11-22T10:00:00Z') && row.mail != 'x'"
    system = f'    where: "{where}"'
    project = load(tmp_path, person=person("x: {type: string}", "x: name", system))
    found = project.entities["person"].systems["one"].where
    assert found is not None
    assert found.row_fields == {"number", "seen", "mail"}
    assert found.on_row({"number": "7", "seen": "2026-11-22T10:30:00+01:00"}) is True
    assert found.on_row({"number": 7, "seen": "2026-11-22T10:30:00"}) is True
    with pytest.raises(RowInvalid):
        found.on_row({"number": "many", "seen": None})


@pytest.mark.parametrize(
    ("source", "column", "text"),
    [
        ("nam == 'x'", 0, "no field 'nam', did you mean 'name'"),
        ("name ==", 7, "cannot be read"),
        ("upcase(name)", 0, "no function 'upcase'"),
        ("name == boss.nick", 8, "no field 'nick'"),
        ("row.name", 0, "write a field of the record"),
        ("tags.map(a, tags.map(b, b))", 17, "stands inside another one"),
        ("import == 1", 0, "reserved identifier"),
        ("age.years", 0, "nothing below it"),
        ("'" + "x" * 1000 + "'", 0, "longer than 1000"),
        ("tags.map(_0, name)", 9, "begins with a letter"),
        ("out", 0, "reads itself"),
    ],
)
def test_faults_stand_where_they_are(tmp_path: Path, source: str, column: int, text: str) -> None:
    """A faulty expression is refused at load, at the very column of the word that is wrong."""
    fields = FIELDS + f'\nout: {{type: string, formula: "{source}"}}'
    [fault] = faults(tmp_path, person=person(fields, "name: name"))
    begin = '  out: {type: string, formula: "'
    assert text in fault
    assert fault.split(":")[2] == str(len(begin) + 1 + column)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(
        timezones=st.just(ZoneInfo("UTC"))),
    lambda inner: st.lists(inner, max_size=3), max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(sorted(functions(ZoneInfo("UTC")))), st.lists(values, max_size=3))
def test_functions_never_raise(name: str, arguments: list[Json]) -> None:
    """Every function takes anything without raising, and gives empty for empty."""
    function = functions(ZoneInfo("UTC"))[name]
    function(*arguments)
    assert function(None, *arguments[:1]) is None or name == "coalesce"


@given(st.text(max_size=30))
def test_any_source_compiles_or_is_a_fault(text: str) -> None:
    """Whatever is written as an expression either works or is a fault with a place; nothing else happens."""
    part = EntityFile(version=1, entity="person", fields={"a": FieldPart(type="string")})
    document = Document("f", {"fields": {"a": {}}})
    draft = Draft(ZoneInfo("UTC"), entities={"person": EntityDraft(document, part)})
    found = draft.expression(document, ("x",), text, RecordScope(draft, "person"))
    assert (found is None) == bool(document.faults)


def derived(project: Project) -> Expression:
    """The second condition of the only rule."""
    return project.derivations[0].sources["team"]


def test_conditions_of_rules_see_earlier_entities(tmp_path: Path) -> None:
    """In rules.yaml each name begins with its entity, and later conditions see earlier entities."""
    team = """
version: 1
entity: team
fields: {lead: {type: ref, to: person}}
"""
    rules = """
version: 1
derive:
  - name: lead
    for: {person: "person.grown", team: "team.lead == person"}
    ensure: team
    with: {lead: person}
"""
    project = load(tmp_path, person=person(FIELDS, "name: name"), team=team, rules=rules)
    condition = derived(project)
    for lead, expected in (("p2", True), ("p1", False), (None, False)):
        records = {"person": BOSS, "team": Record("t1", "team", {"lead": lead})}
        assert condition.on_records(records, WORLD) is expected
    assert project.derivations[0].values["lead"].on_records({"person": BOSS}, WORLD) == "p2"
