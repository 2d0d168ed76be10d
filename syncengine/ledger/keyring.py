"""The keyring of a database: how its values are hashed and how strictly they are decrypted, stored in the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from syncengine.errors import ConfigInvalid, LostRace, Unreadable
from syncengine.ledger import tables as t
from syncengine.ledger.encryption import KeyringState, Vault, earlier_keyring, first_keyring
from syncengine.ledger.error_translation import driver_errors, translated
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
KEYRING_PLACE = f"connections.state/{_PLACE['name']}/{_PLACE['part']}"
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
    """The part of a transaction that reads and updates the keyring."""

    def follow_keyring(self, writing: bool) -> None:
        """Load the present keyring. A write transaction creates it if there is none, and adds the key that it encrypts
        with, so that a process without that key does not take its values for broken. Raises ConfigInvalid where a key
        is missing, and LostRace where hashes were renewed since this process last read the keyring: read again."""
        row = self._keyring_row(writing)
        if row is None and writing:
            self._make_keyring()
            row = self._keyring_row(writing)
        if row is None:
            keys = self._vault.keys
            self._vault.keyring = (
                earlier_keyring(keys) if self._begun() else KeyringState(0, (NOBODY,))
            )
            self._vault.keyring_text = None
            return
        if row == self._vault.keyring_text and not (writing and self._is_new()):
            return
        known, before = self._vault.keyring_text is not None, self._vault.keyring
        self._vault.keyring, self._vault.keyring_text = _opened(self._vault, row), row
        if writing and self._is_new():
            self._note_key()
        if known and writing and before.chain != self._vault.keyring.chain:
            raise LostRace("the hashes were renewed; read again")

    def _is_new(self) -> bool:
        """Whether our newest key is not in the keyring yet."""
        return self._vault.with_newest_key(self._vault.keyring) != self._vault.keyring

    def _note_key(self) -> None:
        """Add our newest key. Of two processes that do so at once, the second waits and adds its own beside the first
        one's."""
        held = self._rows(t.connections, (_c.state,), lock=True, order=(_c.part,), **_PLACE)
        self._vault.keyring = self._vault.with_newest_key(_opened(self._vault, held[0][0]))
        self._vault.keyring_text = self.save_keyring(self._vault.keyring)

    def _keyring_row(self, writing: bool) -> str | None:
        # Asked in each transaction: SQLAlchemy's way to the driver costs ten times as much as the answer.
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(_READ_SHARED if self._postgresql and writing else _READ)
            row = cursor.fetchone()
        except driver_errors() as error:
            ours = translated(error, self._connection.engine.url, not writing)
            raise ours or error from error
        finally:
            cursor.close()
        return None if row is None else row[0]

    def _begun(self) -> bool:
        """Whether an earlier version has hashed something. Raises ConfigInvalid if it was with another key."""
        rows = self._rows(t.connections, (_c.holder,), **_EARLIER)
        if not rows:
            return False
        mine = Vault((), earlier_keyring(self._vault.keys)).hash(["syncengine"])
        if rows[0][0] != mine:
            raise ConfigInvalid([_OTHER_LAST])
        return True

    def _make_keyring(self) -> None:
        """Create the keyring. Of two processes that do so at once, the second waits and uses that of the first."""
        self._put(t.connections, [_PLACE])
        held = self._rows(t.connections, (_c.state,), lock=True, order=(_c.part,), **_PLACE)
        if held[0][0] is not None:
            return
        begun = self._begun()
        self.save_keyring(
            earlier_keyring(self._vault.keys) if begun else first_keyring(self._vault.keys)
        )

    def save_keyring(self, keyring: KeyringState) -> str | None:
        """Store a keyring; returns its encrypted text."""
        text = self._sealed(_c.state, _told(keyring), *_PLACE.values())
        self._put(t.connections, [{**_PLACE, "state": text}], "state", key=("name", "part"))
        self._drop(t.connections, **_EARLIER)
        return text


def _told(keyring: KeyringState) -> Json:
    return {**asdict(keyring), "chain": list(keyring.chain), "keys": list(keyring.keys)}


def _opened(vault: Vault, text: str) -> KeyringState:
    # Whether plain text may stand there is told by the keyring itself.
    opener = Vault(vault.keys, KeyringState(0, (), plain=True))
    try:
        told: Any = opener.open(text, KEYRING_PLACE)
    except Unreadable as unreadable:
        raise ConfigInvalid([_OTHER_KEYS.format(why=unreadable.why)]) from None
    keyring = KeyringState(
        told["version"], tuple(told["chain"]), tuple(told["keys"]), told["plain"], told["unbound"]
    )
    if lacking := vault.lacking(keyring):
        raise ConfigInvalid([_LACKING.format(names=", ".join(lacking))])
    return keyring
