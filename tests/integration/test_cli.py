"""Every command against the simulated vendors: exit codes, JSON documents, and what the vendors were asked."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.main import get_command
from typer.testing import CliRunner

from syncengine.cli import show_what_can_be_shown
from syncengine.cli.app import app
from syncengine.sandbox.process import SandboxProcess
from tests.support.cli import Cli, cli_in
from tests.support.places import MAPPINGS

PRIVATE = "monika.st.john@post.example"
"""A private address of the sandbox, in a field that the mapping calls sensitive."""


def _cli(sandbox: SandboxProcess, folder: Path) -> Cli:
    sandbox.reset()
    return cli_in(folder, sandbox.env)


@pytest.fixture
def cli(sandbox: SandboxProcess, tmp_path: Path) -> Cli:
    """An empty database, and the vendors as in the beginning."""
    return _cli(sandbox, tmp_path)


@pytest.fixture(scope="module")
def synced(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A database after its first sync, to look at. The vendors may have moved on since."""
    made = _cli(sandbox, tmp_path_factory.mktemp("synced"))
    made.first = made.json("sync", code=4)
    return made


def _calls(document: Any) -> dict[str, dict[str, int]]:
    return {name: c["calls"] for name, c in document["connections"].items()}


def _asked(sandbox: SandboxProcess) -> dict[str, tuple[int, int]]:
    return {name: (c["reads"], c["writes"]) for name, c in sandbox.counters().items()}


def test_the_second_sync_writes_nothing(cli: Cli, sandbox: SandboxProcess) -> None:
    """A second sync writes nothing, and both ask the vendors as often as they say and as the lower bound is."""
    first = cli.json("sync", code=4)
    before = _asked(sandbox)
    second = cli.json("sync", code=4)
    after = _asked(sandbox)
    assert first["operations"]["applied"] == sum(w for _, w in before.values()) > 0
    assert second["converged"]
    assert second["operations"] == dict.fromkeys(first["operations"], 0)
    for document, start, end in ((first, {}, before), (second, before, after)):
        for name, calls in _calls(document).items():
            reads, writes = (e - s for e, s in zip(end[name], start.get(name, (0, 0)), strict=True))
            assert (calls["reads"], calls["writes"], calls["retries"]) == (reads, writes, 0), name
            assert calls["lower_bound"] == reads + writes, name


def test_a_fresh_plan_is_what_the_sync_then_writes(cli: Cli, sandbox: SandboxProcess) -> None:
    """On an empty database a fresh plan names changes and writes nothing; its digest lets exactly it through, each
    row that it names by one write."""
    assert "Nothing has been read yet" in cli("plan").stdout
    planned = cli.json("plan", "--fresh", code=3)
    assert all(writes == 0 for _, writes in _asked(sandbox).values())
    assert planned["changes"]
    assert all({"entity", "record", "connection", "action"} <= c.keys() for c in planned["changes"])
    assert cli.json("plan", code=3)["digest"] == planned["digest"]
    shown = cli("plan", code=3).stdout
    assert planned["digest"] in shown
    assert "person.yaml:" in shown
    assert PRIVATE not in shown
    cli("sync", "--plan", "another", code=1)
    assert all(writes == 0 for _, writes in _asked(sandbox).values())
    written = cli.json("sync", "--plan", planned["digest"], code=4)
    rows = [change for change in planned["changes"] if change["action"] != "learn"]
    assert (written["operations"]["applied"], written["left"]) == (len(rows), 0)
    assert cli.json("plan")["changes"] == []


def test_observing_writes_nothing(cli: Cli, sandbox: SandboxProcess) -> None:
    """While the mode is observe, a sync writes nothing, and the plan says of each change that it waits for that."""
    document = cli.json("sync", code=4, SYNCENGINE_MODE="observe")
    assert all(writes == 0 for _, writes in _asked(sandbox).values())
    changes = cli.json("plan", code=3, SYNCENGINE_MODE="observe")["changes"]
    assert all(change["observed_only"] for change in changes)
    wanted = sum(change["action"] != "learn" for change in changes)
    assert sum(document["unsent"].values()) == wanted > 0
    planned = f"{wanted} writes not sent: these connections are only observed"
    assert planned in cli("plan", code=3, SYNCENGINE_MODE="observe").stdout
    for command, code in (("sync", 4), ("status", 0), ("status --check", 4)):
        screen = cli(*command.split(), code=code, SYNCENGINE_MODE="observe").stdout
        for name, count in document["unsent"].items():
            assert re.search(
                rf"{count} changes? (is|are) not sent: {name} is only observed", screen
            )
        assert "Everything agrees" not in screen
    digest = cli.json("plan", code=3, SYNCENGINE_MODE="observe")["digest"]
    told = cli("plan", code=3, SYNCENGINE_MODE="observe").stdout
    assert f"Write exactly this, once it may be written: syncengine sync --plan {digest}" in told
    assert cli.json("sync", "--plan", digest, code=4)["operations"]["applied"] == wanted


