"""What a person who looks may see of sensitive values: dots, everywhere the same, unless she asks for them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from syncengine.errors import Rejected
from syncengine.flows.naming.masking import DOTS, mask, shown_id, without
from syncengine.flows.naming.names import Names
from syncengine.flows.people.undo import undo
from syncengine.flows.views import queries
from syncengine.flows.views.evidence import Shown
from syncengine.flows.views.explain import explain, select_history
from syncengine.flows.views.plan import plan
from syncengine.flows.views.questions import select_cases
from syncengine.flows.views.status import status
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import duo

HOME = "Rosenweg 17"
OTHER = "Nelkenstraße 4"
FIELDS = """
  email: {type: email}
  name: {type: string}
  home: {type: string, sensitive: true, on_conflict: flag}
  born: {type: date, sensitive: true}
  young: {type: boolean, formula: "born > '1990-01-01'"}
"""
COLUMNS = ("id", "email", "name", "home", "born")
MAPPED = "{email: email, name: name, home: home, born: born}"
SECRETS = (HOME, "Rosenweg", OTHER, "Nelkenstraße", "1991-05-04", "04.05.1991")


def company(fields: str = FIELDS) -> Bench:
    """Anna, of whom two fields are sensitive."""
    made = duo(
        hr={"columns": COLUMNS}, lms={"columns": COLUMNS}, fields=fields,
        hr_system=f"{{resource: people, flow: both, create: in, fields: {MAPPED}}}",
        lms_system=f"{{resource: people, flow: both, create: out, fields: {MAPPED}}}",
    )  # fmt: skip
    made.vendors["hr"].add(email="a@x.de", name="Anna", home=HOME, born="1991-05-04")
    return made


def screens(made: Bench) -> dict[str, Any]:
    """Every document that a person can look at, by its name."""
    engine = made.engine
    found: dict[str, Any] = {
        "status": status(engine),
        "plan": plan(engine),
        "links": queries.select_links(engine, None, None, (), 100),
        "operations": queries.select_operations(engine, None, None, 100),
        "events": queries.select_events(engine, None, 100),
        "cases": select_cases(engine, closed=True),
        "history": select_history(engine, False, 100),
        "lost": select_history(engine, True, 100),
    }
    for record in made.records():
        found["explain"] = explain(engine, record.id)
        found |= {
            f"explain {n}": explain(engine, record.id, n)
            for n in engine.project.entities["person"].fields
        }
    for case in select_cases(engine, closed=True):
        found[f"case {case['id']}"] = queries.case(engine, case["id"])
    return found


def leaks(made: Bench) -> set[tuple[str, str]]:
    """Screen and value of what is seen and should not be."""
    texts = {n: json.dumps(d, default=str, ensure_ascii=False) for n, d in screens(made).items()}
    return {(n, s) for n, text in texts.items() for s in SECRETS if s.casefold() in text.casefold()}


def refuse(lms: FakeVendor, answer: str) -> None:
    """The next create is refused in these words."""

    def create(*_: Any) -> Any:
        raise Rejected(f"POST /people: HTTP 422; refused: {answer}", 422, answer)

    lms.create = create  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "words",
    [
        f'{{"home": "{HOME} is not accepted"}}',
        f"no such street: {HOME.upper()}",
        "no such street: Rosenweg",
        "no such street: Rosen...",
        "born on 04.05.1991 or 1991-5-4 or 19910504 cannot be",
        '{"home": "Rosenweg%2017", "b": "\\\\u0052osenweg 17"}',
    ],
)
def test_a_refusal_that_repeats_a_value_shows_dots(words: str) -> None:
    """However the vendor spells it; what else it says stays, and whoever may see it does."""
    made = company()
    refuse(made.vendors["lms"], f"Validation failed: {words}")
    made.sync()
    (case,) = made.cases()
    said = queries.case(made.engine, case.id)["vendor_says"]
    assert said.startswith("Validation failed: ")
    assert DOTS in said
    assert leaks(made) == set()
    (operation,) = queries.select_operations(made.engine, None, None, 9)
    assert DOTS in operation["detail"]
    made.engine.shows_sensitive = True
    assert queries.case(made.engine, case.id)["vendor_says"] == f"Validation failed: {words}"


def test_no_screen_shows_a_sensitive_value() -> None:
    """Not while it is planned, asked about, written, put aside, undone or gone; all of them show dots, and the values
    to whoever may see them."""
    made = company()
    made.scan("hr")
    made.think()
    assert leaks(made) == set()
    made.sync()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    (mine,), (theirs,) = hr.rows(), lms.rows()
    hr.edit(mine, home=OTHER)
    lms.edit(theirs, home="Nelkenstraße 5")
    made.sync()
    assert made.case().kind is CaseKind.CONFLICT
    assert leaks(made) == set()
    sides = queries.case(made.engine, made.case().id)["sides"]
    assert all(side["values"] == {"home": DOTS} for side in sides)
    made.answer("record")
    made.sync()
    assert leaks(made) == set()
    moved = [c for c in made.history(made.record().id) if c.field == "home" and c.old != c.new]
    _, value = undo(made.engine, moved[-1].id, "kim")
    assert value == DOTS
    made.sync()
    assert leaks(made) == set()
    assert DOTS in json.dumps(screens(made), default=str, ensure_ascii=False)
    made.engine.shows_sensitive = True
    seen = {secret for _, secret in leaks(made)}
    assert {HOME, OTHER, "1991-05-04"} <= seen


def test_a_formula_of_sensitive_fields_is_sensitive() -> None:
    """Unless it says that it is not: the age tells of the birthday."""
    made = company()
    made.sync()
    fields = made.engine.project.entities["person"].fields
    assert fields["young"].sensitive
    (told,) = explain(made.engine, made.record().id, "young")["fields"]
    assert told["value"] == DOTS
    told_so = company(FIELDS.replace("formula:", "sensitive: false, formula:"))
    assert not told_so.engine.project.entities["person"].fields["young"].sensitive


def test_what_the_project_does_not_know_is_hidden() -> None:
    """A field, a path or an entity that was taken out of the mapping may have been sensitive."""
    made = company()
    made.sync()
    (mine,) = made.vendors["hr"].rows()
    made.vendors["hr"].edit(mine, home=OTHER)
    made.sync()
    person = made.engine.project.entities["person"]
    less = {n: f for n, f in person.fields.items() if n not in ("home", "young")}
    systems = {
        n: replace(s, rules={m: r for m, r in s.rules.items() if m != "home"})
        for n, s in person.systems.items()
    }
    made.engine.project = replace(
        made.engine.project,
        entities={"person": replace(person, fields=less, systems=systems, formulas=())},
    )
    assert leaks(made) == set()
    at, system = mask(made.engine, "person"), systems["lms"]
    assert at.at(system, "home", HOME) == DOTS
    assert at.at(system, "name", "Anna") == "Anna"
    case = Case("c" * 36, CaseKind.QUARANTINED, "x", "?", {"found": {"value": HOME}}, {}, "pet")
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(raised=[case]))
    assert leaks(made) == set()
    made.engine.project = replace(made.engine.project, entities={})
    assert DOTS in json.dumps(select_history(made.engine, False, 100), ensure_ascii=False)
    assert {n for n, _ in leaks_of_history(made)} == set()


def leaks_of_history(made: Bench) -> set[tuple[str, str]]:
    """What the history shows and should not."""
    text = json.dumps(select_history(made.engine, False, 100), ensure_ascii=False)
    return {("history", secret) for secret in SECRETS if secret in text}


def test_ids_that_speak_are_shown_without_what_they_say() -> None:
    """Of an id that is made of several fields the sensitive ones are dots; one that we have made of a sensitive field
    is hidden."""
    made = company()
    hr = made.engine.project.entities["person"].systems["hr"]

    def shown(names: tuple[str, ...], external: str) -> str | None:
        resource = replace(hr.resource, id_fields=names)
        person = made.engine.project.entities["person"]
        systems = {**person.systems, "hr": replace(hr, resource=resource)}
        project = replace(
            made.engine.project, entities={"person": replace(person, systems=systems)}
        )
        return shown_id(replace(made.engine, project=project), "hr", "people", external)

    assert shown(("id",), "17") == "17"
    assert shown(("id", "born"), "17,1991-05-04") == f"17,{DOTS}"
    assert shown(("id", "born"), "9/17,1991-05-04") == f"9/17,{DOTS}"
    assert shown(("home", "born"), "Rosenweg, 17,1991-05-04") == DOTS


@pytest.mark.parametrize(
    ("tail", "external", "expected"),
    [
        (("born",), "8/4@1991-05-04", f"8/4@{DOTS}"),
        (("born",), "8/4@1991-05-04@2026-11", f"8/4@{DOTS}"),
        (("born",), "8/4", "8/4"),
        (("name",), "8/4@Anna", "8/4@Anna"),
        ((), "8/4@2026-11", "8/4@2026-11"),
    ],
)
def test_an_id_that_a_connector_composes_is_shown_without_what_it_says(
    tail: tuple[str, ...], external: str, expected: str
) -> None:
    """Behind the ``@`` of an id stands what the connector declares; where that is sensitive, it is dots."""
    made = company()
    person = made.engine.project.entities["person"]
    hr = person.systems["hr"]
    told = replace(hr, resource=replace(hr.resource, id_tail=tail))
    person = replace(person, systems={**person.systems, "hr": told})
    project = replace(made.engine.project, entities={"person": person})
    assert shown_id(replace(made.engine, project=project), "hr", "people", external) == expected


@pytest.mark.parametrize("kind", ["first_name", "last_name"])
def test_a_row_of_nobody_has_no_name_where_names_are_sensitive(kind: str) -> None:
    """A name that no rule reads says what the sensitive parts of names would; who may see these sees it."""
    fields = f"""
  email: {{type: email}}
  {kind}: {{type: string, sensitive: true}}
