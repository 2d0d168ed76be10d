"""Encryption of JSON at rest (if keys are configured), and keyed hashes of values that must be found again."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import from_json

from syncengine.errors import Bug, ConfigInvalid, Unreadable
from syncengine.model.values import Json

SEALED = "s1."
"""How a sealed text begins; the key's name and a dot follow. JSON never begins so."""
EARLIER = "gAAAA"
"""How every Fernet token begins, which is what earlier versions stored."""
_NONCE = 12
_encode = json.JSONEncoder(separators=(",", ":"), default=dict).encode
_sorted = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_EARLIER_KEY = (
    "SYNCENGINE_ENCRYPTION_KEYS: none of these keys opens what an earlier version put into {place};"
    " put the key that it was sealed with into the list"
)
_MANY = 50_000
"""Hashes of texts that are kept at most."""
_NO_KEY = b"syncengine keys without encryption"


def dump(value: Json) -> str:
    """Compact JSON in ASCII, so that any text a vendor sends can be stored; any mapping is an object."""
    return _encode(value)


def load(text: str | bytes) -> Json:
    """What ``dump`` wrote. Raises ValueError."""
    try:
        return from_json(text)
    except ValueError:
        # Half a surrogate pair, or hundreds of levels: the standard library reads those as well.
        return json.loads(text)


