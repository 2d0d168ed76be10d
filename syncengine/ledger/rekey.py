"""Rekeying: every value is encrypted with the newest key and bound to its place, and all hashes are renewed.

Values are encrypted in slices, beside a running service; a run that was interrupted is continued. Hashes are renewed at
the end, all at once, while nobody writes: that takes a moment, since the values they stand for are not read for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from syncengine.errors import ConfigInvalid, Unreadable
from syncengine.ledger import tables as t
from syncengine.ledger.compacting import compact
from syncengine.ledger.connections import is_mark
from syncengine.ledger.encryption import (
    EARLIER,
    HASH,
    SEALED,
    KeyringState,
    Vault,
    key_name,
    rehash,
)
from syncengine.ledger.engine import reader, unbounded
from syncengine.ledger.keyring import TURNING, Keyring
from syncengine.ledger.quarantine import Quarantine

SLICE = 500
"""Rows that are sealed anew in one transaction."""
_BOUND = {"events": ("connection", "event_id"), "history": ("record_id", "generation", "field"),
          "connections": ("name", "part"), "plans": ("id", "part")}  # fmt: skip
_NO_KEY = (
    "SYNCENGINE_ENCRYPTION_KEYS is not set: make a key with `syncengine db key`, keep it where the"
    " database is not, and set it for every process"
)
_PLAIN, _EARLIER = "stand in the clear", "were sealed by an earlier version"


@dataclass(frozen=True, slots=True)
class Resealed:
    """The result of rekeying. ``values``: number of values encrypted again, ``broken``: quarantined ones, ``left``:
    those that a process without the newest key wrote meanwhile, so that hashes were not renewed. ``clean``: nothing of
    the old values is left in the files."""

    values: int
    broken: int
    left: int
    clean: bool = True


class _Rekeying(Keyring, Quarantine):
    """The part of a transaction that encrypts values again."""

    def slice(self, table: sa.Table, after: Any) -> tuple[Any, int, int]:
        """Encrypt the rows of a table after ``after``; returns the last of them (None: there are no more), how many
        values were encrypted, and how many could not be decrypted."""
        columns = _sealed_columns(table)
        bound = [table.c[name] for name in _BOUND.get(table.name, ("id",))]
        key = list(table.primary_key.columns)
        query = sa.select(*key, *bound, *columns).order_by(*key).limit(SLICE).with_for_update()
        if after is not None:
            query = query.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, after)))
        rows = self._connection.execute(query).all()
        sealed = broken = 0
        for row in rows:
            place = "/".join(str(part) for part in row[len(key) : len(key) + len(bound)])
            done, lost = self._reseal(
                table, columns, row[len(key) + len(bound) :], row[: len(key)], place
            )
            sealed, broken = sealed + done, broken + lost
        return (rows[-1][: len(key)] if len(rows) == SLICE else None), sealed, broken

    def _reseal(
        self, table: sa.Table, columns: Sequence[sa.Column[Any]], texts: Sequence[str | None],
        key: Sequence[Any], row: str,
    ) -> tuple[int, int]:  # fmt: skip
        told, broken = {}, 0
        for column, text in zip(columns, texts, strict=True):
            if text is None or text.startswith(self._vault.newest):
                continue
            place = f"{table.name}.{column.name}/{row}"
            try:
                told[column.name] = self._vault.seal(self._vault.open(text, place), place)
            except Unreadable as unreadable:
                if not self.set_aside(unreadable):
                    raise ConfigInvalid([str(unreadable)]) from None
                broken += 1
        if told:
            its = [c == value for c, value in zip(table.primary_key.columns, key, strict=True)]
            self._run(sa.update(table).where(*its).values(told))
        return len(told), broken

    def renew(self) -> None:
        """Hash all hashes again, in one statement per table, and update the keyring."""
        if self._postgresql:
            self._run(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": TURNING})
        self.follow_keyring(writing=False)
        keyring = self._vault.keyring.grown(self._vault.keys)
        for table in t.metadata.sorted_tables:
            hashes = [
                c for c in table.c if "hash" in c.info or (table is t.keys and c.name == "hash")
            ]
            if hashes:
                self._run(
                    sa.update(table).values(
                        {c.name: self._hashed_again(c, keyring) for c in hashes}
                    )
                )
        part = self._hashed_again(t.connections.c.part, keyring)
        self._run(sa.update(t.connections).where(is_mark).values(part=part))
        self.save_keyring(keyring)

    def _hashed_again(self, column: sa.Column[Any], keyring: KeyringState) -> sa.ColumnElement[Any]:
        secret = keyring.chain[-1]
        if not self._postgresql:
            driver = self._connection.connection.driver_connection
            assert driver is not None
            driver.create_function(
                "rehash", 1, lambda h: h and rehash(h, secret), deterministic=True
            )
            return sa.func.rehash(column)
        joined = sa.func.decode(secret, "hex").op("||")(sa.func.decode(column, "hex"))
        return sa.func.left(sa.func.encode(sa.func.sha256(joined), "hex"), HASH)


def reseal(engine: sa.Engine, vault: Vault, tell: Callable[[str, int], None]) -> Resealed:
    """Encrypt everything again. ``tell`` is called with each slice: the table, and how many values are done so far. The
    schema is up to date. Raises ConfigInvalid without keys, and where a value that everything depends on cannot be
    decrypted."""
    if not vault.keys:
        raise ConfigInvalid([_NO_KEY])
    values = broken = 0
    with engine.begin() as connection:
        _Rekeying(connection, vault).follow_keyring(writing=True)
    # The keyring first: whoever lacks the newest key is stopped by it, and writes nothing that would be left.
    for table in sorted(t.metadata.sorted_tables, key=lambda table: table is not t.connections):
        after: Any = None
        while _sealed_columns(table):
            with engine.begin() as connection:
                after, sealed, lost = _Rekeying(connection, vault).slice(table, after)
            values, broken = values + sealed, broken + lost
            tell(table.name, values)
            if after is None:
                break
    left = sum(n for key, n in counted(engine).items() if key != key_name(vault.keys[0]))
    if not left:
        with engine.begin() as connection, unbounded(connection):
            _Rekeying(connection, vault).renew()
    return Resealed(values, broken, left, not left and compact(engine))


def counted(engine: sa.Engine) -> Counter[str]:
    """Number of values by the name of their key, or by the other way in which they are stored."""
    found: Counter[str] = Counter()
    with reader(engine) as connection, connection.begin():
        for table in t.metadata.sorted_tables:
            for column in _sealed_columns(table):
                start = sa.func.substr(column, 1, len(SEALED) + 8)
                begin = sa.case(
                    (column.like(f"{SEALED}%"), start), else_=sa.func.substr(column, 1, 5)
                )
                how = sa.case(
                    (begin.like(f"{SEALED}%"), begin), (begin == EARLIER, begin), else_=""
                )
                query = sa.select(how, sa.func.count()).where(column.is_not(None)).group_by(how)
                for text, count in connection.execute(query):
                    found[_name(text)] += count
    return found


def _name(start: str) -> str:
    if start.startswith(SEALED):
        return start.removeprefix(SEALED)
    return _EARLIER if start == EARLIER else _PLAIN


def _sealed_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.c if column.info.get("sealed")]
