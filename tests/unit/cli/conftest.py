"""Commands on a company in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner, Result

from syncengine.cli import ui
from syncengine.cli.app import app
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.members import add_member
from syncengine.model.case import CaseKind
from syncengine.model.member import Role
from tests.support.asked import asking_and_held
from tests.support.bench import Bench

Run = Callable[..., Result]


@pytest.fixture
def company() -> Bench:
    """Something is asked, something is held, and something was done; Kim has all roles, and Ada is an admin."""
    made = asking_and_held()
    add_member(made.engine, "ada", [Role.ADMIN], "test")
    add_member(made.engine, "kim", list(Role), "ada")
    return made


@pytest.fixture
def run(company: Bench, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command of Kim on the company."""

    @contextmanager
    def engine(_: bool = False) -> Iterator[Engine]:
        yield company.engine

    monkeypatch.setattr(ui, "engine", engine)
    monkeypatch.setenv("SYNCENGINE_AUTHOR", "kim")
    names = _names(company)

    def go(command: str) -> Result:
        words = [word.format_map(names) for word in command.split()]
        return CliRunner().invoke(app, words)

    return go


def _names(made: Bench) -> dict[str, str]:
    record, other = made.record(name="Bea Vogel"), made.record(name="P1")
    with made.engine.ledger.read() as tx:
        link = next(k for k in tx.links_of([record.id]) if k.connection == "hr")
        change = tx.page_of_history(None, 1, record_id=record.id, field="job")[0]
    return {
        "record": record.id, "other": other.id, "row": str(link.external_id), "change": str(change.id),
        "question": next(c.id for c in made.cases() if c.kind is CaseKind.IDENTITY),
        "held": next(c.id for c in made.cases() if c.kind is CaseKind.STAGED),
    }  # fmt: skip
