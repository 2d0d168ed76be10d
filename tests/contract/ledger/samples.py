"""Things to put into a ledger: small ones with defaults, and any at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from syncengine.ledger import Ledger
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.condition import condition
from syncengine.model.event import Event
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Base, Link, LinkState, Wait, WriteApproval
from syncengine.model.member import Member
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record
from syncengine.model.stored_plan import PlanPart
from tests.support.conditions import CONDITIONS

NOW = 1_800_000_000.25
HAKUNA = ("person", "hakuna", "users")


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def a_link(id_: str, record: str | None = None, **other: Any) -> Link:
    state = LinkState.SEEN if record is None else LinkState.LINKED
    place = {"entity": "person", "connection": "hakuna", "resource": "users"}
    given = {"external_id": f"x-{id_}", "record_id": record, "state": state, "row": {"a": 1}}
    return Link(id_, **{**place, **given, **other})


def an_operation(id_: str, link: str = "", **other: Any) -> Operation:
    given = {"link_id": link or f"link-of-{id_}", "record_id": "r1", "action": Action.UPDATE}
    place = {"entity": "person", "connection": "hakuna", "resource": "users"}
    return Operation(id_, **{**given, **place, **other})


def a_case(id_: str, subject: str = "", **other: Any) -> Case:
    return Case(id_, CaseKind.CONFLICT, subject or f"about-{id_}", "Which?", **other)


def an_event(id_: str, connection: str = "hakuna") -> Event:
    return Event(connection, "users", "x1", id_, "poll", NOW)


def key(kind: KeyKind, owner: str, *parts: object, scope: str = "person:0") -> Key:
    return Key(kind, scope, parts, owner)


def fill(ledger: Ledger, *things: Link | Record | Operation | Case) -> None:
    with ledger.write() as tx:
        tx.write(Changeset(new_records=[thing for thing in things if isinstance(thing, Record)]))
        tx.write(Changeset(new_links=[thing for thing in things if isinstance(thing, Link)]))
        tx.write(
            Changeset(new_operations=[thing for thing in things if isinstance(thing, Operation)])
        )
        tx.write(Changeset(raised=[thing for thing in things if isinstance(thing, Case)]))


def dirt(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as tx:
        return {link.id: link.dirty for link in tx.select_links() if link.dirty}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
A_ROW = st.dictionaries(st.text(), ANY_JSON, max_size=3)
A_TIME = st.floats(0, 4e9)
NAMES = st.text("abc/:@é中", min_size=1, max_size=8)
RULES = st.dictionaries(NAMES, st.text("ab1.", min_size=1), max_size=3)
LINKS = st.builds(
    Link,
    id=st.uuids().map(str), entity=NAMES, connection=NAMES, resource=NAMES,
    external_id=st.none() | NAMES, parent=st.none() | NAMES, record_id=st.none() | NAMES,
    state=st.sampled_from(LinkState), row=st.none() | A_ROW, listed_hash=NAMES,
    row_version=st.integers(0, 2**40), stamps=st.dictionaries(NAMES, st.integers(0, 2**40)),
    read_at=A_TIME, need_get=st.booleans(),
    base=st.builds(Base, A_ROW, A_ROW, st.frozensets(NAMES, max_size=2), RULES), foreign_values=A_ROW,
    version=st.integers(0, 2**40), dirty=st.integers(0, 9), suspected_at=st.none() | A_TIME,
    wait=st.none() | st.builds(Wait, st.none() | CONDITIONS, NAMES),
    approval=st.none() | st.builds(WriteApproval, *[NAMES] * 5, st.text()),
)  # fmt: skip
OPERATIONS = st.builds(
    Operation,
    id=st.uuids().map(str), link_id=NAMES, record_id=NAMES, entity=NAMES, connection=NAMES,
    resource=NAMES, action=st.sampled_from(Action), body=A_ROW, carried=A_ROW, expected=A_ROW,
    leave=st.booleans(), kind=st.just("") | NAMES, key=NAMES, generation=st.integers(0, 2**40),
    causes=st.dictionaries(NAMES, st.text("ab1:.")), state=st.sampled_from(OperationState),
    attempts=st.integers(0, 99), token=st.none() | NAMES, lease_until=A_TIME, next_at=A_TIME,
    created_at=A_TIME, external_id=st.none() | NAMES, detail=st.text(),
).map(lambda o: replace(o, rules=dict.fromkeys(list(o.causes)[::2], "a1.b2")))  # fmt: skip
RECORDS = st.builds(
    Record,
    id=st.uuids().map(str), entity=NAMES, values=A_ROW, generation=st.integers(1, 2**40),
    stamps=st.dictionaries(NAMES, st.integers(0, 2**40)), created_at=NAMES, deleted=st.booleans(),
)  # fmt: skip
CASES = st.builds(
    Case,
    id=st.uuids().map(str), kind=st.sampled_from(CaseKind), subject=st.uuids().map(str),
    question=st.text(), evidence=A_ROW, answers=st.dictionaries(NAMES, st.text()), entity=NAMES,
    record_id=st.none() | NAMES, link_id=st.none() | NAMES, operation_id=st.none() | NAMES,
    opened_at=A_TIME, answer=st.none() | NAMES, reason=st.text(), closed_at=st.none() | A_TIME,
)  # fmt: skip
CHANGES = st.builds(
    Change,
    record_id=st.uuids().map(str), generation=st.integers(0, 2**40), field=NAMES, old=ANY_JSON,
    new=ANY_JSON, lost=ANY_JSON, lost_by=NAMES, stamp=st.integers(0, 2**40), connection=NAMES,
    rule=NAMES, policy=NAMES, author=NAMES, at=A_TIME,
)  # fmt: skip
SOME = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


NAME, SALARY = "Annabella", 98765.25


KEYS = [Fernet.generate_key().decode() for _ in range(2)]


def fill_with_secrets(ledger: Ledger) -> None:
    told = {"name": NAME, "salary": SALARY}
    spoken = f"{NAME},2026-11-15,ILLNESS"
    link = a_link(
        "l1", "r1", row=told, foreign_values=told, base=Base(told, told), external_id=spoken, parent=spoken,
        listed_hash=NAME, wait=Wait(condition(f"ref:hakuna/users/{spoken}"), f"until {NAME}"),
    )  # fmt: skip
    operation = an_operation(
        "o1", body=told, carried=told, expected=told, detail=NAME, external_id=spoken
    )
    case = replace(
        a_case("c1", f"about {spoken}", evidence=told, answers={"yes": NAME}, reason=NAME),
        question=NAME,
    )
    fill(ledger, link, operation, case, Record("r1", "person", told))
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.RECORD, "r1", NAME), key(KeyKind.ROW, "l1", NAME, SALARY)])
        tx.write(Changeset(history=[Change("r1", 1, "name", NAME, told, NAME)]))
        tx.add_events([replace(an_event("e1"), external_id=spoken)])
        tx.write(Changeset(cases=[case]))
        tx.add_member(Member("m1", "kim", ("viewer",), password=NAME))
        tx.add_plan([PlanPart("p1", "", "kim", "d1", 1.0, {"name": NAME})])