"""
    made = duo(
        hr={"columns": ("id", "email", "name", "familyName")}, fields=fields,
        hr_system=f"{{resource: people, flow: in, fields: {{email: email, {kind}: familyName}}}}",
        lms_system="{resource: people, flow: in, create: in, fields: {email: email}}",
    )  # fmt: skip
    made.vendors["hr"].add(email="a@x.de", name="Annabella Meier", familyName="Meier")
    made.sync()
    assert made.records() == []
    assert "Meier" not in json.dumps(screens(made), default=str)
    (link,) = queries.select_links(made.engine, None, None, (), 100)
    assert link["name"] == DOTS
    made.engine.shows_sensitive = True
    (link,) = queries.select_links(made.engine, None, None, (), 100)
    assert link["name"] == "Annabella Meier"


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("the name Anna is taken", [], "the name Anna is taken"),
        ("the name Anna is taken", [None, "", True], "the name Anna is taken"),
        (
            "salary 52000.00 or 52,000.00 or 52.000,00",
            [52000.0],
            f"salary {DOTS} or {DOTS} or {DOTS}",
        ),
        ("row 152000 of 52000", [52000], f"row 152000 of {DOTS}"),
        ("group m has women", ["m"], f"group {DOTS} has women"),
        ("at Am Alten Markt 3", ["Am Alten Markt 3"], f"at {DOTS}"),
        ("no market Alten there", ["Am Alten Markt 3"], f"no market {DOTS} there"),
        ("in [ILLNESS]", [["ILLNESS", {"x": "y"}]], f"in [{DOTS}]"),
    ],
)
def test_a_text_is_shown_without_values(text: str, secrets: list[Any], shown: str) -> None:
    """As a whole, word by word, in other spellings; what only contains the same letters stays."""
    assert without(text, secrets) == shown


def test_what_a_listing_could_not_read_is_hidden_where_it_may_be_sensitive() -> None:
    """A row or an answer that fits nothing is told of no entity: if rows there have a sensitive field, neither it nor a
    value of it in the question is shown; elsewhere all is."""
    row = {"id": "9", "home": HOME, "born": "1991-05-04"}
    cases = [
        Case("c1" * 18, CaseKind.QUARANTINED, "quarantined:hr/people/9",
             f"A row of hr people does not fit: {HOME!r} is no number", {"external_id": "9", "row": row}),
        Case("c2" * 18, CaseKind.QUARANTINED, "quarantined:hr/people/below 7",
             "The people of hr below one row cannot be read", {"parent": "7", "answer": f"<p>{HOME}"}),
        Case("c4" * 18, CaseKind.QUARANTINED, "quarantined:r1",
             "A value in our own database cannot be read (records.values): it was changed",
             {"place": "records.values/r1", "stored": HOME}),
        Case("c3" * 18, CaseKind.QUARANTINED, "quarantined:crm/people/below 7",
             "The people of crm below one row cannot be read", {"parent": "7", "answer": f"<p>{HOME}"}),
    ]  # fmt: skip
    made, plain = company(), duo()
    for bench in (made, plain):
        with bench.engine.ledger.write() as tx:
            tx.write(Changeset(raised=cases))
    assert leaks(made) == set()
    told = [queries.case(made.engine, case.id) for case in cases]
    assert told[0]["question"] == f"A row of hr people does not fit: '{DOTS}' is no number"
    assert [case["vendor_says"] for case in told] == [None, DOTS, None, DOTS]
    assert told[2]["question"] == cases[2].question
    assert queries.case(plain.engine, cases[1].id)["vendor_says"] == f"<p>{HOME}"
    assert queries.case(plain.engine, cases[3].id)["vendor_says"] == DOTS
    made.engine.shows_sensitive = True
    assert queries.case(made.engine, cases[1].id)["vendor_says"] == f"<p>{HOME}"


def test_an_answer_names_no_row_by_what_is_hidden() -> None:
    """Whose place a row would take is said by the id of the other one, without the parts that speak."""
    made = company()
    made.sync()
    hr = made.link("hr")
    hr = replace(hr, external_id="17,1991-05-04")
    person = made.engine.project.entities["person"]
    resource = replace(person.systems["hr"].resource, id_fields=("id", "born"))
    systems = {**person.systems, "hr": replace(person.systems["hr"], resource=resource)}
    project = replace(made.engine.project, entities={"person": replace(person, systems=systems)})
    engine = replace(made.engine, project=project)
    case = Case("c" * 36, CaseKind.IDENTITY, "identity:x", "?", entity="person")
    shown = Shown(Names(engine, {}), case, None, [hr])
    text = "this row belongs to r1; hr 17,1991-05-04, linked until now, is left alone"
    assert shown.text(text) == text.replace("1991-05-04", DOTS)
