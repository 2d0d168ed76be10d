"""Every command against the simulated vendors: exit codes, JSON documents, and what the vendors were asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.sandbox.process import SandboxProcess
from tests.support.cli import Cli
from tests.support.places import MAPPINGS

PRIVATE = "monika.st.john@post.example"
"""A private address of the sandbox, in a field that the mapping calls sensitive."""


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
