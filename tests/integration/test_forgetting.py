"""Whoever is erased is in no table any more, on both databases, with the project that is shipped; others stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from syncengine.flows.capture.notices import notice
from syncengine.flows.forget.erase import erase, erasures, preview
from syncengine.flows.people.cases import answer
from syncengine.flows.views.queries import case as look_at
from syncengine.flows.views.queries import find_records
from syncengine.ledger.tables import metadata
from syncengine.model.erasure import Erasure
from tests.support.bench import Bench
from tests.support.company import company
from tests.support.databases import POSTGRES_LONG, store

IDA, LEE, KIM = "-00000-", "-00001-", "-00002-"
"""What every id, name, address and number of a person has in it, at every vendor."""
OTHERS = ("D1", f"n{IDA}", f"n{KIM}")
QUIET = {"dirty", "version", "row_version", "lease_until", "read_at", "listed_hash", "derive_due"}
"""Columns that say how often something was looked at."""


def works_here(made: Bench, who: str) -> None:
    """Somebody is ill, and works."""
    hr, hakuna = made.vendors["heavenhr"], made.vendors["hakuna"]
    today = datetime.fromtimestamp(made.clock.now(), UTC).date().isoformat()
    hr.add(
        "absences", id=f"a{who}", day=today, employeeId=f"e{who}", startDate=today, endDate=today,
        absenceType="ILLNESS", status="APPROVED", numberOfDays=1,
    )  # fmt: skip
    hakuna.add(
        "time_entries", id=f"t{who}", _parent=f"h{who}", day=today, user_id=f"h{who}", date=today, start_time="09:00",
        end_time="10:00", note=f"note{who}",
    )  # fmt: skip


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A company of three, of whom each has records of all kinds, and Lee is head of the department."""
    with store(getattr(request, "param", "memory"), tmp_path, request) as database:
        made = company(3, database=database)
        hr = made.vendors["heavenhr"]
        for who in (IDA, LEE, KIM):
            works_here(made, who)
        hr.edit("D1", "organizations", headsOfUnit=[f"e{LEE}"])
        made.sync()
        for who in (IDA, LEE, KIM):
            hr.edit(f"e{who}", "employees", jobTitle=f"lead{who}")
        made.sync()
        yield made


def lee(made: Bench) -> str:
    """Lee's record."""
    ((_, found, _),) = find_records(made.engine, f"p{LEE}@x.de", "person", gone=True)
    return found


