"""A company as HR finds it on a Monday: what screens are looked at with, in tests and for the docs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from syncengine.bootstrap import open_engine
from syncengine.current import Current
from syncengine.edition import starter
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.members import add_member
from syncengine.flows.people.pausing import pause
from syncengine.flows.people.signing_in import make_link
from syncengine.flows.run.sync import sync
from syncengine.model.member import Role
from syncengine.process import free_port
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import Settings, read_settings
from syncengine.web import make_app
from syncengine.web.apart import Apart
from syncengine.web.sql_thread import TIMEOUTS, PerThread
from tests.support import web

NEW = "Nora Feldmann"


@dataclass(frozen=True)
class Scene:
    """The settings of that company, and its vendors."""

    settings: Settings
    sandbox: SandboxProcess
    folder: Path

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """An engine on it."""
        with open_engine(self.settings) as engine:
            yield engine

    def link(self, *roles: Role, name: str = "kim") -> str:
        """A new member, and the path of a link that signs them in."""
        with self.engine() as engine:
            add_member(engine, name, roles, "admin")
            return f"/link/{make_link(engine, name, 'admin')}"


@contextmanager
def monday(folder: Path, people: int = 60) -> Iterator[Scene]:
    """People are linked and written, and since then things have happened that somebody has to look at."""
    project = folder / "mappings"
    copytree(starter(), project)
    with SandboxProcess(people=people) as sandbox, pytest.MonkeyPatch.context() as patch:
        given = {
            **sandbox.env,
            "SYNCENGINE_PROJECT": str(project),
            "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder / 'scene.db'}",
            "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
            "SYNCENGINE_MODE": "write",
        }
        for name, value in given.items():
            patch.setenv(name, value)
        for name in [n for n in os.environ if n.startswith("HEIAHEIA_")]:
            patch.delenv(name)
        made = Scene(read_settings(), sandbox, folder)
        with made.engine() as engine:
            sync(engine)
        _happens(sandbox)
        with made.engine() as engine:
            sync(engine)
        _only_observe(project, "haekka")
        _by_two(project)
        _later(sandbox)
        with made.engine() as engine:
            sync(engine)
            pause(engine, "hakuna", "payroll runs until noon")
        yield made


def _happens(sandbox: SandboxProcess) -> None:
    """Weeks go by."""
    people = [e for e in sandbox.state("heavenhr", "employees") if e.get("professionalEmail")]
    for number, row in enumerate(people[5:14]):
        sandbox.mutate("heavenhr", "employees", "update", row["id"], {"jobTitle": f"Lead {number}"})
    sandbox.mutate("heavenhr", "employees", "update", people[3]["id"], {"lastName": "Weiss-Adler"})
    for row in sandbox.state("weekly10", "users")[7:9]:
        sandbox.mutate("weekly10", "users", "update", row["api_id"], {"first_name": "Toni"})


def _later(sandbox: SandboxProcess) -> None:
    """Since the last look."""
    location = sandbox.state("heavenhr", "locations")[0]["id"]
    first, _, last = NEW.partition(" ")
    values = {
        "firstName": first, "lastName": last, "email": "nora@post.example",
        "professionalEmail": "nora.feldmann@alpenblick.example", "employeeNumber": "2001",
        "jobTitle": "Engineer", "jobStatus": "HIRED", "startDate": "2026-11-01",
        "locationId": location,
    }  # fmt: skip
    sandbox.mutate("heavenhr", "employees", "create", values=values)
    _soon(sandbox, values)
    people = [e for e in sandbox.state("heavenhr", "employees") if e.get("professionalEmail")]
    for row in people[20:32]:
        values = {"jobStatus": "LEFT", "endOfContract": "2026-11-20"}
        sandbox.mutate("heavenhr", "employees", "update", row["id"], values)
    sandbox.mutate("heavenhr", "employees", "delete", people[33]["id"])
    sandbox.mutate("heavenhr", "employees", "update", people[34]["id"], {"startDate": "soon"})
    for record in sandbox.state("weekly10", "training_records")[:6]:
        moment = {"date_completed": "2026-11-27T10:00:00Z"}
        sandbox.mutate("weekly10", "training_records", "update", record["api_id"], moment)


def _soon(sandbox: SandboxProcess, values: Mapping[str, Any]) -> None:
    """Two start and one leaves within days."""
    today = datetime.now(UTC).date()
    for number, (first, last) in enumerate((("Tarek", "Aziz"), ("Mila", "Sommer"))):
        own = {
            "firstName": first, "lastName": last, "email": f"{first.lower()}@post.example",
            "professionalEmail": f"{first}.{last}@alpenblick.example".lower(),
            "employeeNumber": f"{2002 + number}",
            "startDate": (today + timedelta(days=2 + number)).isoformat(),
        }  # fmt: skip
        sandbox.mutate("heavenhr", "employees", "create", values={**values, **own})
    people = [e for e in sandbox.state("heavenhr", "employees") if e.get("professionalEmail")]
    leaves = {"endOfContract": (today + timedelta(days=2)).isoformat()}
    sandbox.mutate("heavenhr", "employees", "update", people[10]["id"], leaves)


def _only_observe(project: Path, connection: str) -> None:
    path = project / "connections.yaml"
    text = path.read_text("utf-8")
    mode = f"  {connection}: ${{SYNCENGINE_MODE:-observe}}"
    assert mode in text
    path.write_text(text.replace(mode, f"  {connection}: observe"), "utf-8")


def _by_two(project: Path) -> None:
    """Two people approve deletes."""
    path = project / "connections.yaml"
    path.write_text(path.read_text("utf-8") + "\napprovals: {deletes: 2}\n", "utf-8")


@contextmanager
def serving(settings: Settings, port: int = 0) -> Iterator[str]:
    """The web side with its console on a real port, this one or a free one; its address."""
    pages = PerThread(lambda: Current(settings, "", None, TIMEOUTS))
    current = Current(settings, "web", None, TIMEOUTS)
    app = make_app(current.work, settings, pages=pages.work, compute=Apart())
    try:
        with web.serving(app, port) as address:
            yield address
    finally:
        pages.close()
        current.close()
