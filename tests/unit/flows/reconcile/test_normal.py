"""Two texts that a person cannot tell apart are one; what is written keeps its spelling."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from syncengine.model.changeset import Changeset
from syncengine.model.key import Key, KeyKind
from syncengine.model.record import World
from syncengine.planning.identity import record_keys
from tests.support.bench import Bench
from tests.support.people import FIELDS, HR, LMS, anna, duo

NAME = "J\u00f6rg M\u00fcller"
SPELLINGS = {
    "NFD": unicodedata.normalize("NFD", NAME),
    "no-break space": NAME.replace(" ", "\u00a0"),
    "narrow no-break space": NAME.replace(" ", "\u202f"),
    "zero-width space": NAME.replace(" ", " \u200b"),
    "soft hyphen": NAME.replace("ll", "l\u00adl"),
    "byte order mark": "\ufeff" + NAME,
    "trailing space": NAME + " ",
    "leading space": " " + NAME,
    "all": unicodedata.normalize("NFD", NAME.replace(" ", "\u00a0\u200b")) + "\u00a0",
}
spellings = pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=list(SPELLINGS))
BY_NAME: dict[str, Any] = {"identity": "[[name]]", "lms": {"search": ("name",)}}


@spellings
@pytest.mark.parametrize("first", ["hr", "lms"])
def test_rows_that_spell_one_name_are_one(spelled: str, first: str) -> None:
    """Identity: no second account is made, nobody is asked, and each side keeps its own spelling."""
    made = duo(**BY_NAME)
    made.vendors["hr"].add(name=NAME, job="dev")
    made.vendors["lms"].add(name=spelled, job="dev")
    made.scan(first)
    made.think()
    made.sync()
    assert [row["name"] for row in made.vendors["lms"].rows().values()] == [spelled]
    assert not made.cases()
    assert not made.written()


@spellings
def test_another_spelling_is_no_change(spelled: str) -> None:
    """A vendor that spells a value anew has not changed it: nothing is learned and nothing written, however the field
    flows."""
    for flow in ("both", "in", "out"):
        field = f"{{field: name, flow: {flow}}}"
        made = duo(lms_system=LMS.replace("name: name", f"name: {field}"))
        _, theirs = anna(made, name=NAME)
        if flow == "in":
            made.vendors["lms"].edit(theirs, name=NAME)
            made.sync()
        for vendor in made.vendors.values():
            vendor.calls.clear()
        made.vendors["lms"].edit(theirs, name=spelled)
        before = made.record()
        made.sync()
        assert made.record() == before
        assert (made.written(), made.cases()) == ({}, [])


@spellings
@pytest.mark.parametrize("policy", ["flag", "newest", "max"])
def test_a_first_meeting_of_two_spellings_agrees(spelled: str, policy: str) -> None:
    """Neither is asked about nor written over, also where one side can only be read."""
    for flow in ("both", "in"):
        fields = FIELDS.replace(
            "name: {type: string}", f"name: {{type: string, on_conflict: {policy}}}"
        )
        lms = LMS.replace("name: name", f"name: {{field: name, flow: {flow}}}")
        made = duo(fields=fields, lms_system=lms)
        made.vendors["hr"].add(email="j@x.de", name=NAME, job="dev")
        made.vendors["lms"].add(email="j@x.de", name=spelled, job="dev")
        made.sync()
        assert (made.written(), made.cases()) == ({}, [])


@spellings
def test_conditions_take_rows_and_records_as_they_are_seen(spelled: str) -> None:
    """``where`` and ``scope`` count a row and a record whose name is spelled in another way."""
    where = HR.replace("flow: both", f"flow: both, where: \"row.name == '{NAME}'\"")
    scope = LMS.replace("flow: both", f"flow: both, scope: \"name in ['{NAME}', 'Bo']\"")
    made = duo(hr_system=where, lms_system=scope)
    made.vendors["hr"].add(email="j@x.de", name=spelled, job="dev")
    made.sync()
    assert [row["name"] for row in made.vendors["lms"].rows().values()] == [spelled]


@spellings
def test_values_are_read_in_any_spelling(spelled: str) -> None:
    """What a table of ``values`` means, it means however the vendor spells it."""
    fields = FIELDS.replace(
        "job: {type: string, on_conflict: newest}", "job: {type: enum, choices: [chief, dev]}"
    )
    values = f"{{field: job, values: {{chief: ['{NAME}'], dev: [dev]}}}}"
    theirs = "{field: job, values: {chief: [boss], dev: [dev]}}"
    systems = [s.replace("job: job", f"job: {v}") for s, v in ((HR, values), (LMS, theirs))]
    made = duo(fields=fields, hr_system=systems[0], lms_system=systems[1])
    made.vendors["hr"].add(email="j@x.de", name="J", job=spelled)
    made.sync()
    assert [row["job"] for row in made.vendors["lms"].rows().values()] == ["boss"]
    assert not made.cases()


@pytest.mark.parametrize("hidden", [" ", "\u200b", "\u00a0\ufeff", "\u3164", "\t\n"])
def test_a_text_that_nobody_sees_is_no_value(hidden: str) -> None:
    """It empties a name no more than an empty text does, first meeting or not, and clears a field that may be."""
    fields = FIELDS.replace("name: {type: string}", "name: {type: string, required: true}")
    fields = fields.replace("on_conflict: newest", "clear: true")
    made = duo(fields=fields)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name=hidden, job=hidden)
    made.sync()
    row = made.vendors["lms"].row(theirs)
    assert (row["name"], row["job"]) == ("Anna", None)
    assert made.record().values["name"] == "Anna"
    assert made.vendors["hr"].row(mine)["name"] == "Anna"
    made.vendors["lms"].add(email="b@x.de", name="Bo")
    made.vendors["hr"].add(email="b@x.de", name=hidden)
    made.sync()
    assert [r["name"] for r in made.vendors["lms"].rows().values()] == ["Anna", "Bo"]


def test_a_real_change_is_one_in_any_spelling() -> None:
    """A text with another letter spreads, spelled as it was entered."""
    made = duo()
    mine, theirs = anna(made, name=NAME)
    changed = unicodedata.normalize("NFD", "J\u00f6rg M\u00f6ller")
    made.vendors["hr"].edit(mine, name=changed)
    made.sync()
    assert made.vendors["lms"].rows()[theirs]["name"] == changed


@spellings
def test_identities_of_an_older_store_are_taken_anew(spelled: str) -> None:
    """A database whose identities were hashed as they were spelled: the next start hashes all of them as they are
    compared, those of records, of untied rows, and of records that are gone."""
    made = duo(identity="[[name]]", lms={"search": ("name",)}, hr_system=HR)
    made.vendors["hr"].add(name=spelled, job="dev")
    made.sync()
    record = made.record()
    _as_it_was(made, record.id, spelled)
    made.sync()
    with made.engine.ledger.read() as tx:
        (key,) = record_keys(
            made.engine.project.entities["person"], record, World(made.engine.today)
        )
        assert tx.key_owners([key]) == {("record", key.scope, (NAME,)): [record.id]}


def _as_it_was(made: Bench, owner: str, spelled: str) -> None:
    """The keys as an older version left them, and its mark."""
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(dropped_keys={(KeyKind.RECORD, owner) for owner in [owner]}))
        tx.take_keys([Key(KeyKind.RECORD, "person:0", (spelled,), owner)])
        state = tx.connection("entity:person", lock=True)
        tx.write(
            Changeset(
                connections=[
                    replace(state, digest="an-older-one:" + state.digest.partition(":")[2])
                ]
            )
        )
        state = tx.connection("project", lock=True)
        tx.write(Changeset(connections=[replace(state, digest="older")]))
