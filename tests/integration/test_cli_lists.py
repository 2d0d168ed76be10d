"""What commands print of a database after its first sync: lists and documents, on every terminal."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from typer.main import get_command

from syncengine.cli import show_what_can_be_shown
from syncengine.cli.app import app
from tests.support.cli import Cli


@pytest.mark.parametrize(
    ("command", "key", "fields"),
    [
        (("links", "list"), "links", {"entity", "connection", "external_id", "name", "state"}),
        (("links", "list", "--unlinked"), "links", {"waits_for", "record"}),
        (("operations",), "operations", {"action", "state", "fields", "name"}),
        (("operations", "--state", "applied"), "operations", {"connection", "attempts"}),
        (("events", "--limit", "5"), "events", {"connection", "resource", "external_id", "source"}),
        (("cases", "list"), "cases", {"id", "kind", "question", "answers", "about"}),
    ],
)
def test_lists_have_a_document_and_a_screen(
    synced: Cli, command: tuple[str, ...], key: str, fields: set[str]
) -> None:
    """Every list prints one JSON document with rows of a known shape, and a screen with the same rows."""
    rows = synced.json(*command)[key]
    assert rows
    assert all(fields <= row.keys() for row in rows)
    screen = synced(*command).stdout.splitlines()
    assert len([line for line in screen if line.strip()]) > len(rows)


@contextmanager
def _ascii(environment: Mapping[str, str]) -> Iterator[io.BytesIO]:
    """A terminal without UTF-8, as the program finds it when it begins."""
    printed = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for stream in ("stdout", "stderr"):
            patch.setattr(sys, stream, io.TextIOWrapper(printed, "ascii", write_through=True))
        show_what_can_be_shown()
        yield printed


def test_every_command_prints_on_a_terminal_without_utf_8(synced: Cli) -> None:
    """What cannot be shown is replaced; our own arrows and dashes have something in their place."""
    case = synced.json("cases", "list")["cases"][0]["id"]
    name = next(
        link["name"] for link in synced.json("links", "list", "--entity", "person")["links"]
        if not link["name"].isascii()
    )  # fmt: skip
    commands = (
        "status|plan|cases list|history|operations|events --limit 5|links list|links list --unlinked"
        f"|cases show {case}|explain person 1002|plan --help|--version|explain person J\u00f6rgel"
    )
    shown = {}
    for command in [*(c.split() for c in commands.split("|")), ["explain", "person", name]]:
        with _ascii(synced.environment) as printed:
            with contextlib.suppress(SystemExit):
                get_command(app)(command, prog_name="syncengine")
            shown[" ".join(command)] = printed.getvalue()
    assert all(shown.values()), [command for command, text in shown.items() if not text]
    assert b"?" in shown["links list"]
    assert b"-" in shown["operations"]


def test_the_program_as_it_is_started_prints_on_such_a_terminal(synced: Cli) -> None:
    """With ``PYTHONIOENCODING=ascii`` in the C locale, as from cron."""
    ended = subprocess.run(
        [sys.executable, "-c", "from syncengine.cli import main; main()", "cases", "list"],
        env={**os.environ, **synced.environment, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"?" in ended.stdout


def test_lists_are_narrowed(synced: Cli) -> None:
    """Entity, connection, state and limit narrow a list down to what was asked."""
    links = synced.json("links", "list", "--entity", "person", "--connection", "weekly10")["links"]
    assert {(k["entity"], k["connection"]) for k in links} == {("person", "weekly10")}
    unlinked = synced.json("links", "list", "--unlinked")["links"]
    assert {k["record"] for k in unlinked} == {None}
    assert synced.json("operations", "--state", "unknown")["operations"] == []
    assert len(synced.json("events", "--limit", "3")["events"]) == 3


def test_status_counts_what_sync_did(synced: Cli) -> None:
    """Status agrees with the sync before it on writes and cases, and says of each listing when it was read."""
    document = synced.json("status")
    applied = sum(o["count"] for o in document["operations"] if o["state"] == "applied")
    assert applied == synced.first["operations"]["applied"]
    assert document["cases"] == synced.first["cases"]
    listings = [r for c in document["connections"].values() for r in c["resources"].values()]
    assert listings
    assert all(listing["scanned_at"] for listing in listings)
    assert "ago" in synced("status").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("sync", "--connection", "nope"),
        ("sync", "--entity", "nope"),
        ("pause", "nope"),
        ("resume", "nope"),
        ("links", "list", "--entity", "nope"),
        ("operations", "--connection", "nope"),
        ("operations", "--state", "nope"),
        ("events", "--connection", "nope"),
        ("cases", "show", "nope"),
        ("cases", "list", "--kind", "nope"),
    ],
)
def test_unknown_names_are_bad_usage(synced: Cli, command: tuple[str, ...]) -> None:
    """A name that the project does not have ends with 2 and quotes the name."""
    assert "nope" in synced(*command, code=2).stderr


def test_lists_are_narrowed_by_record_time_person_connection_and_state(synced: Cli) -> None:
    """Each list takes what fits it; what does not belong is left out, and the rest is there."""
    everything = {
        name: synced.json(name, "--limit", "1000")[name]
        for name in ("operations", "events", "history")
    }
    anna = everything["operations"][0]["record"]
    own = synced.json("operations", "--record", anna)["operations"]
    assert {o["record"] for o in own} == {anna}
    assert len(own) == sum(o["record"] == anna for o in everything["operations"])
    changes = synced.json("history", "--record", anna, "--limit", "1000")["history"]
    assert len(changes) == sum(c["record"] == anna for c in everything["history"]) > 0
    shown = synced.json("events", "--record", anna)["events"]
    assert 0 < len(shown) < len(everything["events"])
    by_read = synced.json("events", "--by", "read", "--limit", "1000")["events"]
    assert len(by_read) == sum(e["source"] == "read" for e in everything["events"]) > 0
    for name in ("operations", "events", "history"):
        assert synced.json(name, "--since", "2999-01-01")[name] == []
        assert synced.json(name, "--until", "2001-01-01")[name] == []
        since = synced.json(name, "--since", "1h", "--limit", "1000")[name]
        assert since == everything[name]
    hakuna = synced.json("history", "--connection", "hakuna", "--limit", "1000")["history"]
    assert hakuna
    assert {c["from"] for c in hakuna} == {"hakuna"}
    assert synced.json("history", "--by", "nobody")["history"] == []
    asked = synced.json("cases", "list", "--connection", "hakuna")["cases"]
    assert {c["connection"] for c in asked} == {"hakuna"}
    assert synced.json("cases", "list", "--state", "closed")["cases"] == []
    assert synced.json("cases", "list", "--until", "2001-01-01")["cases"] == []
    told = synced("operations", "--since", "tomorrow", code=2).output
    assert "expected a time as 18:00" in told


def test_times_are_those_of_the_project_and_say_so(synced: Cli) -> None:
    """Wherever the machine stands."""
    here = synced("operations", "--limit", "1", TZ="Pacific/Auckland").stdout
    there = synced("operations", "--limit", "1", TZ="America/New_York").stdout
    assert here == there
    assert "Times: Europe/Berlin." in here


def test_a_question_says_why_it_asks_and_how_it_ends_without_an_answer(synced: Cli) -> None:
    """Which identity is shared, where it is said, what to correct where, and what follows."""
    asked = synced.json("cases", "list", "--connection", "heavenhr")["cases"]
    case = synced.json("cases", "show", asked[0]["id"])
    advice = case["advice"]
    assert "work_email" in advice["same"]
    assert "last_name" in advice["differ"]
    assert "person.yaml: identity" in advice["why"]
    assert "work_email is the same here" in advice["why"]
    assert "work_email is wrong on one side: correct it there" in advice["correct"]
    told = synced("cases", "show", asked[0]["id"]).stdout
    assert all(
        " ".join(part.split()) in " ".join(told.split()) for part in (advice["why"], advice["then"])
    )
