"""Lists, held writes and the audit at a terminal: what is asked for, what is approved, and who did it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncengine.bootstrap import open_ledger
from syncengine.cli import held
from syncengine.model.member import AuditEntry
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import Settings
from tests.support.cli import Cli, cli_in

PEOPLE = 60
LEAVERS = 48
"""More than are listed without being asked for."""


@pytest.fixture(scope="module")
def leaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A company after its first sync, of whom most leave: their deletes in weekly10 wait for approval."""
    with SandboxProcess(people=PEOPLE) as sandbox:
        made = cli_in(tmp_path_factory.mktemp("terminal"), sandbox.env)
        made("sync", code=4)
        for employee in sandbox.state("heavenhr", "employees")[:LEAVERS]:
            sandbox.mutate("heavenhr", "employees", "update", employee["id"], {"jobStatus": "LEFT"})
        made("sync", code=4)
        yield made


@pytest.fixture
def own(leaving: Cli, tmp_path: Path) -> Cli:
    """A copy of its database, for a test that changes something."""
    prefix = "sqlite:///"
    copy = tmp_path / "engine.db"
    there = leaving.environment["SYNCENGINE_DATABASE_URL"].removeprefix(prefix)
    with closing(sqlite3.connect(there)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return Cli({**leaving.environment, "SYNCENGINE_DATABASE_URL": f"{prefix}{copy}"})


def _staged(cli: Cli) -> Any:
    (case,) = cli.json("cases", "list", "--kind", "staged")["cases"]
    return cli.json("cases", "show", case["id"])


def _audit(cli: Cli) -> list[AuditEntry]:
    settings = Settings(database_url=cli.environment["SYNCENGINE_DATABASE_URL"])
    with open_ledger(settings) as ledger, ledger.read() as tx:
        return tx.select_audit()


def test_an_empty_list_says_how_many_there_are_that_were_not_asked_for(leaving: Cli) -> None:
    """Nobody takes "nothing fits" for "nothing waits"; so in every list."""
    open_ = len(leaving.json("cases", "list")["cases"])
    assert open_ > 1
    for words in (
        ["--connection", "heiaheia"], ["--state", "closed"], ["--by", "nobody"], ["--kind", "drift"],
        ["--until", "2020-01-01"],
    ):  # fmt: skip
        told = leaving("cases", "list", *words).stdout
        assert told == f"No question fits what was asked for; {open_} are open in all.\n"
    for command in (
        "history --by nobody", "history --state deleted", "operations --by nobody",
        "operations --state unknown", "events --by webhook", "events --until 2020-01-01",
        "links list --entity energy_level --unlinked",
    ):  # fmt: skip
        told = leaving(*command.split()).stdout
        assert re.match(r"No \w+ fits what was asked for; [\d,]+ are on record in all\.", told)


def test_everybody_whose_write_is_held_can_be_listed_with_the_reason(leaving: Cli) -> None:
    """The first forty, a word about the rest, and all of them with --all."""
    case = _staged(leaving)
    names = [write["name"] for write in case["writes"]]
    assert len(names) > held.SHOWN
    short = leaving("cases", "show", case["id"]).stdout
    assert f"and {len(names) - held.SHOWN} more, which --all lists" in short
    screen = leaving("cases", "show", case["id"], "--all").stdout
    lines = screen.splitlines()
    for name in names:
        assert any(f"weekly10: {name} " in line and "job_status" in line for line in lines), name
    assert f"{case['id'][-8:]} approve --seen {case['approvals']['digest']}" in screen


def test_an_approval_of_other_writes_than_were_shown_sends_nothing(own: Cli) -> None:
    """What is approved is what somebody looked at; the refusal stands in the audit, too."""
    case = _staged(own)["id"]
    refused = own("cases", "answer", case, "approve", "--seen", "0" * 20, code=1)
    assert "other writes are held than those that you looked at" in refused.stderr
    last = _audit(own)[0]
    assert (last.action, last.about, last.outcome) == ("answer", f"case {case}", "refused")
    assert _staged(own)["closed_at"] is None


def test_who_sits_at_a_terminal_is_shown_what_they_approve_and_asked(
    leaving: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A no changes nothing."""
    monkeypatch.setattr("syncengine.cli.answering.can_ask", lambda: True)
    case = _staged(leaving)
    asked = leaving("cases", "answer", case["id"], "approve", code=1)
    assert f"Approve {len(case['writes'])} writes?" in asked.stderr
    assert all(write["name"] in asked.stdout for write in case["writes"])
    assert _staged(leaving)["closed_at"] is None


def test_uncovering_and_exporting_at_a_terminal_stand_in_the_audit(
    own: Cli,
) -> None:
    """By whom, of what, when and from which account; by an option or by a variable; never a name."""
    record = own.json("history", "--limit", "1", "--state", "changed")["history"][0]["record"]
    before = len(_audit(own))
    own("explain", "person", record, "--show-sensitive")
    own("history", "--record", record, SYNCENGINE_SHOW_SENSITIVE="yes")
    own("operations", "--show-sensitive")
    own("export", "person", record, "--json")
    own("status", SYNCENGINE_SHOW_SENSITIVE="yes")
    told = [(e.author, e.way, e.action, e.about) for e in reversed(_audit(own)[: -before or None])]
    assert told == [
        ("kim", "command", "uncover record", f"record {record}"),
        ("kim", "command", "uncover record", f"record {record}"),
        ("kim", "command", "uncover record", "command operations"),
        ("kim", "command", "export record", f"record {record}"),
    ]
    assert _audit(own)[0].address.startswith("account ")


def test_what_is_decided_at_a_terminal_stands_in_the_audit(own: Cli) -> None:
    """Pauses, undo and erasures, each once, with its outcome; of who is erased not even the id."""
    record, change = _changed(own)
    before = len(_audit(own))
    own("pause", "weekly10", "--reason", "a test")
    own("resume")
    own("undo", str(change), "--reason", "a test", code=1)
    own("erase", "person", record, "--yes", "--reason", "request 1", "--leave-rows")
    told = [(e.action, e.about, e.outcome) for e in reversed(_audit(own)[: -before or None])]
    assert told == [
        ("pause connection", "weekly10", "done"),
        ("resume connection", "all of them", "done"),
        ("undo", f"change {change}", "refused"),
        ("erase record", "person", "done"),
    ]


def _changed(cli: Cli) -> tuple[str, int]:
    """A record and the number of its last change, of somebody about whom nobody is asked."""
    asked = {case["about"] for case in cli.json("cases", "list")["cases"]}
    for line in cli.json("history", "--state", "changed")["history"]:
        if line["name"] not in asked and line["entity"] == "person":
            return str(line["record"]), int(line["change"])
    raise AssertionError("nothing has changed")


def test_writes_are_found_by_whoever_decided_them(own: Cli) -> None:
    """Of an approval those that it lets through, whoever's sync sends them; and those of a sync by whom began it."""
    case = _staged(own)
    done = own.json(
        "cases",
        "answer",
        case["id"],
        "approve",
        "--seen",
        case["approvals"]["digest"],
        "--as",
        "lee",
    )
    assert done["done"]
    last = _audit(own)[0]
    assert (last.author, last.action, last.outcome) == ("lee", "answer", "done")
    own("sync", code=4)
    mine = own.json("operations", "--by", "lee", "--limit", "500")["operations"]
    assert len(mine) == len(case["writes"])
    assert {(o["action"], o["connection"]) for o in mine} == {("leave", "weekly10")}
    assert len(own.json("operations", "--by", "kim", "--limit", "500")["operations"]) > len(mine)
    assert own.json("operations", "--by", "lee", "--connection", "hakuna")["operations"] == []
    deleted = own.json("operations", "--by", "lee", "--record", mine[0]["record"])
    assert [o["id"] for o in deleted["operations"]] == [mine[0]["id"]]


def test_each_list_says_where_and_in_which_zone_its_times_are(leaving: Cli) -> None:
    """A question shows since when and in which connection; the year stands where it is another one."""
    for command in ("cases list", "history", "operations", "events"):
        assert "Times: Europe/Berlin." in leaving(*command.split()).stdout
    screen = leaving("cases", "list").stdout
    assert re.search(r"^\w{8}  \d\d-\d\d \d\d:\d\d:\d\d  identity  hakuna  ", screen, re.M)
    case = leaving.json("cases", "list")["cases"][0]["id"]
    assert "Times: Europe/Berlin." in leaving("cases", "show", case).stdout


def test_the_history_names_the_vendor_of_a_first_value(leaving: Cli) -> None:
    """Who made it so, not only by which rule."""
    screen = leaving("history", "--state", "made", "--limit", "300").stdout
    assert "heavenhr, create: in" in screen


@pytest.mark.parametrize(
    "command",
    ["cases list", "history", "operations", "events", "links list", "runs", "status", "privacy", "cases show",
     "explain"],
)  # fmt: skip
def test_lists_are_readable_in_80_columns(leaving: Cli, command: str) -> None:
    """No line is longer, and no address or word is broken but behind its signs."""
    words = command.split()
    cases = leaving.json("cases", "list")["cases"]
    if command == "cases show":
        words.append(next(case["id"] for case in cases if case["kind"] == "identity"))
    if command == "explain":
        words += ["person", leaving.json("history", "--state", "changed")["history"][0]["record"]]
    wide = leaving(*words, COLUMNS="400").stdout
    narrow = leaving(*words, COLUMNS="80").stdout
    if command not in ("runs", "explain"):
        assert max(len(line) for line in narrow.splitlines()) <= 80
    known = set(re.findall(r"[^\s@._/:-]{4,}", wide))
    assert {word for word in re.findall(r"[^\s@._/:-]{4,}", narrow) if word not in known} == set()


def test_whoever_is_asked_about_is_found_by_name(leaving: Cli) -> None:
    """A name that is no record yet leads to the question whose it is."""
    known = {
        line["name"]
        for line in leaving.json("links", "list", "--limit", "900")["links"]
        if line["record"]
    }
    cases = [
        c
        for c in leaving.json("cases", "list", "--kind", "identity")["cases"]
        if c["about"] not in known
    ]
    for case in cases:
        refused = leaving("plan", "--record", case["about"], code=2)
        assert f"cases show {case['id'][-8:]}" in " ".join(refused.stderr.split())
    assert cases


def test_what_waits_is_one_list(leaving: Cli) -> None:
    """The standing names its command once, however many connections have rows that wait."""
    screen = leaving("status").stdout
    assert screen.count("links list --waiting") <= 1
    assert "links list --connection" not in screen
    waiting = leaving.json("links", "list", "--waiting", "--limit", "500")["links"]
    assert waiting
    assert all(link["waits_for"] or link["let_be"] for link in waiting)
