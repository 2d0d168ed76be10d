"""Loading: environment, secrets, order, digests, and nothing but ConfigInvalid."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.adapters.vendors import CATALOG as SHIPPED_CATALOG
from syncengine.errors import ConfigInvalid
from syncengine.mapping import load_project
from tests.support.places import MAPPINGS
from tests.unit.mapping.helpers import CATALOG, faults, load, person

SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in MAPPINGS.glob("*.yaml")}
PERSON = person("x: {type: string}", "x: name")

SECRET = """
version: 1
connections:
  one:
    connector: alpha
    mode: ${MODE:-observe}
    base_url: ${ONE_URL:-http://one}
    credentials: {token: "${ONE_TOKEN}"}
    options: {size: "${SIZE:-}"}
    budget: {calls: "${CALLS:-60}", per: 1m, concurrency: 9}
    resources: {people: {poll: 5m, scan: 2h, window: null}, days: {scan: 1d, window: {back: 36h, ahead: 1d}}}
"""


def test_environment_then_secrets_then_default(tmp_path: Path) -> None:
    """${NAME} takes the environment, else the file of that name, else its default."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "ONE_TOKEN").write_text("from-file\n")
    (secrets / "MODE").write_text("observe")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "connections.yaml").write_text(SECRET)
    found = load_project(folder, CATALOG, {"MODE": "write", "CALLS": "7"}, secrets).connections[
        "one"
    ]
    assert (found.credentials, found.mode, found.off) == ({"token": "from-file"}, "write", "")
    assert (found.budget.calls, found.budget.per, found.budget.concurrency) == (7, 60.0, 4)
    assert found.options == {"size": ""}
    assert found.resources["people"].poll == 300
    assert found.resources["days"].window == (2, 1)
    assert "from-file" not in repr(found)


@pytest.mark.parametrize(
    ("environment", "off"),
    [
        ({}, "not set: ONE_TOKEN"),
        ({"ONE_TOKEN": ""}, "not set: ONE_TOKEN"),
        ({"ONE_TOKEN": "t"}, ""),
    ],
)
def test_without_credentials_a_connection_is_off(
    tmp_path: Path, environment: dict[str, str], off: str
) -> None:
    """Unset or empty credentials turn a connection off, say which variable is missing, and are no fault."""
    assert load(tmp_path, environment, connections=SECRET).connections["one"].off == off


def test_credentials_and_address_must_be_written(tmp_path: Path) -> None:
    """A connection whose credentials or base URL are not written at all is off and says what is missing."""
    text = "version: 1\nconnections:\n  one: {connector: alpha}"
    assert load(tmp_path, connections=text).connections["one"].off == "without token, base_url"


def test_no_fault_tells_a_secret(tmp_path: Path) -> None:
    """Faults of a file whose every value comes from secrets repeat none of them."""
    text = SECRET.replace("60}", "x}").replace("observe}", "x}")
    secret = dict.fromkeys(("MODE", "ONE_URL", "ONE_TOKEN", "SIZE", "CALLS"), "hunter2")
    with pytest.raises(ConfigInvalid) as raised:
        load(tmp_path, secret, connections=text)
    assert len(raised.value.faults) == 3
    assert "hunter2" not in str(raised.value)


ODD = {
    "\r": "a carriage return (U+000D)", " ": "a space (U+0020)", "\t": "a tab (U+0009)",
    "\ufeff": "a byte order mark (U+FEFF)", "\u00a0": "a no-break space (U+00A0)",
    "\x07": "a character that is not seen (U+0007)", "\udcfc": "a byte that is no UTF-8",
}  # fmt: skip


@pytest.mark.parametrize("character", sorted(ODD))
@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("MODE", "write", "connections.yaml:6:11: connections.one.mode"),
        ("ONE_URL", "https://one", "connections.yaml:7:15: connections.one.base_url"),
        ("ONE_TOKEN", "hunter2", "connections.yaml:8:27: connections.one.credentials"),
        ("SIZE", "9", "connections.yaml:9:22: connections.one.options.size"),
        ("CALLS", "60", "connections.yaml:10:22: connections.one.budget.calls"),
    ],
)
@pytest.mark.parametrize("at_end", [True, False])
def test_a_variable_with_an_odd_character_is_a_fault(
    tmp_path: Path, name: str, value: str, place: str, character: str, at_end: bool
) -> None:
    """It names place, variable and character, and nothing of the value."""
    given = value + character if at_end else character + value
    with pytest.raises(ConfigInvalid) as raised:
        load(tmp_path, {"ONE_TOKEN": "x", name: given}, connections=SECRET)
    where = "at its end" if at_end else "at its beginning"
    assert list(raised.value.faults) == [f"{place}: {name} has {ODD[character]} {where}, remove it"]


