"""The API: documents for whoever has a token, and nothing for anybody else."""

from __future__ import annotations

import json
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from syncengine.flows.people import members
from syncengine.flows.people.taking import LAPSES, Taking
from syncengine.flows.people.tokens import make_token
from syncengine.flows.views import queries
from syncengine.flows.views.explain import explain, select_history
from syncengine.flows.views.standing import document, standing
from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.mapping import Approvals
from syncengine.model.member import Role, Scope
from syncengine.web.api import ENDPOINTS
from syncengine.web.api.call import ROOT
from tests.support.bench import Bench
from tests.support.console import HOME, console_app
from tests.support.people import crowd, duo
from tests.support.web import serving, until
from tests.unit.web.console.callers import ALL, Caller, calling
from tests.unit.web.console.conftest import leavers
from tests.unit.web.console.test_questions import asking


def same(answer: httpx.Response, told: Any) -> None:
    """An answer has the document that a command prints with ``--json``."""
    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(json.dumps(told, default=str))


def test_documents_are_those_of_the_commands(bench: Bench) -> None:
    """Standing, a record, its changes, the writes."""
    engine, record = bench.engine, bench.record()
    with calling(bench, *Role) as caller:
        same(caller.get("/standing"), document(engine, standing(engine)))
        same(caller.get(f"/records/person/{record.id}"), explain(engine, record.id))
        assert caller.get("/operations").json()["operations"] == json.loads(
            json.dumps(queries.select_operations(engine, None, None, 100))
        )
        assert caller.get("/changes").json()["history"] == json.loads(
            json.dumps(select_history(engine, False, 100))
        )
        found = caller.get("/records/person?q=anna").json()
        assert [(r["record"], r["name"][:4]) for r in found["records"]] == [(record.id, "Anna")]


def test_every_answer_fits_its_model(bench: Bench) -> None:
    """As the OpenAPI document says it: of each endpoint an answer, of something that is there."""
    store_plan(bench.engine, "test")
    store_upcoming(bench.engine, "test")
    bench.vendors["hr"].edit(next(iter(bench.vendors["hr"].rows())), job="lead")
    bench.sync()
    record = bench.record().id
    change = [c for c in bench.history(record) if c.field == "job"][-1]
    with calling(bench, *Role) as caller:
        plan = caller.get("/plans").json()["plans"][0]["id"]
        _fit(caller, "/plans", plan)
        _fit(caller, "/changes", str(change.id))
        for first in (
            "/standing",
            "/records",
            "/runs",
            "/operations",
            "/connections",
            "/upcoming",
            "/audit",
        ):
            _fit(caller, first, record)
    made = asking()
    with calling(made, *Role, name="lee") as caller:
        _fit(caller, "/questions", made.cases()[0].id)


def _fit(caller: Caller, first: str, id_: str) -> None:
    """Each endpoint below a path answers with its model, but those that have other tests."""
    left = {("POST", "/plans"), ("POST", "/plans/{id}/vote")}
    mine = [e for e in ENDPOINTS if e.path.startswith(first) and (e.method, e.path) not in left]
    assert mine
    for endpoint in mine:
        path = endpoint.path.format_map({"id": id_, "entity": "person", "name": "hr"})
        body = {"answer": "ignore"} if path.endswith("/answer") else {}
        answer = caller.ask(endpoint.method, path, body if endpoint.body else None)
        assert answer.status_code == 200, (path, answer.text)
        endpoint.answer.model_validate(answer.json())


def test_the_openapi_document_is_valid(bench: Bench) -> None:
    """By a validator; it has each endpoint, and needs no token."""
    with TestClient(console_app(bench.engine), HOME) as client:
        told = client.get(f"{ROOT}/openapi.json").json()
    validate(told)
    found = {(method.upper(), path) for path, item in told["paths"].items() for method in item}
    assert found == {(e.method, e.path) for e in ENDPOINTS}
    assert told["security"] == [{"token": []}]


