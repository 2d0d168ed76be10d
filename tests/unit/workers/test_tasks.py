from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from celery import signals
from celery.exceptions import Retry as PutOff

from syncengine.errors import Bug, DatabaseDown, LostRace, SyncengineError, VendorDown
from syncengine.flows.capture.capture import Captured
from syncengine.flows.core.limits import RACES, Limits
from syncengine.simulation.clock import ManualClock
from workers import tasks
from workers.celery import app

NAMES = {
    "capture",
    "refresh",
    "reconcile",
    "dispatch",
    "probe",
    "derive",
    "sweep",
    "alive",
    "notify",
}


class _Current:
    """An engine that nobody opens."""

    @contextmanager
    def work(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            clock=ManualClock(), limits=Limits(), used=set(), troubles=dict[str, str]()
        )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the flows were called with; they do nothing."""
    called: list[tuple[Any, ...]] = []

    def flow(name: str) -> Callable[..., None]:
        return lambda _engine, *given, **more: called.append((name, *given, *more.items()))

    homes = {
        "capture": tasks.captures,
        "refresh": tasks.refreshing,
        "reconcile": tasks.reconciling,
        "dispatch": tasks.sending,
        "probe": tasks.probing,
        "derive": tasks.derivations,
        "sweep": tasks.sweeping,
    }
    for name, home in homes.items():
        monkeypatch.setattr(home, name, flow(name))
    monkeypatch.setattr(tasks, "current", _Current)

    def listing(_engine: object, *given: object, **more: object) -> Captured:
        called.append(("capture", *given, *more.items()))
        return Captured(fault="hakuna is off or blocked" if given[1] == "blocked" else "")

    monkeypatch.setattr(tasks.captures, "capture", listing)
    return called


def test_every_task_has_the_name_by_which_it_is_announced() -> None:
    """Workers know exactly the tasks that the queue promises, and their names tell whose they are."""
    known = {name for name in app.tasks if not name.startswith("celery.")}
    assert known == {f"syncengine.{name}" for name in NAMES}


@pytest.mark.parametrize("name", ["refresh", "reconcile", "dispatch", "probe"])
def test_ids_are_handed_on(calls: list[tuple[Any, ...]], name: str) -> None:
    """A task gives its ids to its flow, and none at all means whatever is due."""
    app.tasks[f"syncengine.{name}"](["a", "b"])
    app.tasks[f"syncengine.{name}"]([])
    assert calls == [(name, ["a", "b"]), (name, None)]


def test_the_others_reach_their_flows_too(calls: list[tuple[Any, ...]]) -> None:
    """Capture takes connection, resource and kind, and reads a slice; derive and sweep look for themselves."""
    app.tasks["syncengine.capture"](["hakuna", "users", "poll"])
    app.tasks["syncengine.capture"](["hakuna", "users", "scan"])
    app.tasks["syncengine.derive"]([])
    app.tasks["syncengine.sweep"]([])
    assert calls == [
        ("capture", "hakuna", "users", "poll", ("sliced", True)),
        ("capture", "hakuna", "users", "scan", ("sliced", True)),
        ("derive",),
        ("sweep",),
    ]


def test_a_worker_first_looks_at_what_changed(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]]
) -> None:
    """A worker that starts notices another mapping or mode before its first task, however soon it is stopped again."""
    monkeypatch.setattr(tasks, "follow_project", lambda _: calls.append(("followed",)))
    signals.worker_process_init.send(sender=None)
    assert calls == [("followed",)]


@pytest.mark.parametrize(
    "error", [VendorDown("down"), LostRace("moved"), DatabaseDown("it is full", "make room")]
)
def test_what_cannot_be_done_now_is_put_off(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]], error: SyncengineError
) -> None:
    """A task that meets a reason to try later ends as put off, one that loses a race again and again too, and Celery
    does not run it again; the sweep brings it back."""

    def flow(*_: object) -> None:
        calls.append(("tried",))
        raise error

    monkeypatch.setattr(tasks.sending, "dispatch", flow)
    with pytest.raises(PutOff):
        app.tasks["syncengine.dispatch"](["a"])
    assert calls == [("tried",)] * (RACES + 1 if isinstance(error, LostRace) else 1)


@pytest.mark.usefixtures("calls")
def test_a_listing_for_which_nobody_was_asked_is_no_success() -> None:
    """Its connection is blocked, or others have all of its slots: it is put off."""
    with pytest.raises(PutOff):
        app.tasks["syncengine.capture"](["hakuna", "blocked", "scan"])


@pytest.mark.usefixtures("calls")
def test_a_task_whose_vendor_failed_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which connection failed and how, and nothing that the vendor said."""

    def flow(engine: Any, _: object) -> None:
        engine.troubles["hakuna"] = "VendorDown"

    monkeypatch.setattr(tasks.sending, "dispatch", flow)
    with pytest.raises(tasks.VendorFailed, match=r"^hakuna: VendorDown$"):
        app.tasks["syncengine.dispatch"](["a"])
    assert tasks.VendorFailed in app.tasks["syncengine.dispatch"].throws


@pytest.mark.usefixtures("calls")
def test_a_strangers_message_does_not_reach_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery puts exceptions into events that Flower shows; so no text of an unexpected one leaves the task."""
    monkeypatch.setattr(tasks.sending, "dispatch", lambda *_: int("Anna"))
    with pytest.raises(Bug) as caught:
        app.tasks["syncengine.dispatch"](["a"])
    assert "Anna" not in str(caught.value)


def test_a_worker_of_changes_alone_is_told_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody relies on it for what is due, so that its sign of life is none of a worker's."""
    names = [queue.name for queue in app.conf.task_queues]
    for taken, kind in ((names, "worker"), ([n for n in names if n.endswith("live")], "live")):
        monkeypatch.setattr(app.amqp.queues, "_consume_from", dict.fromkeys(taken))
        assert tasks._kind() == kind