def test_a_password_may_have_a_space_inside_and_an_address_may_not(tmp_path: Path) -> None:
    """Nor may what is written in the file itself."""
    found = load(tmp_path, {"ONE_TOKEN": "correct hörse"}, connections=SECRET).connections["one"]
    assert found.credentials == {"token": "correct hörse"}
    text = SECRET.replace("${ONE_URL:-http://one}", '"https://o ne/"')
    told = "connections.yaml:7:16: connections.one.base_url: has a space (U+0020) inside, remove it"
    assert faults(tmp_path, connections=text) == [told]
    for address in (
        "http://a..b",
        "http://one:99999",
        "https://",
        "http://\u00fc\u0308" + "x" * 70,
    ):
        text = SECRET.replace("${ONE_URL:-http://one}", f'"{address}"')
        assert "is no address" in " ".join(faults(tmp_path, connections=text)), address


def test_a_password_file_that_is_no_utf_8_is_a_fault(tmp_path: Path) -> None:
    """It was taken for one that is not there, and the connection for one that is off."""
    secrets, folder = tmp_path / "secrets", tmp_path / "project"
    secrets.mkdir()
    folder.mkdir()
    (secrets / "ONE_TOKEN").write_bytes("hörse".encode("latin-1"))
    (folder / "connections.yaml").write_text(SECRET)
    with pytest.raises(ConfigInvalid, match="ONE_TOKEN has a byte that is no UTF-8 inside"):
        load_project(folder, CATALOG, {}, secrets)
    (secrets / "ONE_TOKEN").write_bytes("x".encode("utf-16"))
    with pytest.raises(ConfigInvalid, match="ONE_TOKEN has a byte that is no UTF-8"):
        load_project(folder, CATALOG, {}, secrets)
    (secrets / "ONE_TOKEN").write_bytes(b"\xef\xbb\xbfhorse\r\n")
    with pytest.raises(ConfigInvalid, match="ONE_TOKEN has a byte order mark"):
        load_project(folder, CATALOG, {}, secrets)


def test_modes_are_those_of_connections_that_say_none_themselves(tmp_path: Path) -> None:
    """A connection's own mode goes before; who is not named observes."""
    text = (
        "version: 1\nmodes: {one: write, two: write}\nconnections:\n"
        "  one: {connector: alpha, mode: observe}\n  two: {connector: alpha}\n"
        "  three: {connector: alpha}\n"
    )
    found = load(tmp_path, connections=text).connections
    assert {n: c.mode for n, c in found.items()} == {
        "one": "observe", "two": "write", "three": "observe",
    }  # fmt: skip


def test_modes_name_connections_and_tell_no_secret(tmp_path: Path) -> None:
    """A name that no connection has, and a mode that is none, have their place; what the variable holds is not told."""
    text = (
        "version: 1\nmodes:\n  one: ${MODE}\n  on: write\nconnections:\n  one: {connector: alpha}\n"
    )
    with pytest.raises(ConfigInvalid) as raised:
        load(tmp_path, {"MODE": "hunter2"}, connections=text)
    assert list(raised.value.faults) == [
        "connections.yaml:3:8: modes.one: not known here, write one of: observe or write",
        "connections.yaml:4:3: modes.on: no such connection, did you mean 'one'?",
    ]


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    """Faults of several files, of form and of meaning, are told in one run, in order of place."""
    told = faults(
        tmp_path,
        connections="version: 1\nconnections: {one: {connector: alpha, mod: write}}",
        person=person("x: {type: string, colour: red}", "y: name"),
        rules="version: 1\nderive: [{name: a, for: {persn: 'true'}, ensure: person}]",
    )
    assert [line.split(":")[0] for line in told] == ["connections.yaml"] + ["person.yaml"] * 2 + [
        "rules.yaml"
    ]
    places = [(line.split(":")[0], int(line.split(":")[1])) for line in told]
    assert places == sorted(places)
    assert all(re.match(r"[a-z]+\.yaml:\d+:\d+: [^:]+: .+, ", line) for line in told)


def test_files_that_are_loaded_again_are_told_alike(tmp_path: Path) -> None:
    """What was filled in and found at fault the last time leaves no trace, and an edit is seen."""
    text = SECRET.replace("${MODE:-observe}", "${MODE:-perhaps}")
    without = [faults(tmp_path, connections=text) for _ in range(2)]
    assert without[0] == without[1]
    assert len(without[0]) == 1
    for mode in ("write", "observe"):
        found = load_project(tmp_path, CATALOG, {"MODE": mode}).connections["one"]
        assert found.mode == mode
    assert faults(tmp_path, connections=text) == without[0]
    (tmp_path / "connections.yaml").write_text(SECRET)
    assert load_project(tmp_path, CATALOG, {}).connections["one"].mode == "observe"


def test_a_folder_that_is_not_there_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    """The first thing that goes wrong for newcomers says what to do."""
    with pytest.raises(ConfigInvalid) as found:
        load_project(tmp_path / "mine", CATALOG, {})
    (told,) = found.value.faults
    assert told.startswith(f"{tmp_path / 'mine'}: no such folder")
    assert "syncengine init" in told


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """A folder without connections is refused with what to add."""
    with pytest.raises(ConfigInvalid, match=r"add connections\.yaml"):
        load_project(tmp_path, CATALOG, {})


