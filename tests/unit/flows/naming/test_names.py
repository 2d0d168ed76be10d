"""What records are called on screens."""

from __future__ import annotations

from syncengine.flows.naming.names import names
from syncengine.flows.views.plan import plan
from syncengine.flows.views.queries import find_records
from tests.support.bench import Bench
from tests.support.people import FIELDS, HR_DELETES, duo

REQUIRED = FIELDS.replace("name: {type: string}", "name: {type: string, required: true}")


def two_annas(fields: str = REQUIRED) -> Bench:
    """Two people of one name, and one who stands alone with hers."""
    made = duo(
        fields=fields, modes={"hr": "observe", "lms": "observe"},
        hr_system=HR_DELETES,
    )  # fmt: skip
    for email, name in (("a1@x.de", "Anna"), ("a2@x.de", "Anna"), ("ben@x.de", "Ben")):
        made.vendors["hr"].add(email=email, name=name, job="dev")
    made.sync()
    return made


def called(made: Bench) -> list[str]:
    """The names of all, of the deleted too, on one screen."""
    ids = [i for of in made.read(lambda tx: tx.record_ids()).values() for i in of]
    ids += [r.id for r in made.read(lambda tx: tx.records_of("person", deleted=True))]
    known = made.read(lambda tx: names(made.engine, tx, ids))
    return sorted({known.of(i) for i in ids})


def test_people_of_one_name_are_told_apart() -> None:
    """Beside each other each shows what identifies it; who is alone with a name shows the name only."""
    assert called(two_annas()) == ["Anna (a1@x.de)", "Anna (a2@x.de)", "Ben"]


def test_what_tells_people_apart_is_never_a_sensitive_value() -> None:
    """Two of one name whose identity is sensitive are shown by name alone."""
    hidden = REQUIRED.replace("email: {type: email}", "email: {type: email, sensitive: true}")
    assert called(two_annas(hidden)) == ["Anna", "Ben"]


def test_what_does_not_tell_people_apart_is_not_shown() -> None:
    """Who was hired again bears the same address as before: it would only make both names longer."""
    made = two_annas()
    (old,) = [i for i in made.vendors["hr"].rows() if made.vendors["hr"].row(i)["name"] == "Ben"]
    made.vendors["hr"].remove(old)
    made.sync()
    made.clock.sleep(86_400)
    made.vendors["hr"].add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    assert called(made) == ["Anna (a1@x.de)", "Anna (a2@x.de)", "Ben", "Ben (deleted)"]


def test_a_plan_says_which_of_two_is_meant() -> None:
    """Two rows to be made for people of one name are no riddle."""
    document = plan(two_annas().engine)
    assert [c["name"] for c in document["changes"]] == ["Anna (a1@x.de)", "Anna (a2@x.de)", "Ben"]


def test_a_shared_name_finds_all_who_bear_it_and_their_full_name_one() -> None:
    """People type what they know: the bare name, the address, or the name as a screen shows it."""
    made = two_annas()

    def found(text: str) -> list[str]:
        return sorted(name for _, _, name in find_records(made.engine, text, "person"))

    assert found("anna") == ["Anna (a1@x.de)", "Anna (a2@x.de)"]
    assert found("anna (a2@x.de)") == found("a2@x.de") == ["Anna (a2@x.de)"]
