"""The pages under docs/ say what the code does."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.routing import Route

from syncengine.cli.ui import Exit
from syncengine.flows.run.sync import OUTCOMES
from syncengine.ledger.tables import metadata
from syncengine.model.case import CaseKind
from syncengine.model.link import FRESHNESS_EDGES, STATE_EDGES
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.sandbox.control import Control
from syncengine.sandbox.faults import KINDS, Fault
from syncengine.settings import PREFIX, Settings
from syncengine.web import watch
from tests.house import figures, sizes, sources
from tests.support.pages import DOTTED, PAGES, page, resolve, rows, sections, table
from tests.support.places import DOCS, ROOT


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_code_exists(path: Path) -> None:
    """Every module, class and function that a page names is there under that name."""
    missing = []
    for dotted in dict.fromkeys(DOTTED.findall(path.read_text("utf-8"))):
        try:
            resolve(dotted)
        except LookupError as error:
            missing.append(str(error))
    assert not missing


# the protocol

_RULE = re.compile(r"^### (\d+)\. .+\n((?:(?!^#).*\n)*)", re.MULTILINE)


def rules() -> dict[int, str]:
    """Number of a rule -> what docs/protocol.md says of it."""
    return {int(number): text for number, text in _RULE.findall(page("protocol.md"))}


def test_rules_are_whole() -> None:
    """Each of the twenty-seven rules says what breaks without it, where it lives and what keeps it."""
    assert list(rules()) == list(range(1, 28))
    for text in rules().values():
        assert re.findall(r"\*\*(.+?):\*\*", text) == ["Without it", "Lives in", "Kept by"]
        assert DOTTED.search(text.split("**Lives in:**")[1])


@pytest.mark.parametrize(
    ("heading", "edges"),
    [("States of a link", STATE_EDGES), ("Freshness of a row", FRESHNESS_EDGES)],
)
def test_edges_of_links(heading: str, edges: Mapping[str, Collection[str]]) -> None:
    """The tables of states and of freshness show the steps that the model allows."""
    told = table(sections(page("protocol.md"))[heading])
    drawn = {name: sorted(re.findall(r"`(\w+)`", row[1])) for name, row in told.items()}
    assert drawn == {str(name): sorted(after) for name, after in edges.items()}


@pytest.mark.parametrize("number", range(1, 28))
def test_tests_of_rules(number: int) -> None:
    """Each test that a rule names as its keeper is there; a file that it names holds tests of that rule."""
    kept = rules()[number].split("**Kept by:**")[1]
    names = re.findall(r"`(tests/[^`]+)`", kept)
    assert names
    for name in names:
        path, _, test = name.partition("::")
        wanted = f"def {test}(" if test else f"Rule {number}:"
        assert wanted in (ROOT / path).read_text("utf-8"), name


# the glossary, adding a vendor


def test_the_glossary_can_be_learned() -> None:
    """A newcomer has to learn at most seventy words."""
    assert int(figures()["words of the glossary"]) <= 70


@pytest.mark.parametrize("heading", ["Nouns", "Verbs"])
def test_words(heading: str) -> None:
    """Each word stands once, in order, with a meaning and the place in the code that it belongs to."""
    told = rows(sections(page("glossary.md"))[heading])
    words = [row[0] for row in told]
    assert words == sorted(set(words))
    for word, meaning, place in told:
        assert meaning, word
        found = resolve(place.strip("`"))
        assert inspect.isfunction(found) if heading == "Verbs" else inspect.ismodule(found), word


def test_outcomes() -> None:
    """The glossary names the outcomes as the code has them."""
    told = re.search(r"^\| outcome \|(.+?)\|", page("glossary.md"), re.MULTILINE)
    assert told
    assert tuple(re.findall(r"`(\w+)`", told[1])) == OUTCOMES


def test_words_of_a_declaration() -> None:
    """What docs/adding-a-vendor.md tells to declare can be declared."""
    known = {f.name for c in (ResourceSpec, ConnectorSpec, FieldSpec) for f in fields(c)}
    told = [row[0] for row in rows(sections(page("adding-a-vendor.md"))["What to declare"])]
    for name in re.findall(r"`(\w+)", " ".join(told)):
        assert name in known, name


# running it


def test_variables() -> None:
    """The table of variables has every setting with its default."""
    told = table(sections(page("operations.md"))["Environment"])
    assert set(told) == {PREFIX + name.upper() for name in Settings.model_fields}
    for name, info in Settings.model_fields.items():
        default = info.default if info.default not in (None, (), "") else "none"
        assert told[PREFIX + name.upper()][0].strip("`") == str(default), name


def test_tables_and_metrics() -> None:
    """The tables and the metrics are those that there are."""
    text = page("operations.md")
    told = re.findall(r"`(\w+)`", sections(text)["Database"].split("these tables:")[1])
    assert set(told) == set(metadata.tables)
    source = inspect.getsource(watch)
    assert {f"syncengine_{name}" for name in re.findall(r'_family\(\s*"(\w+)"', source)} == set(
        table(sections(text)["Watching"])
    )


def test_kinds_of_cases_and_exit_codes() -> None:
    """Every kind of case and every exit code is told."""
    text = sections(page("operations.md"))
    kinds = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(text["Questions"])))
    assert set(kinds) == {kind.value for kind in CaseKind}
    assert [int(row[0]) for row in rows(text["Exit codes"])] == [code.value for code in Exit]


# the architecture


def lines_of(room: str) -> int:
    """Lines of Python in a module or package."""
    found = ROOT / room.replace(".", "/")
    files = sorted(found.rglob("*.py")) if found.is_dir() else [found.with_suffix(".py")]
    return sum(len(file.read_text("utf-8").splitlines()) for file in files)


def test_sizes() -> None:
    """The table of sizes has every room, and is right to within a quarter."""
    told = {
        row[0].strip("`"): int(row[1].replace(",", ""))
        for row in rows(sections(page("architecture.md"))["Sizes"])
    }
    whole = sum(map(lines_of, told))
    assert 0 <= lines_of("syncengine") + lines_of("workers") - whole < 10
    for room, count in told.items():
        assert abs(count - lines_of(room)) <= max(40, lines_of(room) / 4), (room, lines_of(room))


def test_no_module_and_no_function_is_long() -> None:
    """No module has more than 400 lines, and no function more than 50; nor has one of the tests."""
    others = [
        path for place in ("workers", "bench", "tests") for path in (ROOT / place).rglob("*.py")
    ]
    files, functions = sizes([*sources(), *others])
    assert not {name: lines for name, lines in files.items() if lines > 400}
    assert not {name: lines for name, lines in functions.items() if lines > 50}


def test_tables_are_told() -> None:
    """The table of tables has every table."""
    assert set(table(sections(page("architecture.md"))["Tables"])) == set(metadata.tables)


def test_floors_are_those_that_are_checked() -> None:
    """Every layer that import-linter checks has its floor, from the top down."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    checked = [re.findall(r"[\w.]+", layer) for layer in contract["layers"]]
    told = [
        re.findall(r"`([\w.]+)`", row[1])
        for row in rows(sections(page("architecture.md"))["Floors"])
    ]
    assert [room for rooms in told for room in sorted(rooms)] == [
        room for rooms in checked for room in sorted(rooms)
    ]


