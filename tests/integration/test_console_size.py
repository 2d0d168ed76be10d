"""The console of a large company: each page is there at once, and small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from statistics import median

import pytest

from syncengine.flows.people.tokens import make_token
from syncengine.flows.views.stored_plan import newest_plan, store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.company import company, multiply
from tests.support.console import at_console, token_of

PEOPLE, QUESTIONS = 10_000, 5_000
SLOWEST = 0.15
"""Seconds of the server for a page; the median of several, since other tests run beside."""
OF_ONE = 1.5
"""Seconds of the processor for all that is held of one person: every record is looked at, since values are sealed."""
LARGEST = 100_000
"""Bytes."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """So many people, and so many questions about them."""
    database = make_engine(f"sqlite:///{tmp_path_factory.mktemp('large')}/large.db")
    upgrade(database)
    made = company(1, database=database)
    made.sync()
    multiply(made, PEOPLE)
    store_plan(made.engine, "kim")
    store_plan(made.engine, "kim", trial=True)
    store_upcoming(made.engine, "kim")
    links = made.read(lambda tx: tx.select_links("person", "hakuna", limit=QUESTIONS))
    asked = [
        Case(
            f"{n:08}-0000-0000-0000-000000000000",
            CaseKind.IDENTITY if n % 2 else CaseKind.MISSING,
            f"asked:{link.id}",
            "To which person does this row of hakuna users belong?",
            evidence={"row": dict(link.row or {}), "records": []},
            answers={"new": "it is someone new", "ignore": "leave alone"},
            entity="person",
            link_id=link.id,
            record_id=link.record_id,
            opened_at=float(n),
        )
        for n, link in enumerate(links)
    ]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(raised=asked))
    yield made
    database.dispose()


def test_each_page_is_there_at_once_and_small(large: Bench) -> None:
    """Of ten thousand people and five thousand questions, once names were read."""
    record, other = large.read(
        lambda tx: [k.id for k in tx.records_of("person")[PEOPLE // 2 :][:2]]
    )
    whole = f"/records/person/{record}"
    plan = newest_plan(large.engine)
    group = plan.document["groups"][0]["name"] if plan and plan.document["groups"] else ""
    paths = [
        "/", "/questions", "/questions?kind=identity", "/questions?connection=hakuna",
        "/questions?after=2500.0~x", "/questions/00000017-0000-0000-0000-000000000000", "/records/person",
        "/records/person?q=berg-00123", f"/records/person/{record}", "/plan", "/upcoming", "/activity",
        "/activity?show=changes", "/activity?show=runs", "/connections", "/connections/hakuna", "/mappings",
        "/access", "/about", "/trial", "/tokens", "/password", "/prove", "/questions?closed=1", "/mappings/person",
        f"/plan?group={group}" if group else "/plan", "/activity?show=runs&span=week",
        f"{whole}/links", f"{whole}/links?q=berg", f"{whole}/links?with={other}", f"{whole}/export",
    ]  # fmt: skip
    sent = [
        (f"{whole}/links", {"do": "join", "other": "berg"}), (f"{whole}/links", {"do": "point", "other": "berg"}),
        (f"{whole}/uncovered", {}),
    ]  # fmt: skip
    slow = {}
    with at_console(large.engine, *Role) as browser:
        token = token_of(browser.get("/about").text)
        asks = [(path, partial(browser.get, path)) for path in paths]
        asks += [
            (f"{path} {form}", partial(browser.post, path, form_token=token, **form))
            for path, form in sent
        ]
        for path, ask in asks:
            ask()
            times = []
            for _ in range(5):
                began = time.perf_counter()
                answer = ask()
                times.append(time.perf_counter() - began)
            assert answer.status_code == 200, (path, answer.text)
            assert len(answer.content) < LARGEST, path
            if median(times) >= SLOWEST:
                slow[path] = median(times)
    assert slow == {}


def test_all_that_is_held_of_one_is_there_within_a_second(large: Bench) -> None:
    """An export in both forms, by a form and by the API, and what an erasure would remove; of as many people."""
    record = large.read(lambda tx: tx.records_of("person")[PEOPLE // 2].id)
    whole = f"/records/person/{record}"
    slow = {}
    with at_console(large.engine, *Role, name="lee") as browser:
        token = token_of(browser.get("/about").text)
        _, secret = make_token(large.engine, "lee", "a script", ["privacy"], 1, "test")
        head = {"Authorization": f"Bearer {secret}"}
        asks = {
            "json": partial(browser.post, f"{whole}/export", form_token=token, kind="json"),
            "html": partial(browser.post, f"{whole}/export", form_token=token, kind="html"),
            "api": partial(browser.client.post, f"/api/v1{whole}/export", json={}, headers=head),
            "erase": partial(browser.get, f"{whole}/erase"),
        }
        for name, ask in asks.items():
            times = []
            for _ in range(3):
                began = time.process_time()
                answer = ask()
                times.append(time.process_time() - began)
                assert answer.status_code == 200, (name, answer.text)
            if median(times) >= OF_ONE:
                slow[name] = median(times)
    assert slow == {}
