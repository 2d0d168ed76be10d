"""``syncengine members``: who may use the console."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from syncengine.bootstrap import open_engine
from syncengine.cli.app import app
from syncengine.cli.members import link_of
from syncengine.flows.people.signing_on import Entrance
from syncengine.model.member import Role
from syncengine.settings import Settings, read_settings
from tests.support.places import MAPPINGS


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A command on an empty database."""
    monkeypatch.setenv("SYNCENGINE_PROJECT", str(MAPPINGS))
    monkeypatch.setenv("SYNCENGINE_DATABASE_URL", f"sqlite:///{tmp_path}/members.db")
    monkeypatch.setenv("SYNCENGINE_AUTHOR", "ada")

    def go(*words: str, given: str = "") -> Result:
        return CliRunner().invoke(app, ["members", *words], input=given)

    return go


def _json(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_member_is_added_with_a_link(run) -> None:
    """And stands in the list with their roles."""
    told = _json(run("add", "Ada", "--role", "admin", "--role", "viewer", "--json"))
    assert str(told["link"]).startswith("http://127.0.0.1:8080/link/")
    (member,) = _json(run("list", "--json"))["members"]
    assert member["name"] == "ada"
    assert member["roles"] == ["viewer", "admin"]
    assert not member["password"]


def test_the_list_says_how_each_signs_in(run) -> None:
    """By the provider, with a password, or both where two members were joined; else by a link."""
    run("add", "ada", "--role", "admin")
    run("add", "kim", "--role", "viewer")
    with open_engine(read_settings()) as engine:
        Entrance(engine).sign_in("idp kim", "kim", [Role.VIEWER], 0.0, "")

    def ways() -> dict[str, str]:
        lines = run("list").stdout.splitlines()[2:]
        return {line.split("  ")[0].strip(): line for line in lines if line.strip()}

    assert "their company" in ways()["kim 2"]
    assert "a link" in ways()["kim"]
    assert run("join", "kim", "kim 2").exit_code == 0
    assert "locked" in ways()["kim 2"]
    assert "their company" in ways()["kim"]


def test_a_name_is_there_once(run) -> None:
    """However it is spelled; and it says something."""
    run("add", "ada", "--role", "viewer")
    twice = run("add", "ADA", "--role", "viewer")
    assert twice.exit_code == 1
    assert "there is a member ada already" in twice.output
    assert run("add", " ", "--role", "viewer").exit_code == 1


def test_a_link_is_made_however_the_accents_of_a_name_are_typed(run) -> None:
    """As one letter or as a letter and an accent."""
    run("add", "ada", "--role", "admin")
    run("add", "zo\u00eb", "--role", "viewer")
    assert _json(run("link", "Zoe\u0308", "--json"))["link"]


def test_roles_lock_unlock_and_password_are_changed(run) -> None:
    """A locked member gets no link."""
    run("add", "ada", "--role", "admin")
    run("add", "kim", "--role", "viewer")
    assert _json(run("roles", "kim", "--role", "operator", "--json"))["roles"] == ["operator"]
    assert _json(run("lock", "kim", "--json"))["locked"]
    refused = run("link", "kim")
    assert refused.exit_code == 1
    assert "syncengine members unlock kim" in refused.output
    assert not _json(run("unlock", "kim", "--json"))["locked"]
    assert run("password", "kim", given="short\n").exit_code == 1
    assert run("password", "kim", given="correct horse battery\n").exit_code == 0
    assert "nobody" not in run("link", "kim").output


def test_whoever_is_not_there_is_told(run) -> None:
    """With how to see who is."""
    run("add", "ada", "--role", "admin")
    assert "see `syncengine members list`" in run("lock", "kim").output
    assert "Nobody may use the console" not in run("list").output


def test_a_link_leads_to_where_the_console_is() -> None:
    """To the name that was given, the first of ours, or this machine."""
    assert link_of(Settings(), "t") == "http://127.0.0.1:8080/link/t"
    assert link_of(Settings(hosts=("sync.example.com",)), "t") == "https://sync.example.com/link/t"
    assert link_of(Settings(), "t", "https://x.example/") == "https://x.example/link/t"
    assert (
        link_of(Settings(hosts=("a.example",)), "t", "", "https://b.example")
        == "https://b.example/link/t"
    )
    web = Settings(web_url="http://127.0.0.1:9090", hosts=("a.example",))
    assert link_of(web, "t", "", "https://b.example") == "http://127.0.0.1:9090/link/t"


def test_a_member_is_limited_and_the_limit_lifted(run) -> None:
    """By what the project has; anything else is bad usage."""
    run("add", "ada", "--role", "answerer")
    assert run("limit", "ada", "--kind", "staged", "--entity", "person").exit_code == 0
    (member,) = _json(run("list", "--json"))["members"]
    assert member["limits"] == {"entities": ["person"], "connections": [], "kinds": ["staged"]}
    for option in ("--kind", "--entity", "--connection"):
        assert run("limit", "ada", option, "nothing").exit_code == 2
    assert "not limited" in run("limit", "ada").stdout
    (member,) = _json(run("list", "--json"))["members"]
    assert not any(member["limits"].values())


def test_a_token_is_printed_once_and_revoked(run) -> None:
    """The list has what it is for and what it may do, not the token."""
    run("add", "ada", "--role", "viewer")
    made = _json(run("token", "ada", "--for", "the monitor", "--right", "watch", "--json"))
    assert str(made["token"]).startswith("sync_")
    listed = run("tokens", "ada", "--json")
    assert str(made["token"]) not in listed.stdout
    (token,) = _json(listed)["tokens"]
    assert (token["for"], token["rights"]) == ("the monitor", ["watch"])
    assert run("revoke", "ada", str(token["id"])[-8:]).exit_code == 0
    assert _json(run("tokens", "ada", "--json"))["tokens"] == []
    assert run("revoke", "ada", str(token["id"])).exit_code == 1
    assert run("token", "ada", "--for", "x", "--right", "watch", "--days", "366").exit_code == 2
    assert run("token", "ada", "--for", "x", "--right", "everything").exit_code == 2
    assert run("tokens", "nobody").exit_code == 2
