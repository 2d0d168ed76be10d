"""JSON at rest: encrypted where the caller has keys, and keyed hashes of what must be found again."""

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
_MANY = 10_000
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
    """By what a key is called where it must not be shown: eight hex digits."""
    return blake2b(key.encode(), digest_size=4, person=b"syncengine name").hexdigest()


@dataclass(frozen=True, slots=True)
class Ring:
    """By what the values of one database are hashed, and how strictly they are opened; kept in the database, sealed.

    ``chain``: secrets (hex), one more with each rekeying: what one of them hashes the next one hashes again. So hashes
    are renewed without what they are of, and none of the earlier secrets finds anybody. ``keys``: names of those that
    something may be sealed with; without one of them nothing is done. ``plain``: values without encryption are taken
    for ours; ``unbound``: so are those that earlier versions encrypted, wherever they stand."""

    version: int
    chain: tuple[str, ...]
    keys: tuple[str, ...] = ()
    plain: bool = False
    unbound: bool = False

    def grown(self, keys: Sequence[str]) -> Ring:
        """With one more secret, for a database in which everything was sealed anew with the first of these keys."""
        return Ring(self.version + 1, (*self.chain, secrets.token_hex(32)), (key_name(keys[0]),))


def first_ring(keys: Sequence[str]) -> Ring:
    """Of a database that begins with these keys."""
    if not keys:
        return earlier_ring(keys)
    return Ring(1, (secrets.token_hex(32),), (key_name(keys[0]),))


def earlier_ring(keys: Sequence[str]) -> Ring:
    """Of a database of an earlier version: hashes came from the last key alone, or from none."""
    secret = keys[-1].encode() if keys else _NO_KEY
    derived = blake2b(secret, person=b"syncengine keys").hexdigest()
    return Ring(1, (derived,), tuple(map(key_name, keys)), plain=True, unbound=True)


class Vault:
    """Seals JSON values into text and opens them again.

    ``keys``: 32 bytes each in URL-safe base64, newest first. The first one encrypts, all of them decrypt. Without keys
    values are plain JSON. What is sealed is bound to its ``place`` and opens nowhere else. ``ring`` is that of the
    database, once it is known. Raises ConfigInvalid for something that is not a key.
    """

    def __init__(self, keys: Sequence[str] = (), ring: Ring | None = None) -> None:
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
        self.ring = ring or Ring(0, ())
        self.ring_text: str | None = None

    @property
    def ring(self) -> Ring:
        """By what this database hashes, and how strictly it is opened."""
        return self._ring

    @ring.setter
    def ring(self, ring: Ring) -> None:
        self._ring = ring
        self._known.clear()
        keys, self._later = [bytes.fromhex(secret) for secret in ring.chain[:1]], ring.chain[1:]
        self._blank = blake2b(digest_size=HASH // 2, key=keys[0]) if keys else None

    @property
    def newest(self) -> str:
        """How what the newest key seals begins; empty without keys."""
        return "" if self._newest is None else f"{SEALED}{self._newest}."

    def lacking(self, ring: Ring) -> list[str]:
        """Names of keys that something may be sealed with, and that are not here."""
        return [name for name in ring.keys if name not in self._ciphers]

    def noted(self, ring: Ring) -> Ring:
        """The ring with the key that seals from now on."""
        if self._newest is None or self._newest in ring.keys:
            return ring
        return replace(ring, keys=(self._newest, *ring.keys))

    def seal(self, value: Json, place: str = "") -> str | None:
        """Text to be stored; None stays None (SQL NULL)."""
        if value is None:
            return None
        text = dump(value)
        if self._newest is None:
            return text
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), place.encode())
        return self.newest + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, text: str | None, place: str = "") -> Json:
        """What was sealed. Raises Unreadable where it was not sealed for this place, or by none of the keys, and
        ConfigInvalid where an earlier version may have sealed it with a key that is not there."""
        if text is None:
            return None
        try:
            if text.startswith(SEALED):
                return load(self._decrypted(text, place))
            if text.startswith(EARLIER):
                return load(self._decrypted_earlier(text, place))
            if self._newest is not None and not self.ring.plain:
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
        if not self.ring.unbound:
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
        """That one, and before it what each of the earlier secrets made of the same."""
        if self._blank is None:
            raise Bug("nothing is hashed before the ring of the database was read")
        hashing = self._blank.copy()
        hashing.update(_sorted(parts).encode())
        found = [hashing.hexdigest()]
        for secret in self._later:
            found.append(rehash(found[-1], secret))
        return found

    def hash_of_text(self, text: str) -> str:
        """That of a list of one text; the latest ones are kept."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            found = self._known[text] = self.hash([text])
        return found


HASH: Final = 40
"""Hex digits of a hash."""


def rehash(found: str, secret: str) -> str:
    """A hash of a hash, as ``rekey`` has PostgreSQL do it, too."""
    return sha256(bytes.fromhex(secret) + bytes.fromhex(found)).hexdigest()[:HASH]


def _derived(key: str) -> bytes:
    """What encrypts: never the bytes of the key itself, which earlier versions used in another way."""
    return blake2b(key.encode(), digest_size=32, person=b"syncengine seal").digest()
