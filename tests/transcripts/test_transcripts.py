"""What people see: every question, plan, explanation and error, word for word.

The files beside this one are what a terminal shows. ``SYNCENGINE_TEST_UPDATE=1`` writes them anew: read the
difference before you keep it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any

import pytest
from typer.testing import CliRunner

from syncengine.bootstrap import open_ledger
from syncengine.cli.app import app
from syncengine.flows.core.engine import new_id
from syncengine.model.changeset import Changeset
from syncengine.model.operation import Action, OperationState
from syncengine.planning.questions import unprovable
from syncengine.sandbox.people import make_staff, today
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import Settings
from tests.support.cli import only

pytestmark = [pytest.mark.long, pytest.mark.ci]
HERE = Path(__file__).parent
PEOPLE, SEED = 14, 1
SANDBOX = {"people": PEOPLE, "seed": SEED}
CLOSED = make_staff(1, SEED, today()).closed_month
"""The month of which hakuna's books are closed."""
VARYING = re.compile(
    r"(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<short>\b[0-9a-f]{8}\b)"
    r"|(?P<digest>\b[0-9a-f]{20}\b|(?<=--seen )[0-9a-f]{16}\b)"
    r"|(?P<stamp>\b\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=not asked before )[\d:]+)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|\b\d\d-\d\d \d\d:\d\d:\d\d)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d\b)"
    r"|(?P<took>\b\d+(\.\d+)? s\b)"
    r"|(?P<port>127\.0\.0\.1:\d+)"
    r"|(?P<day>(?<=From )\w+ \d\d:\d\d)"
    r"|(?P<clock>(?<=since )\d\d:\d\d\b|\b\d\d:\d\d(?=  (?:sync|plan|[a-z0-9]+ [a-z_]+  )))"
    r"|(?P<number>(?<=#)\d+|(?<=event )\d+|(?<=undo )\d+)"
)


@dataclass
class Terminal:
    """One person's terminal: what was typed and what was shown, with ids, times and ports made alike."""

    sandbox: SandboxProcess
    environment: dict[str, str]
    shown: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def __call__(self, line: str, code: int = 0, quiet: bool = False, **more: str) -> str:
        """Run a command and note what it shows; the exit code must be ``code``. ``more``: further variables."""
        result = CliRunner().invoke(
            app, shlex.split(line), env={**self.environment, **more}, prog_name="syncengine"
        )
        assert result.exit_code == code, (line, result.output, result.exception)
        if not quiet:
            ending = f"[exit {code}]\n" if code else ""
            given = "".join(f"{name}={shlex.quote(value)} " for name, value in more.items())
            self.shown.append(f"$ {given}syncengine {line}\n{result.output}{ending}")
        return result.stdout

    def say(self, text: str) -> None:
        """What happens outside the terminal."""
        self.shown.append(f"# {text}\n")

    def text(self) -> str:
        """Everything shown so far, the same in every run."""
        joined = "\n".join(self.shown)
        return (
            "\n".join(line.rstrip() for line in VARYING.sub(self._alike, joined).splitlines())
            + "\n"
        )

    def _alike(self, found: re.Match[str]) -> str:
        kind, text = str(found.lastgroup), found.group()
        if kind in ("id", "short", "number"):
            whole = text[-8:] if kind == "id" else text
            number = self.names.setdefault(whole, str(len(self.names) + 1))
            return number if kind == "number" else f"id{number:0>6}"
        stays = {"digest": "DIGEST", "took": "N s", "port": "127.0.0.1:PORT", "day": "Mon 99:99"}
        return stays.get(kind, re.sub(r"\d", "9", text))

    def mutate(
        self, vendor: str, resource: str, action: str, identifier: Any, **values: Any
    ) -> None:
        """Somebody at the vendor's own screen."""
        self.sandbox.mutate(vendor, resource, action, identifier, values)

    def doubt(self, connection: str) -> None:
        """Ask what is asked where a create was lost and nothing can prove it, of the last one that went through: none
        of these vendors leaves a create unproved."""
        settings = Settings(database_url=self.environment["SYNCENGINE_DATABASE_URL"])
        with open_ledger(settings) as ledger, ledger.write() as tx:
            applied = tx.select_operations([OperationState.APPLIED], connection)
            create = next(o for o in applied if o.action is Action.CREATE)
            tx.write(Changeset(raised=[replace(unprovable(create), id=new_id(), opened_at=time())]))

    def digest(self, case: str) -> str:
        """The digest of the writes that a case holds."""
        return self(f"cases show {case}", quiet=True).partition("--seen ")[2].split()[0]

    def case(self, kind: str, about: str = "") -> str:
        """The short id of the oldest open case of a kind, about somebody."""
        listed = self(f"cases list --kind {kind}", quiet=True).splitlines()
        return next(line.split()[0] for line in listed[1:] if about in line)


