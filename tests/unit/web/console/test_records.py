"""What is done on the page of a record: synced, uncovered, exported, erased; its rows split, pointed and joined."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from syncengine.flows.people.signing_in import set_password
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.console import PASSWORD, Browser, at_console
from tests.support.people import FIELDS, LMS_IN, anna, duo, row

SENSITIVE = FIELDS.replace("{type: string}", "{type: string, sensitive: true}", 1)
"""The name is covered."""


@pytest.fixture
def made() -> Bench:
    """Anna and Bea, in agreement."""
    found = duo(fields=SENSITIVE)
    anna(found, job="chief of staff")
    found.vendors["hr"].add(email="bea@x.de", name="Bea", job="dev")
    found.sync()
    return found


@pytest.fixture
def officer(made: Bench) -> Iterator[Browser]:
    """A privacy officer who has just signed in with a password."""
    with at_console(made.engine, Role.PRIVACY_OFFICER) as browser:
        set_password(made.engine, "kim", PASSWORD, "test")
        browser.client.cookies.clear()
        browser.send("/sign-in", name="kim", password=PASSWORD)
        yield browser


def here(made: Bench, email: str = "anna@x.de") -> str:
    """The path of a record."""
    return f"/records/person/{made.record(email=email).id}"


def audit(made: Bench) -> list[tuple[str, str, str]]:
    """What members did, the newest first."""
    return made.read(lambda tx: [(a.action, a.about, a.outcome) for a in tx.select_audit()])


def test_a_record_is_synced_now(made: Bench) -> None:
    """Its rows, and no others, are read again."""
    record = made.record(email="anna@x.de").id
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = browser.send(f"{here(made)}/sync", page=here(made)).text
    assert "read again" in page
    assert {k.record_id for k in made.links() if k.need_get} == {record}
    assert made.queue.sent[-1][0] == "refresh"
    assert audit(made)[0] == ("sync record", f"record {record}", "done")


def test_covered_values_are_uncovered_for_one_look_that_is_on_record(
    made: Bench, officer: Browser
) -> None:
    """The next page covers them again."""
    covered = officer.get(here(made)).text
    assert "<bdi>Anna</bdi>" not in covered
    assert "<bdi>Anna</bdi>" in officer.send(f"{here(made)}/uncovered", page=here(made)).text
    assert audit(made)[0][:2] == ("uncover record", f"record {here(made)[-36:]}")
    assert "<bdi>Anna</bdi>" not in officer.get(here(made)).text


@pytest.mark.parametrize("kind", ["json", "html"])
def test_an_export_has_all_and_is_on_record(made: Bench, officer: Browser, kind: str) -> None:
    """Covered values too; as a file."""
    answer = officer.send(f"{here(made)}/export", kind=kind)
    assert answer.headers["content-disposition"].endswith(f'.{kind}"')
    for text in ("Anna", "chief of staff", "anna@x.de"):
        assert text in answer.text
    if kind == "json":
        assert json.loads(answer.text)["made_by"] == "kim"
    assert audit(made)[0][0] == "export record"


def test_an_erasure_removes_a_person_and_says_what_stays(made: Bench, officer: Browser) -> None:
    """Only with a reason and a tick; then nobody finds them, and the audit does not name them."""
    gone = here(made)
    page = officer.get(f"{gone}/erase").text
    assert "is kept out by it" in page
    assert "leaves it" in page
    assert officer.send(f"{gone}/erase", reason="request 17").status_code == 422
    done = officer.send(f"{gone}/erase", reason="request 17", sure="1")
    assert "rows of" in done.text
    assert officer.get(gone).status_code == 404
    assert made.records() == [made.record(email="bea@x.de")]
    assert audit(made)[0] == ("erase record", "person", "done")
    (line,) = made.read(lambda tx: tx.erasures())
    assert (line.author, line.reason) == ("kim", "request 17")
    made.sync()
    assert len(made.records()) == 1


def test_a_reason_that_names_somebody_is_refused(made: Bench, officer: Browser) -> None:
    """And nothing is erased."""
    answer = officer.send(f"{here(made)}/erase", reason="anna@x.de asked", sure="1")
    assert answer.status_code == 409
    assert "without a name" in answer.text
    assert len(made.records()) == 2


@pytest.mark.parametrize("what", ["export", "erase"])
def test_whoever_did_not_just_sign_in_is_asked_for_the_password(
    made: Bench, officer: Browser, what: str
) -> None:
    """Nothing is exported or erased before."""
    made.clock.sleep(1200.0)
    fields = {"kind": "json", "reason": "request 17", "sure": "1"}
    asked = officer.send(f"{here(made)}/{what}", **fields)
    assert "Say again who you are" in asked.text
    assert len(made.records()) == 2
    done = officer.go_on(asked, proof=PASSWORD)
    assert "anna@x.de" in done.text if what == "export" else "are gone" in done.text


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.PRIVACY_OFFICER])
def test_nobody_else_uncovers_exports_or_erases(made: Bench, role: Role) -> None:
    """Neither the pages nor the forms are theirs."""
    with at_console(made.engine, role) as browser:
        for what in ("uncovered", "export", "erase"):
            assert browser.get(f"{here(made)}/{what}").status_code in (403, 405)
            answer = browser.send(f"{here(made)}/{what}", page="/password", kind="json", sure="1")
            assert answer.status_code == 403
    assert len(made.records()) == 2


def apart() -> Bench:
    """Anna is one record by her row in hr, and another by that in lms."""
    found = duo(lms_system=LMS_IN)
    found.vendors["hr"].add(**row())
    found.vendors["lms"].add(**row(email="anna@home.de", name="Anna at home"))
    found.sync()
    return found


def test_a_row_is_pointed_at_the_record_that_is_chosen() -> None:
    """From those that the text may mean; whoever is not known is said."""
    made = apart()
    work, home = here(made), here(made, "anna@home.de")
    (link,) = made.links("lms")
    with at_console(made.engine, Role.ANSWERER) as browser:
        form = {"do": "point", "link": link.id, "reason": "mixed up"}
        unknown = browser.send(f"{home}/links", other="nobody at all", **form)
        assert (unknown.status_code, "No other record" in unknown.text) == (422, True)
        chosen = browser.send(f"{home}/links", other="anna", **form).text
        assert f'value="{work[-36:]}"' in chosen
        assert "mixed up" in chosen
        done = browser.send(f"{home}/links", other=work[-36:], **form).text
    assert "the row belongs to record" in done
    assert made.link("lms").record_id == work[-36:]


def test_a_row_is_split_off(made: Bench) -> None:
    """It stays alone; the record of before gets a row of its own again."""
    theirs = next(k for k in made.links("lms") if k.record_id == here(made)[-36:])
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = browser.send(f"{here(made)}/links", do="alone", link=theirs.id, reason="a test").text
    assert "the row stays alone" in page
    assert made.read(lambda tx: tx.links([theirs.id]))[theirs.id].record_id is None
    assert audit(made)[0][0] == "alone link"


@pytest.mark.parametrize("keep", ["this", "other"])
def test_two_records_are_joined(keep: str) -> None:
    """The one whose values count is the one that is chosen; the other one is gone."""
    made = apart()
    work, home = here(made), here(made, "anna@home.de")
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = browser.send(f"{work}/links", do="join", other=home[-36:], keep=keep).text
    assert "went into" in page
    assert [r.id for r in made.records()] == [(work if keep == "this" else home)[-36:]]


def test_records_that_have_a_row_in_the_same_place_are_not_joined(made: Bench) -> None:
    """It says what to do first."""
    bea = made.record(email="bea@x.de")
    with at_console(made.engine, Role.ANSWERER) as browser:
        answer = browser.send(f"{here(made)}/links", do="join", other=bea.id, keep="this")
    assert answer.status_code == 409
    assert "split one of them first" in answer.text
    assert len(made.records()) == 2
