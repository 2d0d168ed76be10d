"""The matrix of rights: what each route of the web side asks for, written down once more.

``MATRIX`` is compared with the routing table of the running application, so that a route that nobody wrote down here
fails, and so does a right that was changed at one place alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.routing import Route
from starlette.testclient import TestClient

from syncengine.flows.people.members import add_member, limit
from syncengine.flows.people.tokens import make_token
from syncengine.flows.views.stored_plan import newest_plan
from syncengine.model.case import CaseKind
from syncengine.model.member import Role, Scope
from syncengine.model.rights import GIVEN, Right
from syncengine.web.api.call import ROOT
from tests.support.bench import Bench
from tests.support.console import Browser, console_app, sign_in, token_of

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
EVERY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PUBLIC, WATCH, READ, ANSWER = Right.PUBLIC, Right.WATCH, Right.READ, Right.ANSWER
SIGNED_IN, PLAN, OPERATE, PRIVACY = Right.SIGNED_IN, Right.PLAN, Right.OPERATE, Right.PRIVACY
_PERSON: Final = "/records/{entity}/{id}"
MATRIX: Final[Mapping[str, Mapping[str, Right]]] = {
    "/events/{connection}": {"POST": PUBLIC},  # signed with the secret of the connection
    "/healthz": {"GET": PUBLIC},
    "/metrics": {"GET": PUBLIC},
    "/static/{name}": {"GET": PUBLIC},
    "/": {"GET": WATCH},
    "/questions": {"GET": READ, "POST": ANSWER},
    "/questions/{id}": {"GET": READ, "POST": ANSWER},
    "/questions/{id}/take": {"POST": ANSWER},
    "/records": {"GET": READ},
    "/records/{entity}": {"GET": READ},
    _PERSON: {"GET": READ},
    f"{_PERSON}/sync": {"POST": ANSWER},
    f"{_PERSON}/links": {"GET": ANSWER, "POST": ANSWER},
    f"{_PERSON}/uncovered": {"POST": PRIVACY},
    f"{_PERSON}/export": {"GET": PRIVACY, "POST": PRIVACY},
    f"{_PERSON}/erase": {"GET": PRIVACY, "POST": PRIVACY},
    "/plan": {"GET": WATCH, "POST": PLAN},
    "/trial": {"GET": WATCH, "POST": PLAN},
    "/upcoming": {"GET": WATCH, "POST": PLAN},
    "/activity": {"GET": WATCH},
    "/changes/{id}/undo": {"POST": ANSWER},
    "/connections": {"GET": WATCH},
    "/connections/{name}": {"GET": WATCH, "POST": OPERATE},
    "/mappings": {"GET": WATCH},
    "/mappings/{entity}": {"GET": WATCH},
    "/access": {"GET": Right.MEMBERS, "POST": Right.MANAGE},
    "/access/{id}": {"GET": Right.MEMBERS, "POST": Right.MANAGE},
    "/tokens": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "/about": {"GET": SIGNED_IN},
    "/sign-in": {"GET": PUBLIC, "POST": PUBLIC},
    "/sign-in/provider": {"GET": PUBLIC},
    "/sign-in/back": {"GET": PUBLIC},
    "/link/{token}": {"GET": PUBLIC, "POST": PUBLIC},
    "/prove": {"GET": SIGNED_IN},
    "/kept": {"GET": SIGNED_IN},
    "/sign-out": {"POST": SIGNED_IN},
    "/password": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    f"{ROOT}/openapi.json": {"GET": PUBLIC},
    f"{ROOT}/standing": {"GET": WATCH},
    f"{ROOT}/questions": {"GET": READ},
    f"{ROOT}/questions/{{id}}": {"GET": READ},
    f"{ROOT}/questions/{{id}}/answer": {"POST": ANSWER},
    f"{ROOT}/records/{{entity}}": {"GET": READ},
    f"{ROOT}{_PERSON}": {"GET": READ},
    f"{ROOT}{_PERSON}/why": {"GET": READ},
    f"{ROOT}{_PERSON}/sync": {"POST": ANSWER},
    f"{ROOT}{_PERSON}/export": {"POST": PRIVACY},
    f"{ROOT}/changes": {"GET": READ},
    f"{ROOT}/changes/{{id}}/undo": {"POST": ANSWER},
    f"{ROOT}/runs": {"GET": WATCH},
    f"{ROOT}/operations": {"GET": READ},
    f"{ROOT}/plans": {"GET": READ, "POST": PLAN},
    f"{ROOT}/plans/{{id}}": {"GET": READ},
    f"{ROOT}/plans/{{id}}/vote": {"POST": ANSWER},
    f"{ROOT}/connections": {"GET": WATCH},
    f"{ROOT}/connections/{{name}}": {"GET": WATCH},
    f"{ROOT}/connections/{{name}}/pause": {"POST": OPERATE},
    f"{ROOT}/connections/{{name}}/resume": {"POST": OPERATE},
    f"{ROOT}/upcoming": {"GET": READ},
    f"{ROOT}/audit": {"GET": Right.AUDIT},
    f"{ROOT}/{{rest:path}}": dict.fromkeys(EVERY, PUBLIC),  # there is nothing
}
"""Path -> method -> the right that it asks for."""
OWN: Final = (PUBLIC, SIGNED_IN)
"""Rights to what is one's own: one's password, tokens and session."""
_QUERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "/questions": ("", "?closed=1", "?as=json", "?kind=identity", "?connection=lms"),
    "/activity": (
        "", "?show=changes", "?show=runs", "?show=runs&connection=hr", "?show=writes&as=json", "?person=vogel",
        "?show=runs&as=json", "?show=changes&as=csv", "?connection=hr",
    ),
    "/plan": ("", "?group={group}"),
    "/records/{entity}": ("", "?q=bea", "?as=json"),
    f"{ROOT}/questions": ("", "?closed=1", "?connection=lms"),
    f"{ROOT}/runs": ("", "?all=1", "?outcome=complete"),
    f"{ROOT}/operations": ("", "?connection=hr"),
    f"{ROOT}/changes": ("", "?connection=hr"),
}  # fmt: skip
"""Path -> what may stand behind it, where that shows something else."""


@dataclass
class Tried:
    """Somebody who tries every route, as a browser and as a program. ``made``: the company on which they try it."""

    made: Bench
    browser: Browser
    secret: str
    form_token: str
    names: dict[str, str] = field(default_factory=dict)
    plan: str = ""

    def ask(self, method: str, path: str, behind: str = "") -> Any:
        """The answer of a route. What is sent with it would do something, were it allowed."""
        client, url = self.browser.client, self.address(path) + behind.format_map(self.names)
        if path.startswith(ROOT):
            head = {"Authorization": f"Bearer {self.secret}"}
            body = {"json": self.call(path)} if method not in ("GET", "HEAD") else {}
            return client.request(method, url, headers=head, follow_redirects=False, **body)
        head = {"Origin": "http://127.0.0.1"}
        data = {"form_token": self.form_token, **self.form(path)} if method == "POST" else None
        return client.request(method, url, data=data, headers=head, follow_redirects=False)

    def address(self, path: str) -> str:
        """A path with the ids of what is really there."""
        kind = next((w for w in ("questions", "changes", "plans", "access") if w in path), "record")
        held = "question" if kind == "questions" else kind
        names = {**self.names, "id": self.names[held], "token": "nothing", "rest:path": "nothing"}
        return path.replace("{rest:path}", "nothing").format_map(names)

    def form(self, path: str) -> dict[str, Any]:
        """The fields of a form."""
        names = self.names
        return {
            "/questions": {"case": [names["question"]], "answer": "ignore"},
            "/questions/{id}": {"answer": "ignore"},
            f"{_PERSON}/links": {"do": "alone", "link": names["link"]},
            f"{_PERSON}/export": {"kind": "json"},
            f"{_PERSON}/erase": {"reason": "request 17", "sure": "1"},
            "/connections/{name}": {"do": "pause"},
            "/access": {"name": "eve", "role": ["admin"]},
            "/access/{id}": {"do": "lock"},
        }.get(path, {})

    def call(self, path: str) -> dict[str, Any]:
        """The body of a call."""
        vote = {"question": self.names["held"], "answer": "reject", "digest": "0"}
        return {f"{ROOT}/questions/{{id}}/answer": {"answer": "ignore"},
                f"{ROOT}/plans/{{id}}/vote": vote}.get(path, {})  # fmt: skip


def trying(made: Bench, *roles: Role, limits: Scope | None = None) -> Iterator[Tried]:
    """Kim with these roles, within these limits; nobody where there are none."""
    app = console_app(made.engine)
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        browser, secret = Browser(client), ""
        add_member(made.engine, "mia", [Role.ADMIN], "test")
        if roles:
            sign_in(made.engine, browser, roles, "kim")
            given = [right.value for right in GIVEN]
            _, secret = make_token(made.engine, "kim", "a script", given, 30, "test")
        if limits is not None:
            limit(made.engine, "kim", limits, "test")
        page = browser.get("/password" if roles else "/sign-in").text
        yield Tried(made, browser, secret, token_of(page), _names(made))


def _names(made: Bench) -> dict[str, str]:
    cases = made.cases()
    record = made.record(name="Bea Vogel")
    plan = newest_plan(made.engine)
    assert plan is not None
    with made.engine.ledger.read() as tx:
        link = next(k for k in tx.links_of([record.id]) if k.connection == "hr")
        change = tx.page_of_history(None, 500, record_id=record.id, field="job")[0]
        mia = tx.members(names=["mia"])[0]
    return {
        "entity": "person", "name": "hr", "connection": "hr", "record": record.id, "link": link.id,
        "changes": str(change.id), "plans": plan.id, "access": mia.id,
        "group": plan.document["groups"][0]["name"],
        "question": next(c.id for c in cases if c.kind is CaseKind.IDENTITY),
        "held": next(c.id for c in cases if c.kind is CaseKind.STAGED),
    }  # fmt: skip


def routes(made: Bench) -> list[Route]:
    """The routing table of the application, as it is served."""
    found = [route for route in console_app(made.engine).routes if isinstance(route, Route)]
    assert len(found) == len(console_app(made.engine).routes)
    return found


def every(made: Bench) -> Iterator[tuple[str, str, Right]]:
    """Each path of the routing table with each method that it has, and the right that the matrix says."""
    for route in routes(made):
        for method, right in MATRIX[route.path].items():
            yield method, route.path, right


def behind(path: str) -> tuple[str, ...]:
    """What may stand behind a path in its address."""
    return _QUERIES.get(path, ("",))
