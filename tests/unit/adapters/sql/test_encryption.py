"""Values at rest, and the hashes by which keys are found."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from syncengine.adapters.sql.encryption import Vault
from syncengine.errors import ConfigInvalid

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=ANY_JSON, keys=st.sampled_from([(), (OLD,), (NEW, OLD)]))
def test_what_is_sealed_opens_again(value: object, keys: tuple[str, ...]) -> None:
    """Any JSON value comes back as it was, with and without encryption."""
    vault = Vault(keys)
    assert vault.open(vault.seal(value)) == value


def test_sealed_text_shows_nothing() -> None:
    """With a key, the stored text holds nothing of the value."""
    assert "Anna" not in str(Vault([OLD]).seal({"name": "Anna"}))


def test_a_new_key_in_front_reads_what_the_old_one_wrote() -> None:
    """Keys are rotated by putting a new one in front."""
    assert Vault([NEW, OLD]).open(Vault([OLD]).seal("Anna")) == "Anna"


def test_the_first_key_writes() -> None:
    """After a rotation nothing new depends on the old key."""
    assert Vault([NEW]).open(Vault([NEW, OLD]).seal("Anna")) == "Anna"


def test_plain_values_stay_readable_once_there_is_a_key() -> None:
    """Turning encryption on does not lock out what was stored before."""
    assert Vault([NEW]).open(Vault().seal({"a": 1})) == {"a": 1}


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_missing_key_says_what_to_do(keys: tuple[str, ...]) -> None:
    """A value that no key opens raises an error that names the setting."""
    sealed = Vault([OLD]).seal("Anna")
    with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"):
        Vault(keys).open(sealed)


@pytest.mark.parametrize("key", ["short", "", "ü" * 44])
def test_nonsense_is_no_key(key: str) -> None:
    """A malformed key is refused at the start, without being repeated in the error."""
    with pytest.raises(ConfigInvalid, match="32 bytes") as caught:
        Vault([key])
    assert not key or key not in str(caught.value)


def test_hashes_survive_a_rotation() -> None:
    """A key that was found before a rotation is found after it."""
    assert Vault([OLD]).hash(["a@example.com"]) == Vault([NEW, OLD]).hash(["a@example.com"])


def test_hashes_are_keyed() -> None:
    """Whoever has the database but not the key cannot guess values by hashing them."""
    assert len({Vault(keys).hash(["a"]) for keys in ((), (OLD,), (NEW,))}) == 3


def test_hashes_tell_types_apart_but_not_orders() -> None:
    """1 and "1" are different parts; an object is the same in any order."""
    vault = Vault()
    assert vault.hash([1]) != vault.hash(["1"])
    assert vault.hash([{"a": 1, "b": 2}]) == vault.hash([{"b": 2, "a": 1}])
