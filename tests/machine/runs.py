"""Seeded runs: people and workers at random, weighted towards what interleaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from syncengine.flows.capture import capture, notice
from syncengine.flows.dispatch import dispatch, probe
from syncengine.flows.engine import Engine
from syncengine.flows.reconcile import reconcile
from syncengine.flows.refresh import refresh
from syncengine.flows.sweep import sweep
from syncengine.model.values import Json
from tests.machine.world import Scene, Traits

EMAILS = ("a@x.de", "b@x.de", "c@x.de")
VALUES: dict[str, list[Json]] = {
    "name": ["Anna", "Bertalina", "Cem"],
    "job": ["dev", "lead", "left"],
    "size": ["S", "M", "L"],
    "note": ["n1", "n2", None],
    "tags": [[], ["x"], ["y"], ["x", "z"]],
}
WEIGHTS = {
    "enter": 2, "edit": 9, "email": 1, "remove": 2, "wait": 3, "bad_listing": 2, "bad_call": 6,
    "scan": 6, "hook": 2, "course": 2, "work": 10, "settle": 3, "crash": 4, "both": 4, "during": 3,
}  # fmt: skip
LISTINGS = ("fail", "partial", "empty", "short")
CALLS = ("down", "lost", "drop", "late", "drop", "late", "refuse")


class Crash(Exception):
    """A worker dies."""


def traits(chance: Random) -> Traits:
    """Vendors of some kind."""
    return Traits(
        lms_ids=chance.choice(["chosen", "search", "marker", "none"]),
        lms_answers=chance.choice(["full", "empty", "sent"]),
        lms_leave=chance.choice(["keep", "delete"]),
        lms_missing=chance.choice(["flag", "keep", "recreate"]),
        lms_spells=chance.random() < 0.4,
        hr_lists=chance.choice(["all", "less", "late"]),
        tm_lists=chance.choice(["all", "less", "late"]),
        tm_missing=chance.choice(["flag", "keep", "delete"]),
        tm_spells=chance.random() < 0.4,
        courses=chance.random() < 0.4,
    )


class Run:
    """One run. ``story``: what happened, for whoever has to find out why it went wrong."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.scene = Scene(traits(self.chance))
        self.story: list[tuple[float, str, Any]] = []

    def go(self) -> Run:
        """Begin with people who are linked, mostly; do something; calm down; check."""
        made, chance = self.scene.made, self.chance
        for _ in range(chance.randint(1, 2)):
            self.enter("hr")
        if chance.random() < 0.8:
            for _ in range(2):
                made.clock.sleep(5)
                made.scan_all()
                made.settle()
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        for step in range(chance.randint(5, 35)):
            kind = chance.choices(kinds, weights)[0]
            name = chance.choice(["hr", "lms", "tm"])
            told = getattr(self, kind)(name)
            self.story.append((made.clock.now(), f"{step} {kind} {name}", told))
            self.scene.look()
        self.scene.calm()
        self.scene.check()
        return self

    # people

    def enter(self, name: str) -> Any:
        vendor = self.scene.vendor("hr" if name == "lms" else name)
        email = self.chance.choice(EMAILS)
        if any(str(r.get("email")).lower() == email for r in vendor.rows().values()):
            return None
        return vendor.add(email=email, name=self.chance.choice(VALUES["name"]), job="dev")

    def edit(self, name: str) -> Any:
        row = self.row(name)
        field = self.chance.choice(list(VALUES))
        value = self.chance.choice(VALUES[field])
        if row is not None:
            self.scene.edit(name, row, field, value)
        return row, field, value

    def email(self, name: str) -> Any:
        row, email = self.row(name), self.chance.choice(EMAILS)
        rows = self.scene.vendor(name).rows().values()
        if row is not None and not any(str(r.get("email")).lower() == email for r in rows):
            self.scene.edit(name, row, "email", email)
        return row, email

    def remove(self, name: str) -> Any:
        row = self.row(name)
        if row is not None:
            self.scene.vendor(name).remove(row)
        return row

    def course(self, name: str) -> Any:
        """Somebody renames a course, drops it, or enters one for a person."""
        vendor = self.scene.vendor(name)
        if "courses" not in vendor.spec.resources:
            return None
        rows, person = sorted(vendor.rows("courses")), self.row(name)
        what = self.chance.choice(["edit", "edit", "remove", "add"])
        if what == "add" and person is not None:
            if all(r.get("person") != person for r in vendor.rows("courses").values()):
                vendor.add("courses", person=person, title=self.chance.choice(["x", "y"]))
        elif rows and what == "remove":
            vendor.remove(self.chance.choice(rows), "courses")
        elif rows:
            vendor.edit(self.chance.choice(rows), "courses", title=self.chance.choice(["x", "y"]))
        return what

    def during(self, name: str) -> Any:
        """Somebody is quicker than the next write there."""
        row, field = self.row(name), self.chance.choice(list(VALUES))
        value = self.chance.choice(VALUES[field])

        def act() -> None:
            if row in self.scene.vendor(name).rows():
                self.scene.edit(name, row or "", field, value)

        if row is not None:
            self.scene.vendor(name).during = act
        return row, field, value

    def row(self, name: str) -> str | None:
        return self.scene.pick(name, self.chance.randint(0, 5))

    # vendors

    def wait(self, _: str) -> Any:
        seconds = self.chance.choice([0.5, 2, 5, 9])
        self.scene.made.clock.sleep(seconds)
        return seconds

    def bad_listing(self, name: str) -> Any:
        fault: Any = self.chance.choice(LISTINGS)
        self.scene.vendor(name).fault("scan", fault)
        return fault

    def bad_call(self, name: str) -> Any:
        verb = self.chance.choice(["create", "update", "update", "delete", "get", "find"])
        fault: Any = "fail" if verb in ("get", "find") else self.chance.choice(CALLS)
        self.scene.vendor(name).fault(verb, fault)
        return verb, fault

    # workers

    def scan(self, name: str) -> Any:
        resources = sorted(self.scene.vendor(name).spec.resources)
        return [capture(self.scene.made.engine, name, r, "scan") for r in reversed(resources)]

    def hook(self, name: str) -> Any:
        row = self.row(name)
        if row is not None:
            event = f"{name}-{len(self.story)}"
            notice(self.scene.made.engine, name, "people", row, event)
        return row

    def work(self, _: str) -> Any:
        flow = self.flow(refresh, reconcile, reconcile, dispatch, dispatch, probe, sweep)
        return flow.__name__, flow(self.scene.made.engine)

    def settle(self, _: str) -> Any:
        self.scene.made.settle()

    def crash(self, _: str) -> Any:
        """A worker dies right before a transaction."""
        flow, at = (
            self.flow(refresh, reconcile, dispatch, dispatch, probe),
            self.chance.randint(1, 6),
        )

        def die() -> None:
            raise Crash

        with self.scene.made.between(at, die), suppress(Crash):
            flow(self.scene.made.engine)
        return flow.__name__, at

    def both(self, name: str) -> Any:
        """Another worker does something between two transactions of this one."""
        engine, late = self.scene.made.engine, self.chance.choice([0, 0, 7])

        def listing(engine: Engine) -> Any:
            return capture(engine, name, "people", "scan")

        flow, at = self.flow(reconcile, dispatch), self.chance.randint(1, 5)
        second = self.flow(refresh, reconcile, dispatch, probe, listing)

        def meanwhile() -> None:
            self.scene.made.clock.sleep(late)
            second(engine)

        with self.scene.made.between(at, meanwhile):
            flow(engine)
        return flow.__name__, second.__name__, at, late

    def flow(self, *flows: Callable[[Engine], Any]) -> Callable[[Engine], Any]:
        return self.chance.choice(flows)
