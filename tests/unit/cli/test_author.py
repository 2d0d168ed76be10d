"""Who decides at a terminal: what was said, else the account of a person; root and accounts of the system never."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.cli.author import account, decider, worker
from syncengine.errors import ConfigInvalid
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import add_member, lock
from syncengine.model.member import Role
from syncengine.model.rights import Right
from tests.support.people import duo
from tests.support.places import MAPPINGS

Become = Callable[[int, str], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """From now on this process is an account's, and nothing says whose it is."""
    monkeypatch.setenv("SYNCENGINE_AUTHOR", "")
    monkeypatch.setenv("USER", "mallory")

    def as_account(uid: int, name: str) -> None:
        def known(_: int) -> SimpleNamespace:
            if not name:
                raise KeyError(uid)
            return SimpleNamespace(pw_name=name)

        monkeypatch.setattr(os, "getuid", lambda: uid)
        monkeypatch.setattr(pwd, "getpwuid", known)

    return as_account


def test_a_person_s_account_decides_whatever_user_says(become: Become) -> None:
    """By the real number of it."""
    become(1000, "anna")
    assert (decider(duo().engine, None, Right.ANSWER), worker("")) == ("anna", "anna")


@pytest.mark.parametrize(
    ("uid", "name", "told"),
    [(0, "root", "root"), (999, "syncengine", "syncengine"), (65534, "nobody", "nobody"), (4711, "", "uid 4711")],
)  # fmt: skip
def test_root_system_and_nameless_accounts_are_nobody(
    become: Become, uid: int, name: str, told: str
) -> None:
    """They are told what to do; what they run is on record under their name."""
    become(uid, name)
    with pytest.raises(ConfigInvalid, match=f"found the account {told}. Say who you are: --as"):
        decider(duo().engine, None, Right.ANSWER)
    assert (account()[0], worker("")) == (told, told)


def test_what_is_said_counts_before_what_is_set(
    become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--as``, then SYNCENGINE_AUTHOR."""
    become(0, "root")
    monkeypatch.setenv("SYNCENGINE_AUTHOR", "Anna")
    engine = duo().engine
    assert (decider(engine, None, Right.ANSWER), decider(engine, " Otto ", Right.ANSWER)) == (
        "Anna",
        "Otto",
    )
    assert worker("Anna") == "Anna"


@pytest.mark.parametrize("name", ["", "  ", "a" * 61, "a\x1b[2J", "a\nb"])
def test_a_name_that_is_none_is_refused(become: Become, name: str) -> None:
    """Nothing in it can steer a terminal."""
    become(1000, "anna")
    with pytest.raises(ConfigInvalid, match="--as: expected a name"):
        decider(duo().engine, name, Right.ANSWER)


def test_where_there_are_members_it_has_to_be_one(become: Become) -> None:
    """In whatever case; not one who is locked."""
    become(1000, "anna")
    engine = replace(duo().engine)
    add_member(engine, "kim", [Role.ANSWERER], "anna")
    with pytest.raises(ConfigInvalid, match="anna is no member of the console"):
        decider(engine, None, Right.ANSWER)
    assert decider(engine, "Kim", Right.ANSWER) == "kim"
    add_member(engine, "otto", [Role.ADMIN], "kim")
    lock(engine, "kim", "otto")
    with pytest.raises(ConfigInvalid, match="kim is no member of the console, or is locked"):
        decider(engine, "kim", Right.ANSWER)


def test_who_answers_at_a_terminal_may_answer_in_the_console(become: Become) -> None:
    """A member who may only look decides nothing here either."""
    become(1000, "anna")
    engine = replace(duo().engine)
    add_member(engine, "vera", [Role.VIEWER], "anna")
    with pytest.raises(ConfigInvalid, match="vera lacks the role answerer"):
        decider(engine, "vera", Right.ANSWER)


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("pause hakuna", "operator"), ("resume hakuna", "operator"),
        ("cases answer 12345678 approve", "answerer"), ("undo 7", "answerer"), ("links split person a b", "answerer"),
        ("links point person a b c", "answerer"), ("links join person a b", "answerer"),
        ("erase person anna --reason x --yes", "privacy officer"), ("erasures --take-in 1234567", "privacy officer"),
        ("members add lee --role admin", "admin"), ("members link ada", "admin"), ("members lock ada", "admin"),
        ("members unlock ada", "admin"), ("members roles kim --role admin", "admin"), ("members limit kim", "admin"),
        ("members join kim ada", "admin"), ("members password ada", "admin"),
        ("members token ada --for x --right watch", "admin"), ("members revoke ada x", "admin"),
    ],
)  # fmt: skip
def test_each_command_that_decides_asks_for_the_role_of_the_console(
    tmp_path: Path, command: str, role: str
) -> None:
    """Of a member; one who has another is told which it takes, and who has it."""
    place = {
        "SYNCENGINE_PROJECT": str(MAPPINGS), "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db",
        "SYNCENGINE_AUTHOR": "kim",
    }  # fmt: skip
    for who, roles in (("kim", ["viewer"]), ("ada", ["admin"])):
        added = [part for word in roles for part in ("--role", word)]
        made = CliRunner().invoke(app, ["members", "add", who, *added], env=place)
        assert made.exit_code == 0, made.output
    refused = CliRunner().invoke(app, command.split(), env=place, input="correct horse battery\n")
    assert refused.exit_code == 2, refused.output
    assert f"kim lacks the role {role}" in " ".join(refused.stderr.split())


def test_nobody_is_locked_out_for_good(become: Become) -> None:
    """The last admin stays. Where no member may say who is one, however that came about, whoever has the service's
    account may; what is one's own needs no role."""
    become(1000, "anna")
    engine = replace(duo().engine)
    add_member(engine, "kim", [Role.ANSWERER], "anna")
    assert decider(engine, None, Right.MANAGE) == "anna"
    add_member(engine, "ada", [Role.ADMIN], "anna")
    with pytest.raises(ConfigInvalid, match=r"anna is no member .* with the role admin"):
        decider(engine, None, Right.MANAGE)
    with pytest.raises(ConfigInvalid, match="kim lacks the role admin; who has it: ada"):
        decider(engine, "kim", Right.MANAGE, of="ada")
    assert decider(engine, "kim", Right.MANAGE, of="Kim") == "kim"
    with pytest.raises(NotPossible, match="make another one first"):
        lock(engine, "ada", "ada")
    with engine.ledger.write() as tx:
        (ada,) = (m for m in tx.members() if m.name == "ada")
        tx.save_member(replace(ada, locked=True))
    assert decider(engine, None, Right.MANAGE) == "anna"


@pytest.mark.parametrize(
    "command",
    [
        "cases answer 12345678 approve", "undo 7", "links join person a b",
        "erase person anna --reason x --yes", "members add kim --role admin",
    ],
)  # fmt: skip
def test_root_decides_nothing_and_may_look(become: Become, tmp_path: Path, command: str) -> None:
    """Exit 2 and one line; ``status``, ``pause`` and ``runs`` go on."""
    become(0, "root")
    database = f"sqlite:///{tmp_path}/ledger.db"
    place = {"SYNCENGINE_PROJECT": str(MAPPINGS), "SYNCENGINE_DATABASE_URL": database}
    refused = CliRunner().invoke(app, command.split(), env=place)
    assert refused.exit_code == 2
    assert "who decides this?" in refused.stderr
    for fine in ("status", "pause hakuna", "resume hakuna", "runs"):
        assert CliRunner().invoke(app, fine.split(), env=place).exit_code == 0
