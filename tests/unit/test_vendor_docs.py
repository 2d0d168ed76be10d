"""docs/vendors.md names every route that is served or called, and the code cites nothing but the project."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers, QueryParams

from syncengine.adapters.rest.auth import TokenAuth
from syncengine.adapters.vendors import CATALOG
from syncengine.adapters.vendors.bound import Bound
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.adapters.vendors.heiaheia import HEIAHEIA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.sandbox import weekly10
from syncengine.sandbox.vendor import Call, Reply, Route
from syncengine.sandbox.vendor import Vendor as Simulated
from syncengine.sandbox.world import Options, World
from syncengine.simulation.clock import ManualClock
from tests.support.places import DOCS, ROOT
from tests.unit.documented import DOCUMENTED

PAGE = (DOCS / "vendors.md").read_text("utf-8")
SOURCES = sorted([*ROOT.glob("syncengine/**/*.py"), *ROOT.glob("workers/**/*.py")])
CONNECTORS = {vendor.spec.name: vendor for vendor in (HEAVENHR, HAEKKA, HAKUNA, HEIAHEIA, WEEKLY10)}
VENDORS = World(Options(people=3)).vendors
FIRST_CELL = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]+)`")
MARK = re.compile(r"\[([A-Z])\]")

Spot = tuple[str, str]
"""Method and path, with ``{}`` for what varies and without a last slash."""


@dataclass(frozen=True)
class Told:
    """A row of a table of routes. ``uses``: (resource, ability), without a resource for health and login."""

    spot: Spot
    uses: frozenset[tuple[str, str]]
    handler: str
    tests: tuple[str, ...]
    marks: tuple[str, ...]


def spot(method: str, path: str) -> Spot:
    return method, re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def chapters(level: int) -> dict[str, str]:
    """Heading -> what stands below it, up to the next of this level or above."""
    parts = re.split(rf"^#{{2,{level}}} (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = chapters(3)
PRODUCTS = [name for name in chapters(2) if name.lower() in {*VENDORS, *CONNECTORS}]


def product(vendor: str) -> str:
    """The vendor's name as the page spells it."""
    return next(name for name in PRODUCTS if name.lower() == vendor)


def told(vendor: str) -> list[Told]:
    """The rows of a vendor's table of routes."""
    lines = SECTIONS[f"{product(vendor)}: routes"].strip().splitlines()
    return [_row(line) for line in lines[2:] if line.startswith("|")]


def _row(line: str) -> Told:
    first, connector, handler, tests, marks = (cell.strip() for cell in line.split("|")[1:-1])
    match = FIRST_CELL.fullmatch(first)
    assert match, f"no method and path in {first!r}"
    uses = set()
    for part in filter(None, connector.split("; ")):
        resource, _, abilities = part.rpartition(": ")
        uses |= {(resource.strip("`"), ability) for ability in abilities.split(", ")}
    return Told(
        spot(*match.groups()),
        frozenset(uses),
        handler.strip("`"),
        tuple(re.findall(r"`([^`]+)`", tests)),
        tuple(MARK.findall(marks)),
    )


def handler_of(route: Route) -> str:
    """The method that answers; for a function made by one, that one's name, or what is bound into it."""
    inner: Callable[..., Any] | None = inspect.getclosurevars(route.handler).nonlocals.get(
        "handler"
    )
    name: str = (inner or route.handler).__qualname__
    return name.partition(".<locals>")[0]


def served(vendor: str) -> list[tuple[Spot, str]]:
    """The sandbox's routes and who answers."""
    return [(spot(r.method, r.template), handler_of(r)) for r in VENDORS[vendor].routes()]


def called(vendor: Vendor) -> set[tuple[Spot, str, str]]:
    """The connector's routes as declared: (spot, resource, ability)."""
    found = {(spot("GET", vendor.health), "", "health")}
    login = vendor.login("http://v", dict.fromkeys(vendor.spec.credentials, "x"), {}, ManualClock())
    if isinstance(login, TokenAuth):
        request = login.ask({})
        found.add((spot(request.method, request.url.path), "", "login"))
    for name, declared in vendor.resources.items():
        spec, row = declared.spec, Bound(declared, "", UTC, {}).route
        can = [
            (spec.scan, "GET", declared.path, "scan"),
            (spec.poll, "GET", declared.path, "poll"),
            (spec.single_get, "GET", row, "get"),
            (spec.create, "POST", declared.post or declared.path, "create"),
            (spec.update, declared.verb, row, "update"),
            (spec.delete, "DELETE", row, "delete"),
            *((True, "GET", path, "attribute ids") for path in declared.ids_by_name.values()),
        ]
        found |= {(spot(method, path), name, word) for yes, method, path, word in can if yes}
    return found