def held(made: Bench, who: str, but: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What is stored of somebody, however often it was looked at, and ``but`` what holds one of these."""
    found = []
    with made.database.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                told = {name: value for name, value in row.items() if name not in QUIET}
                if who in repr(told) and not any(mark in repr(told) for mark in but):
                    found.append({"table": table.name, **told})
    return sorted(found, key=repr)


def forget(made: Bench) -> Erasure:
    """Lee is erased."""
    done = erase(made.engine, lee(made), "request 17", "dpo")
    assert isinstance(done, Erasure)
    return done


@pytest.mark.parametrize(
    "made",
    ["memory", POSTGRES_LONG],
    indirect=True,
)
def test_nothing_of_the_erased_is_in_any_table(made: Bench) -> None:
    """Names, addresses, numbers, ids at vendors and our own ids: no table holds one of them; before, most did. A line
    says when, by whom, why and how much, and not who."""
    mine = [lee(made), *(r.id for r in made.records("absence") if r.values["person"] == lee(made))]
    assert len(mine) > 1
    before = {line.partition(":")[0] for line in made.stored(LEE, *mine)}
    assert before >= {"records", "links", "operations", "events", "history"}
    told = preview(made.engine, lee(made))
    assert told["belongs"] == {"absence": 1, "time_entry": 1, "training_record": 2}
    assert told["named_by"] == {"department.head": 1}
    done = forget(made)
    assert made.stored(LEE, *mine) == []
    assert erasures(made.engine) == [done]
    assert (done.author, done.reason, done.counts["records"]) == ("dpo", "request 17", 5)
    assert {name: done.counts[name] for name in told["removes"] if told["removes"][name]} == {
        name: count for name, count in told["removes"].items() if count
    }


def test_others_are_untouched(made: Bench) -> None:
    """What is stored of two colleagues is the same afterwards, but for who their head was; no vendor is written to."""
    mine = lee(made)
    before = [held(made, who, but=(LEE, mine)) for who in (IDA, KIM)]
    ids = {row["id"] for of in before for row in of if "id" in row}
    written = {name: len(vendor.wrote()) for name, vendor in made.vendors.items()}
    forget(made)
    after = [held(made, who) for who in (IDA, KIM)]
    assert [[r for r in of if r.get("id", "") in ids or "id" not in r] for of in after] == before
    assert [r["table"] for of in after for r in of if r.get("id", 0) not in ids and "id" in r] == [
        "links", "operations", "links", "operations",
    ]  # fmt: skip
    made.sync()
    made.sync()
    assert {name: len(vendor.wrote()) for name, vendor in made.vendors.items()} == written


def test_what_vendors_show_again_is_asked_about_and_not_kept(made: Bench) -> None:
    """After a new listing one question says when she was erased and where she is; nothing else of her is stored, not by
    a notice either, and nobody is asked twice once she is to be kept out."""
    forget(made)
    day = made.engine.today
    made.sync()
    (asked,) = [c for c in made.cases() if c.subject.startswith("erased:")]
    assert f"erased on {day}" in asked.question
    assert set(asked.answers) == {"keep_out", "new"}
    places = {(c, r) for _, c, r, _ in asked.evidence["places"]}
    assert places >= {("heavenhr", "employees"), ("heavenhr", "absences"), ("weekly10", "users")}
    assert f"e{LEE}" in repr(look_at(made.engine, asked.id)["sides"])
    made.vendors["heavenhr"].edit(f"e{LEE}", "employees", jobTitle=f"boss{LEE}")
    assert notice(made.engine, "heavenhr", "employees", f"e{LEE}", "w1")
    made.sync()
    kept = made.stored(LEE)
    # Vendors still say who the head of the department and the manager of the others is, by their own numbers.
    told = [f"'external_id': '{json.dumps(x)}'" for x in OTHERS]
    naming = [line for line in kept if any(one in line for one in told)]
    assert [line.partition(":")[0] for line in kept if line not in naming] == ["cases"]
    assert (
        made.stored(*(f"{what}{LEE}" for what in ("Berg", "p", "home", "lead", "boss", "note")))
        == []
    )
    answer(made.engine, asked.id, "keep_out", "no longer here", "dpo")
    made.sync()
    assert not [c for c in made.cases() if c.subject.startswith("erased:")]
    assert f"p{LEE}" not in repr([r.values for r in made.records()])
    assert [e.answer for e in erasures(made.engine)] == ["keep_out"]


def test_who_comes_back_elsewhere_or_under_another_id_is_known(made: Bench) -> None:
    """A new row with her address, and a new absence that names her, are hers: they are asked about, and not stored."""
    forget(made)
    hr = made.vendors["heavenhr"]
    hr.remove(f"e{LEE}", "employees")
    hr.add("employees", **{**hr_row(made, IDA), "id": "e9", "professionalEmail": f"P{LEE}@x.de",
           "employeeNumber": "n9", "lastName": "Again"})  # fmt: skip
    today = datetime.fromtimestamp(made.clock.now(), UTC).date().isoformat()
    hr.add("absences", id="new-absence", day=today, employeeId=f"e{LEE}", startDate=today, endDate=today,
           absenceType="SPECIALLEAVE", status="APPROVED", numberOfDays=1)  # fmt: skip
    made.sync()
    (asked,) = [c for c in made.cases() if c.subject.startswith("erased:")]
    assert {x for *_, x in asked.evidence["places"]} >= {"e9"}
    assert ["absence", "heavenhr", "absences", ""] in asked.evidence["places"]
    assert made.stored("Again", "SPECIALLEAVE", "new-absence") == []


def hr_row(made: Bench, who: str) -> dict[str, Any]:
    """An employee's row at HeavenHR."""
    return made.vendors["heavenhr"].row(f"e{who}", "employees")


def test_taken_in_as_new_she_begins_anew(made: Bench) -> None:
    """The answer ``new`` ends the tombstone: a record of today, without what was before, and her rows are linked."""
    before = lee(made)
    forget(made)
    made.sync()
    (asked,) = [c for c in made.cases() if c.subject.startswith("erased:")]
    answer(made.engine, asked.id, "new", "hired again", "dpo")
    made.sync()
    made.sync()
    now = lee(made)
    again = made.read(lambda tx: tx.records([now]))[now]
    assert again.id != before
    assert again.values["job_title"] == f"lead{LEE}"
    assert again.generation <= 2
    links = {k.connection for k in made.read(lambda tx: tx.links_of([again.id])) if k.row}
    assert links == {"heavenhr", "weekly10", "hakuna", "haekka"}
    assert len([r for r in made.records("training_record") if r.values["person"] == again.id]) == 2
    assert [e.answer for e in erasures(made.engine)] == ["new"]
    (department,) = made.records("department")
    assert department.values["head"] == again.id
    second = erase(made.engine, again.id, "request 18", "dpo")
    assert isinstance(second, Erasure)
    assert made.stored(LEE, again.id) == []
