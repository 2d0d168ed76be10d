"""Names and addresses stay in encrypted columns and with the vendors: a whole service, in good and bad hours."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from syncengine.adapters.vendors import CATALOG
from syncengine.broker import HOST, socket_of, wait_for_broker
from syncengine.demo.cast import Story
from syncengine.demo.screen import Screen
from syncengine.demo.stage import Stage
from syncengine.demo.steps import EMPLOYEES, first_sync, new_employee
from syncengine.model.case import CaseKind
from syncengine.process import free_port
from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.people import make_staff, today
from tests.attack.test_leaks import TELLING
from tests.support.leaks import found_in, seeded

PEOPLE = 20
PLANTED = "ottilie ungefunden"
SINKS = ("broker", "Flower", "web", "log", "database")


class Wire(threading.Thread):
    """A port before the embedded broker of a number that keeps whatever goes through it, both ways."""

    def __init__(self, broker: int) -> None:
        super().__init__(daemon=True)
        self.kept: list[bytearray] = []
        self._broker = broker
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        """Join each client with the broker."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            broker = socket.socket(socket.AF_UNIX)
            broker.connect(str(socket_of(self._broker)))
            for one, other in ((client, broker), (broker, client)):
                threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, giver: socket.socket, taker: socket.socket) -> None:
        kept = bytearray()
        self.kept.append(kept)
        try:
            while data := giver.recv(65536):
                kept += data
                taker.sendall(data)
        except OSError:
            pass
        # Not closed: the other direction still reads from it, and would keep it open.
        for end in (giver, taker):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def text(self) -> str:
        """All that was said."""
        return "\n".join(bytes(kept).decode("utf-8", "replace") for kept in self.kept)

    def close(self) -> None:
        """Take no more clients."""
        self._listener.close()