def test_digests_change_with_meaning_only(tmp_path: Path) -> None:
    """Comments and order of keys leave the digest alone; a changed rule changes the entity's and the project's."""
    first = load(tmp_path, person=PERSON)
    noted = load(tmp_path, person="# a comment\n" + PERSON.replace("x: name", "x:  'name'  # why"))
    moved = load(tmp_path, person=PERSON.replace("x: name", "x: mail"))
    assert first.digest == noted.digest
    assert first.entities["person"].digest == noted.entities["person"].digest
    assert first.digest != moved.digest
    assert first.entities["person"].digest != moved.entities["person"].digest


def test_what_others_refer_to_comes_first(tmp_path: Path) -> None:
    """Entities come in the order of their refs, and circles of refs do no harm."""
    a = PERSON.replace("entity: person", "entity: a").replace("string}", "ref, to: b}", 1)
    b = PERSON.replace("entity: person", "entity: b")
    c = PERSON.replace("entity: person", "entity: c").replace("string}", "ref, to: c}", 1)
    assert list(load(tmp_path, a=a, b=b, c=c).entities) == ["b", "a", "c"]


def test_fields_that_owners_read_are_merged_first(tmp_path: Path) -> None:
    """The merge order begins with what owner conditions read, through formulas too."""
    fields = """
a: {type: string, owner: "done ? one : anyone"}
done: {type: boolean, formula: "state == 'x'"}
state: {type: string}
"""
    entity = load(tmp_path, person=person(fields, "a: name")).entities["person"]
    assert entity.merge_order == ("state", "a")
    assert entity.formulas == ("done",)


def test_warnings_name_what_is_hardly_meant(tmp_path: Path) -> None:
    """Rows that would be refused, resources that are never read and states that nothing undoes are warned of."""
    more = """
  two: {resource: people, flow: out, create: out, set: {leave: {state: gone}}, fields: {x: mail}}
"""
    connections = """
version: 1
connections:
  one: {connector: alpha}
  two: {connector: beta, resources: {people: {scan: 1h}}}
"""
    mail = person("x: {type: email}", "x: mail", more)
    told = load(tmp_path, person=mail, connections=connections).warnings
    assert len(told) == 3
    assert "never read" in told[0]
    assert "without name" in told[1]
    assert "nothing undoes it" in told[2]


words = sorted({word for text in SHIPPED.values() for word in re.findall(r"\w+|[^\w\s]", text)})
junk = [
    *words,
    "null",
    "[]",
    "{}",
    "-5",
    "1e400",
    ".nan",
    "&a",
    "*a",
    "!x",
    "<<",
    "|",
    "\t",
    "${",
    "\0",
]


def mutated(text: str, seed: int) -> str:
    """The text with one line dropped, doubled or shifted, or one word replaced."""
    chance = random.Random(seed)
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(chance.randrange(len(lines)), lines[at])
        case 2:
            lines[at] = chance.choice(["  ", " ", "- "]) + lines[at]
        case _:
            word = chance.choice(list(re.finditer(r"\w+|[^\w\s]", text)))
            return f"{text[: word.start()]}{chance.choice(junk)}{text[word.end() :]}"
    return "\n".join(lines)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SHIPPED)), st.lists(st.integers(0, 10**9), min_size=1, max_size=3))
def test_mutated_projects_load_or_tell_why(
    tmp_path_factory: pytest.TempPathFactory, name: str, seeds: list[int]
) -> None:
    """Whatever happens to a file of a project, it loads, or every fault is told with its place."""
    folder = tmp_path_factory.mktemp("project")
    text = SHIPPED[name]
    for seed in seeds:
        text = mutated(text, seed)
    for file, content in {**SHIPPED, name: text}.items():
        (folder / file).write_text(content, encoding="utf-8")
    told: tuple[str, ...] = ("a:1:1: nothing",)
    try:
        load_project(folder, SHIPPED_CATALOG, {})
    except ConfigInvalid as error:
        told = error.faults
    assert told
    assert all(re.match(r".+:\d+:\d+: ", fault) for fault in told)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner:
       st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(junk), inner, max_size=4)))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_data_loads_or_tells_why(
    tmp_path_factory: pytest.TempPathFactory, data: object
) -> None:
    """Any data at all in the place of a file is a fault with a place, never another error."""
    folder = tmp_path_factory.mktemp("project")
    for kind, rest in (("entity", {"entity": "x"}), ("connections", {}), ("derive", {})):
        body = {"version": 1, kind: data, **rest, **(data if isinstance(data, dict) else {})}
        (folder / f"{kind}.yaml").write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(ConfigInvalid):
        load_project(folder, CATALOG, {})
