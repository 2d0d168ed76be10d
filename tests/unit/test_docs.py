"""The pages under docs/ say what the code does."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import threading
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any, Literal, cast, get_args, get_origin

import pytest
from starlette.routing import Route

from syncengine.adapters.vendors import CATALOG
from syncengine.bootstrap import open_engine
from syncengine.cli.ui import Exit
from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.engine import Engine
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.run.sync import OUTCOMES, sync
from syncengine.flows.send.dispatch import dispatch
from syncengine.ledger.tables import metadata
from syncengine.mapping import console_file, load_project, schema
from syncengine.mapping.checks import sample_faults
from syncengine.mapping.files import FILES
from syncengine.mapping.functions import MACROS, METHODS, NAMES
from syncengine.mapping.schema import Part
from syncengine.model.case import CaseKind
from syncengine.model.link import FRESHNESS_EDGES, STATE_EDGES
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import TypeName
from syncengine.sandbox.control import Control
from syncengine.sandbox.faults import KINDS, Fault
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import PREFIX, Settings
from syncengine.web import watch
from tests.house import figures, sizes, sources
from tests.support.places import DOCS, MAPPINGS, ROOT

PAGES = sorted(DOCS.rglob("*.md"))

_STEP = re.compile(r"^\d+\. `(syncengine\.[\w.]+)`", re.MULTILINE)
_DOTTED = re.compile(r"`((?:syncengine|workers)(?:\.\w+)+)(?:\(\))?`")


def page(name: str) -> str:
    """The text of one page."""
    return (DOCS / name).read_text("utf-8")


def sections(text: str, level: int = 2) -> dict[str, str]:
    """Heading of a level -> the text below it, up to the next of this level."""
    parts = re.split(rf"^#{{{level}}} (?:\d+\. )?(.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the first table of a text, without its heading."""
    whole = re.search(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = whole[0].splitlines()[2:] if whole else []
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def table(text: str) -> dict[str, list[str]]:
    """The first table of a text: what stands in ticks in the first cell -> the other cells."""
    return {row[0].strip("`"): row[1:] for row in rows(text)}


def resolve(dotted: str) -> Any:
    """What a dotted name stands for. Raises LookupError where there is no such thing."""
    names = dotted.split(".")
    for end in range(len(names), 0, -1):
        module = ".".join(names[:end])
        if _is_module(module):
            found: Any = importlib.import_module(module)
            for name in names[end:]:
                if not hasattr(found, name):
                    raise LookupError(f"{module} has no {'.'.join(names[end:])}")
                found = getattr(found, name)
            return found
    raise LookupError(f"there is no {dotted}")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_code_exists(path: Path) -> None:
    """Every module, class and function that a page names is there under that name."""
    missing = []
    for dotted in dict.fromkeys(_DOTTED.findall(path.read_text("utf-8"))):
        try:
            resolve(dotted)
        except LookupError as error:
            missing.append(str(error))
    assert not missing


# the mapping

MODELS: dict[str, type[Part]] = {
    "The file of connections": schema.ConnectionsFile,
    "Retention": schema.RetentionPart,
    "Approvals": schema.ApprovalsPart,
    "A connection": schema.ConnectionPart,
    "A budget": schema.BudgetPart,
    "A schedule": schema.SchedulePart,
    "A window": schema.WindowPart,
    "The file of an entity": schema.EntityFile,
    "A field": schema.FieldPart,
    "A system": schema.SystemPart,
    "Constants": schema.SetPart,
    "A field rule": schema.RulePart,
    "Safety": schema.SafetyPart,
    "The file of rules": schema.DeriveFile,
    "A rule": schema.DerivePart,
    "The file of the console": console_file.ConsoleFile,
    "All of the console": console_file.ConsolePart,
    "A provider": console_file.OidcPart,
    "A trusted proxy": console_file.ProxyPart,
    "The file of notifications": schema.NotifyFile,
    "All of notifications": schema.NotifyPart,
    "A mail server": schema.MailPart,
    "A channel": schema.ChannelPart,
    "A rule of notifications": schema.NotifyRulePart,
}


def parts_of(model: type[Part]) -> Iterator[type[Part]]:
    """A model and all models that stand in its fields."""
    yield model
    for info in model.model_fields.values():
        due = [info.annotation]
        while due:
            found = due.pop()
            due += get_args(found)
            if isinstance(found, type) and issubclass(found, Part):
                yield from parts_of(found)


def literals(annotation: Any) -> set[str]:
    """The words that a field of a model may hold."""
    if get_origin(annotation) is Literal:
        return {str(choice) for choice in get_args(annotation)}
    return set().union(*(literals(part) for part in get_args(annotation)))


def test_every_part_of_the_grammar_has_a_table() -> None:
    """Each model that the files consist of is described in docs/mapping.md."""
    assert {m for file in FILES.values() for m in parts_of(file)} == set(MODELS.values())


@pytest.mark.parametrize("heading", MODELS)
def test_keys_of_the_grammar(heading: str) -> None:
    """A table has exactly the keys of the grammar, the words that each may hold, and its default."""
    model, found = MODELS[heading], table(sections(page("mapping.md"), 3)[heading])
    assert list(found) == [info.alias or name for name, info in model.model_fields.items()]
    for name, info in model.model_fields.items():
        row = found[info.alias or name]
        for word in literals(info.annotation) - set(get_args(TypeName)):
            assert f"`{word}`" in row[0], (heading, name, word)
        if isinstance(info.default, str):
            assert f"`{info.default}`" in row[0], (heading, name)


def test_types_of_fields() -> None:
    """Each type of a field has a line."""
    names = [row[0] for row in rows(sections(page("mapping.md"))["Types"])]
    told = re.findall(r"`(\w+)`", " ".join(names))
    assert sorted(told) == sorted(get_args(TypeName))


def test_functions_of_expressions() -> None:
    """Every function and method of the expression language is named, and no other."""
    text = sections(page("mapping.md"))["Expressions"]
    told = set(re.findall(r"`(\w+)[(`]", text.split("| function")[1]))
    assert told == NAMES | (METHODS - MACROS)
    assert all(f"`{macro}`" in text for macro in MACROS)


def test_codecs() -> None:
    """The table of codecs has exactly those of the grammar."""
    told = table(sections(page("mapping.md"))["Codecs"])
    assert set(told) == literals(schema.RulePart.model_fields["codec"].annotation)


def test_resources() -> None:
    """The table of resources says what the connectors declare."""
    text = sections(page("mapping.md"))["Resources"]
    told = [[cell.strip("`") for cell in row] for row in rows(text)]
    assert told == [
        [connector, spec.name, spec.parent or "", ", ".join(abilities(spec))]
        for connector, declared in CATALOG.items()
        for spec in declared.resources.values()
    ]


def abilities(spec: ResourceSpec) -> list[str]:
    """What can be done with a resource, in the words of the page."""
    words = {
        "poll": spec.poll, "dates": spec.dated, "single read": spec.single_get, "create": spec.create,
        "update": spec.update, "delete": spec.delete, "chosen id": spec.chosen_id is not None,
    }  # fmt: skip
    return [word for word, can in words.items() if can]


def test_examples_of_the_mapping_load(tmp_path: Path) -> None:
    """The YAML of docs/mapping.md is one valid project, without warnings, whose expressions all compute."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page("mapping.md"), re.M | re.S)
    for block in blocks:
        (tmp_path / block.splitlines()[0].removeprefix("# file: ")).write_text(block, "utf-8")
    project = load_project(tmp_path, CATALOG, {})
    assert set(project.entities) == {"person", "training", "training_record"}
    assert len(project.derivations) == 1
    assert not project.warnings
    assert not sample_faults(project)


# the life of a change


class Tracer:
    """Names of the engine's functions in the order of their calls, chapter by chapter, in this thread and all that
    begin within it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.chapters: dict[str, list[str]] = {}

    def begin(self, chapter: str) -> None:
        """What is called from now on belongs to this chapter."""
        self.calls = self.chapters[chapter] = []

    def __enter__(self) -> Tracer:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("syncengine."):
            self.calls.append(f"{module}.{frame.f_code.co_qualname}")


def until_quiet(engine: Engine) -> None:
    """Reconcile until nothing is due."""
    while reconcile(engine):
        pass


def _derived(engine: Engine) -> None:
    derive(engine)
    until_quiet(engine)


def _records(engine: Engine) -> None:
    until_quiet(engine)
    dispatch(engine)


def _echo(engine: Engine) -> None:
    until_quiet(engine)
    capture(engine, "weekly10", "users", "scan")
    assert reconcile(engine) == 0


CHAPTERS: dict[str, Callable[[Engine], object]] = {
    "Capture": lambda engine: capture(engine, "heavenhr", "employees", "poll"),
    "Refresh": refresh,
    "Reconcile": reconcile,
    "Derive": _derived,
    "Dispatch and settle": dispatch,
    "Her training records": _records,
    "The echo": _echo,
}
IDA = {
    "firstName": "Ida", "lastName": "Berg", "professionalEmail": "ida.berg@example.org",
    "employeeNumber": "9001", "jobStatus": "ACTIVE", "startDate": "2024-01-01",
}  # fmt: skip


def out_of_order(steps: list[str], calls: list[str]) -> list[str]:
    """Steps that were not called, or whose first call came before that of the step above."""
    first = {name: number for number, name in reversed(list(enumerate(calls)))}
    wrong, last = [], -1
    for step in steps:
        if first.get(step, -1) <= last:
            wrong.append(step)
        last = max(last, first.get(step, -1))
    return wrong


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, list[str]], Any]]:
    """Chapter -> calls, after Ida was entered into a company that was in agreement; and the sandbox."""
    file = tmp_path_factory.mktemp("life") / "syncengine.db"
    settings = Settings.model_validate({"project": MAPPINGS, "database_url": f"sqlite:///{file}"})
    with SandboxProcess(people=3, seed=1) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env.items():
            patch.setenv(name, value)
        with open_engine(settings) as engine:
            assert sync(engine)["converged"]
        sandbox.mutate("heavenhr", "employees", "create", values=IDA)
        with open_engine(settings) as engine, Tracer() as tracer:
            for chapter, run in CHAPTERS.items():
                tracer.begin(chapter)
                run(engine)
        yield tracer.chapters, sandbox