@pytest.fixture
def terminal(sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """An empty database, the vendors as in the beginning, and the project beside this file."""
    sandbox.reset()
    monkeypatch.chdir(HERE)
    place = {
        "SYNCENGINE_PROJECT": "project",
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path / 'engine.db'}",
        "COLUMNS": "120", "SYNCENGINE_AUTHOR": "kim", "TERM": "dumb", "TZ": "Europe/Berlin",
    }  # fmt: skip
    return Terminal(sandbox, only(sandbox.env, place))


def kept(name: str, terminal: Terminal) -> None:
    """Hold what was shown to the file of that name."""
    path, text = HERE / f"{name}.txt", terminal.text()
    if os.environ.get("SYNCENGINE_TEST_UPDATE"):
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != expected:
        told = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), path.name, "shown now", lineterm=""
        )
        pytest.fail("\n".join(told), pytrace=False)


def test_first_days(terminal: Terminal) -> None:
    """Checking a project, looking at the first plan, writing exactly that, and what is asked then."""
    terminal("check")
    terminal("plan", SYNCENGINE_MODE="observe")
    terminal("plan --fresh", code=3, SYNCENGINE_MODE="observe")
    terminal("sync --plan 0123456789abcdef0123", code=1)
    terminal("sync", code=4)
    terminal("check")
    terminal("plan")
    terminal("status")
    terminal("runs")
    terminal("runs --all --limit 3")
    terminal("links list --unlinked")
    terminal("cases list")
    terminal(f"cases show {terminal.case('identity')}")
    kept("first-days", terminal)


def test_questions(terminal: Terminal) -> None:
    """Two changes at once, a change by somebody who does not own the field, a row that is gone: side by side, with what
    each answer does, and what is said when it was answered."""
    terminal("sync", code=4, quiet=True)
    people = {r["employeeNumber"]: r["id"] for r in terminal.sandbox.state("heavenhr", "employees")}
    terminal.say("Zoë's address is changed in HeavenHR and, otherwise, in weekly10.")
    terminal.mutate(
        "heavenhr",
        "employees",
        "update",
        people["1001"],
        professionalEmail="zoe@alpenblick.example",
    )
    terminal.mutate("weekly10", "users", "update", "1001", email="z.moser@alpenblick.example")
    terminal.say("Thomas's shirt size, which weekly10 owns, is changed in HeavenHR.")
    resize(terminal, people["1002"], "XS")
    terminal.say("Somebody deletes a user in weekly10.")
    terminal.mutate("weekly10", "users", "delete", "1003")
    terminal("sync", code=4)
    terminal("cases list")
    for kind, answer in (("conflict", "record"), ("drift", "revert"), ("missing", "recreate")):
        case = terminal.case(kind)
        terminal(f"cases show {case}")
        terminal(f"cases answer {case} perhaps", code=2)
        terminal(f"cases answer {case} {answer} --reason 'asked HR'")
        terminal(f"cases show {case}")
        terminal(f"cases answer {case} {answer}", code=1)
    terminal("sync", code=4)
    terminal("cases list --kind conflict")
    terminal("history --lost")
    kept("questions", terminal)


def resize(terminal: Terminal, employee: str, size: str) -> None:
    """Somebody changes a shirt size in HeavenHR."""
    rows = terminal.sandbox.state("heavenhr", "employees")
    own = next(row for row in rows if row["id"] == employee)["customAttributes"]
    changed = [{**a, "value": size if a["name"] == "Shirt size" else a["value"]} for a in own]
    terminal.mutate("heavenhr", "employees", "update", employee, customAttributes=changed)


