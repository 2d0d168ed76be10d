"""Answers of vendors that want something else than to be read.

The attacker is the vendor, whoever has taken its server over, or whoever may enter rows there. What it shows leads to
nothing but what lies below the connection's address, holds nobody up, and nobody's row is lost by it.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from syncengine.adapters.vendors import SHIPPED
from syncengine.adapters.vendors.bound import Bound
from syncengine.bootstrap import open_engine
from syncengine.errors import SyncengineError, VendorDown
from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.model.case import Case
from syncengine.ports import Item, Page
from syncengine.settings import read_settings
from tests.support.bench import Bench
from tests.support.people import duo

LACKING = object()
HOSTILE: dict[str, Any] = {
    "none": LACKING, "null": None, "empty": "", "space": " ", "list": ["7"], "object": {"id": "7"},
    "true": True, "half": 7.5, "dot": ".", "dots": "..", "slash": "/", "below": "../users", "walk": "a/../b",
    "backslash": "..\\users", "quoted": "%2e%2e", "quoted slash": "%2f", "long": "x" * 501,
    "longer": "7" * 100_000, "null byte": "a\0b", "line": "7\r\nHost: evil.example", "escape": "\x1b[2J7",
    "turned": "7\u202e8", "unseen": "\u200b7",
}  # fmt: skip
PROJECT = {
    "connections.yaml": """
version: 1
connections:
  lms:
    connector: weekly10
    base_url: ${VENDOR}
    credentials: {username: u, password: p}
    resources: {users: {scan: 1h}}
""",
    "person.yaml": """
version: 1
entity: person
fields: {email: {type: email}}
identity: [[email]]
systems:
  lms: {resource: users, flow: in, create: in, fields: {email: email}}
""",
}


@dataclass
class Liar:
    """A weekly10 that shows what it likes. ``onward``: address of the next page."""

    url: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    onward: str | None = None
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> Any:
        """What is shown there."""
        here = urlsplit(path).path.removeprefix("/api")
        if here == "/obtainauthtoken/":
            return {"token": "t"}
        if here == "/departments/":
            return {"count": 0, "next": None, "results": []}
        if here == "/users/":
            return {"count": len(self.rows), "next": self.onward, "results": self.rows}
        own = [row for row in self.rows if here == f"/users/{row.get('api_id')}/"]
        return own[0] if own else None


@contextmanager
def serving(liar: Liar) -> Iterator[Liar]:
    """Over real HTTP."""

    def handle(self: BaseHTTPRequestHandler) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        liar.asked.append(f"{self.command} {self.path}")
        answer = liar.answer(self.path)
        body = json.dumps(answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    methods = {f"do_{method}": handle for method in ("GET", "POST", "PATCH", "DELETE")}
    quiet = {"protocol_version": "HTTP/1.1", "log_message": lambda *_: None}
    handler = type("Handler", (BaseHTTPRequestHandler,), {**methods, **quiet})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    liar.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def over(folder: Path, liar: Liar, **more: str) -> Iterator[Engine]:
    """An engine with a real store, which reads it."""
    for name, text in PROJECT.items():
        (folder / name).write_text(text, "utf-8")
    environment = {
        "SYNCENGINE_PROJECT": str(folder),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/kept.db",
        **more,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENDOR", f"{liar.url}/api")
        with open_engine(read_settings(environment)) as engine:
            yield engine


def people(engine: Engine) -> set[Any]:
    with engine.ledger.read() as tx:
        return {record.values["email"] for record in tx.records_of("person")}


def questions(engine: Engine) -> list[Case]:
    with engine.ledger.read() as tx:
        return tx.cases()


def row(name: str, identifier: Any) -> dict[str, Any]:
    """A row as weekly10 shows it."""
    shown = {"email": f"{name}@x.de", "first_name": name, "last_name": "x", "is_active": True}
    return shown if identifier is LACKING else {"api_id": identifier, **shown}


# ids


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_row_without_a_usable_id_is_asked_about(tmp_path: Path, kind: str) -> None:
    """One row has an id that is none, or leads elsewhere: it is one question, which shows what the row showed; the
    others are synced, nothing but the listing is asked for, and the question ends with its reason."""
    bad, good = row("bad", HOSTILE[kind]), row("good", "1")
    with serving(Liar(rows=[bad, good])) as liar, over(tmp_path, liar) as engine:
        sync(engine)
        assert people(engine) == {"good@x.de"}
        (case,) = questions(engine)
        assert (case.kind, case.link_id) == ("quarantined", None)
        assert "no usable id in 'api_id'" in case.question
        assert "bad@x.de" in str(case.evidence)
        assert len(str(case.evidence)) < 20_000
        sync(engine)
        assert [c.id for c in questions(engine)] == [case.id]
        listings = {path.partition("?")[0] for path in liar.asked}
        assert listings == {"POST /api/obtainauthtoken/", "GET /api/users/"}
        liar.rows[0] = row("bad", "2")
        sync(engine)
        assert people(engine) == {"good@x.de", "bad@x.de"}
        assert not questions(engine)


def test_a_question_ends_when_the_row_is_gone(tmp_path: Path) -> None:
    """A row that is not shown any more is no question, and two that are alike are one."""
    rows = [row("good", "1"), row("bad", ".."), row("bad", ".."), row("worse", "..")]
    with serving(Liar(rows=rows)) as liar, over(tmp_path, liar) as engine:
        sync(engine)
        assert len(questions(engine)) == 2
        del liar.rows[1:]
        sync(engine)
        assert not questions(engine)


def test_whoever_loses_the_id_is_not_gone(tmp_path: Path) -> None:
    """Rows that were known are shown without ids: each is read by its own, and nobody is taken for a leaver."""
    rows = [row(f"p{n}", str(n)) for n in range(3)]
    with serving(Liar(rows=rows)) as liar, over(tmp_path, liar) as engine:
        sync(engine)
        liar.rows[1:] = [row("p1", ""), row("p2", "2")]
        read = Liar.answer
        liar.answer = lambda path: (  # type: ignore[method-assign]
            row("p1", "1") if path.endswith("/users/1/") else read(liar, path)
        )
        sync(engine)
        assert len(questions(engine)) == 1
        assert people(engine) == {"p0@x.de", "p1@x.de", "p2@x.de"}
        with engine.ledger.read() as tx:
            assert {link.state for link in tx.select_links()} == {"linked"}


RESOURCES = [
    (name, resource.spec.name)
    for name, vendor in SHIPPED.items()
    for resource in vendor.resources.values()
    if not resource.only
]


@pytest.mark.parametrize(("vendor", "name"), RESOURCES)
def test_no_vendor_s_rows_are_known_by_such_ids(vendor: str, name: str) -> None:
    """Whatever part of the id of whatever resource is hostile: the row has a fault and no id."""
    declared = SHIPPED[vendor].resources[name]
    bound = Bound(declared, "https://vendor.example/api", ZoneInfo("UTC"), {})
    for part, (kind, hostile) in product(declared.id.split(), HOSTILE.items()):
        shown: dict[str, Any] = dict.fromkeys(declared.id.split(), "7") | {"_mark": "seen"}
        shown[part] = hostile
        if hostile is LACKING:
            del shown[part]
        item = bound.item(shown, "9" if declared.spec.parent else None)
        assert item.fault, (part, kind)
        assert item.external_id == "", (part, kind)
        assert item.row["_mark"] == "seen"


def test_a_change_feed_that_shows_the_row_well_ends_the_question() -> None:
    """Where a resource is only polled, no complete listing would ever end it."""
    made = duo(hr={"poll": True})
    hr = made.vendors["hr"]
    mine = hr.add(email="a@x.de", name="A", job="dev")
    made.sync()
    polled(made, Item("7", {"email": "b@x.de"}, None, "its name is a number"))
    (case,) = made.cases()
    polled(made, Item(mine, dict(hr.rows()[mine])))
    assert [c.id for c in made.cases()] == [case.id]
    polled(made, Item("7", {"id": "7", "email": "b@x.de", "name": "B", "job": "dev"}))
    assert not made.cases()


def polled(made: Bench, item: Item) -> None:
    """The change feed shows one row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made.vendors["hr"], "poll", lambda *_: iter([Page([item], "cursor")]))
        made.poll("hr")


