"""Bad rows alone, large listings piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.adapters.rest import decoding
from syncengine.adapters.rest.decoding import Large, decode, harmless, unfit
from syncengine.errors import Unusable

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)  # fmt: skip
values = st.recursive(
    scalars, lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts), max_leaves=25
)
GOOD = b'{"id": 1, "name": "Jo"}'


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def rows(chunks: Iterable[bytes], member: str = "*") -> list[Any]:
    return [row for batch in Large(chunks, "GET /x").rows(member) for row in batch]


@settings(deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_what_is_sound_is_read_the_same_in_every_way(
    value: Any, escaped: bool, indent: int | None, size: int
) -> None:
    """Told apart by brackets alone, in pieces of any size, JSON says what it says as a whole."""
    content = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    assert decoding._salvaged(content) == value
    listed = value if isinstance(value, list) else [value]
    content = json.dumps({"errors": [1], "a": 5, "rows": listed}, ensure_ascii=escaped).encode()
    for member in ("rows", "*"):
        assert rows(pieces(content, size), member) == listed


BAD = [
    b'{"id": 2, "name": "\\ud83d"}',
    b'{"id": 2, "name": "\\ude00 x"}',
    b'{"id": 2, "\\ud83d": "x"}',
    b'{"id": 2, "deep": {"in": ["\\ud83d"]}}',
    b'{"id": "\\ud83d"}',
    b'{"id": 2, "name": "M\xfcller"}',
    b'{"id": 2, "name": "\xed\xa0\xbd"}',
    b'{"id": 2, "pay": NaN}',
    b'{"id": 2, "pay": -Infinity}',
    b'{"id": 2, "pay": 1e400}',
    b'{"id": 2, "pay": ' + b"9" * 5000 + b"}",
    b'{"id": 2, "deep": ' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"id": 2, "deep": ' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}",
    b'{"id": 2, "name": "\\x"}',
    b'{"id": 2, "name" "x"}',
    b'{"id": 2, pay: 5}',
    b"{]",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("around", [b"[%s]", b'{"rows": [%s], "total": 3}', b"\xef\xbb\xbf [%s]\n"])
def test_a_bad_row_spoils_no_other(bad: bytes, around: bytes) -> None:
    """The others come whole, as one answer and in pieces; the bad one is told, and can be shown and kept."""
    content = around % b", ".join([GOOD, bad, GOOD])
    whole = decode(content)
    for found in (whole if isinstance(whole, list) else whole["rows"], rows(pieces(content, 7))):
        assert [found[0], found[2]] == [json.loads(GOOD)] * 2
        assert [bool(unfit(row)) for row in found] == [False, True, False]
        shown = harmless(found[1])
        assert not unfit(shown)
        json.dumps(shown, allow_nan=False).encode()
        str(shown).encode()


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"upstream timed out", b"[", b'[{"id": 1}', b'{"rows": [1], ', b'{"rows": [1]} x', b"[1 2]",
     b"[1,]", b'"', b'{"a"}', b"{1: 2}", b"]", b"<html>", b"\xff\xfe[\x00"],
)  # fmt: skip
def test_what_is_no_listing_at_all_is_none(content: bytes) -> None:
    """Half an answer, and what is none, is refused however it is read."""
    with pytest.raises(ValueError, match="JSON"):
        decode(content)
    with pytest.raises(Unusable):
        rows(pieces(content, 3))


@pytest.mark.parametrize(
    ("content", "member"),
    [
        (b'{"data": 5}', "data"),
        (b'{"rows": []}', "data"),
        (b"{}", "*"),
        (b'{"errors": []}', "*"),
        (b"[]", "results"),
        (b'{"a": [1], "b": [2]}', "*"),
        (b"5", "*"),
    ],
)
def test_a_large_listing_has_to_have_the_array_that_is_called_for(
    content: bytes, member: str
) -> None:
    """Another shape is never taken for an empty listing."""
    with pytest.raises(Unusable, match="no listing"):
        rows([content], member)


def test_a_row_without_end_ends_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than one row is ever held, and that has a bound."""
    monkeypatch.setattr(decoding, "LARGEST_ROW", 1000)
    for row in (b'{"a": "%s"}', b'"%s"', b"[[%s]]"):
        with pytest.raises(Unusable, match="larger"):
            rows(pieces(b"[" + row % (b"x" * 5000) + b"]", 100))
