"""The first way in to the console: a link for whoever starts the service, where nobody else can let them in."""

from __future__ import annotations

import sys

import pytest

from syncengine.cli import door
from syncengine.flows.people.members import add_member, all_members, lock
from syncengine.flows.people.signing_in import linked_member, set_password, sign_in_by_link
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.people import duo

HERE = "http://127.0.0.1:8080"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A person's terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("SYNCENGINE_AUTHOR", "kim")
    return duo()


def test_whoever_starts_the_service_gets_a_link_that_opens_once(made: Bench) -> None:
    """They may let others in, look, answer and pause; what was done stands in the audit."""
    said, link = door.first_way(made.engine, HERE)
    assert said == "signs kim in, once, within the hour:"
    token = link.removeprefix(f"{HERE}/link/")
    signed = sign_in_by_link(made.engine, token)
    assert (signed.member.name, set(signed.member.roles)) == ("kim", {r.value for r in door.FIRST})
    assert linked_member(made.engine, token) is None
    told = made.read(lambda tx: [e.action for e in tx.select_audit()])
    assert {"add member", "make link"} <= set(told)


def test_a_link_that_was_not_used_is_followed_by_a_new_one_once_it_is_over(made: Bench) -> None:
    """As long as it opens, no other is made; the member is there once."""
    door.first_way(made.engine, HERE)
    assert door.first_way(made.engine, HERE) == []
    (member,) = all_members(made.engine)
    with made.engine.ledger.write() as tx:
        tx.drop_grants(member_id=member.id)
    assert len(door.first_way(made.engine, HERE)) == 2
    assert [m.name for m in all_members(made.engine)] == ["kim"]


def test_no_link_is_printed_into_a_log(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody sits at the terminal, it says what to type, and lets nobody in."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    (said,) = door.first_way(made.engine, HERE)
    assert said == (
        "nobody can get in yet: syncengine members add NAME --role admin --role answerer "
        "--role operator --as NAME"
    )
    assert all_members(made.engine) == []


def test_nobody_gets_a_link_for_what_others_let_them_in_to(made: Bench) -> None:
    """Not where somebody has a way in, and not who is no admin or locked out."""
    add_member(made.engine, "ada", [Role.ADMIN], "ada")
    assert door.first_way(made.engine, HERE) == [
        "nobody can get in yet: syncengine members link NAME"
    ]
    set_password(made.engine, "ada", "correct horse battery", "ada")
    assert door.first_way(made.engine, HERE) == []
    add_member(made.engine, "kim", [Role.VIEWER], "ada")
    assert door.first_way(made.engine, HERE) == []
    add_member(made.engine, "lee", [Role.ADMIN], "ada")
    lock(made.engine, "ada", "ada")
    (said,) = door.first_way(made.engine, HERE)
    assert "link" in said