# addresses


@pytest.mark.parametrize(
    "onward", ["EVIL/api/users/?page=2", "OURS/users/", "OURS/api/../admin", "OURS/apiary/users/"]
)
def test_the_next_page_is_asked_for_below_our_address_alone(tmp_path: Path, onward: str) -> None:
    """The next page lies at another host, or beside our part of this one: nobody is asked, least of all with our
    token, and the listing counts as one that failed."""
    with (
        serving(Liar(rows=[row("evil", "2")])) as evil,
        serving(Liar(rows=[row("good", "1")])) as liar,
        over(tmp_path, liar) as engine,
    ):
        liar.onward = onward.replace("EVIL", evil.url).replace("OURS", liar.url)
        (fault,) = sync(engine)["faults"]
        assert "base_url" in fault
        assert not evil.asked
        assert {path.partition("?")[0] for path in liar.asked} <= {
            "POST /api/obtainauthtoken/", "GET /api/users/", "GET /api/departments/",
        }  # fmt: skip


# time


@contextmanager
def slow(head: float, body: float) -> Iterator[str]:
    """A server that takes so long for the head of an answer, and so long for its body."""

    def answer(peer: socket.socket) -> None:
        with peer:
            peer.recv(65536)
            time.sleep(head)
            peer.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
            )
            time.sleep(body)
            peer.sendall(b"{}")

    def accept(server: socket.socket) -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(answer, peer), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield f"http://vendor.example:{server.getsockname()[1]}"


def _quietly(answer: Any, peer: socket.socket) -> None:
    try:
        answer(peer)
    except OSError:
        return


@pytest.mark.parametrize(
    ("lookup", "head", "body", "in_time"),
    [(0.1, 0.1, 0.1, True), (0.4, 1.2, 5, False), (0.4, 5, 0, False), (5, 0, 0, False)],
)
def test_the_time_of_a_request_is_one_for_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lookup: float, head: float, body: float,
    in_time: bool,
) -> None:  # fmt: skip
    """Looking the name up, the head and the body each stay below the timeout and together do not: it ends at the
    timeout, not at the sum."""
    found = socket.getaddrinfo

    def look_up(*asked: Any, **named: Any) -> Any:
        time.sleep(lookup)
        return found("127.0.0.1", *asked[1:], **named)

    with slow(head, body) as url:
        timed = {"SYNCENGINE_REQUEST_TIMEOUT": "2"}
        with over(tmp_path, Liar(url=url), **timed) as engine:
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            started = time.monotonic()
            error = caught(engine)
            took = time.monotonic() - started
            monkeypatch.undo()
    if in_time:
        assert "holds no token" in str(error)
    else:
        assert isinstance(error, VendorDown)
        assert took < 3


def caught(engine: Engine) -> SyncengineError | None:
    """What one call of the connector raises."""
    try:
        engine.connectors["lms"].health()
    except SyncengineError as error:
        return error
    return None