def new_key() -> str:
    """A key for SYNCENGINE_ENCRYPTION_KEYS: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def key_name(key: str) -> str:
    """Name of a key for messages: eight hex digits that do not reveal it."""
    return blake2b(key.encode(), digest_size=4, person=b"syncengine name").hexdigest()


@dataclass(frozen=True, slots=True)
class KeyringState:
    """How the values of one database are hashed and how strictly they are decrypted; kept in the database itself,
    encrypted.

    ``chain``: secrets (hex) of the hashes, one more with each rekeying: each one hashes what the previous one hashed.
    So hashes are renewed without the values they stand for, and none of the earlier secrets finds anybody. ``keys``:
    names of the keys that values may be encrypted with; if one of them is missing, nothing is done. ``plain``: accept
    unencrypted values; ``unbound``: accept values that earlier versions encrypted without binding them to their place.
    """

    version: int
    chain: tuple[str, ...]
    keys: tuple[str, ...] = ()
    plain: bool = False
    unbound: bool = False

    def grown(self, keys: Sequence[str]) -> KeyringState:
        """The state after rekeying: one more secret, and everything encrypted with the first of these keys."""
        return KeyringState(
            self.version + 1, (*self.chain, secrets.token_hex(32)), (key_name(keys[0]),)
        )


def first_keyring(keys: Sequence[str]) -> KeyringState:
    """The state of a new database with these keys."""
    if not keys:
        return earlier_keyring(keys)
    return KeyringState(1, (secrets.token_hex(32),), (key_name(keys[0]),))


def earlier_keyring(keys: Sequence[str]) -> KeyringState:
    """The state of a database of an earlier version, whose hashes came from the last key alone, or from none."""
    secret = keys[-1].encode() if keys else _NO_KEY
    derived = blake2b(secret, person=b"syncengine keys").hexdigest()
    return KeyringState(1, (derived,), tuple(map(key_name, keys)), plain=True, unbound=True)


class Vault:
    """Seals JSON values into text and opens them again.

    ``keys``: 32 bytes each in URL-safe base64, newest first. The first one encrypts, all of them decrypt. Without keys
    values are plain JSON. What is sealed is bound to its ``place`` and opens nowhere else. ``keyring`` is that of the
    database, once it is known. Raises ConfigInvalid for something that is not a key.
    """

    def __init__(self, keys: Sequence[str] = (), keyring: KeyringState | None = None) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise ConfigInvalid(
                ["SYNCENGINE_ENCRYPTION_KEYS: expected keys of 32 bytes in URL-safe base64"]
            ) from error
        self.keys = tuple(keys)
        self._earlier = MultiFernet(fernets) if fernets else None
        self._ciphers = {key_name(key): AESGCM(_derived(key)) for key in keys}
        self._newest = next(iter(self._ciphers), None)
        self._known: dict[str, str] = {}
        self.keyring = keyring or KeyringState(0, ())
        self.keyring_text: str | None = None

    @property
    def keyring(self) -> KeyringState:
        """The keyring of the database in use."""
        return self._keyring

    @keyring.setter
    def keyring(self, keyring: KeyringState) -> None:
        self._keyring = keyring
        self._known.clear()
        keys, self._later = (
            [bytes.fromhex(secret) for secret in keyring.chain[:1]],
            keyring.chain[1:],
        )
        self._blank = blake2b(digest_size=HASH // 2, key=keys[0]) if keys else None

    @property
    def newest(self) -> str:
        """Prefix of values encrypted with the newest key; empty without keys."""
        return "" if self._newest is None else f"{SEALED}{self._newest}."

    def lacking(self, keyring: KeyringState) -> list[str]:
        """Names of keys that values may be encrypted with and that are not configured here."""
        return [name for name in keyring.keys if name not in self._ciphers]

    def with_newest_key(self, keyring: KeyringState) -> KeyringState:
        """The state with the key added that this process encrypts with."""
        if self._newest is None or self._newest in keyring.keys:
            return keyring
        return replace(keyring, keys=(self._newest, *keyring.keys))

    def seal(self, value: Json, place: str = "") -> str | None:
        """Encrypt a value (or dump it as JSON, without keys); None stays None (SQL NULL)."""
        if value is None:
            return None
        text = dump(value)
        if self._newest is None:
            return text
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), place.encode())
        return self.newest + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, text: str | None, place: str = "") -> Json:
        """Decrypt a stored value. Raises Unreadable where it was not encrypted for this place or by none of the keys,
        and ConfigInvalid where an earlier version may have used a key that is not configured."""
        if text is None:
            return None
        try:
            if text.startswith(SEALED):
                return load(self._decrypted(text, place))
            if text.startswith(EARLIER):
                return load(self._decrypted_earlier(text, place))
            if self._newest is not None and not self.keyring.plain:
                raise Unreadable(place, "it is not encrypted, as all others are")
            return load(text)
        except (ValueError, RecursionError):
            raise Unreadable(place, "it is damaged") from None

    def _decrypted(self, text: str, place: str) -> bytes:
        _, name, sealed = text.split(".", 2)
        if name not in self._ciphers:
            raise Unreadable(place, f"it was sealed with the key {name}, which is not there")
        raw = base64.urlsafe_b64decode(sealed)
        try:
            return self._ciphers[name].decrypt(raw[:_NONCE], raw[_NONCE:], place.encode())
        except InvalidTag:
            raise Unreadable(place, "it was changed, or put there from another place") from None

    def _decrypted_earlier(self, token: str, place: str) -> bytes:
        if not self.keyring.unbound:
            raise Unreadable(place, "it is sealed in the way of earlier versions")
        if self._earlier is not None:
            try:
                return self._earlier.decrypt(token)
            except InvalidToken:
                pass
        raise ConfigInvalid([_EARLIER_KEY.format(place=place)])

    def hash(self, parts: Sequence[Json]) -> str:
        """A keyed hash (40 hex digits) of a list of JSON values; the order of object keys does not matter."""
        return self.hashes(parts)[-1]

    def hashes(self, parts: Sequence[Json]) -> list[str]:
        """The hash, preceded by what each of the earlier secrets made of the same parts."""
        if self._blank is None:
            raise Bug("nothing is hashed before the keyring of the database was read")
        hashing = self._blank.copy()
        hashing.update(_sorted(parts).encode())
        found = [hashing.hexdigest()]
        for secret in self._later:
            found.append(rehash(found[-1], secret))
        return found

    def hash_of_text(self, text: str) -> str:
        """The hash of a list of one text; recent ones are cached."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            found = self._known[text] = self.hash([text])
        return found


HASH: Final = 40
"""Hex digits of a hash."""


def rehash(found: str, secret: str) -> str:
    """The hash of a hash; ``rekey`` has PostgreSQL compute the same."""
    return sha256(bytes.fromhex(secret) + bytes.fromhex(found)).hexdigest()[:HASH]


def _derived(key: str) -> bytes:
    """What encrypts: never the bytes of the key itself, which earlier versions used in another way."""
    return blake2b(key.encode(), digest_size=32, person=b"syncengine seal").digest()