def test_life_of_a_change_runs_as_told(life: tuple[dict[str, list[str]], Any]) -> None:
    """The functions that the story names run, in each chapter in the order in which it names them."""
    told = {
        name: _STEP.findall(text) for name, text in sections(page("life-of-a-change.md")).items()
    }
    assert list(told) == list(CHAPTERS)
    traces, _ = life
    wrong = {name: out_of_order(steps, traces[name]) for name, steps in told.items()}
    assert all(len(steps) > 4 for steps in told.values())
    assert not {name: steps for name, steps in wrong.items() if steps}


def test_order_is_really_compared(life: tuple[dict[str, list[str]], Any]) -> None:
    """Two neighbours that change places, and a name that is not called, are both noticed."""
    traces, _ = life
    for name, text in sections(page("life-of-a-change.md")).items():
        steps = _STEP.findall(text)
        for number in range(len(steps) - 1):
            swapped = [*steps]
            swapped[number : number + 2] = reversed(swapped[number : number + 2])
            assert out_of_order(swapped, traces[name])
        assert out_of_order([*steps, "syncengine.flows.capture.capture.caught"], traces[name])


def test_life_of_a_change_ends_as_told(life: tuple[dict[str, list[str]], Any]) -> None:
    """At the end weekly10 has one account for Ida and one record for each mandatory training."""
    _, sandbox = life
    accounts = [r for r in sandbox.state("weekly10", "users") if r["api_id"] == "9001"]
    records = [
        r for r in sandbox.state("weekly10", "training_records") if r["person_api_id"] == "9001"
    ]
    assert [a["email"] for a in accounts] == ["ida.berg@example.org"]
    assert sorted(r["package_desc"] for r in records) == ["GDPR basics 2026", "SOC 2 basics"]


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
        assert _DOTTED.search(text.split("**Lives in:**")[1])


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
    """No module has more than 400 lines, and no function more than 50."""
    files, functions = sizes([*sources(), *sorted((ROOT / "workers").rglob("*.py"))])
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
