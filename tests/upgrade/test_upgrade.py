"""Databases that earlier versions have made, with everything in them, go on being used.

The files beside are what an earlier version had in its tables after a sync of the sandbox: of 1,000 people without
keys, and of 100 people with two keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Engine, MetaData

from syncengine.adapters.vendors import SHIPPED
from syncengine.edition import starter
from syncengine.errors import ConfigInvalid
from syncengine.ledger import Ledger
from syncengine.ledger.encryption import Vault, key_name, new_key
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.ledger.pages import Asked
from syncengine.ledger.rekey import counted, reseal
from syncengine.mapping import load_project
from syncengine.model.changeset import Changeset
from syncengine.model.key import KeyKind
from syncengine.model.operation import UNSETTLED
from syncengine.model.record import World
from syncengine.planning.identity import record_keys
from tests.support.databases import POSTGRES_LONG

HERE = Path(__file__).parent
KEYS = [
    base64.urlsafe_b64encode(hashlib.sha256(f"of a test, {word}".encode()).digest()).decode()
    for word in ("newest", "oldest")
]


@dataclass(frozen=True)
class Old:
    """A database of an earlier version: its rows as they stood, and the keys that it was made with."""

    engine: Engine
    keys: list[str]
    rows: dict[str, list[dict[str, Any]]]

    def opened(self, text: str | None) -> Any:
        """What a sealed column held."""
        if text is not None and text.startswith("gAAAA"):
            text = MultiFernet([Fernet(key) for key in self.keys]).decrypt(text).decode()
        return None if text is None else json.loads(text)


pytestmark = pytest.mark.parametrize("url", ["sqlite", POSTGRES_LONG], indirect=True)


@pytest.fixture(params=[pytest.param("plain-1000", marks=POSTGRES_LONG.marks), "keyed-100"])
def old(request: pytest.FixtureRequest, url: str) -> Iterator[Old]:
    """A database as it was left by an earlier version."""
    engine, rows = make_engine(url), {}
    lines = lzma.decompress((HERE / f"{request.param}.jsonl.xz").read_bytes()).splitlines()
    config = Config()
    config.set_main_option("script_location", "syncengine.ledger:migrations")
    with engine.begin() as connection:
        config.attributes |= {"connection": connection, "vault": Vault()}
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection)
        for line in lines:
            name, columns, found = json.loads(line)
            rows[name] = [dict(zip(columns, row, strict=True)) for row in found]
            flags = {c.name for c in tables.tables[name].c if c.type.python_type is bool}
            told = [{n: bool(v) if n in flags else v for n, v in row.items()} for row in rows[name]]
            connection.execute(tables.tables[name].insert(), told)
    yield Old(engine, KEYS if request.param.startswith("keyed") else [], rows)
    engine.dispose()


def _all_is_there(old: Old, ledger: Ledger) -> None:
    """Each row as it was, and each person found by what she is known by."""
    with ledger.read() as tx:
        links = {link.id: link for link in tx.select_links()}
        operations = {o.id: o for o in tx.select_operations()}
        cases = {case.id: case for case in tx.cases(open_only=False)}
        records = {
            r: record for ids in tx.record_ids().values() for r, record in tx.records(ids).items()
        }
        assert len(links) == len(old.rows["links"])
        for row in old.rows["links"]:
            link = links[row["id"]]
            assert (link.external_id, link.parent) == (row["external_id"], row["parent"])
            assert link.listed_hash == row["listed_hash"]
            assert link.row == old.opened(row["row"])
            assert (link.wait and (link.wait.key, link.wait.what)) == (
                row["wait_key"] and (row["wait_key"], row["wait_what"])
            )
        for row in old.rows["operations"]:
            operation = operations[row["id"]]
            assert operation.external_id == row["external_id"]
            assert operation.body == (old.opened(row["body"]) or {})
        for row in old.rows["cases"]:
            assert cases[row["id"]].subject == row["subject"]
            assert cases[row["id"]].evidence == (old.opened(row["evidence"]) or {})
        for row in old.rows["records"]:
            assert records[row["id"]].values == (old.opened(row["values"]) or {})
        refs = [
            (k.entity, k.connection, k.resource, k.external_id)
            for k in links.values()
            if k.external_id
        ]
        assert len(tx.ties(refs)) == sum(
            link.record_id is not None
            and link.external_id is not None
            and link.state in ("linked", "left", "missing")
            for link in links.values()
        )
        assert len(tx.select_events(limit=0)) == len(old.rows["events"])
    _people_are_found(old, ledger)


def _people_are_found(old: Old, ledger: Ledger) -> None:
    catalog = {name: vendor.spec for name, vendor in SHIPPED.items()}
    person = load_project(starter(), catalog, {}, None).entities["person"]
    held = {row["owner"] for row in old.rows["keys"] if row["kind"] == KeyKind.RECORD}
    with ledger.read() as tx:
        records = [r for r in tx.records_of("person") if r.id in held]
        keys = [key for r in records for key in record_keys(person, r, World("2026-11-29", {}))]
        owners = {owner for found in tx.key_owners(keys).values() for owner in found}
    assert len(records) > 90
    assert {r.id for r in records} <= owners


def test_a_database_of_an_earlier_version_goes_on(old: Old) -> None:
    """After the upgrade all rows are as they were, whatever was encrypted still is, and everybody is found."""
    upgrade(old.engine, old.keys)
    _all_is_there(old, Ledger(old.engine, old.keys))


def test_what_waited_before_is_counted_and_what_was_settled_has_a_time(old: Old) -> None:
    """Links are grouped as if this version had written them, and wait since the upgrade at the latest."""
    upgrade(old.engine, old.keys)
    ledger = Ledger(old.engine, old.keys)
    with ledger.read() as tx:
        waiting = tx.waiting_links()
        before = tx.figures((), (), 0.0).waits
    assert sum(group.count for group in before) == len(waiting) > 0
    assert all(group.since for group in before)
    with ledger.write() as tx:
        held = tx.links([link.id for link in waiting], lock=True)
        tx.write(Changeset(links=[*held.values()]))
    with ledger.read() as tx:
        assert list(tx.figures((), (), 0.0).waits) == list(before)
    with old.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT state, settled_at FROM operations").all()
    assert all((at is None) == (state in UNSETTLED) for state, at in rows)


def test_what_was_answered_before_is_found_by_who_did(old: Old) -> None:
    """As if this version had written it."""
    tables = MetaData()
    tables.reflect(old.engine)
    case = {
        **old.rows["cases"][0],
        "id": "c",
        "subject": "answered",
        "author": '"kim"',
        "closed_at": 1.0,
    }
    with old.engine.begin() as connection:
        connection.execute(tables.tables["cases"].insert(), [case])
    upgrade(old.engine, old.keys)
    with Ledger(old.engine, old.keys).read() as tx:
        assert [c.id for c in tx.page_of_cases(Asked(closed=True, authors=("kim",)))] == ["c"]
        assert tx.page_of_cases(Asked(closed=True, authors=("ada",))) == []


def test_a_database_of_an_earlier_version_is_sealed_anew(old: Old) -> None:
    """With a new key, whether there were keys before or not; then the old ones are not needed."""
    upgrade(old.engine, old.keys)
    keys = [new_key(), *old.keys]
    done = reseal(old.engine, Vault(keys), lambda *_: None)
    assert (done.broken, done.left) == (0, 0)
    assert set(counted(old.engine)) == {key_name(keys[0])}
    _all_is_there(old, Ledger(old.engine, keys[:1]))


def test_without_its_keys_nothing_is_changed(old: Old) -> None:
    """An upgrade that lacks the keys says so and leaves everything as it was."""
    if not old.keys:
        pytest.skip("this one was made without keys")
    for keys in ([], [new_key()], [old.keys[0]]):
        with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"):
            upgrade(old.engine, keys)
    upgrade(old.engine, old.keys)
    _all_is_there(old, Ledger(old.engine, old.keys))
