"""Values between a vendor's spelling and ours."""

from __future__ import annotations

import unicodedata
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.mapping.canonical import parser
from syncengine.mapping.codecs import Lens, coded, tabled, typed
from syncengine.model.spelling import blank
from syncengine.model.values import Json, TypeName

BERLIN = ZoneInfo("Europe/Berlin")
TYPES: tuple[TypeName, ...] = get_args(TypeName)
times = st.integers(0, 1440).map(lambda m: f"{m // 60:02}:{m % 60:02}")
instants = st.datetimes(timezones=st.timezones()).map(lambda d: d.isoformat())
json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), times, instants,
              st.dates().map(str), st.emails()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
canonical: dict[TypeName, st.SearchStrategy[Json]] = {
    "string": st.text(st.characters(exclude_characters="\0")).filter(lambda t: not blank(t)),
    "email": st.emails().map(str.lower),
    "date": st.dates().map(str),
    "time": times,
    "integer": st.integers(-(2**60), 2**60),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "duration": st.integers(-(10**9), 10**9),
}
lenses: st.SearchStrategy[Lens] = st.one_of(
    st.sampled_from(TYPES).map(lambda kind: typed(kind, BERLIN, "string", None)),
    st.sampled_from(["midnight", "minutes", "happened"]).map(lambda n: coded(n, BERLIN, None)[1]),
    st.just(tabled({"a": ["A", 1, None], "b": ["B", "*"]}, str).lens()),
)


@given(st.sampled_from(TYPES), json)
def test_parsing_fits_or_says_so(kind: TypeName, raw: Json) -> None:
    """Whatever a vendor sends becomes a canonical value, which parses to itself, or is a ValueError."""
    parse = parser(kind, BERLIN, "string")
    try:
        value = parse(raw)
    except ValueError:
        return
    assert parse(value) == value


@given(st.data(), st.sampled_from(sorted(canonical)))
def test_a_value_comes_back(data: st.DataObject, kind: TypeName) -> None:
    """A canonical value survives encoding and decoding, also at a vendor's integer and text fields."""
    value = data.draw(canonical[kind])
    others: list[TypeName | None] = [None, "string"] if kind == "number" else [None, "integer"]
    theirs = data.draw(st.sampled_from(others))
    lens = typed(kind, BERLIN, None, theirs)
    assert lens.decode(lens.encode(value), None, "") == value


@given(lenses, json, json, json)
def test_same_is_an_equivalence(lens: Lens, a: Json, b: Json, c: Json) -> None:
    """Meaning the same is reflexive for what fits, symmetric, and transitive."""
    try:
        lens.norm(a)
        assert lens.same(a, a)
    except ValueError:
        assert not lens.same(a, object())
    assert lens.same(a, b) == lens.same(b, a)
    if lens.same(a, b) and lens.same(b, c):
        assert lens.same(a, c)


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        ("email", " Anna@Example.ORG", "anna@example.org"),
        ("datetime", "2026-11-22T11:00:00+01:00", "2026-11-22T10:00:00Z"),
        ("datetime", "2026-11-22T11:00:00", "2026-11-22T10:00:00.000Z"),
        ("number", 5, "5.0"),
        ("integer", 5, "5"),
        ("integer", 5.0, 5),
        ("string", 716, "716"),
        ("string", "", None),
        ("boolean", "TRUE", True),
        ("time", "8:00", "08:00:00"),
        ("time", "24:00", "24:00"),
        ("duration", "02:16", 8160),
        ("duration", "-00:30", -1800),
        ("date", "2026-11-22", "2026-11-21T23:30:00Z"),
        ("text", "a\r\nb", "a\nb"),
        ("set", ["b", "a", "b"], ["a", "b"]),
        ("set", [], None),
    ],
)
def test_equal_meanings(kind: TypeName, left: Json, right: Json) -> None:
    """Two spellings of one value are one, by the type of the field."""
    assert typed(kind, BERLIN, "string", None).same(left, right)


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [("string", "a", "A"), ("list", ["a", "b"], ["b", "a"]), ("time", "00:00", "24:00"),
     ("boolean", None, False), ("string", None, "0"), ("integer", True, 1)],
)  # fmt: skip
def test_different_meanings(kind: TypeName, left: Json, right: Json) -> None:
    """What only looks alike stays different."""
    assert not typed(kind, BERLIN, "string", None).same(left, right)


