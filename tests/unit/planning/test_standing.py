"""The standing, rule by rule: when a line begins and ends, how bad it is, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.flows.views.standing_text import moment, sentence, verdict
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.link import WaitGroup
from syncengine.model.process import Process
from syncengine.model.standing import Figures, Level, Line
from syncengine.planning.standing import (
    BLIND,
    DAILY,
    FAILING,
    FORGOTTEN,
    LEVELS,
    SILENT,
    TAKEN_OVER,
    WAITING,
    Facts,
    Listed,
    standing,
)

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 10, 4, 11, tzinfo=ZONE).timestamp()
"""A Friday."""
HOUR, DAY = 3600.0, 86_400.0
SEEN = ResourceState("hakuna", "users", scanned_at=NOW - HOUR)


def facts(**changes: Any) -> Facts:
    """An installation without a service where everything agrees; with what is given instead."""
    names = {f: changes.pop(f) for f in Figures.__slots__ if f in changes}
    figures = Figures({"hakuna": ConnectionState("hakuna")}, {}, (), {}, {}, (), {}, ())
    well = Facts(
        now=NOW, edition="new", edition_at=NOW - DAY, figures=replace(figures, **names), off={},
        unused=(), listings=(Listed("hakuna", "users", HOUR, SEEN),), unlinked={}, dirty=0,
    )  # fmt: skip
    return replace(well, **changes)


def lines(**changes: Any) -> list[Line]:
    """All lines, each at a level that its code may have."""
    found = list(standing(facts(**changes)).lines)
    assert all(line.level in LEVELS[line.code] for line in found)
    return found


def told(**changes: Any) -> list[tuple[str, Level, str]]:
    """Code, level and sentence of all lines."""
    return [(x.code, x.level, sentence(x, NOW, ZONE)) for x in lines(**changes)]


def state(**changes: Any) -> dict[str, ConnectionState]:
    """How hakuna stands."""
    return {"hakuna": ConnectionState("hakuna", **changes)}


def group(
    kind: str, what: str = "", count: int = 3, since: float | None = NOW - HOUR, **more: str
) -> Any:
    """Visits in hakuna that wait."""
    return {"waits": [WaitGroup("visit", "hakuna", kind, what, count=count, since=since, **more)]}


AT_WORK = {"worker": NOW - 5, "beat": NOW - 5}
"""A service that is at work."""


def test_a_worker_that_has_just_died_is_not_taken_for_a_missing_beat() -> None:
    """Both fall silent at once; which of the two was heard last is chance."""
    silent = {"worker": NOW - SILENT + 1, "beat": NOW - SILENT - 1}
    assert lines(alive=silent) == []
    (line,) = lines(alive={name: at - 3 for name, at in silent.items()})
    assert line.code == "worker"


def test_where_nothing_is_to_be_said_everything_agrees() -> None:
    """No line, no level, exit code 0."""
    now = standing(facts())
    assert (now.lines, now.level, now.level.exit_code) == ((), Level.OK, 0)
    assert (verdict(now), now.mapping) == ("Everything agrees.", "new")


def test_a_service_that_is_at_work_has_no_line() -> None:
    """Nor has one that nobody ever started."""
    assert lines(alive=AT_WORK) == lines(alive={}) == []


def test_a_worker_that_takes_no_task_for_a_minute_is_a_fault() -> None:
    """And ends when it takes one, or when nobody can expect one any more."""
    assert lines(alive={**AT_WORK, "worker": NOW - SILENT}) == []
    dead = {"worker": datetime(2026, 11, 27, 2, 14, tzinfo=ZONE).timestamp(), "beat": NOW}
    assert told(alive=dead) == [("worker", Level.FAULT, "No worker since 02:14.")]
    assert lines(alive={"worker": NOW - FORGOTTEN}) == []


def test_a_beat_that_is_silent_is_a_fault_while_workers_are_at_work() -> None:
    """Without a worker nobody can tell."""
    silent = {"worker": NOW, "beat": NOW - SILENT - 1}
    assert told(alive=silent) == [
        ("beat", Level.FAULT, "Nothing starts listings: no beat since 10:03.")
    ]
    assert told(alive={"worker": NOW})[0][2] == "Nothing starts listings: no beat."
    assert [x.code for x in lines(alive={"worker": NOW - HOUR, "beat": NOW - HOUR})] == ["worker"]


def process(digest: str = "old", seen: float = NOW, **more: Any) -> dict[str, Any]:
    """A worker that took its mapping over on Tuesday."""
    since = datetime(2026, 11, 24, 14, 2, tzinfo=ZONE).timestamp()
    one = Process("1", "worker", "host", 7, digest, since, seen, **more)
    return {"processes": [one], "alive": AT_WORK}


def test_files_that_are_invalid_are_a_fault_at_once() -> None:
    """The service works by those before, and is told since when."""
    says = "The service works by the mapping of Tue 14:02: its files are invalid now (2 faults)."
    assert told(**process(refused=("a", "b"))) == [("mapping", Level.FAULT, says)]


def test_a_mapping_that_is_not_taken_over_is_a_fault_after_two_minutes() -> None:
    """A process that did nothing since cannot know of it, and one of the present files is well."""
    begun = {"edition_at": NOW - TAKEN_OVER}
    assert lines(**begun, **process()) == []
    says = (
        "1 process of the service works by the mapping of Tue 14:02 and did not take over the files: "
        "restart the service."
    )
    late = {"edition_at": NOW - TAKEN_OVER - 1}
    assert told(**late, **process()) == [("mapping", Level.FAULT, says)]
    assert lines(**late, **process(seen=NOW - 60)) == lines(**late, **process("new")) == []


def test_refused_credentials_are_a_fault() -> None:
    """It says since when; that calls fail is part of it, and so is that nothing is listed."""
    at = datetime(2026, 11, 27, 3, 10, tzinfo=ZONE).timestamp()
    refused = state(halted="GET /users: HTTP 401; it refuses", halted_since=at, failures=3)
    old = (Listed("hakuna", "users", HOUR, replace(SEEN, scanned_at=NOW - 9 * DAY)),)
    assert told(states=refused, listings=old) == [
        ("halted", Level.FAULT, "hakuna refuses our credentials since 03:10: GET /users: HTTP 401.")
    ]


def test_a_vendor_that_fails_is_a_note_for_a_quarter_of_an_hour() -> None:
    """Then it is a fault."""
    for since, level in ((NOW - FAILING + 1, Level.NOTE), (NOW - FAILING, Level.FAULT)):
        fails = state(failures=2, failing_since=since, why="name unknown")
        assert told(states=fails) == [
            ("failing", level, "hakuna does not answer since 09:49: name unknown.")
        ]
    assert lines(states=state(failures=2))[0].level is Level.NOTE


def test_a_pause_that_was_asked_for_is_a_note() -> None:
    """Until it is over."""
    asked = {"asked": True, "why": "the vendor asks for a pause", "since": NOW}
    says = "hakuna is not called until 10:09: the vendor asks for a pause."
    assert told(states=state(blocked_until=NOW + 300, **asked)) == [("limit", Level.NOTE, says)]
    assert lines(states=state(blocked_until=NOW, **asked)) == []


@pytest.mark.parametrize(("alive", "span"), [(AT_WORK, HOUR), ({}, DAILY)])
def test_two_complete_listings_that_did_not_come_are_a_fault(
    alive: dict[str, float], span: float
) -> None:
    """A service makes them as often as the project says; without one they are expected each day."""

    def seen(ago: float, **more: Any) -> list[tuple[str, Level, str]]:
        one = replace(SEEN, scanned_at=NOW - ago, **more)
        return told(alive=alive, listings=[Listed("hakuna", "users", HOUR, one)])

    assert seen(2 * span + BLIND) == []
    ((code, level, says),) = seen(2 * span + BLIND + 1, fault="HTTP 500")
    assert (code, level) == ("blind", Level.FAULT)
    assert says.startswith("hakuna users: last complete listing ")
    assert says.endswith(": HTTP 500.")


def test_what_was_never_listed_is_a_fault_where_that_failed() -> None:
    """Not where the whole connection fails, which has a line; nor where it was not tried yet, which is under way."""
    other = Listed("hakuna", "absences", HOUR, ResourceState("hakuna", "absences"))
    failed = replace(other, state=replace(other.state, fault="HTTP 500"))
    seen = facts().listings[0]
    assert told(listings=[seen, failed]) == [
        ("blind", Level.FAULT, "hakuna absences: never listed completely: HTTP 500.")
    ]
    fails = state(failures=1, failing_since=NOW, why="HTTP 500")
    assert [x.code for x in lines(listings=[seen, failed], states=fails)] == ["failing"]
    assert told(listings=[seen, other]) == [("moving", Level.NOTE, "1 listing was never made yet.")]


def test_a_store_in_which_nothing_was_read_says_so() -> None:
    """Nothing can agree there."""
    never = [Listed("hakuna", "users", HOUR, ResourceState("hakuna", "users"))]
    now = standing(facts(listings=never))
    assert ([x.code for x in now.lines], verdict(now)) == (["unread"], "Nothing has been read yet.")


def test_writes_that_are_due_for_long_are_a_fault_of_a_service() -> None:
    """Not of one that is paused, blocked or off, nor where the next pass sends them."""
    outbox = [("hakuna", "pending", 5, 3, NOW - 750), ("hakuna", "unknown", 1, 0, NOW + 60)]
    late = {"outbox": outbox, "alive": AT_WORK}
    fault, moving = told(**late)
    assert fault == ("late", Level.FAULT, "3 writes to hakuna are late by 12 min.")
    assert moving == ("moving", Level.NOTE, "6 writes are under way.")
    for stopped in (state(paused="payroll"), state(blocked_until=NOW + 60)):
        assert "late" not in [x.code for x in lines(**late, states=stopped)]
    assert [x.code for x in lines(outbox=outbox)] == ["moving"]


def test_open_questions_ask_with_their_kinds_and_the_oldest() -> None:
    """Those about staged plans have lines of their own."""
    at = datetime(2026, 11, 24, 14, 2, tzinfo=ZONE).timestamp()
    asked = {"identity": (4, NOW), "conflict": (3, at), "staged": (1, at)}
    says = "7 questions (3 conflict, 4 identity), the oldest since Tue 14:02."
    assert told(asked=asked) == [("question", Level.ASK, says)]
    assert told(asked={"drift": (1, at)})[0][2] == "1 question (drift) since Tue 14:02."


def test_writes_that_wait_for_approval_ask() -> None:
    """By kind, entity and connection."""
    says = "34 deletes of visit in hakuna wait for approval since 09:04."
    assert told(**group("staged", "approval", 34, write="delete")) == [("staged", Level.ASK, says)]


def test_writes_that_delete_no_row_are_said_to_be_leavers() -> None:
    """Where the mapping sets something instead; also those that somebody has let be."""
    called = {"called": {("visit", "hakuna", "delete"): "leaver"}}
    waits = group("staged", "approval", 1, write="delete")
    assert (
        told(**waits, **called)[0][2]
        == "1 leaver of visit in hakuna waits for approval since 09:04."
    )
    let = group("let_be", "rejected by kim", 2, write="delete", reason="a test")
    assert told(**let, **called)[0][2] == "2 leavers of visit in hakuna rejected by kim."
    creates = group("staged", "approval", 2, write="create")
    assert told(**creates, **called)[0][2].startswith("2 creates of visit")


def test_a_pause_asks_with_who_and_why_and_what_waits() -> None:
    """As long as it lasts."""
    at = datetime(2026, 11, 24, 14, 2, tzinfo=ZONE).timestamp()
    paused = state(paused="payroll", paused_by="Kim", paused_at=at)
    says = "hakuna is paused by Kim since Tue 14:02 (payroll)"
    assert told(states=paused) == [("paused", Level.ASK, f"{says}.")]
    outbox = [("hakuna", "pending", 12, 12, NOW - DAY)]
    assert told(states=paused, outbox=outbox)[0][2] == f"{says}; 12 writes wait."
    assert told(states=state(paused="old"))[0][2] == "hakuna is paused (old)."


def test_changes_that_are_only_observed_are_held() -> None:
    """They decide the verdict where nothing is worse."""
    unsent = {"weekly10": 46}
    says = "46 changes are not sent: weekly10 is only observed."
    assert told(unsent=unsent) == [("observed", Level.HELD, says)]
    now = standing(facts(unsent=unsent))
    assert (verdict(now), now.level.exit_code) == ("46 changes are not sent.", 3)


def test_what_waits_for_a_day_asks() -> None:
    """Before that it is a note, and so is what waits since nobody knows when."""
    for since, level in (
        (NOW - WAITING + 60, Level.NOTE),
        (NOW - WAITING, Level.ASK),
        (None, Level.NOTE),
    ):
        (line,) = lines(**group("rec", "person in hakuna", since=since))
        assert (line.code, line.level, line.count) == ("waiting", level, 3)
    says = "3 records of visit in hakuna wait for person in hakuna, since 09:04."
    assert told(**group("rec", "person in hakuna")) == [("waiting", Level.NOTE, says)]


def test_what_a_person_let_be_is_a_note() -> None:
    """With who, and all of one person together. Why stands with the question, where not everybody sees it."""
    (two,) = group("let_be", "rejected by kim", 2, write="delete", reason="Anna is ill")["waits"]
    (one,) = group("let_be", "rejected by kim", 1, write="delete", reason="a test")["waits"]
    says = "3 deletes of visit in hakuna rejected by kim."
    assert told(waits=[two, one]) == [("let_be", Level.NOTE, says)]
    assert "ill" not in str(lines(waits=[two, one]))


def test_rows_of_nobody_are_a_note_per_connection() -> None:
    """Together, by entity."""
    rows = {("person", "hakuna"): 2, ("visit", "hakuna"): 12}
    says = "14 rows of hakuna (2 person, 12 visit) belong to nobody."
    assert told(unlinked=rows) == [("unlinked", Level.NOTE, says)]


def test_who_is_out_of_scope_is_a_note_with_the_next_day() -> None:
    """One line per entity and connection, whatever the reasons are."""
    one = WaitGroup("person", "weekly10", "scope", "active is no, until 2026-12-03", count=4)
    two = replace(one, what="active is no, until 2026-12-01", count=7)
    none = replace(one, what="active is no", count=1)
    says = "12 records of person not in weekly10, being out of its scope; next 1 Dec."
    assert told(waits=[one, two, none]) == [("scope", Level.NOTE, says)]


def test_what_is_off_or_unused_is_a_note() -> None:
    """With the reason."""
    assert told(off={"haekka": "HAEKKA_API_KEY is not set"}, unused=["haekka", "old"]) == [
        ("off", Level.NOTE, "haekka is off: HAEKKA_API_KEY is not set."),
        ("off", Level.NOTE, "old is used by no mapping."),
    ]


def test_what_goes_on_by_itself_is_a_note() -> None:
    """Rows to be looked at, and writes on their way; also those that were kept back in another mode."""
    assert told(dirty=120) == [("moving", Level.NOTE, "120 rows are being looked at.")]
    assert told(**group("observed", "mode: write", 1)) == [
        ("moving", Level.NOTE, "1 write is under way.")
    ]


def test_the_worst_comes_first_and_decides() -> None:
    """Fault, question, held, note; exit codes 1, 4, 3, 0."""
    found = standing(
        facts(
            alive={"worker": 1.0 + NOW - DAY}, asked={"drift": (1, NOW)}, unsent={"a": 1}, dirty=1
        )
    )
    assert [x.code for x in found.lines] == ["worker", "question", "observed", "moving"]
    verdicts = []
    while found.lines:
        verdicts.append((verdict(found), found.level.exit_code))
        found = found.without({found.lines[0].code})
    assert verdicts == [
        ("Not in order.", 1),
        ("Waits for a person.", 4),
        ("1 change is not sent.", 3),
        ("Everything else agrees.", 0),
    ]


def test_times_are_said_as_people_say_them() -> None:
    """By the clock of the project's zone, in English whatever the machine's language is."""
    for ago, says in (
        (0.0, "10:04"), (11 * HOUR, "Thu 23:04"), (6 * DAY, "Sat 10:04"), (7 * DAY, "20 Nov 10:04"),
        (400 * DAY, "23 Oct 2025 11:04"), (-DAY, "28 Nov 10:04"),
    ):  # fmt: skip
        assert moment(NOW - ago, NOW, ZONE) == says