def test_refusals(terminal: Terminal) -> None:
    """Too many leavers at once, a write that is refused, a row that does not fit: asked, and nothing is lost."""
    terminal("sync", code=4, quiet=True)
    people = {r["employeeNumber"]: r["id"] for r in terminal.sandbox.state("heavenhr", "employees")}
    terminal.say("Three people leave.")
    for number in ("1002", "1003", "1004"):
        terminal.mutate("heavenhr", "employees", "update", people[number], jobStatus="LEFT")
    terminal.say("Wanda is entered as of a day in a month of which hakuna's books are closed.")
    new = {"firstName": "Wanda", "lastName": "Berg", "email": "wanda@post.example",
           "professionalEmail": "wanda.berg@alpenblick.example", "employeeNumber": "2001",
           "startDate": f"{CLOSED}-15"}  # fmt: skip
    terminal.mutate("heavenhr", "employees", "create", None, **new)
    terminal.mutate(
        "hakuna", "users", "create", None, name="Wanda Berg", email=new["professionalEmail"]
    )
    terminal.say("Somebody types a date into HeavenHR that is none.")
    terminal.mutate("heavenhr", "employees", "update", people["1005"], startDate="next spring")
    terminal("sync", code=4)
    terminal("cases list")
    for kind in ("staged", "rejected", "quarantined"):
        terminal(f"cases show {terminal.case(kind)}")
    terminal("plan", code=3)
    staged = terminal.case("staged")
    terminal(f"cases answer {staged} reject --reason 'a test of HR'")
    terminal(f"cases answer {terminal.case('rejected')} drop --reason 'closed for good'")
    terminal("sync", code=4)
    terminal("plan")
    terminal("status")
    terminal("links list --entity person --connection weekly10 --limit 5")
    terminal(f"cases show {staged}")
    terminal(f"cases answer {staged} approve --reason 'they did leave'", code=2)
    seen = terminal.digest(staged)
    terminal(f"cases answer {staged} approve --seen {seen} --reason 'they did leave'")
    terminal("sync", code=4)
    terminal(f"cases show {staged}")
    terminal("operations --limit 6")
    kept("refusals", terminal)


def test_explanations(terminal: Terminal) -> None:
    """Why a value is what it is, what happened to it, taking a change back, and correcting who is who."""
    terminal("sync", code=4, quiet=True)
    terminal("explain person 'Zoë Moser'")
    terminal("explain person 1001 shirt_size")
    terminal.mutate(
        "weekly10", "users", "update", "1001",
        properties={"Shirt size": "M"}, email="zoe@alpenblick.example",
    )  # fmt: skip
    terminal("sync", code=4)
    terminal("explain person 1001 shirt_size")
    terminal("explain person 1001 private_email")
    told = terminal("explain person 1001 work_email --json", quiet=True)
    change = json.loads(told)["fields"][0]["changes"][-1]["change"]
    terminal(f"undo {change} --reason 'she wants it as it was'")
    terminal(f"undo {change}", code=1)
    terminal("undo 99999", code=1)
    terminal("sync", code=4)
    terminal("explain person 1001 work_email")
    terminal("history --limit 4")
    terminal("links list --connection hakuna --entity person --limit 3")
    terminal("links split person hakuna 1 --reason 'a namesake'")
    terminal("links point person hakuna 2 1001", code=0)
    terminal("links point person hakuna 3 1001", code=1)
    terminal("links split person hakuna 77", code=2)
    terminal("links join person 1001 1002", code=1)
    split = terminal("links split person weekly10 1005 --own --reason 'two of one name'")
    terminal(f"links join person 'José Meyer' {split.split()[2]} --reason 'one after all'", code=2)
    mine = terminal("links list --connection heavenhr --json", quiet=True)
    jose = next(k["record"] for k in json.loads(mine)["links"] if k["name"] == "José Meyer")
    terminal(f"links join person {jose[-8:]} {split.split()[2]} --reason 'one after all'")
    terminal("sync", code=4)
    terminal("events --connection weekly10 --limit 3")
    rehire(terminal)
    kept("explanations", terminal)


