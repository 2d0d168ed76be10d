"""The engine with real worker processes on each stack, judged by what the vendors hold in the end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from celery.events import EventReceiver
from ruamel.yaml import YAML

from syncengine.sandbox.people import today
from syncengine.sandbox.process import Row
from tests.integration.support import Stack, new_person, stack
from tests.support.places import MAPPINGS
from workers.celery import make_app

pytestmark = [pytest.mark.timeout(400), pytest.mark.long, pytest.mark.ci]

SPANS = {r"poll: \w+": "poll: 1s", r"scan: \w+": "scan: 2s"}
STACKS = [
    pytest.param("sqlite", "embedded", id="sqlite-embedded"),
    pytest.param("postgresql", "redis", id="postgresql-redis"),
    pytest.param("postgresql", "rabbitmq", id="postgresql-rabbitmq"),
]
MANDATORY = ["gdpr-basics-2026", "soc-2-basics"]
CONNECTIONS = MAPPINGS / "connections.yaml"
NAMES = {
    name
    for account, connection in YAML().load(CONNECTIONS)["connections"].items()
    for name in (account, *connection["resources"])
}
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _impersonal(word: str) -> bool:
    """All that may stand in a task's arguments: names of the project, and ids that are random."""
    return word in NAMES | {"poll", "scan"} or bool(ID.fullmatch(word))


