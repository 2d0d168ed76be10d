"""The ring: by what the values of this database are hashed and how strictly they are opened, kept in the database."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Any

import psycopg

from syncengine.errors import ConfigInvalid, LostRace, Unreadable
from syncengine.ledger import tables as t
from syncengine.ledger.encryption import Ring, Vault, earlier_ring, first_ring
from syncengine.ledger.meaning import meaning
from syncengine.ledger.session import Session
from syncengine.ledger.stored import Values
from syncengine.model.values import Json

_c = t.connections.c
NOBODY = "00"
"""What a database hashes with in which nothing stands yet, so that nothing is found."""
_OTHER_LAST = (
    "SYNCENGINE_ENCRYPTION_KEYS: the database was begun with another last key, or with none;"
    " put that one at the end of the list, or begin with an empty database"
)
_OTHER_KEYS = (
    "SYNCENGINE_ENCRYPTION_KEYS: none of these keys opens the database ({why}); put the key that it was"
    " encrypted with into the list, or name another database"
)
_LACKING = (
    "SYNCENGINE_ENCRYPTION_KEYS: values in the database are sealed with a key that is not in the list ({names}); put it"
    " back, and take it out once `syncengine db rekey` has sealed them anew"
)
_PLACE: Values = {"name": "", "part": "ring"}
RING = f"connections.state/{_PLACE['name']}/{_PLACE['part']}"
"""Where it is sealed; without it nothing goes on."""
_EARLIER: Values = {"name": "", "part": "hashed with"}
"""Where earlier versions noted what they hashed with."""
TURNING = 7_305_806_918
"""The advisory lock that writers share, and that whoever renews the hashes holds alone."""
_READ = "SELECT state FROM connections WHERE name = '' AND part = 'ring'"
_READ_SHARED = f"""SELECT state FROM (SELECT pg_advisory_xact_lock_shared({TURNING})) AS held
    JOIN connections ON name = '' AND part = 'ring'"""
"""The same; nobody renews hashes before this transaction has ended."""


class Keyring(Session):
    """The part of a transaction that follows the ring."""

    def follow_ring(self, writing: bool) -> None:
        """Use the ring as it is now. One who writes makes it where there is none, and notes with which key it seals, so
        that nobody who lacks that one takes its values for broken. Raises ConfigInvalid where a key is missing, and
        LostRace where hashes were renewed since this process looked last: read again."""
        row = self._ring_row(writing)
        if row is None and writing:
            self._make_ring()
            row = self._ring_row(writing)
        if row is None:
            keys = self._vault.keys
            self._vault.ring = earlier_ring(keys) if self._begun() else Ring(0, (NOBODY,))
            self._vault.ring_text = None
            return
        if row == self._vault.ring_text and not (writing and self._is_new()):
            return
        known, before = self._vault.ring_text is not None, self._vault.ring
        self._vault.ring, self._vault.ring_text = _opened(self._vault, row), row
        if writing and self._is_new():
            self._note_key()
        if known and writing and before.chain != self._vault.ring.chain:
            raise LostRace("the hashes were renewed; read again")

    def _is_new(self) -> bool:
        """Whether nobody has sealed with our newest key yet."""
        return self._vault.noted(self._vault.ring) != self._vault.ring

    def _note_key(self) -> None:
        """Of two that note other keys at once, the second waits, and notes its own beside the first one's."""
        held = self._rows(t.connections, (_c.state,), lock=True, order=(_c.part,), **_PLACE)
        self._vault.ring = self._vault.noted(_opened(self._vault, held[0][0]))
        self._vault.ring_text = self.save_ring(self._vault.ring)

    def _ring_row(self, writing: bool) -> str | None:
        # Asked in each transaction: SQLAlchemy's way to the driver costs ten times as much as the answer.
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(_READ_SHARED if self._postgresql and writing else _READ)
            row = cursor.fetchone()
        except (sqlite3.Error, psycopg.Error) as error:
            ours = meaning(error, self._connection.engine.url, not writing)
            raise ours or error from error
        finally:
            cursor.close()
        return None if row is None else row[0]

    def _begun(self) -> bool:
        """Whether an earlier version has hashed something. Raises ConfigInvalid if it was with another key."""
        rows = self._rows(t.connections, (_c.holder,), **_EARLIER)
        if not rows:
            return False
        mine = Vault((), earlier_ring(self._vault.keys)).hash(["syncengine"])
        if rows[0][0] != mine:
            raise ConfigInvalid([_OTHER_LAST])
        return True

    def _make_ring(self) -> None:
        """Of two that make it at once, the second waits, and finds that of the first."""
        self._put(t.connections, [_PLACE])
        held = self._rows(t.connections, (_c.state,), lock=True, order=(_c.part,), **_PLACE)
        if held[0][0] is not None:
            return
        begun = self._begun()
        self.save_ring(earlier_ring(self._vault.keys) if begun else first_ring(self._vault.keys))

    def save_ring(self, ring: Ring) -> str | None:
        """Keep a ring; the text of it."""
        text = self._sealed(_c.state, _told(ring), *_PLACE.values())
        self._put(t.connections, [{**_PLACE, "state": text}], "state", key=("name", "part"))
        self._drop(t.connections, **_EARLIER)
        return text


def _told(ring: Ring) -> Json:
    return {**asdict(ring), "chain": list(ring.chain), "keys": list(ring.keys)}


def _opened(vault: Vault, text: str) -> Ring:
    # Whether plain text may stand there is told by the ring itself.
    opener = Vault(vault.keys, Ring(0, (), plain=True))
    try:
        told: Any = opener.open(text, RING)
    except Unreadable as unreadable:
        raise ConfigInvalid([_OTHER_KEYS.format(why=unreadable.why)]) from None
    ring = Ring(
        told["version"], tuple(told["chain"]), tuple(told["keys"]), told["plain"], told["unbound"]
    )
    if lacking := vault.lacking(ring):
        raise ConfigInvalid([_LACKING.format(names=", ".join(lacking))])
    return ring