def test_team(terminal: Terminal) -> None:
    """Another mapping, which owns nothing and deletes: a rule that loses something, a first link with many differences,
    references by name, a second row of somebody, deletes planned, carried out, and held where they meet a change."""
    terminal.environment["SYNCENGINE_PROJECT"] = "team"
    people = {r["employeeNumber"]: r["id"] for r in terminal.sandbox.state("heavenhr", "employees")}
    units = {r["name"]: r["id"] for r in terminal.sandbox.state("heavenhr", "organizations")}
    terminal.say("weekly10 has Zoë in another department, and under another name and size.")
    terminal.mutate(
        "weekly10", "users", "update", "1001", first_name="Zoe", last_name="Moser-Frei",
        department_api_id="dep-engineering", properties={"Shirt size": "S"},
    )  # fmt: skip
    terminal("check")
    terminal("sync", code=4)
    conflict = terminal.case("conflict")
    terminal(f"cases show {conflict}")
    terminal(f"cases answer {conflict} record --reason 'the contract says so'")
    terminal.say("Thomas moves to Engineering, and Ursula leaves.")
    terminal.mutate(
        "heavenhr", "employees", "update", people["1002"], departmentId=units["Engineering"]
    )
    terminal.mutate("heavenhr", "employees", "update", people["1003"], jobStatus="LEFT")
    terminal("plan --fresh", code=3)
    told = terminal("plan --json", code=3, quiet=True)
    terminal(f"sync --plan {json.loads(told)['digest']}", code=4)
    terminal("history --limit 6")
    terminal.say("Anna leaves as well, while weekly10 still changes her name.")
    terminal.mutate("heavenhr", "employees", "update", people["1004"], jobStatus="LEFT")
    terminal.mutate("weekly10", "users", "update", "1004", first_name="Anni")
    terminal.say("Somebody makes a second user for Thomas.")
    terminal.mutate(
        "weekly10", "users", "create", None, api_id="t-2", first_name="Thomas", last_name="Suter",
        email="thomas.suter@alpenblick.example",
    )  # fmt: skip
    terminal("sync", code=4)
    terminal("cases list")
    for about in ("Anna", "Pascal"):
        terminal(f"cases show {terminal.case('conflict', about)}")
    terminal(f"cases answer {terminal.case('conflict', 'Anna')} keep --reason 'she comes back'")
    terminal(f"cases show {terminal.case('identity', 'Thomas')}")
    terminal.doubt("weekly10")
    terminal(f"cases show {terminal.case('unknown')}")
    kept("team", terminal)


def rehire(terminal: Terminal) -> None:
    """Somebody is deleted by a person's word, and hired again; both are explained."""
    terminal.say(
        "Ursula's user is deleted in weekly10; she has left, and is deleted in HeavenHR, too."
    )
    rows = terminal.sandbox.state("heavenhr", "employees")
    ursula = next(row for row in rows if row["employeeNumber"] == "1003")
    terminal.mutate("weekly10", "users", "delete", "1003")
    terminal.mutate("heavenhr", "employees", "delete", ursula["id"])
    terminal("sync", code=4, quiet=True)
    terminal(f"cases answer {terminal.case('missing')} delete --reason 'she left'")
    terminal("sync", code=4, quiet=True)
    terminal("explain person 1003")
    terminal.say("She is hired again.")
    again = f"_again{ursula['id'][6:]}"
    terminal.mutate("heavenhr", "employees", "create", None, **{**ursula, "id": again})
    terminal("sync", code=4, quiet=True)
    terminal("explain person 1003")


def test_mistakes(terminal: Terminal) -> None:
    """What goes wrong at the keyboard, in the project, or on the way is told in a line, with what to do."""
    terminal("check", code=2, SYNCENGINE_PROJECT="nowhere")
    terminal("check", code=2, SYNCENGINE_PROJECT="../broken/fields")
    terminal("plan", code=1, SYNCENGINE_DATABASE_URL="postgresql+psycopg://127.0.0.1:9/none")
    terminal("plan", code=2, SYNCENGINE_DATABASE_URL="mysql://somewhere")
    terminal("check", WEEKLY10_PASSWORD="")
    terminal("sync", code=1, HAKUNA_TOKEN="wrong", WEEKLY10_BASE_URL="http://127.0.0.1:9/api")
    terminal("status", HAKUNA_TOKEN="wrong")
    terminal("sync --connection haekka", code=2)
    terminal("explain person nobody", code=2)
    terminal("explain person 1001 shoe_size", code=2)
    terminal("cases show 00000000", code=2)
    terminal("cases answer", code=2)
    terminal("pause hakuna --reason 'payroll runs'")
    terminal("status")
    terminal("resume hakuna")
    terminal("resume")
    terminal("db upgrade")
    kept("mistakes", terminal)