@contextmanager
def recorded_broker() -> Iterator[Wire]:
    """A broker behind a wire that keeps everything."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "syncengine.broker", str(port)])
    try:
        wait_for_broker(port)
        wire = Wire(port)
        wire.start()
        yield wire
        wire.close()
    finally:
        process.kill()
        process.wait()


def secrets() -> set[str]:
    """First and last name together, long last names alone, and all addresses of the staff and the newcomer."""
    found = {"nora feldmann", "feldmann", "nora.feldmann@alpenblick.example"}
    for person in make_staff(PEOPLE, 1, today()).people:
        found |= {f"{person.first} {person.last}", person.private_email, person.address}
        found |= {person.last} if len(person.last) > 5 else set()
    return {word.casefold() for word in found}


RECORDS = {"method": "POST", "route": "/training/record"}
FAULTS = {
    "drop_after": ("weekly10", {**RECORDS, "count": 2}),
    "status_500": ("weekly10", {**RECORDS, "skip": 2, "count": 2}),
    "html": ("haekka", {"route": "/employees", "count": 1}),
    "wrong_type": ("hakuna", {"route": "/users", "count": 1}),
    "truncate": ("heavenhr", {"route": "/employees", "count": 1}),
}
"""What makes an engine talk about rows: lost answers, failures, nonsense."""


def sinks(stage: Stage, wire: Wire) -> dict[str, str]:
    """Everything that operators get to see, and the store as it lies on the disk."""
    pages = [
        "/api/workers?refresh=true",
        "/api/tasks?limit=100000",
        "/metrics",
        "/",
        "/tasks",
        "/broker",
    ]
    tasks, workers = stage.flower("tasks?limit=100000"), stage.flower("workers")
    ended_badly = [key for key, task in tasks.items() if task["state"] != "SUCCESS"][:20]
    pages += [f"/task/{key}" for key in (*list(tasks)[:10], *ended_badly)]
    pages += [f"/worker/{name}" for name in workers]
    url, login = stage.service.flower_url, stage.service.flower_login
    with httpx.Client(base_url=url, auth=login, timeout=30) as client:
        flower = [client.get(page).raise_for_status().text for page in pages]
    web = [httpx.get(stage.service.web_url + page).text for page in ("/metrics", "/healthz")]
    store = [path.read_bytes().decode("utf-8", "replace") for path in stage.folder.glob("demo.db*")]
    texts = (wire.text(), "\n".join(flower), "\n".join(web), stage.log.read_text("utf-8"))
    return dict(zip(SINKS, (*texts, "\n".join(store)), strict=True))


def refused(story: Story) -> None:
    """HR mistypes: a name where an address belongs."""
    stage = story.stage
    values = {"firstName": "Nora", "lastName": "Feldmann", "professionalEmail": "Nora Feldmann"}
    stage.sandbox.mutate("heavenhr", "employees", "create", values=values)

    def asked() -> int:
        with stage.engine.ledger.read() as tx:
            return tx.count_cases().get(CaseKind.QUARANTINED, 0)

    stage.until("the row to be set aside", asked, lambda count: count, [EMPLOYEES])


@pytest.mark.long
@pytest.mark.ci
@pytest.mark.timeout(240)
def test_no_name_leaves_for_broker_flower_logs_or_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After lost answers, nonsense and refusals, no name or address stands where operators look; a planted one is
    found there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    wanted, told = secrets(), io.StringIO()
    with recorded_broker() as wire, Stage(PEOPLE, f"redis://{HOST}:{wire.port}/0") as stage:
        for kind, (vendor, more) in FAULTS.items():
            stage.sandbox.fault(vendor, kind, **more)
        story = Story(stage, Screen(Console(file=told)))
        first_sync(story)
        new_employee(story)
        refused(story)
        assert {entry["fault"] for entry in stage.sandbox.requests()} >= FAULTS.keys()
        found = {name: found_in(text, wanted) for name, text in sinks(stage, wire).items()}
        assert found == {name: set[str]() for name in SINKS}
        assert found_in(told.getvalue(), wanted), "what people are told has names"
        stage.engine.queue.announce("reconcile", [PLANTED])
        stage.until(
            "the planted name in the broker and in Flower",
            lambda: sinks(stage, wire),
            lambda now: all(found_in(now[name], {PLANTED}) for name in ("broker", "Flower")),
        )


LISTINGS = [(*place, "scan") for place in TELLING]


def among_failures(stage: Stage, kind: str, number: int) -> None:
    """Somebody gets another name, all is listed, and each vendor fails in one way for some seconds."""
    for vendor in CATALOG:
        for method, count in (("GET", 4), ("POST", 2), ("PATCH", 2)):
            stage.sandbox.fault(vendor, kind, method=method, count=count, delay=0.3)
    employees = stage.sandbox.state("heavenhr", "employees")
    changed = {"lastName": f"Ungefunden{number}", "jobTitle": f"Seeded {number}"}
    who = employees[number % len(employees)]["id"]
    stage.sandbox.mutate("heavenhr", "employees", "update", who, changed)
    stage.announce(LISTINGS)
    time.sleep(3)
    stage.sandbox.clear_faults()
    for vendor in CATALOG:
        stage.engine.note_success(vendor)


def commands() -> str:
    """The command line of every process that can be seen: any account may read it."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_failure_of_a_vendor_reaches_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole service, while its vendors fail in each way that the sandbox knows, one after the other."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with recorded_broker() as wire, Stage(20, f"redis://{HOST}:{wire.port}/0") as stage:
        for row in stage.sandbox.state("heavenhr", "employees"):  # four digits are a clock's too
            personnel = {"employeeNumber": f"PN{row['employeeNumber']}"}
            stage.sandbox.mutate("heavenhr", "employees", "update", row["id"], personnel)
        stage.list_everything()
        wanted = seeded(stage.sandbox)
        for number, kind in enumerate(KINDS):
            among_failures(stage, kind, number)
            wanted |= {f"ungefunden{number}", f"seeded {number}"}
        stage.announce(LISTINGS)
        time.sleep(5)
        wanted |= seeded(stage.sandbox)
        struck = {entry["fault"] for entry in stage.sandbox.requests()}
        assert struck >= {*KINDS}
        login = stage.service.flower_login
        secret = {v for n, v in stage.inside().items() if "KEYS" in n} | {login[1] if login else ""}
        seen = {**sinks(stage, wire), "command lines": commands()}
        del seen["database"]
        found = {name: found_in(text, wanted | secret - {""}) for name, text in seen.items()}
        assert found == {name: set[str]() for name in seen}
        assert "could not be called" in seen["log"], "there was something to be told"


@pytest.mark.parametrize(
    "text",
    [
        '{"row": "Ottilie  UNGEFUNDEN"}'.replace("  ", " "),
        json.dumps(["ottilie ungefunden"]).replace("u", "\\u0075"),
        base64.b64encode(b'[["Ottilie Ungefunden"], {}]').decode(),
        json.dumps({"body": base64.b64encode(b'"\\u004fttilie Ungefunden"').decode()}),
    ],
)
def test_the_search_sees_through_packing(text: str) -> None:
    """A name is found in any case, escaped as JSON does, and in the base64 of Celery's messages."""
    assert found_in(text, {PLANTED, "nobody else"}) == {PLANTED}