def test_a_paused_connection_gets_no_writes_until_resumed(
    cli: Cli,
) -> None:
    """Writes to a paused connection are held and called so; after resuming they go out."""
    assert cli.json("pause", "weekly10", "--reason", "payroll runs") == {"paused": ["weekly10"]}
    assert _calls(cli.json("sync", code=4))["weekly10"]["writes"] == 0
    assert "paused: payroll runs" in cli("status").stdout
    assert cli.json("resume", "weekly10") == {"resumed": ["weekly10"]}
    assert _calls(cli.json("sync", code=4))["weekly10"]["writes"] > 0


@pytest.mark.long
@pytest.mark.ci
def test_after_a_restore_nothing_is_written_before_resuming(
    cli: Cli, sandbox: SandboxProcess
) -> None:
    """``db restored`` pauses all connections and has all rows compared again; a person lets it go on."""
    cli("sync", code=4)
    told = cli.json("db", "restored")
    assert set(told["paused"]) == set(_asked(sandbox))
    assert told["unsure"] == 0
    assert told["rows"] > 100
    person = sandbox.state("heavenhr", "employees")[0]
    sandbox.mutate("heavenhr", "employees", "update", person["id"], {"lastName": "Neumann"})
    calls = _calls(cli.json("sync", code=4))
    assert sum(c["writes"] for c in calls.values()) == 0
    assert "an older backup was restored" in cli("plan", code=3).stdout
    cli("resume")
    assert _calls(cli.json("sync", code=4))["weekly10"]["writes"] == 1
    assert "cases list" in cli("db", "restored").stdout


def test_one_record_is_synced_by_its_name(cli: Cli, sandbox: SandboxProcess) -> None:
    """``sync --record`` takes a readable name and reads that record's rows alone."""
    cli("sync", code=4)
    before = _asked(sandbox)
    cli("sync", "--record", "zoë moser", code=4)
    asked = {name: after - before[name][0] for name, (after, _) in _asked(sandbox).items()}
    assert all(0 < reads <= 2 for name, reads in asked.items() if name in ("heavenhr", "weekly10"))
    told = cli("sync", "--record", "Müller", code=2).stderr
    assert "Anna Müller" in told
    assert "nobody at all" in cli("sync", "--record", "nobody at all", code=2).stderr


def test_a_vendor_that_refuses_us_makes_sync_fail(cli: Cli) -> None:
    """With wrong credentials a sync ends with 1 and still prints its document; ``check --online`` names the
    connection."""
    document = cli.json("sync", code=1, HAKUNA_TOKEN="wrong")
    assert any(fault.startswith("hakuna users") for fault in document["faults"])
    checked = cli.json("check", "--online", code=1, HAKUNA_TOKEN="wrong")["connections"]
    assert "401" in checked["hakuna"]["online"]
    assert checked["heavenhr"]["online"] == ""
    assert "halted" in cli("status").stdout


def test_a_connection_without_credentials_is_off(cli: Cli) -> None:
    """A connection without credentials is said to be off by check and status, and the others are synced."""
    told = cli.json("check", HAKUNA_TOKEN="")
    assert "HAKUNA_TOKEN" in told["connections"]["hakuna"]["off"]
    assert any("hakuna is off" in warning for warning in told["warnings"])
    assert "hakuna" not in cli.json("sync", code=4, HAKUNA_TOKEN="")["connections"]
    assert "off" in cli("status", HAKUNA_TOKEN="").stdout


def test_a_case_is_shown_and_answered(cli: Cli) -> None:
    """A question stands side by side without sensitive values; a wrong answer is bad usage, a right one closes it."""
    cli("sync", code=4)
    case = next(c for c in cli.json("cases", "list")["cases"] if c["about"] == "Monika St. John")
    end = case["id"][-8:]
    shown = cli.json("cases", "show", end)
    assert [side["values"]["first_name"] for side in shown["sides"]] == ["Monika", "Beatriz"]
    screen = cli("cases", "show", end).stdout
    assert "Beatriz" in screen
    assert "•••" in screen
    assert PRIVATE not in screen + json.dumps(shown)
    assert "new, ignore" in cli("cases", "answer", end, "perhaps", code=2).stderr
    assert "made" in cli.json("cases", "answer", end, "new", "--reason", "asked")["done"]
    assert case["id"] not in [c["id"] for c in cli.json("cases", "list")["cases"]]
    closed = {c["id"]: c for c in cli.json("cases", "list", "--closed")["cases"]}
    assert (closed[case["id"]]["answer"], closed[case["id"]]["reason"]) == ("new", "asked")
    cli("cases", "answer", end, "new", code=1)