def test_an_answer_stands_in_the_audit_with_its_token() -> None:
    """Who, by which way, with which token."""
    made = asking()
    case = made.cases()[0]
    with calling(made, Role.ANSWERER) as caller:
        answer = caller.post(
            f"/questions/{case.id}/answer", {"answer": "ignore", "reason": "a test"}
        )
        assert answer.json()["done"] == "it stays as it is"
        again = caller.post(f"/questions/{case.id}/answer", {"answer": "ignore"})
    assert again.status_code == 409
    lines = made.read(lambda tx: tx.select_audit())
    told = [(e.author, e.way, e.outcome) for e in lines if e.action == "answer"]
    assert told == [("kim", "api", "refused"), ("kim", "api", "done")]


def test_deletes_are_not_approved_by_a_token() -> None:
    """Neither as a question nor as a vote; to reject them is possible."""
    made = leavers()
    (case,) = made.cases()
    seen = queries.case(made.engine, case.id)["approvals"]["digest"]
    store_plan(made.engine, "test")
    with calling(made, *Role) as caller:
        sent = {"answer": "approve", "digest": seen}
        assert caller.post(f"/questions/{case.id}/answer", sent).status_code == 403
        plan = caller.get("/plans").json()["plans"][0]["id"]
        vote = {**sent, "question": case.id}
        assert caller.post(f"/plans/{plan}/vote", vote).status_code == 403
        assert caller.post("/plans/another/vote", vote).status_code == 404
        assert made.cases() == [case]
        answer = caller.post(f"/plans/{plan}/vote", {**vote, "answer": "reject"})
        assert answer.status_code == 200, answer.text
    assert made.cases() == []


def test_who_looks_at_a_question_stands_in_the_api() -> None:
    """In the list and in the question, until it is answered or lapses."""
    made = asking()
    case, at = made.cases()[0].id, made.clock.now()
    with calling(made, *Role) as caller:
        taken = [(None, None)]
        for do in (lambda: Taking(made.engine).take(case, "ada"), lambda: made.clock.sleep(LAPSES)):
            do()
            line = caller.get("/questions").json()["cases"][0]
            taken.append((line["taken"], caller.get(f"/questions/{case}").json()["taken"]))
    told = {"by": "ada", "since": at}
    assert taken == [(None, None), (told, told), (None, None)]


def test_what_was_rejected_is_approved_by_a_token() -> None:
    """Where it is no delete; how far it is approved stands in the answer."""
    made = duo(more="safety: {creates: 1%, floor: 0, window: 1h}\n")
    made.engine.project = replace(made.engine.project, approvals=Approvals(creates=2))
    crowd(made)
    made.sync()
    (case,) = made.cases()
    with calling(made, Role.ANSWERER) as caller:
        path = f"/questions/{case.id}"
        assert caller.post(f"{path}/answer", {"answer": "reject"}).status_code == 200
        made.sync()
        seen = caller.get(path).json()["approvals"]["digest"]
        told = caller.post(f"{path}/answer", {"answer": "approve", "digest": seen}).json()
    assert (told["more_approvals"], told["approvals"]["needed"]) == (1, 2)
    assert [vote["by"] for vote in told["approvals"]["given"]] == ["kim"]
    with calling(made, Role.ANSWERER, name="lee") as caller:
        done = caller.post(f"{path}/answer", {"answer": "approve", "digest": seen})
        assert (done.status_code, done.json()["approvals"]) == (200, None), done.text
    made.sync()
    assert len(made.vendors["lms"].rows()) == len(made.vendors["hr"].rows())


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", 422), (b"[]", 422), (b'{"answer": 5}', 422), (b'{"answer": "x", "more": 1}', 422), (b"\xff", 422),
     (b"{}", 422), (b'{"answer": "x"}', 409)],
)  # fmt: skip
def test_what_does_not_fit_is_told(body: bytes, code: int) -> None:
    """As a problem that says which part."""
    made = asking()
    path = f"{ROOT}/questions/{made.cases()[0].id}/answer"
    with calling(made, Role.ANSWERER) as caller:
        kinds = {**caller.headers, "Content-Type": "application/json"}
        answer = caller.client.post(path, content=body, headers=kinds)
        assert (answer.status_code, answer.json()["status"]) == (code, code)
        form = caller.client.post(path, data={"answer": "ignore"}, headers=caller.headers)
        assert form.status_code == 415
    assert len(made.cases()) == 2


