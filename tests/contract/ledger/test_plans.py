"""How the databases find what is due."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from syncengine.ledger import Ledger, Transaction
from syncengine.model.key import Key, KeyKind
from tests.contract.ledger.samples import HAKUNA, NOW

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
_LINKS = f"""INSERT INTO links (id, entity, connection, resource, external_id_hash, record_id, state, listed_hash,
    row_version, version, dirty, read_at, need_get, wait_key_hash, failures)
    {_NUMBERS} SELECT 'l' || i, 'person', 'hakuna', 'users', 'x' || i, 'r' || i,
    CASE i % 100 WHEN 0 THEN 'seen' ELSE 'linked' END, NULL, 0, 0,
    CASE i % 100 WHEN 0 THEN 1 ELSE 0 END, 0, i % 100 = 1, CASE i % 100 WHEN 2 THEN '' END, 0 FROM n"""
_OPERATIONS = f"""INSERT INTO operations (id, link_id, record_id, entity, connection, resource, action, key, state,
    generation, attempts, lease_until, next_at, created_at, leave, kind)
    {_NUMBERS} SELECT 'o' || i, 'l' || i, 'r' || i, 'person', 'hakuna', 'users', 'update', '',
    CASE i % 100 WHEN 1 THEN 'pending' WHEN 2 THEN 'claimed' WHEN 3 THEN 'unknown' ELSE 'applied' END,
    0, 0, 0, 0, i, FALSE, '' FROM n"""
_KEYS = f"""INSERT INTO keys (kind, scope, hash, owner)
    {_NUMBERS} SELECT CASE i % 3 WHEN 0 THEN 'row' WHEN 1 THEN 'record' ELSE 'like' END, 'person:0', 'h' || (i / 3),
    CASE i % 3 WHEN 0 THEN 'l' ELSE 'r' END || (i / 3) FROM n"""
_SMALL = "links_(dirty|need_get|waiting)|operations_one_unsettled"
_MUCH = re.compile(
    rf"Seq Scan on (links|operations)|SCAN (links|operations)(?! USING INDEX ({_SMALL})$)"
    r"|links_entity|Seq Scan on keys|SCAN (keys|shown|borne)|\(kind=\?\)",
    re.M,
)
"""In a plan: a whole table, or all of an entity, a connection or a kind of keys."""
_THERE = ["hakuna", "haekka"]
LOOKS: dict[str, Callable[[Transaction], object]] = {
    "what to read": lambda tx: tx.claim_links("refresh", NOW, 20, 9, connections=_THERE),
    "what to reconcile": lambda tx: tx.claim_links("reconcile", NOW, 20, 9, entity="person"),
    "whether anything is dirty": lambda tx: tx.dirty_count(_THERE),
    "what is not told who it is": lambda tx: tx.uncorrelated_links(*HAKUNA),
    "whether anything is not told who it is": lambda tx: tx.is_uncorrelated(*HAKUNA),
    "what waits": lambda tx: tx.waiting_links(9),
    "who is not at rest": lambda tx: tx.records_in_motion(),
    "what to send": lambda tx: tx.claim_operations(NOW, 20, 9, _THERE),
    "what to prove": lambda tx: tx.claim_probes(NOW, 20, 9, _THERE),
    "what died": lambda tx: tx.expired_claims(NOW, 9),
    "when to come back": lambda tx: tx.next_due(),
    "whether anything is unsettled": lambda tx: tx.unsettled(["l1", "l2"]),
    "what was written last": lambda tx: tx.select_operations(["applied"], link_id="l5", limit=1),
    "who shares an identity": lambda tx: tx.sharers(["r1", "r2", "l3"]),
    "whose a key is": lambda tx: tx.key_owners([Key(KeyKind.ROW, "person:0", ("a",), "l1")]),
    "which rows show what": lambda tx: tx.swap_keys("row", ["l1", "l2"], []),
    "the identities of records": lambda tx: tx.records_sharing(["r1", "r2"]),
    "the rows of records": lambda tx: tx.links_of(["r1", "r2"]),
    "rows by their ids": lambda tx: tx.links_at(*HAKUNA, ["x1", "x2"]),
    "how much was written": lambda tx: tx.written_since("person", "hakuna", 9_900),
}  # fmt: skip


def _plans(engine: Engine, look: Callable[[Transaction], object]) -> str:
    """How the database goes about each SELECT of a look."""
    plans = list[str]()
    how = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "

    def explain(connection: Any, _: object, statement: str, parameters: Any, *__: object) -> None:
        if statement.startswith("SELECT"):
            cursor = connection.connection.cursor()
            cursor.execute(how + statement, parameters)
            plans.extend(str(row[-1]) for row in cursor.fetchall())

    with Ledger(engine).write() as tx:
        event.listen(engine, "before_cursor_execute", explain)
        look(tx)
        event.remove(engine, "before_cursor_execute", explain)
    return "\n".join(plans)


@pytest.mark.parametrize("engine", ["file", "postgresql"], indirect=True)
def test_what_is_due_is_found_by_an_index(engine: Engine) -> None:
    """Among ten thousand links and operations none of the looks that come every few seconds, or with each batch,
    goes through all."""
    with engine.begin() as connection:
        connection.execute(text(_LINKS))
        connection.execute(text(_OPERATIONS))
        connection.execute(text(_KEYS))
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    plans = {name: _plans(engine, look) for name, look in LOOKS.items()}
    assert all(plans.values())
    assert {name: plan for name, plan in plans.items() if _MUCH.search(plan)} == {}