every = pytest.mark.parametrize("vendor", sorted({*VENDORS, *CONNECTORS}))


def test_every_vendor_has_its_sections() -> None:
    """Whoever is served or called has a chapter with routes and a list of what is not built yet."""
    assert set(CONNECTORS) == set(CATALOG)
    for vendor in {*VENDORS, *CATALOG}:
        assert f"{product(vendor)}: routes" in SECTIONS
        assert f"{product(vendor)}: documented, not built yet" in SECTIONS


@every
def test_every_documented_route_has_a_row(vendor: str) -> None:
    """Whatever the vendor's pages document is called by a resource, answered by the sandbox, tested and marked."""
    rows = {row.spot: row for row in told(vendor)}
    faults = []
    for line in DOCUMENTED[vendor]:
        verbs, _, path = line.partition(" ")
        found = [rows.get(spot(verb, path)) for verb in verbs.split("|")]
        there = [row for row in found if row is not None]
        if len(there) < len(found) or not all(r.handler and r.tests and r.marks for r in there):
            faults.append(f"{line}: no row, or none with sandbox, test and mark")
        elif not any(row.uses for row in there):
            faults.append(f"{line}: no resource of the connector calls it")
    assert not faults


@every
def test_every_route_of_the_sandbox_has_a_row(vendor: str) -> None:
    """The rows with a method of the sandbox are its routes, each once, with the method that answers."""
    rows = [(row.spot, row.handler) for row in told(vendor) if row.handler]
    assert Counter(rows) == Counter(served(vendor))
    assert max(Counter(row.spot for row in told(vendor)).values()) == 1


@every
def test_every_call_of_a_connector_has_a_row(vendor: str) -> None:
    """What each resource can do stands on its route; beyond that only routes below a row's own are named."""
    rows = {(row.spot, *use) for row in told(vendor) for use in row.uses}
    declared = called(CONNECTORS[vendor])
    assert not declared - rows
    for (method, path), resource, ability in rows - declared:
        above = [s for s, *use in declared if use == [resource, ability] and s[0] == method]
        assert any(path.startswith(f"{s[1]}/") for s in above), (method, path, resource, ability)


@every
def test_every_row_rests_on_something(vendor: str) -> None:
    """A row says who serves or calls it, has one mark, and names tests that exist."""
    for row in told(vendor):
        assert row.handler or row.uses, row.spot
        assert len(row.marks) == 1, row.spot
        assert row.tests, row.spot
        assert not row.uses or any(name.startswith("tests/contract/") for name in row.tests)
        missing = [name for name in row.tests if name.partition("::")[2] not in named_in(name)]
        assert not missing, row.spot


def named_in(name: str) -> frozenset[str]:
    """The tests in the file of ``file::test``; none if there is no such file."""
    return _tests(ROOT / name.partition("::")[0])


