"""Questions on pages, and what answers do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from sqlalchemy import event

from syncengine.flows.people.cases import answer
from syncengine.flows.views import queries
from syncengine.flows.views.advice import advice
from syncengine.flows.views.stored_plan import store_plan
from syncengine.mapping import Approvals
from syncengine.model.case import CaseKind
from syncengine.model.member import Role
from syncengine.web.console.screens.questions import MANY, ONLY
from syncengine.web.console.templating import say
from tests.support.bench import Bench
from tests.support.console import Browser, at_console, sign_in
from tests.support.people import duo, row
from tests.unit.web.console.conftest import leavers


def asking(people: int = 1) -> Bench:
    """As many accounts in lms as people, each of which may be one of two records or somebody new."""
    made = duo(identity="[[name]]", lms_system=_LMS)
    for number in range(people):
        for n in (1, 2):
            made.vendors["hr"].add(**row(email=f"a{n}.{number}@x.de", name=f"Anna {number}"))
        made.vendors["lms"].add(**row(email=f"b.{number}@x.de", name=f"Anna {number}"))
    made.sync()
    return made


_LMS = "{resource: people, flow: both, create: both, fields: {email: email, name: name, job: job}}"


@pytest.fixture
def asked() -> Bench:
    """Three questions to whom a row belongs."""
    return asking(3)


def _ids(page: str) -> list[str]:
    return re.findall(r'href="/questions/([\w-]{36})', page)


def test_open_questions_stand_in_a_list_with_whom_they_are_about(asked: Bench) -> None:
    """Each with its kind, its row and since when, and a way to it."""
    with at_console(asked.engine, Role.VIEWER) as browser:
        page = browser.get("/questions").text
    assert sorted(_ids(page)) == sorted(case.id for case in asked.cases())
    assert "Anna 0" in page
    assert ">identity<" in page


def test_a_list_is_narrowed_by_its_address(asked: Bench) -> None:
    """By kind and by connection; what nobody asks is said."""
    with at_console(asked.engine, Role.VIEWER) as browser:
        some = {case.kind for case in asked.cases()}
        assert some == {"identity"}
        assert len(_ids(browser.get("/questions?kind=identity").text)) == len(asked.cases())
        assert "Nothing like that" in browser.get("/questions?kind=conflict").text
        there = browser.get("/questions?connection=hr").text
        elsewhere = browser.get("/questions?connection=lms").text
    assert len(_ids(there)) + len(_ids(elsewhere)) == len(asked.cases())


def test_a_question_shows_what_stands_beside_each_other_and_what_follows() -> None:
    """The values of each side, and of each answer what it will do."""
    made = asking()
    case = made.cases()[0]
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = unescape(browser.get(f"/questions/{case.id}").text)
    for does in queries.case(made.engine, case.id)["answers"].values():
        assert does in page
    assert "Anna 0" in page


def test_a_question_says_why_it_is_asked_and_what_to_correct_where() -> None:
    """In German too, by what people call the fields; what both sides share by which they are known stands first and is
    marked, and the answers stand before where else it can be put right."""
    made = duo(identity="[[email], [name]]", lms_system=_LMS)
    made.vendors["hr"].add(**row(email="a@x.de", name="Anna Meier"))
    made.vendors["lms"].add(**row(email="a@x.de", name="Bea Weiss"))
    made.vendors["lms"].add(**row(email="b@x.de", name="Anna Meier"))
    made.sync()
    case = next(c for c in made.cases() if "identity" in c.kind)
    told = advice(made.engine, queries.case(made.engine, case.id))
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = unescape(browser.get(f"/questions/{case.id}").text)
        german = {"Accept-Language": "de"}
        spoken = unescape(browser.get(f"/questions/{case.id}", **german).text)
    assert told["shared"]
    assert "Why it is asked:" in page
    assert "belongs to one alone" in page
    assert page.index('class="shared"') < page.index(">≠<")
    assert page.index("Your answer") < page.index(told["correct"])
    assert "das gehört nur einem" in spoken
    assert "Oder an der Quelle berichtigen" in spoken
    assert "question ends by itself" not in spoken


_SIDES = [{"title": "a", "values": {"email": "a@x.de", "name": "A"}}]


@pytest.mark.parametrize("kind", [k for k in CaseKind if k not in ("dead_event", "restore")])
@pytest.mark.parametrize("sides", [_SIDES, _SIDES * 2])
@pytest.mark.parametrize("answers", [{}, {"delete": "x"}])
def test_whatever_a_question_advises_is_said_in_german(
    bench: Bench, kind: CaseKind, sides: list[dict[str, object]], answers: dict[str, str]
) -> None:
    """Why it is asked, and where to correct what."""
    case = {
        "kind": kind,
        "entity": "person",
        "sides": sides,
        "answers": answers,
        "connection": "lms",
        "external_id": "7",
    }
    told = advice(bench.engine, case)
    for sentence in (told["why"], told["correct"]):
        spoken = say("de")(sentence)
        assert not sentence or spoken != sentence
        assert not re.search(r"\b(the|and|or|is|are|it|there)\b", spoken), spoken


def test_an_answer_is_carried_out_with_its_author(asked: Bench) -> None:
    """It closes the question, goes on to the next one, and stands in the audit."""
    case = asked.cases()[0]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        after = browser.send(f"/questions/{case.id}", answer="ignore", reason="a test account")
    assert after.status_code == 200
    assert after.url.path.startswith("/questions/")
    assert "Done: it stays as it is" in after.text
    with asked.engine.ledger.read() as tx:
        (closed,) = tx.cases(ids=[case.id], open_only=False)
        line = tx.select_audit(limit=1)[0]
    assert (closed.answer, closed.author, closed.reason) == ("ignore", "kim", "a test account")
    assert (line.author, line.action, line.about) == ("kim", "answer", f"case {case.id}")


def test_who_comes_second_is_told_who_was_first(asked: Bench) -> None:
    """By name and time, with 409; nothing is done."""
    case = asked.cases()[0]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        token = browser.get(f"/questions/{case.id}").text
        answer(asked.engine, case.id, "ignore", author="ada")
        found = re.search(r'form_token" value="(\w+)', token)
        assert found
        late = browser.post(f"/questions/{case.id}", form_token=found[1], answer="new")
    assert late.status_code == 409
    assert re.search(r"[Aa]da answered this at .*ignore", late.text)


def test_a_row_that_was_left_alone_can_still_be_said_to_be_somebody(asked: Bench) -> None:
    """On the page of the answered question, by whoever sees there that it was answered."""
    case = asked.cases()[0]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        browser.send(f"/questions/{case.id}", answer="ignore")
        page = browser.get(f"/questions/{case.id}")
        assert "That can still be said otherwise, below." in page.text
        done = browser.go_on(page, answer="new")
    assert done.status_code == 200
    (link,) = asked.read(lambda tx: tx.links([case.link_id or ""])).values()
    assert link.record_id is not None


def test_many_are_answered_alike(asked: Bench) -> None:
    """Each for itself; with its reason."""
    ids = [case.id for case in asked.cases()]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        after = browser.send(
            "/questions", case=ids, answer="ignore", reason="bots", kind="identity"
        )
    assert f"{len(ids)} answered" in after.text
    assert asked.cases() == []


def test_what_could_not_be_answered_is_named(asked: Bench) -> None:
    """The others are."""
    first, *others = (case.id for case in asked.cases())
    answer(asked.engine, first, "ignore", author="ada")
    with at_console(asked.engine, Role.ANSWERER) as browser:
        after = browser.send("/questions", case=[first, *others], answer="ignore")
    assert f"{len(others)} answered, 1 not" in after.text
    assert "ada answered this" in after.text


def test_the_only_one_is_given_where_there_is_one_alone(asked: Bench) -> None:
    """Where it may be one of several by now, or none, it is left to be looked at."""
    ids = [case.id for case in asked.cases()]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        after = browser.send("/questions", case=ids, answer=ONLY)
    left = {case.id for case in asked.cases()}
    with asked.engine.ledger.read() as tx:
        closed = [case for case in tx.cases(ids=ids, open_only=False) if case.id not in left]
    assert closed
    assert all((case.answer or "").startswith("link ") for case in closed)
    assert after.text.count("look at it by itself") == len(left)


def test_above_twenty_the_number_is_typed() -> None:
    """Nothing is done before, nor with another number."""
    made = asking(MANY + 1)
    ids = [case.id for case in made.cases()][: MANY + 1]
    with at_console(made.engine, Role.ANSWERER) as browser:
        before = browser.send("/questions", case=ids, answer="ignore")
        assert f"Type {len(ids)} to go on" in before.text
        assert all(case.closed_at is None for case in made.cases())
        wrong = browser.send("/questions", case=ids, answer="ignore", count="7")
        assert wrong.status_code == 422
        after = browser.send("/questions", case=ids, answer="ignore", count=str(len(ids)))
    assert f"{len(ids)} answered" in after.text


def test_pages_of_questions_go_on_where_the_last_one_ended() -> None:
    """Fifty at a time; none twice, none left out."""
    made = asking(60)
    seen: list[str] = []
    with at_console(made.engine, Role.VIEWER) as browser:
        path = "/questions"
        while path:
            page = browser.get(path).text
            seen += _ids(page)
            more = re.search(r'rel="next" href="([^"]+)"', page)
            path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == len(made.cases()) > 50


def test_closed_questions_say_who_answered(asked: Bench) -> None:
    """In a list of their own."""
    case = asked.cases()[0]
    answer(asked.engine, case.id, "ignore", author="ada")
    with at_console(asked.engine, Role.VIEWER) as browser:
        page = browser.get("/questions?closed=1").text
        one = browser.get(f"/questions/{case.id}").text
    assert _ids(page) == [case.id]
    assert "ada" in page
    assert "ada answered this:" in one


def _statements(made: Bench, do: Callable[[], object]) -> int:
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(made.database, "before_cursor_execute", note)
    do()
    event.remove(made.database, "before_cursor_execute", note)
    return count


def test_a_page_costs_as_many_statements_however_much_is_asked() -> None:
    """Of ten questions as of sixty."""
    counts = []
    for people in (10, 60):
        made = asking(people)
        with at_console(made.engine, Role.VIEWER) as browser:
            counts.append(_statements(made, lambda b=browser: _page(b)))
    assert counts[0] == counts[1] < 30


def _page(browser: Browser) -> None:
    assert browser.get("/questions?kind=identity").status_code == 200


def test_part_of_a_staged_plan_is_approved() -> None:
    """Each person with the reason; those that are not ticked are still asked about."""
    made = leavers()
    case = made.case()
    mine = sorted(case.evidence["links"])[:3]
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = browser.get(f"/questions/{case.id}").text
        assert page.count('<span class="old">') == 12
        shown = re.findall(r'name="shown" value="([^"]*)"', page)[0]
        digest = re.findall(r'name="digest" value="([^"]*)"', page)[0]
        form = {"answer": "approve", "shown": shown, "digest": digest}
        path = f"/questions/{case.id}"
        assert browser.send(path, **form).status_code == 422
        answered = browser.send(path, link=mine, **form).text
    assert "9 are still asked about" in answered
    assert len(made.case().evidence["links"]) == 9


def test_what_was_rejected_is_approved_from_its_page() -> None:
    """By two people where two have to; the plan and home lead there."""
    made = leavers()
    made.engine.project = replace(made.engine.project, approvals=Approvals(deletes=2))
    case = made.case()
    with at_console(made.engine, Role.ANSWERER) as browser:
        browser.send(f"/questions/{case.id}", answer="reject")
        made.sync()
        store_plan(made.engine, "test")
        assert f'href="/questions/{case.id}"' in browser.get("/plan").text
        assert 'href="/questions?closed=1"' in browser.get("/").text
        page = browser.get(f"/questions/{case.id}").text
        assert "12 writes are still held back" in page
        form = {
            "answer": "approve",
            "digest": re.findall(r'name="digest" value="([^"]*)"', page)[0],
        }
        told = browser.send(f"/questions/{case.id}", **form).text
        assert "1 of 2 approvals given" in told
        again = browser.send(f"/questions/{case.id}", **form)
        assert (again.status_code, "approved this already" in again.text) == (409, True)
    with at_console(made.engine, Role.ANSWERER, name="lee") as browser:
        browser.send(f"/questions/{case.id}", **form)
    made.sync()
    assert [verb for verb, _ in made.vendors["lms"].wrote()].count("delete") == 12


def test_a_question_that_somebody_looks_at_says_so(asked: Bench) -> None:
    """To all others, in the list as well; it lapses, is given back, or ends with the answer."""
    case = asked.cases()[0].id
    with at_console(asked.engine, Role.ANSWERER) as browser:
        path = f"/questions/{case}"
        assert "You look at this since" in browser.send(f"{path}/take", page=path).text
        sign_in(asked.engine, browser, [Role.ANSWERER], "ada")
        assert "kim looks at this since" in browser.get(path).text
        assert "kim looks at this since" in browser.get("/questions").text
        asked.clock.sleep(1801.0)
        assert "looks at this since" not in browser.get(path).text
        browser.send(f"{path}/take", page=path)
        assert "looks at this since" not in browser.send(f"{path}/take", page=path, back="1").text


def test_answered_questions_are_narrowed_by_day_and_person(asked: Bench) -> None:
    """On the page, in its files, and by the API; whoever types a name in capitals means the same."""
    first, second, *_ = asked.cases()
    day = [f"{datetime.fromtimestamp(asked.clock.now(), UTC):%Y-%m-%d}"]
    answer(asked.engine, first.id, "ignore", author="kim")
    asked.clock.sleep(86_400)
    day.append(f"{datetime.fromtimestamp(asked.clock.now(), UTC):%Y-%m-%d}")
    answer(asked.engine, second.id, "ignore", author="ada")
    with at_console(asked.engine, Role.VIEWER) as browser:
        for words, ids in {
            "": [second.id, first.id], "author=Kim": [first.id], "author=ada": [second.id],
            "author=nobody": [], f"from={day[1]}": [second.id], f"to={day[0]}": [first.id],
            f"to={day[0]}&author=ada": [],
        }.items():  # fmt: skip
            path = f"/questions?closed=1&{words}"
            assert browser.get(path).text.count("data-row") == len(ids)
            found = browser.get(f"{path}&as=json").json()["questions"]
            assert [line["id"] for line in found] == ids
        page = browser.get(f"/questions?closed=1&author=kim&to={day[0]}").text
        assert f"author=kim&amp;to={day[0]}" in page
    with at_console(asked.engine, Role.VIEWER, name="lee", accept="de") as browser:
        assert "Beantwortet von" in browser.get("/questions?closed=1").text


def test_who_looks_at_a_question_is_seen_by_every_web_process(asked: Bench) -> None:
    """One tells the other, and a later one finds it: it stands in the database."""
    case = asked.cases()[0].id
    path = f"/questions/{case}"
    with at_console(asked.engine, Role.ANSWERER) as browser:
        browser.send(f"{path}/take", page=path)
        with at_console(asked.engine, Role.ANSWERER, name="ada") as other:
            assert "kim looks at this since" in other.get(path).text
            other.send(f"{path}/take", page=path)
        assert "ada looks at this since" in browser.get(path).text
    with at_console(asked.engine, Role.ANSWERER, name="lee") as later:
        assert "ada looks at this since" in later.get("/questions").text
        assert "You look" not in later.send(path, answer="ignore", reason="a test").text
    assert queries.case(asked.engine, case)["taken"] is None


def test_a_reason_that_is_too_long_is_refused_and_not_cut(asked: Bench) -> None:
    """Nothing is answered by it."""
    case = asked.cases()[0]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        page = browser.send(f"/questions/{case.id}", answer="ignore", reason="x" * 5000)
    assert page.status_code == 422
    assert "at most 1,000 characters, found 5,000" in page.text
    assert case.id in [c.id for c in asked.cases()]


def test_an_answered_question_leads_to_where_it_is_taken_back(asked: Bench) -> None:
    """To those who may, and by the record that the row belongs to since."""
    case = asked.cases()[0]
    record = case.evidence["records"][0]
    with at_console(asked.engine, Role.ANSWERER) as browser:
        browser.send(f"/questions/{case.id}", answer=f"link {record}")
        page = browser.get(f"/questions/{case.id}").text
        assert f'href="/records/person/{record}/links"' in page
        assert browser.get(f"/records/person/{record}/links").status_code == 200
    with at_console(asked.engine, Role.VIEWER, name="leo") as browser:
        assert "/links" not in browser.get(f"/questions/{case.id}").text