def test_a_field_is_explained(cli: Cli, sandbox: SandboxProcess) -> None:
    """``explain`` names system, rule and replaced value of a change, its write elsewhere, and dots what is
    sensitive."""
    cli("sync", code=4)
    rows = sandbox.state("heavenhr", "employees")
    changed = next(row for row in rows if row["employeeNumber"] == "1002")
    sandbox.mutate("heavenhr", "employees", "update", changed["id"], {"lastName": "Neu"})
    cli("sync", code=4)
    told = cli.json("explain", "person", "1002", "last_name")["fields"][0]
    because = told["because"]
    assert (because["from"], because["old"], because["new"]) == (
        "heavenhr",
        changed["lastName"],
        "Neu",
    )
    assert because["rule"].startswith("person.yaml:")
    there = {system["connection"]: system for system in told["systems"]}
    assert there["weekly10"]["value"] == "Neu"
    (write,) = told["writes"]
    assert (write["to"], write["value"], write["state"]) == ("weekly10", "Neu", "applied")
    every = cli("explain", "person", "1002").stdout
    assert "only change" in every
    assert changed["email"] not in every
    assert "•••" in every
    cli("explain", "person", "1002", "nope", code=2)
    cli("explain", "nope", "1002", code=2)


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


@pytest.mark.parametrize("command", ["run", "sync"])
def test_a_database_of_other_keys_is_refused_before_anything_starts(cli: Cli, command: str) -> None:
    """A key that was lost or mixed up is told by the command, not by each task of a service that seems to run."""
    mine, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    cli("pause", "hakuna", SYNCENGINE_ENCRYPTION_KEYS=mine)
    told = cli(command, code=2, SYNCENGINE_ENCRYPTION_KEYS=other).stderr
    assert told.startswith("SYNCENGINE_ENCRYPTION_KEYS: none of these keys opens the database")
    assert cli(command, code=2).stderr.startswith("SYNCENGINE_ENCRYPTION_KEYS: none of these")


def test_check_says_how_rules_come_back(synced: Cli) -> None:
    """Check is green for the shipped project, says of each rule how it comes back, and warns of a missing key."""
    document = synced.json("check")
    assert document["valid"]
    verdicts = {(r["entity"], r["connection"], r["field"]): r["verdict"] for r in document["rules"]}
    assert verdicts["time_entry", "hakuna", "end"] == "two-way"
    assert verdicts["training_record", "haekka", "completed_at"] == "lossy"
    assert verdicts["person", "heavenhr", "job_title"] == "one-way"
    assert any("SYNCENGINE_ENCRYPTION_KEYS" in warning for warning in document["warnings"])
    assert "The project is valid" in synced("check").stdout


def test_an_invalid_project_stops_every_command(synced: Cli, tmp_path: Path) -> None:
    """All faults are named with file, line and column; check, plan, sync, status, run and web end with 2."""
    broken = tmp_path / "broken"
    shutil.copytree(MAPPINGS, broken)
    lines = (broken / "person.yaml").read_text("utf-8").splitlines()
    line, text = next((n, t) for n, t in enumerate(lines, 1) if "professionalEmail" in t)
    lines[line - 1] = text.replace("professionalEmail", "profEmail")
    (broken / "person.yaml").write_text("\n".join(lines), "utf-8")
    (broken / "rules.yaml").write_text("version: 1\nderive: 7\n", "utf-8")
    document = synced.json("check", code=2, SYNCENGINE_PROJECT=str(broken))
    assert not document["valid"]
    assert {fault.split(":")[0] for fault in document["faults"]} == {"person.yaml", "rules.yaml"}
    for command in ("check", "plan", "sync", "status", "run", "web"):
        told = synced(command, code=2, SYNCENGINE_PROJECT=str(broken)).stderr
        assert f"person.yaml:{line}:{text.index('professionalEmail') + 1}:" in told
        assert "rules.yaml:2:" in told


def test_init_writes_a_valid_project(synced: Cli, tmp_path: Path) -> None:
    """``init`` writes the shipped project, which is valid as it stands, and never into a folder with files."""
    folder = tmp_path / "mine"
    synced("init", str(folder))
    assert {p.name for p in folder.iterdir()} == {p.name for p in MAPPINGS.glob("*.yaml")}
    assert synced.json("check", SYNCENGINE_PROJECT=str(folder))["valid"]
    assert "not empty" in synced("init", str(folder), code=2).stderr


