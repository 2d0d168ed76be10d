"""The web side over a real ledger and a small project of one vendor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.testclient import TestClient

from syncengine.flows.core.engine import Engine
from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from syncengine.mapping import load_project
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.process import free_port
from syncengine.settings import Settings
from syncengine.web import make_app
from syncengine.web.sql_thread import TIMEOUTS
from tests.support.databases import migrated

LONGEST = 2.0
"""Seconds that a request waits here."""
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

CONNECTIONS = """
version: 1
connections:
  hr: {connector: hr, base_url: "http://127.0.0.1:9", credentials: {token: t}}
"""
PERSON = """
version: 1
entity: person
fields:
  email: {type: email}
identity: [[email]]
systems:
  hr: {resource: people, flow: in, create: in, fields: {email: email}}
"""
HR = ConnectorSpec("hr", {"people": ResourceSpec("people", {"email": FieldSpec()})}, ("token",))


class SystemClock:
    """Time as it is."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass
class Announced:
    """A queue that remembers."""

    sent: list[tuple[str, int]] = field(default_factory=list)

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Remember the task and how many ids it got."""
        self.sent.append((task, len(list(arguments))))


@dataclass
class Side:
    """The running web side and what lies behind it."""

    client: TestClient
    engine: Engine
    queue: Announced
    database: Database


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    """The web side with a webhook secret; its broker is not there."""
    with web_side(tmp_path) as made:
        yield made


@contextmanager
def web_side(
    folder: Path, connections: str = CONNECTIONS, person: str = PERSON, **settings: Any
) -> Iterator[Side]:
    """The web side of such a project, with a shared secret unless the settings name another or none."""
    with (
        web_app(folder, connections, person, **settings) as (app, engine, queue, database),
        TestClient(app, raise_server_exceptions=False) as client,
    ):
        yield Side(client, engine, queue, database)


@contextmanager
def web_app(
    folder: Path, connections: str = CONNECTIONS, person: str = PERSON, **settings: Any
) -> Iterator[tuple[Starlette, Engine, Announced, Database]]:
    """Its application and what lies behind."""
    (folder / "connections.yaml").write_text(connections)
    (folder / "person.yaml").write_text(person)
    project = load_project(folder, {"hr": HR}, {})
    timeouts = replace(TIMEOUTS, lock=0.5)
    database = migrated(make_engine(f"sqlite:///{folder}/ledger.db", timeouts))
    queue = Announced()
    engine = Engine(project, Ledger(database), {}, {}, queue, SystemClock())

    @contextmanager
    def factory() -> Iterator[Engine]:
        yield engine

    told = Settings(
        **{"webhook_secret": SECRET, "broker_url": f"embedded:{free_port()}", **settings}
    )
    yield make_app(factory, told, LONGEST), engine, queue, database
    database.dispose()


def signed(
    body: str | bytes, event_id: str = "msg_1", at: float | None = None, secret: str = SECRET
) -> dict[str, str]:
    """The headers of a notice signed with a secret."""
    text = body if isinstance(body, str) else body.decode()
    when = datetime.fromtimestamp(at or time.time(), UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, when, text),
    }


def notice(resource: str = "people", external_id: str = "7") -> str:
    """A body."""
    return json.dumps({"resource": resource, "id": external_id})
