"""The pages in German: what is still in English on them is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from typing_extensions import override

from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.model.member import Role
from syncengine.web.console.licences import licences
from tests.support.console import token_of
from tests.support.scene import Scene, monday, serving

PAGES = (
    "/", "/questions", "/questions?kind=identity", "/questions?closed=1", "QUESTION identity", "QUESTION staged",
    "QUESTION missing", "/records/person", "RECORD", "RECORD/links", "RECORD/export", "RECORD/erase", "/plan",
    "GROUP", "/trial", "/upcoming", "/activity", "/activity?show=changes", "/activity?show=runs", "/connections",
    "/connections/hakuna", "/connections/haekka", "/mappings", "/access", "/about", "/password", "/nothing",
)  # fmt: skip
SHARE = 0.95
"""Part of the texts of all pages that has to be in German, at least; and of each page:"""
OF_A_PAGE = 0.85


OF_FILES = frozenset(
    [
        "boolean",
        "string",
        "email",
        "ref",
        "date",
        "datetime",
        "integer",
        "number",
        "list",
        "enum",
        "text",
        "flag",
        "in",
        "out",
        "both",
        "match",
        "keep",
        "recreate",
        "delete",
        "create",
        "sqlite",
        "postgresql",
        "kim",
        "kim-en",
        "kim-de",
        "console",
        "link",
        "command",
        "payroll",
        "runs",
        "until",
        "noon",
    ]
)
"""Words of the project's files, of the command line, and of the scene."""


class Texts(HTMLParser):
    """The texts of a page, without values that stand by themselves: ids, times, code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._skipped: list[str] = []
        self._value = False

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        left_out = self._skipped or tag in ("script", "style", "time", "code") or "code" in classes
        self._value = tag == "bdi"
        if left_out and tag not in ("meta", "link", "input", "br", "img"):
            self._skipped.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        self._value = False
        if self._skipped:
            self._skipped.pop()

    @override
    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        # What stands in the place of a value is ours where it is a sentence.
        ours = not self._value or re.search(r" (is|of|to|the|a|are|be|wait|not) |^not ", text)
        if not self._skipped and ours and re.search(r"[a-z]{2}", text):
            self.found.append(text)


def texts(page: str) -> list[str]:
    """Of an answer."""
    parser = Texts()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The company of the pictures."""
    with monday(tmp_path_factory.mktemp("german")) as made:
        with made.engine() as engine:
            store_plan(engine, "kim")
            store_upcoming(engine, "kim")
        yield made


def visit(client: httpx.Client, path: str) -> str:
    """The page of a path; of one thing the first that its list has."""
    first, _, more = path.partition(" ") if " " in path else path.partition("/")
    lists = {"QUESTION": f"/questions?kind={more}", "RECORD": "/records/person", "GROUP": "/plan"}
    if first not in lists:
        return client.get(path).text
    rows = client.get(lists[first]).text.partition("<main")[2]
    wanted = {
        "QUESTION": r'href="(/questions/[^"]+)"', "RECORD": r'href="(/records/person/[0-9a-f-]{36})"',
        "GROUP": r'href="(/plan\?group=[^"]+)"',
    }  # fmt: skip
    found = re.search(wanted[first], rows)
    assert found is not None, path
    return client.get(found[1] + (f"/{more}" if first == "RECORD" and more else "")).text


def is_data(text: str, known: set[str]) -> bool:
    """Whether a text is no word of ours: names of the project and of its files, of people, addresses, ids."""
    words = [word.strip(".,:;()·→=") for word in text.split()]
    return all(w in known or not w[:1].islower() or re.search(r"[@_\d-]", w) for w in words)


@pytest.mark.long
def test_most_of_each_page_is_german(scene: Scene) -> None:
    """What is the same on the English page and on the German one, and no value, is not in German."""
    with serving(scene.settings) as url, scene.engine() as engine:
        project = engine.project
        known = {"syncengine", "systemd", *OF_FILES, *project.connections, *project.entities}
        # Packages on About, and addresses, in which lines may be broken.
        known |= {part.name for part in licences()} | {"alpenblick", "example"}
        known |= {name for text in (*project.entities,) for name in text.split("_")}
        for entity in project.entities.values():
            known |= set(entity.fields) | {s.resource.name for s in entity.systems.values()}
        clients = []
        for language in ("en", "de"):
            headers = {"Accept-Language": language, "Origin": url, "Accept": "text/html"}
            client = httpx.Client(base_url=url, headers=headers, follow_redirects=True)
            link = scene.link(*Role, name=f"kim-{language}")
            client.post(link, data={"form_token": token_of(client.get(link).text)})
            clients.append(client)
        shares, left = {}, {}
        for path in PAGES:
            english, german = (texts(visit(client, path)) for client in clients)
            ours = [t for t in english if not is_data(t, known)]
            same = [t for t in ours if t in german]
            shares[path] = (len(ours) - len(same), len(ours))
            left[path] = sorted(set(same))
    assert sum(a for a, _ in shares.values()) / sum(b for _, b in shares.values()) >= SHARE, left
    assert {p: left[p] for p, (a, b) in shares.items() if b and a / b < OF_A_PAGE} == {}
