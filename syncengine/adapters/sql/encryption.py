"""JSON at rest: encrypted where the caller has keys, and keyed hashes of what must be found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from syncengine.errors import ConfigInvalid
from syncengine.model.values import Json

_TOKEN_START = "gAAAA"
"""How every Fernet token begins (version byte and the high bytes of its time); JSON never does."""
_encode = json.JSONEncoder(separators=(",", ":"), default=dict).encode
_sorted = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_NO_KEY = b"syncengine keys without encryption"


def dump(value: Json) -> str:
    """Compact JSON in ASCII, so that any text a vendor sends can be stored; any mapping is an object."""
    return _encode(value)


class Vault:
    """Seals JSON values into text and opens them again.

    ``keys``: Fernet keys, newest first. The first one encrypts, all of them decrypt. Hashes are keyed by the LAST
    one, so that a new key is put in front and the hashes stay what they are; the last key must stay the last.
    Without keys values are plain JSON; what was stored plain stays readable once there are keys.
    Raises ConfigInvalid for something that is not a Fernet key.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise ConfigInvalid(
                ["SYNCENGINE_ENCRYPTION_KEYS: expected keys of 32 bytes in URL-safe base64"]
            ) from error
        self._fernet = MultiFernet(fernets) if fernets else None
        secret = keys[-1].encode() if keys else _NO_KEY
        self._hash_key = blake2b(secret, person=b"syncengine keys").digest()

    def seal(self, value: Json) -> str | None:
        """Text to be stored; None stays None (SQL NULL)."""
        if value is None:
            return None
        text = dump(value)
        return text if self._fernet is None else self._fernet.encrypt(text.encode()).decode()

    def open(self, text: str | None) -> Json:
        """What was sealed. Raises ConfigInvalid where none of the keys fits."""
        if text is None:
            return None
        if text.startswith(_TOKEN_START):
            text = self._decrypt(text)
        return json.loads(text)

    def _decrypt(self, token: str) -> str:
        if self._fernet is not None:
            try:
                return self._fernet.decrypt(token).decode()
            except InvalidToken:
                pass
        fault = (
            "SYNCENGINE_ENCRYPTION_KEYS: none of the keys opens a value in the database;"
            " put the key that wrote it at the end of the list"
        )
        raise ConfigInvalid([fault])

    def hash(self, parts: Sequence[Json]) -> str:
        """A keyed hash (40 hex digits) of a list of JSON values; the order of object keys does not matter."""
        return blake2b(_sorted(parts).encode(), digest_size=20, key=self._hash_key).hexdigest()