@pytest.mark.parametrize(
    "path",
    ["/runs?since=x", "/operations?limit=0", "/operations?limit=501", "/operations?state=odd", "/changes?after=-1",
     "/questions?kind=odd", "/questions?connection=odd", "/changes?after=" + "9" * 30],
)  # fmt: skip
def test_a_word_of_the_address_that_does_not_fit_is_told(bench: Bench, path: str) -> None:
    """And breaks nothing."""
    with calling(bench, *Role) as caller:
        assert caller.get(path).status_code == 422


def test_limits_hold_for_programs_too() -> None:
    """What is outside is not there."""
    made = asking()
    case, record = made.cases()[0], made.records()[0]
    with calling(made, *Role) as caller:
        members.limit(made.engine, "kim", Scope(kinds=("staged",), connections=("lms",)), "test")
        assert caller.get("/questions").json()["cases"] == []
        assert caller.get(f"/questions/{case.id}").status_code == 404
        assert caller.post(f"/questions/{case.id}/answer", {"answer": "ignore"}).status_code == 404
        assert caller.get(f"/records/person/{record.id}").status_code == 404
        assert caller.get("/connections/hr").status_code == 404
        assert [c["name"] for c in caller.get("/connections").json()["connections"]] == ["lms"]
        assert caller.get("/operations?connection=hr").json()["operations"] == []
        assert caller.get("/upcoming").status_code == 404


def test_sensitive_values_are_dots_but_in_an_export() -> None:
    """As on pages."""
    made = asking()
    with calling(made, Role.VIEWER) as caller:
        assert caller.post(f"/records/person/{made.records()[0].id}/export").status_code == 403
        assert caller.get("/nothing").status_code == 404
        assert caller.get("/questions/%00").status_code == 404


def test_a_plan_is_computed_for_a_program(bench: Bench) -> None:
    """Beside all calls; it is there a little later."""
    with calling(bench, Role.ANSWERER, rights=["plan", "read"]) as caller:
        assert caller.get("/plans").json() == {"plans": []}
        assert caller.post("/plans").json() == {"done": "a plan is being computed"}
        until(lambda: bool(caller.get("/plans").json()["plans"]))
        (plan,) = caller.get("/plans").json()["plans"]
        assert caller.get(f"/plans/{plan['id']}").json() == plan
        assert caller.get("/plans/another").status_code == 404


FAR_TOO_MUCH = [
    ("POST", "/questions/0/answer", 413), ("DELETE", "/standing", 405), ("POST", "/nothing", 404),
    ("GET", "/standing", 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "code"), FAR_TOO_MUCH)
def test_who_sends_far_too_much_is_told_so(bench: Bench, method: str, path: str, code: int) -> None:
    """As a problem, after all of it was sent; the connection does not break in the middle."""
    members.add_member(bench.engine, "kim", list(Role), "test")
    _, secret = make_token(bench.engine, "kim", "a script", ALL, 30, "test")
    head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    with serving(console_app(bench.engine)) as url:
        client = HTTPConnection(url.removeprefix("http://"), timeout=30)
        client.request(method, f"{ROOT}{path}", body=b"x" * 5_000_000, headers=head)
        answer = client.getresponse()
        told = json.loads(answer.read())
    assert answer.status == code
    assert code == 200 or told["status"] == code