@lru_cache
def _tests(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text("utf-8")).body
    names = (node.name for node in body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


def test_a_test_that_is_not_there_is_noticed() -> None:
    """Neither a wrong file nor a wrong name passes for a test."""
    assert "test_patch" in named_in("tests/unit/sandbox/test_haekka.py::test_patch")
    assert "test_pitch" not in named_in("tests/unit/sandbox/test_haekka.py::test_pitch")
    assert not named_in("tests/unit/sandbox/test_hekka.py::test_patch")


@every
def test_what_is_not_built_is_not_there(vendor: str) -> None:
    """No route stands both in the list of what is not built yet and in the code."""
    text = SECTIONS[f"{product(vendor)}: documented, not built yet"]
    named = {spot(*match) for match in FIRST_CELL.findall(text)}
    built = {at for at, _ in served(vendor)} | {at for at, *_ in called(CONNECTORS[vendor])}
    assert not named & built


def test_every_statement_has_a_mark() -> None:
    """Each point below a vendor's headings says where it is known from, in the marks that are explained."""
    explained = set(re.findall(r"^\| \[([A-Z])\] \|", PAGE, re.MULTILINE))
    assert set(MARK.findall(PAGE)) == explained
    points = [
        point
        for heading, text in SECTIONS.items()
        if ": " in heading
        for point in re.findall(r"^- (?:.+\n?)(?:^  .+\n?)*", text, re.MULTILINE)
    ]
    assert len(points) > 80
    assert not [point for point in points if not MARK.search(point)]


# what the code cites

CITED = re.compile(r"docs/(\w+\.md)\b(?:, \"([^\"]+)\")?")
FILE = re.compile(r"\b[\w./-]*\w\.(?:md|txt|rst|pdf|docx?)\b")
ELSEWHERE = re.compile(r"§|\b[A-Z]{5,} (?:section )?\d|\b(?:sections?|articles?|chapters?) [\"\d]")


def remarks(text: str) -> Iterator[str]:
    """Every docstring and comment of a source, on one line each."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield " ".join(str(node.value.value).split())
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def lost(remark: str) -> list[str]:
    """What a remark cites that is not in the project."""
    wrong = [name for name in FILE.findall(remark) if not (ROOT / name).is_file()]
    wrong += ELSEWHERE.findall(remark)
    for name, heading in CITED.findall(remark):
        page = DOCS / name
        text = page.read_text("utf-8") if page.is_file() else ""
        if heading and not re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE):
            wrong.append(f'docs/{name}, "{heading}"')
        if name == "vendors.md" and not heading:
            wrong.append("docs/vendors.md without a section")
    return wrong


def test_sources_cite_only_what_is_in_the_project() -> None:
    """No docstring or comment rests on a document, or a section of one, that the project does not hold."""
    found = {
        f"{path.relative_to(ROOT)}: {remark[:80]}": lost(remark)
        for path in SOURCES
        for remark in remarks(path.read_text("utf-8"))
    }
    assert len(found) > 500
    assert not {where: wrong for where, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    "remark",
    [
        "As it says (MANUAL 2.5).",
        "As it says (MANUAL section 4).",
        "As notes.txt says.",
        'As section "Get all" says.',
        "As § 3 says.",
        'As docs/vendors.md, "HeavenHR: tee times" says.',
        "As docs/vendors.md says.",
        "As docs/nothing.md says.",
    ],
)
def test_a_citation_that_leads_nowhere_is_noticed(remark: str) -> None:
    """Files, numbered or named sections of foreign documents, and headings that are gone are found."""
    assert lost(remark)


# routes that no other test sends

ROWS: dict[str, dict[str, Any]] = {
    "users": {"api_id": "u", "first_name": "Ida", "last_name": "Berg"},
    "departments": {"api_id": "d", "name": "Kitchen"},
    "training_packages": {"api_id": "p", "name": "First aid"},
    "training_records": {"api_id": "r", "person_api_id": "u", "package_api_id": "p"},
}
CHANGED: dict[str, dict[str, Any]] = {
    "users": {"last_name": "Tal", "is_active": False},
    "departments": {"name": "Canteen"},
    "training_packages": {"description": "With a bandage"},
    "training_records": {"date_completed": "2026-11-05T10:00:00+01:00"},
}
LOGIN = {"username": weekly10.USERNAME, "password": weekly10.PASSWORD}


@pytest.mark.parametrize("resource", ROWS)
def test_put_replaces_what_it_names(resource: str) -> None:
    """A PUT of a whole row is answered with the row as it is kept then."""
    vendor = World(Options(people=3)).vendors["weekly10"]
    for name, row in ROWS.items():
        vendor.keep(name, row)
    token = _ask(vendor, "POST", "/obtainauthtoken/", LOGIN).payload["token"]
    body = {**ROWS[resource], **CHANGED[resource]}
    path = f"{weekly10.PATHS[resource]}/{body['api_id']}/"
    reply = _ask(vendor, "PUT", path, body, f"Token {token}")
    assert reply.status == 200
    assert {name: reply.payload[name] for name in body} == body
    assert reply.payload in vendor.state(resource)


def _ask(
    vendor: Simulated, method: str, path: str, body: dict[str, Any], authorization: str = ""
) -> Reply:
    match = vendor.match(method, vendor.prefix + path)
    assert not isinstance(match, Reply), f"{method} {path}: no such route"
    headers = {"content-type": "application/json", "authorization": authorization}
    call = Call(
        method=method,
        template=match[0].template,
        params=match[1],
        query=QueryParams(),
        headers=Headers(headers),
        body=json.dumps(body).encode(),
        origin="http://v",
    )
    return vendor.handle(match[0], call)