@pytest.mark.parametrize("kind", ["string", "text", "email"])
def test_a_number_is_no_text_where_the_vendor_declares_one(kind: TypeName) -> None:
    """A number for a declared text does not fit and equals no text; empty is empty."""
    lens = typed(kind, BERLIN, None, "string")
    for wrong in (12345, 1.5, True, ["a"], {}):
        with pytest.raises(ValueError, match="a text"):
            lens.decode(wrong, None, "")
    assert not lens.same(12345, "12345")
    assert lens.decode(None, None, "") is lens.decode("", None, "") is None
    assert typed("string", BERLIN, None, "integer").decode(12345, None, "") == "12345"


def test_midnight_is_the_end_of_a_day() -> None:
    """00:00 of a vendor is our 24:00 and goes back as 00:00; other times stay."""
    kind, lens = coded("midnight", BERLIN, "time")
    assert kind == "time"
    assert lens.decode("00:00", None, "") == "24:00"
    assert lens.encode("24:00") == "00:00"
    assert lens.decode(lens.encode("17:30"), None, "") == "17:30"
    assert lens.same("00:00", "24:00:00")


def test_minutes_are_seconds_times_sixty() -> None:
    """A vendor's minutes are our seconds, in whichever spelling the vendor takes."""
    _, lens = coded("minutes", BERLIN, "string")
    assert lens.decode("30", None, "") == 1800
    assert lens.encode(1800) == "30"
    assert lens.same("30", 30)
    assert "seconds" in lens.loses


def test_happened_keeps_our_time() -> None:
    """True keeps the time we have or takes the time seen; false is empty, and empty is false."""
    _, lens = coded("happened", BERLIN, "boolean")
    seen = "2026-11-22T10:00:00Z"
    assert lens.decode(True, None, seen) == seen
    assert lens.decode(True, "2026-01-01T00:00:00Z", seen) == "2026-01-01T00:00:00Z"
    assert lens.decode(False, "2026-01-01T00:00:00Z", seen) is None
    assert lens.encode("2026-01-01T00:00:00Z") is True
    assert lens.empty is False
    assert lens.same(None, False)


def test_values_write_the_first_and_read_all() -> None:
    """Of several spellings the first is written and all are read; others fit only with a star."""
    lens = tabled({"open": ["NEW", "OLD", None], "shut": ["DONE", 7]}, str).lens()
    assert [lens.decode(raw, None, "") for raw in ("NEW", "OLD", None, "7")] == [
        "open", "open", "open", "shut",
    ]  # fmt: skip
    assert lens.encode("shut") == "DONE"
    assert lens.same("NEW", "OLD")
    with pytest.raises(ValueError, match="one of"):
        lens.decode("ELSE", None, "")
    with pytest.raises(ValueError, match="written"):
        lens.encode("ajar")
    star = tabled({"open": ["NEW"], "shut": ["*", "DONE"]}, str).lens()
    assert star.decode("ELSE", None, "") == "shut"
    assert star.encode("shut") == "DONE"


def test_dates_and_datetimes_meet() -> None:
    """A date at a vendor's datetime is its local midnight; a datetime at a vendor's date loses the clock."""
    to_stamp = typed("date", BERLIN, None, "datetime")
    assert to_stamp.encode("2026-11-22") == "2026-11-21T23:00:00Z"
    assert to_stamp.decode("2026-11-21T23:00:00Z", None, "") == "2026-11-22"
    to_day = typed("datetime", BERLIN, None, "date")
    assert to_day.encode("2026-11-21T23:00:00Z") == "2026-11-22"
    assert to_day.loses
    assert to_day.same("2026-11-22", "2026-11-22")


@pytest.mark.parametrize("kind", ["integer", "number", "duration"])
@pytest.mark.parametrize(
    "raw", ["1_000", "1_0.5", "\u0661", "0x10", "nan", "Infinity", "1e400", "--1", ""]
)
def test_what_only_python_calls_a_number_is_none(kind: TypeName, raw: str) -> None:
    """``1_000`` is set aside as what does not fit; it was a thousand."""
    parse = parser(kind, BERLIN)
    if raw:
        with pytest.raises(ValueError, match=r"number|invalid literal"):
            parse(raw)
    else:
        assert parse(raw) is None


