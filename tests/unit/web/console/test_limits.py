"""Members who are limited to entities, connections or kinds of question: what is outside is not there for them."""

from __future__ import annotations

import re

import pytest

from syncengine.flows.people import members
from syncengine.flows.people.tokens import make_token
from syncengine.model.case import CaseKind
from syncengine.model.member import Role, Scope
from syncengine.model.rights import GIVEN, Right
from syncengine.web.api import ENDPOINTS
from syncengine.web.console import SCREENS
from tests.support.bench import Bench
from tests.support.console import Browser, at_console
from tests.unit.web.console.conftest import leavers
from tests.unit.web.console.test_questions import asking


def limit(made: Bench, **limits: tuple[str, ...]) -> None:
    """Kim is limited."""
    members.limit(made.engine, "kim", Scope(**limits), "test")


def found(browser: Browser, path: str = "/questions") -> list[str]:
    """The ids of questions on a page."""
    return re.findall(r'href="/questions/([\w-]{36})', browser.get(path).text)


OUTSIDE = [{"kinds": ("staged",)}, {"connections": ("lms",)}, {"entities": ("course",)}]
INSIDE = [{"kinds": ("identity",)}, {"connections": ("hr",)}, {"entities": ("person",)}]


@pytest.mark.parametrize("limits", OUTSIDE, ids=repr)
def test_questions_outside_are_not_there(limits: dict[str, tuple[str, ...]]) -> None:
    """Neither in the list, nor as a file, nor counted, nor by their address, nor answered, one or many."""
    made = asking()
    cases = made.cases()
    with at_console(made.engine, Role.ANSWERER) as browser:
        limit(made, **limits)
        assert found(browser) == []
        assert browser.get("/questions?as=json").json()["questions"] == []
        assert 'class="count' not in browser.get("/about").text
        for case in cases:
            assert browser.get(f"/questions/{case.id}").status_code == 404
            answer = browser.send(f"/questions/{case.id}", "/questions", answer="ignore")
            assert answer.status_code == 404
        ids = [case.id for case in cases]
        browser.send("/questions", "/about", case=ids, answer="ignore")
    assert made.cases() == cases


@pytest.mark.parametrize("limits", INSIDE, ids=repr)
def test_questions_inside_are_answered(limits: dict[str, tuple[str, ...]]) -> None:
    """As ever."""
    made = asking()
    cases = made.cases()
    assert {case.kind for case in cases} == {CaseKind.IDENTITY}
    with at_console(made.engine, Role.ANSWERER) as browser:
        limit(made, **limits)
        assert sorted(found(browser)) == sorted(case.id for case in cases)
        for case in cases:
            assert browser.send(f"/questions/{case.id}", answer="ignore").status_code == 200
    assert made.cases() == []


@pytest.mark.parametrize("connection", ["hr", "lms"])
def test_held_writes_are_in_their_connection(connection: str) -> None:
    """A question that is about no one row belongs to where it would write."""
    made = leavers()
    (case,) = made.cases()
    with at_console(made.engine, Role.ANSWERER) as browser:
        limit(made, connections=(connection,))
        there = connection == "lms"
        assert found(browser) == [case.id] * there
        assert (browser.get(f"/questions/{case.id}").status_code == 200) == there


def test_other_entities_are_not_there(bench: Bench) -> None:
    """No record, no rule, no change, no write of them; what has all entities on one page is not there either."""
    record = bench.record()
    with at_console(bench.engine, *Role) as browser:
        assert browser.get(f"/records/person/{record.id}").status_code == 200
        assert "Anna" in browser.get("/activity?show=changes").text
        limit(bench, entities=("course",))
        for path in (
            "/records/person", f"/records/person/{record.id}", f"/records/person/{record.id}/links",
            f"/records/person/{record.id}/export", f"/records/person/{record.id}/erase",
            "/mappings/person", "/upcoming",
        ):  # fmt: skip
            assert browser.get(path).status_code == 404, path
        for show in ("changes", "writes"):
            assert "Anna" not in browser.get(f"/activity?show={show}").text
            assert browser.get(f"/activity?show={show}&as=json").json()[show] == []
        change = bench.history(record.id)[0].id
        assert browser.send(f"/changes/{change}/undo", "/about").status_code == 404


def test_other_connections_are_not_there(bench: Bench) -> None:
    """Nor what shows the values of all of them: whole records."""
    record = bench.record()
    with at_console(bench.engine, *Role) as browser:
        limit(bench, connections=("lms",))
        assert browser.get("/connections/lms").status_code == 200
        assert browser.get("/connections/hr").status_code == 404
        assert "/connections/hr" not in browser.get("/connections").text
        assert browser.get(f"/records/person/{record.id}").status_code == 404
        assert browser.get("/records").status_code == 404
        assert 'href="/records"' not in browser.get("/").text
        shown = browser.get("/activity?show=changes&as=json").json()["changes"]
        assert {line["from"] for line in shown} <= {"lms"}
        assert browser.get("/activity?show=writes&connection=hr&as=json").json()["writes"] == []
        assert browser.get("/activity?show=writes&as=json").json()["writes"]


