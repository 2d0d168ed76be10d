"""Telling: what people get on real channels, once, whoever sends; and what is remembered where it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncengine.adapters.notify import open_channels
from syncengine.errors import Unauthorized
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.pausing import pause, resume
from syncengine.flows.run.sweep import sweep
from syncengine.flows.tell.tell import EVERY, send_test, tell
from syncengine.flows.views.standing import standing
from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.mapping.notify import Channel, Notify, NotifyRule
from syncengine.model.notification import Message
from syncengine.model.standing import CODES
from syncengine.planning.notifications import HEARTBEAT
from tests.support.bench import Bench
from tests.support.databases import empty_database
from tests.support.people import duo
from tests.support.receivers import Hooks, web_server

EVERYTHING = NotifyRule(frozenset(CODES) - {"unread", "moving", "waiting"}, ("ops",))
CONSOLE = "https://sync.example"


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """Where messages arrive."""
    with web_server() as made:
        yield made


def connected(made: Bench, hooks: Hooks, *rules: NotifyRule, **more: Any) -> Bench:
    """A bench whose project tells a web hook."""
    channel = Channel("ops", "slack", more.pop("language", "en"), (), hooks.url, b"", "")
    notify = Notify({"ops": channel}, rules or (EVERYTHING,), None, CONSOLE, **more)
    made.engine.project = replace(made.engine.project, notify=notify)
    made.engine.channels = open_channels(notify, HEARTBEAT, 5.0)
    return made


def later(made: Bench, seconds: float = EVERY) -> dict[str, int]:
    """Tell after a while."""
    made.clock.sleep(seconds)
    return dict(+tell(made.engine))


def texts(hooks: Hooks) -> list[str]:
    """The messages, as people read them."""
    return [body["text"] for body in hooks.bodies]


def test_a_pause_is_told_once_and_its_end_too(hooks: Hooks) -> None:
    """With the link to the connection, and without the reason, which is a person's words."""
    made = connected(duo(), hooks)
    assert later(made) == {}
    pause(made.engine, "lms", "Anna Meier asked", "Kim")
    assert [later(made) for _ in range(3)] == [{"ops": 1}, {}, {}]
    resume(made.engine, "lms")
    assert later(made) == {"ops": 1}
    began, ended = texts(hooks)
    assert "? lms is paused since" in began
    assert "https://sync.example/connections/lms" in began
    assert "✓ Over: lms is paused since" in ended
    assert "Meier" not in began + ended
    assert "Kim" not in began + ended


def test_what_comes_together_is_one_message(hooks: Hooks) -> None:
    """Ten at once, too."""
    made = connected(duo(), hooks)
    for name in ("hr", "lms"):
        made.engine.note_failure(name, Unauthorized(f"401 of {name} for Anna Meier"))
        pause(made.engine, name, "", "Kim")
    assert later(made) == {"ops": 1}
    (text,) = texts(hooks)
    assert text.count("\n! ") == 2
    assert text.count("\n? ") == 2
    assert "Meier" not in text


def test_german_is_spoken_where_it_is_asked_for(hooks: Hooks) -> None:
    """Sentence and verdict."""
    made = connected(duo(), hooks, language="de")
    pause(made.engine, "lms", "", "Kim")
    later(made)
    (text,) = texts(hooks)
    assert text.startswith("Es wartet auf einen Menschen.\n\n? lms ist angehalten seit ")


def test_a_channel_that_refuses_is_in_the_standing_and_tried_again(hooks: Hooks) -> None:
    """A note at first, a fault after a quarter of an hour; then it gets what is so by then."""
    made = connected(duo(), hooks)
    pause(made.engine, "lms", "", "Kim")
    hooks.status = 404
    later(made)
    (line,) = [x for x in standing(made.engine).lines if x.code == "untold"]
    assert (line.level.name, line.about["channel"]) == ("NOTE", "ops")
    assert line.told["why"] == "it answers 404, there is no such hook; make a new one there"
    for _ in range(40):
        later(made, 30.0)
    (line,) = [x for x in standing(made.engine).lines if x.code == "untold"]
    assert line.level.name == "FAULT"
    assert len(hooks.posted) < 10
    hooks.status = 200
    made.clock.sleep(3600)
    assert later(made) == {"ops": 1}
    assert not [x for x in standing(made.engine).lines if x.code == "untold"]
    assert later(made) == {}


def test_a_daily_report_has_everything_that_stands(hooks: Hooks) -> None:
    """Once a day at its time, also where nothing is to be said."""
    made = connected(duo(), hooks, NotifyRule(frozenset(), ("ops",), at=0))
    assert later(made) == {}
    pause(made.engine, "lms", "", "Kim")
    assert later(made, 86_400.0) == {"ops": 1}
    assert later(made) == {}
    (text,) = texts(hooks)
    assert "? lms is paused" in text
    assert "unread" not in text


def test_the_heart_beats_until_something_is_a_fault(hooks: Hooks) -> None:
    """Whoever listens outside then knows that we live and are well."""
    made = connected(duo(), hooks, heartbeat=f"{hooks.url}/ping")
    for _ in range(3):
        later(made, 60.0)
    assert [path for path, _, _ in hooks.posted] == ["/ping"] * 3
    made.engine.note_failure("lms", Unauthorized("no"))
    later(made, 60.0)
    assert [path for path, _, _ in hooks.posted][3:] == ["/"]


def test_a_test_message_is_sent_at_once_and_remembered_by_nobody(hooks: Hooks) -> None:
    """What it says tells that it is one."""
    made = connected(duo(), hooks)
    assert send_test(made.engine, ["ops"]) == {"ops": ""}
    assert texts(hooks) == ["This is a test: ops gets notifications of syncengine.\n"]
    hooks.status = 500
    assert send_test(made.engine, ["ops"]) == {"ops": "it answers 500"}
    with made.engine.ledger.read() as tx:
        assert tx.notifications().deliveries == {}


def test_a_project_that_tells_nobody_costs_nothing(hooks: Hooks) -> None:
    """No transaction, and no task of a sweep."""
    made = duo()
    with made.statements() as seen:
        tell(made.engine)
    assert seen == []
    assert "notify" not in sweep(made.engine)
    assert "notify" in sweep(connected(duo(), hooks).engine)


class _Slow:
    """A channel that takes its time."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.begun, self.over = threading.Event(), threading.Event()

    def send(self, message: Message) -> None:
        """Wait until the test lets go."""
        self.begun.set()
        assert self.over.wait(10)
        self.sent.append(message)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.ci)])
def test_of_two_senders_one_sends(kind: str, hooks: Hooks, tmp_path: Path) -> None:
    """A worker and the web side look at once, and again while the first still sends."""
    with empty_database(kind, tmp_path) as url:
        database = make_engine(url)
        upgrade(database)
        made = connected(duo(), hooks)
        made.engine.ledger = Ledger(database, clock=made.clock.now)
        other: Engine = replace(made.engine, ledger=Ledger(make_engine(url), clock=made.clock.now))
        slow = _Slow()
        made.engine.channels = other.channels = {"ops": slow}
        pause(made.engine, "lms", "", "Kim")
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append(tell(made.engine)))
        thread.start()
        assert slow.begun.wait(10)
        assert +tell(other) == {}
        slow.over.set()
        thread.join(10)
        made.clock.sleep(EVERY)
        assert +tell(other) == {}
        assert len(slow.sent) == 1
        database.dispose()