def test_where_to_change_what_is_there() -> None:
    """Each place that CONTRIBUTING.md sends people to exists."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    told = re.findall(r"`((?:syncengine|tests|workers|docs)/[\w./-]*)`", text)
    assert len(told) > 30
    assert not [place for place in told if not (ROOT / place).exists()]


# the tree


def test_every_page_is_in_the_index_and_the_index_in_the_readme() -> None:
    """Whoever begins at README.md or docs/README.md comes to each page, within the tree of four kinds."""
    index = page("README.md")
    told = {name.partition("#")[0] for name in re.findall(r"\]\(([^)]+)\)", index)}
    pages = {str(path.relative_to(DOCS)) for path in PAGES} - {"README.md"}
    assert told == pages
    readme = (ROOT / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(docs/([^)#]+)", readme))
    assert {"README.md", "complaints.md", "tutorials/hr.md", "tutorials/it.md"} <= linked
    assert all(
        f"**{kind}**" in index for kind in ("Tutorials", "How to", "Reference", "Explanation")
    )


def test_the_sandbox_is_told_whole() -> None:
    """Every endpoint of its control server, every kind of fault, and every member of one."""
    text = page("reference/sandbox.md")
    routes = {
        route.path for route in Control(cast(Any, None)).app().routes if isinstance(route, Route)
    }
    assert {
        f"/{path.strip('/')}" for path in re.findall(r"`(?:GET|POST|DELETE) ([^`]+)`", text)
    } == routes
    assert not [kind for kind in KINDS if f"`{kind}`" not in text]
    members = {field.name for field in fields(Fault) if field.init} - {"hits"}
    assert not [name for name in members if f"`{name}`" not in text]