def test_a_plan_has_what_is_within(bench: Bench) -> None:
    """Groups of other connections are neither listed nor opened."""
    from syncengine.flows.views.stored_plan import newest_plan, store_plan

    bench.vendors["hr"].edit(next(iter(bench.vendors["hr"].rows())), job="lead")
    bench.scan("hr")
    store_plan(bench.engine, "test")
    plan = newest_plan(bench.engine)
    assert plan is not None
    names = [g["name"] for g in plan.document["groups"] if g["connection"] == "lms"]
    assert names
    with at_console(bench.engine, Role.VIEWER, Role.OPERATOR) as browser:
        limit(bench, connections=("hr",))
        for name in names:
            assert browser.client.get("/plan", params={"group": name}).status_code == 404


@pytest.mark.parametrize(
    "limits",
    [{"kinds": ("identity",)}, {"entities": ("person",)}, {"connections": ("lms",)}],
    ids=repr,
)
def test_what_concerns_everything_is_within_no_limit(limits: dict[str, tuple[str, ...]]) -> None:
    """On every route that does something, of pages and of the API: whoever is limited decides within the limit alone,
    and no button says otherwise."""
    made = asking()
    record, kinds = made.records()[0].id, "kinds" in limits
    names = {"id": record, "entity": "person", "name": "hr"}
    _, secret = with_token(made, *GIVEN)
    members.set_roles(made.engine, "lee", list(Role), "test")
    members.limit(made.engine, "lee", Scope(**limits), "test")
    free = ("/questions", "/tokens", "/password", "/prove", "/sign-", "/link/")
    refused = []
    with at_console(made.engine, *Role) as browser:
        limit(made, **limits)
        for path in ("/plan", "/trial", "/upcoming", "/connections/hr"):
            assert f'action="{path}"' not in browser.get(path).text, path
        acts = [
            (s.path, "page") for s in SCREENS if "POST" in s.methods and not s.path.startswith(free)
        ]
        acts += [
            (e.path, "call") for e in ENDPOINTS if e.method == "POST" and "/questions" not in e.path
        ]
        for path, way in acts:
            address = path.format_map(names)
            if way == "page":
                code = browser.send(address, "/about").status_code
            else:
                head = {"Authorization": f"Bearer {secret}"}
                code = browser.client.post(f"/api/v1{address}", json={}, headers=head).status_code
            if code == 404:
                refused.append((way, path))
            else:
                assert not kinds or path.endswith("/vote"), (way, path, code)
    assert {
        ("page", "/plan"),
        ("page", "/trial"),
        ("page", "/upcoming"),
        ("call", "/plans"),
    } <= set(refused)
    assert ("page", "/connections/{name}") in refused


def test_the_api_counts_questions_within_a_limit() -> None:
    """As home does."""
    made = asking()
    _, secret = with_token(made, Right.WATCH)
    head = {"Authorization": f"Bearer {secret}"}

    def counted(browser: Browser) -> list[int]:
        lines = browser.client.get("/api/v1/standing", headers=head).json()["lines"]
        return [line["count"] for line in lines if line["code"] == "question"]

    with at_console(made.engine, Role.ANSWERER) as browser:
        assert counted(browser) == [len(made.cases())]
        for limits in OUTSIDE:
            members.limit(made.engine, "lee", Scope(**limits), "test")
            assert counted(browser) == []


def test_a_limit_is_lifted(bench: Bench) -> None:
    """An empty one is none; each stands in the audit."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        limit(bench, entities=("course",))
        assert browser.get("/records/person").status_code == 404
        limit(bench)
        assert browser.get("/records/person").status_code == 200
    lines = [e for e in bench.read(lambda tx: tx.select_audit()) if e.action == "limit member"]
    assert [e.detail for e in lines] == [{}, {"entities": ["course"]}]


def test_who_answers_one_kind_of_question_decides_nothing_else(bench: Bench) -> None:
    """No undo, no links by hand, no reading again; neither on pages nor by a token, and no button says so."""
    record, (change, *_) = bench.record(), bench.history(bench.record().id)
    _, secret = with_token(bench)
    with at_console(bench.engine, Role.ANSWERER) as browser:
        page = f"/records/person/{record.id}"
        assert f"{page}/sync" in browser.get(page).text
        limit(bench, kinds=("staged",))
        assert f"{page}/sync" not in browser.get(page).text
        assert f"{page}/links" not in browser.get(page).text
        assert browser.get(f"{page}/links").status_code == 404
        for path in (f"{page}/sync", f"{page}/links", f"/changes/{change.id}/undo"):
            assert browser.send(path, "/about").status_code == 404, path
        members.limit(bench.engine, "lee", Scope(kinds=("staged",)), "test")
        head = {"Authorization": f"Bearer {secret}"}
        for path in (f"{page}/sync", f"/changes/{change.id}/undo"):
            assert browser.client.post(f"/api/v1{path}", json={}, headers=head).status_code == 404


def with_token(made: Bench, *rights: Right, name: str = "lee") -> tuple[object, str]:
    """A token of another who answers."""
    members.add_member(made.engine, name, [Role.ANSWERER], "test")
    given = [right.value for right in rights] or ["read", "answer"]
    return make_token(made.engine, name, "a script", given, 30, "test")