def test_schema_for_every_kind_of_file(synced: Cli, tmp_path: Path) -> None:
    """``schema`` prints one document with a schema for each kind of file, or writes one file for each."""
    printed = json.loads(synced("schema").stdout)
    synced("schema", "--out", str(tmp_path))
    written = {p.name.split(".")[0]: json.loads(p.read_text()) for p in tmp_path.iterdir()}
    assert written == printed
    assert printed.keys() == {"connections", "entity", "derive", "notify", "console"}


def test_a_database_that_is_not_there_is_said_in_a_line(synced: Cli) -> None:
    """A database that cannot be used ends with 1 and advice, without a traceback; --debug shows it all."""
    wrong = "sqlite:////nowhere/at/all.db"
    told = synced("status", code=1, SYNCENGINE_DATABASE_URL=wrong).stderr
    assert "SYNCENGINE_DATABASE_URL" in told
    assert told.count("\n") == 1
    assert "Traceback" not in told
    result = CliRunner().invoke(
        app, ["--debug", "status"], env={**synced.environment, "SYNCENGINE_DATABASE_URL": wrong}
    )
    assert type(result.exception).__name__ == "DatabaseDown"
    assert synced("status", code=2, SYNCENGINE_DATABASE_URL="mysql://x").stderr.count("\n") == 1


def test_db_upgrade_makes_the_schema(cli: Cli, tmp_path: Path) -> None:
    """``db upgrade`` makes the database, needs no project, and may be run twice."""
    for _ in range(2):
        cli("db", "upgrade", SYNCENGINE_PROJECT=str(tmp_path))
    assert (tmp_path / "engine.db").stat().st_size > 0


def test_the_sandbox_command_says_how_to_reach_it() -> None:
    """``sandbox`` prints export lines for a shell, then ``ready``."""
    command = [sys.executable, "-c", "from syncengine.cli import main; main()", "sandbox"]
    with subprocess.Popen([*command, "--people=3"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while lines[-1].startswith("export "):
            lines.append(process.stdout.readline())
        process.terminate()
    assert lines[-1] == "ready\n"
    assert any(line.startswith("export HEAVENHR_BASE_URL='http://127.0.0.1:") for line in lines)


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


def test_a_plan_of_one_record_shows_what_concerns_it(cli: Cli, sandbox: SandboxProcess) -> None:
    """Its own changes and what waits for them; how many others there are is said, and how to write it alone."""
    cli.json("sync", code=4)
    rows = sandbox.state("heavenhr", "employees")
    for row in rows[:2]:
        new = {"lastName": f"{row['lastName']}-Weber"}
        sandbox.mutate("heavenhr", "employees", "update", row["id"], new)
    whole = cli.json("plan", "--fresh", code=3)
    record = next(c["record"] for c in whole["changes"] if c["action"] == "update")
    one = cli.json("plan", "--record", record, code=3)
    assert {c["record"] for c in one["changes"]} == {record}
    assert one["others"] == len(whole["changes"]) - len(one["changes"]) > 0
    assert one["digest"] == whole["digest"]
    told = cli("plan", "--record", record, code=3).stdout
    assert f"syncengine sync --record {record[-8:]}" in told
    assert "other change" in told


def test_many_questions_are_answered_at_once_and_what_did_not_go_is_named(cli: Cli) -> None:
    """By kind and connection, or by their ids; held writes are looked at one by one, and a large number is said."""
    cli.json("sync", code=4)
    asked = cli.json("cases", "list")["cases"]
    new = [c for c in asked if "new" in c["answers"]]
    other = [c for c in asked if "new" not in c["answers"]]
    assert new
    assert other
    assert "--kind" in cli("cases", "answer", "all", "ignore", code=2).output
    ids = ",".join(c["id"][-8:] for c in (*new, *other[:1]))
    done = cli.json("cases", "answer", ids, "new", "--reason", "asked", code=1)
    assert (done["answered"], done["refused"]) == (len(new), 1)
    assert done["cases"][-1]["refused"].startswith("expected one of")
    rest = cli.json("cases", "answer", "all", "ignore", "--kind", "identity")
    assert (rest["answered"], rest["refused"]) == (len(other), 0)
    assert cli.json("cases", "list")["cases"] == []
    closed = cli.json("cases", "list", "--by", "kim")["cases"]
    assert {c["reason"] for c in closed} == {"asked", ""}


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