@pytest.mark.parametrize("raw", ["12", " 12 ", "+12", "12.0", "1.2e1", "\u00a012\u200b", "012"])
def test_numbers_as_texts(raw: str) -> None:
    """Signs, points and spaces of all kinds do not matter."""
    assert parser("number", BERLIN)(raw) == 12.0


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Pacific/Honolulu", "Europe/Berlin", "Asia/Tokyo", "UTC"]
)
@pytest.mark.parametrize(
    "raw", ["2026-11-22T00:00:00Z", "2026-11-22T00:00:00+00:00", "2026-11-22 00:00:00.000Z"]
)
def test_a_day_as_a_timestamp_keeps_its_day(zone: str, raw: str) -> None:
    """Midnight UTC is how a day is spelled where there are only timestamps; in no zone is it the day before."""
    assert parser("date", ZoneInfo(zone))(raw) == "2026-11-22"


def test_a_moment_is_of_the_day_that_it_is_there() -> None:
    """What is no midnight has its day by the zone, and what we write as a day is read as that day again."""
    west = ZoneInfo("America/New_York")
    assert parser("date", west)("2026-11-22T03:00:00Z") == "2026-11-21"
    assert parser("date", BERLIN)("2026-11-21T23:00:00Z") == "2026-11-22"
    for zone in (west, BERLIN):
        lens = typed("date", zone, None, "datetime")
        assert lens.decode(lens.encode("2026-11-22"), None, "") == "2026-11-22"


@pytest.mark.parametrize(
    ("raw", "value"), [("1", True), (1, True), ("0", False), (0, False), ("\u200b1 ", True)]
)
def test_a_table_makes_booleans_of_what_a_vendor_calls_them(raw: Json, value: bool) -> None:
    """``values: {true: ["1"], false: ["0"]}``; without it a text is none."""
    lens = tabled({"true": ["1"], "false": ["0"]}, parser("boolean", BERLIN)).lens()
    assert lens.decode(raw, None, "") is value
    assert lens.encode(value) == str(int(value))
    with pytest.raises(ValueError, match="true or false"):
        parser("boolean", BERLIN)("1")


@pytest.mark.parametrize(
    "hidden", [" ", "\u200b", "\u2003\u200d", "\u3164", "\u00ad\ufeff", "\r\n"]
)
def test_a_text_in_which_nothing_is_seen_is_empty(hidden: str) -> None:
    """Whatever the field is, in a list and in a table of values too; a text in which anything is seen stays whole."""
    for kind in ("string", "text", "email", "date", "integer", "boolean", "enum", "ref"):
        assert parser(kind, BERLIN)(hidden) is None
    assert parser("list", BERLIN, "string")([hidden, "a"]) == ["a"]
    assert tabled({"yes": ["y"]}, parser("enum", BERLIN)).lens().decode(hidden, None, "") is None
    assert parser("string", BERLIN)(f"{hidden}a") == f"{hidden}a"
    lens = typed("string", BERLIN, None, "string")
    assert lens.same(hidden, None)
    assert not lens.same(hidden, "a")


@pytest.mark.parametrize(
    "given", ["x" * 12, "\u00fc" * 12, "xxxxxxxxx\U0001f600xx", "Jo\u0308rg Mu\u0308ller", "short"]
)
def test_a_text_that_the_vendor_cuts_is_the_same(given: str) -> None:
    """Where the connector declares a length in UTF-16 units, what is beyond it is no difference, also where the vendor
    spells letters in two parts or the cut goes through a character."""
    lens = typed("string", BERLIN, None, "string", 10)
    decomposed = unicodedata.normalize("NFD", given)
    for text in (given, decomposed):
        held = text.encode("utf-16-le")[:20].decode("utf-16-le", "ignore")
        assert lens.same(held, given)
        assert lens.same(held, lens.encode(given))
    assert not lens.same("xy" + given[:8], given)
    assert len(lens.encode(given).encode("utf-16-le")) <= 20
    assert lens.same("short", "shorter") is False
    assert not typed("string", BERLIN, None, "string").same(given[:5] + "?", given)