@contextmanager
def _overheard(stack: Stack) -> Iterator[set[str]]:
    """The arguments of all tasks that workers receive meanwhile, as monitors are shown them."""
    app, heard = make_app(stack.settings), set[str]()
    with app.connection() as connection:
        receiver = app.events.Receiver(
            connection, handlers={"task-received": lambda event: heard.add(event["args"])}
        )
        lost = (TimeoutError, *connection.connection_errors)
        thread = threading.Thread(target=_listen, args=(receiver, lost), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            receiver.should_stop = True
            thread.join(10)


def _listen(receiver: EventReceiver, lost: tuple[type[Exception], ...]) -> None:
    """A monitor connects again where its connection is lost."""
    while not receiver.should_stop:
        with suppress(*lost):
            receiver.capture(limit=None, timeout=0.5)


def _in_agreement(stack: Stack) -> None:
    """Whoever is known for certain is in weekly10 with her trainings, and past hours are in HeavenHR; once."""
    employees = {e["id"]: e for e in stack.rows("heavenhr", "employees")}
    mailboxes = [e["professionalEmail"] for e in employees.values() if e["professionalEmail"]]
    certain = [e for e in employees.values() if mailboxes.count(e["professionalEmail"]) < 2]
    for employee in certain:
        (user,) = stack.rows("weekly10", "users", api_id=employee["employeeNumber"])
        left = employee["jobStatus"] == "LEFT"
        assert (user["first_name"], user["last_name"], user["is_active"]) == (
            employee["firstName"], employee["lastName"], not left,
        )  # fmt: skip
        if not left:
            assert _trainings(stack, user["api_id"]) == MANDATORY
    ids = {(e["professionalEmail"] or "").casefold(): e["id"] for e in certain}
    owners = {u["id"]: ids.get(u["email"].casefold()) for u in stack.rows("hakuna", "users")}
    booked = [
        (owners[entry["user"]["id"]], entry["date"], entry["start_time"])
        for entry in stack.rows("hakuna", "time_entries")
    ]
    asked = [
        (request["employeeId"], request["requestDate"], request["startTime"])
        for request in stack.rows("heavenhr", "time_trackings")
    ]
    assert sorted(asked) == sorted(b for b in booked if b[0] is not None)
    assert asked


def _trainings(stack: Stack, user: str) -> list[str]:
    records = stack.rows("weekly10", "training_records", person_api_id=user)
    return sorted(record["package_api_id"] for record in records)


def _book(stack: Stack, start: str) -> tuple[str, str]:
    """Hours that somebody books in hakuna, of the day before yesterday; day and start."""
    day = (today() - timedelta(days=2)).isoformat()
    entry = {"user_id": 1, "date": day, "start_time": start, "end_time": "23:30", "task_id": 1}
    stack.sandbox.mutate("hakuna", "time_entries", "create", values=entry)
    return day, start


def _requests(stack: Stack, booked: tuple[str, str]) -> list[Row]:
    day, start = booked
    return stack.rows("heavenhr", "time_trackings", requestDate=day, startTime=start)


def _complete(stack: Stack) -> str:
    """Somebody completes a training in Haekka; the weekly10 id of who it was."""
    begun = next(
        t for t in stack.rows("haekka", "employee_trainings") if not t["completion_status"]
    )
    done = {"completion_status": True, "completion_rate": 100}
    stack.sandbox.mutate("haekka", "employee_trainings", "update", begun["id"], done)
    (who,) = stack.rows("haekka", "employees", id=begun["employee_id"])
    known = stack.rows("heavenhr", "employees")
    number: str = next(
        e["employeeNumber"] for e in known
        if (e["professionalEmail"] or "").casefold() == who["email"].casefold()
    )  # fmt: skip
    return number


def _struck(stack: Stack) -> int:
    """Writes that took effect and whose answer was lost."""
    return sum(r["fault"] == "drop_after" and r["applied"] for r in stack.sandbox.requests())


def _changes_arrive(stack: Stack) -> None:
    """A new employee, a training completed and hours booked come to the other systems."""
    stack.sandbox.mutate("heavenhr", "employees", "create", values=new_person(1))
    number, hours = _complete(stack), _book(stack, "19:00")
    stack.until(lambda: _trainings(stack, "50001") == MANDATORY, "a new employee has her trainings")
    about = {"person_api_id": number, "package_api_id": "soc-2-basics"}
    stack.until(
        lambda: any(
            r["date_completed"] for r in stack.rows("weekly10", "training_records", **about)
        ),
        "what is completed in Haekka is completed in weekly10",
    )
    stack.until(lambda: bool(_requests(stack, hours)), "booked hours are in HeavenHR")


def _lost_answers_cost_nothing(stack: Stack) -> None:
    """A user and a request whose creates were not answered are there, and once."""
    stack.sandbox.fault("weekly10", "drop_after", method="POST", route="/users", count=1)
    stack.sandbox.fault(
        "heavenhr", "drop_after", method="POST", count=1,
        route="/employees/{employee_id}/timetracking",
    )  # fmt: skip
    stack.sandbox.mutate("heavenhr", "employees", "create", values=new_person(2))
    later = _book(stack, "21:00")
    stack.until(lambda: _struck(stack) == 2, "both answers were lost")
    stack.until(lambda: _trainings(stack, "50002") == MANDATORY, "an unanswered create was found")
    stack.until(stack.quiet, "nothing is under way any more")
    _in_agreement(stack)
    assert [r["status"] for r in _requests(stack, later)] == ["REQUESTED"]
    assert all(count["duplicates"] == 0 for count in stack.sandbox.counters().values())


@pytest.mark.parametrize(("database", "broker"), STACKS)
def test_changes_flow_and_nothing_is_written_twice(
    tmp_path: Path, database: str, broker: str
) -> None:
    """On each stack workers bring all systems into agreement, carry changes both ways, leave exactly one row where
    an answer was lost, and are told nothing personal."""
    with stack(tmp_path, SPANS, database, broker) as running, _overheard(running) as heard:
        running.until(lambda: bool(heard), "a worker is there", 60)
        running.until(running.quiet, "the first sync is done", 150)
        _in_agreement(running)
        _changes_arrive(running)
        _lost_answers_cost_nothing(running)
        printed = running.output.getvalue()

    assert len(heard) > 10
    whole = [re.sub(r"[0-9a-f-]*\.\.\.", "", arguments) for arguments in heard]
    words = {word for arguments in whole for word in re.findall(r"[^\s'\"(),\[\].]+", arguments)}
    assert not [word for word in words if not _impersonal(word)]
    assert "alpenblick" not in printed
    assert "Wilma" not in printed
