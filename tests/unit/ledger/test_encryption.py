"""Values at rest, and the hashes by which keys are found."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from syncengine.errors import ConfigInvalid, Unreadable
from syncengine.ledger.encryption import (
    KeyringState,
    Vault,
    earlier_keyring,
    first_keyring,
    new_key,
)

OLD, NEW = new_key(), Fernet.generate_key().decode()
STRICT, LOOSE = first_keyring([OLD]), KeyringState(1, ("00",), plain=True, unbound=True)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=ANY_JSON, keys=st.sampled_from([(), (OLD,), (NEW, OLD)]))
def test_what_is_sealed_opens_again(value: object, keys: tuple[str, ...]) -> None:
    """Any JSON value comes back as it was, with and without encryption."""
    vault = Vault(keys, LOOSE)
    assert vault.open(vault.seal(value, "a.b/1"), "a.b/1") == value


def test_sealed_text_shows_nothing() -> None:
    """With a key, the stored text holds nothing of the value, and is another each time."""
    texts = {Vault([OLD]).seal({"name": "Anna"}) for _ in range(5)}
    assert len(texts) == 5
    assert "Anna" not in str(texts)


def test_a_new_key_in_front_reads_what_the_old_one_wrote() -> None:
    """Keys are rotated by putting a new one in front."""
    assert Vault([NEW, OLD]).open(Vault([OLD]).seal("Anna")) == "Anna"


def test_the_first_key_writes() -> None:
    """After a rotation nothing new depends on the old key."""
    assert Vault([NEW]).open(Vault([NEW, OLD]).seal("Anna")) == "Anna"


def test_a_value_opens_in_its_place_alone() -> None:
    """What somebody moved to another row, column or table is not taken for what belongs there."""
    sealed = Vault([OLD], STRICT).seal("Anna", "links.row/1")
    for place in ("links.row/2", "links.base/1", "records.row/1", ""):
        with pytest.raises(Unreadable, match="from another place"):
            Vault([OLD], STRICT).open(sealed, place)


@given(at=st.integers(0, 10**6), to=st.sampled_from("AZaz09-_=."))
def test_a_changed_value_is_noticed(at: int, to: str) -> None:
    """Whatever letter of a sealed value somebody changes, it does not open as another one."""
    sealed = str(Vault([OLD], STRICT).seal({"salary": 98765}, "x"))
    at %= len(sealed)
    changed = sealed[:at] + to + sealed[at + 1 :]
    with suppress(Unreadable):
        assert Vault([OLD], STRICT).open(changed, "x") == {"salary": 98765}


def test_plain_values_stay_readable_until_all_are_sealed() -> None:
    """Turning encryption on does not lock out what was stored before; once all is sealed, a value that somebody put
    there in the clear is not taken for ours."""
    plain = Vault().seal({"a": 1})
    assert Vault([NEW], earlier_keyring([])).open(plain) == {"a": 1}
    with pytest.raises(Unreadable, match="not encrypted"):
        Vault([NEW], earlier_keyring([]).grown([NEW])).open(plain)


def test_values_of_earlier_versions_open_until_all_are_sealed_anew() -> None:
    """Earlier versions sealed with the same keys in another way."""
    sealed = Fernet(OLD).encrypt(b'"Anna"').decode()
    assert Vault([NEW, OLD], earlier_keyring([OLD])).open(sealed, "x") == "Anna"
    with pytest.raises(Unreadable, match="earlier versions"):
        Vault([NEW, OLD], earlier_keyring([OLD]).grown([NEW])).open(sealed, "x")


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_missing_key_is_named(keys: tuple[str, ...]) -> None:
    """A value that no key opens raises an error that says with which it was sealed."""
    sealed = Vault([OLD]).seal("Anna")
    with pytest.raises(Unreadable, match=r"the key [0-9a-f]{8}, which is not there"):
        Vault(keys, LOOSE).open(sealed)


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_key_that_an_earlier_version_used_and_that_is_missing_stops_all(
    keys: tuple[str, ...],
) -> None:
    """By which key it was sealed cannot be told, so that a missing key is not taken for a broken value."""
    sealed = Fernet(OLD).encrypt(b'"Anna"').decode()
    with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS: none of these keys"):
        Vault(keys, LOOSE).open(sealed, "links.row/1")


@pytest.mark.parametrize("key", ["short", "", "ü" * 44])
def test_nonsense_is_no_key(key: str) -> None:
    """A malformed key is refused at the start, without being repeated in the error."""
    with pytest.raises(ConfigInvalid, match="32 bytes") as caught:
        Vault([key])
    assert not key or key not in str(caught.value)


def test_hashes_do_not_depend_on_the_keys() -> None:
    """A key that was found before a rotation is found after it: hashes are made with a secret of the database."""
    assert Vault([OLD], STRICT).hash(["a"]) == Vault([NEW, OLD], STRICT).hash(["a"])


def test_hashes_are_keyed() -> None:
    """Whoever has the database but not the key cannot guess values by hashing them; nor with an earlier secret."""
    rings = [
        earlier_keyring([]),
        earlier_keyring([OLD]),
        STRICT,
        STRICT.grown([OLD]),
        first_keyring([OLD]),
    ]
    assert len({Vault((), keyring).hash(["a"]) for keyring in rings}) == len(rings)


def test_hashes_tell_types_apart_but_not_orders() -> None:
    """1 and "1" are different parts; an object is the same in any order."""
    vault = Vault((), STRICT)
    assert vault.hash([1]) != vault.hash(["1"])
    assert vault.hash([{"a": 1, "b": 2}]) == vault.hash([{"b": 2, "a": 1}])
