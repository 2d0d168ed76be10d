"""Names and addresses stay in encrypted columns and with the vendors: a whole service, in good and bad hours."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from syncengine.broker import HOST, wait_for_broker
from syncengine.demo.cast import Story
from syncengine.demo.screen import Screen
from syncengine.demo.stage import Stage
from syncengine.demo.steps import EMPLOYEES, first_sync, new_employee
from syncengine.model.case import CaseKind
from syncengine.process import free_port
from syncengine.sandbox.people import make_staff, today

PEOPLE = 20
PACKED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
PLANTED = "ottilie ungefunden"
SINKS = ("broker", "Flower", "web", "log", "database")


class Wire(threading.Thread):
    """A broker's port that keeps whatever goes through it, both ways."""

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
            broker = socket.create_connection((HOST, self._broker))
            for one, other in ((client, broker), (broker, client)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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


def plain(text: str) -> str:
    """A text with what is packed or escaped in it made readable, twice over."""
    for _ in range(2):
        text = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        text += "\n" + "\n".join(_unpacked(found[0]) for found in PACKED.finditer(text))
    return text.casefold()


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def found_in(text: str, wanted: set[str]) -> set[str]:
    """Which of the wanted words stand in a text, packed or not."""
    words = set(re.findall(r"[\w'@.-]+", readable := plain(text)))
    return {w for w in wanted if (w in readable if " " in w or "@" in w else w in words)}


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
    pages = ("/api/workers?refresh=true", "/api/tasks?limit=100000", "/metrics", "/tasks")
    flower = [httpx.get(stage.service.flower_url + page, timeout=30).text for page in pages]
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
