"""What a storm has left, held against the same company in which the same was entered in peace."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from bench.company import Company
from bench.entered import SEED, Entered
from syncengine.bootstrap import open_engine
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.cases import answer
from syncengine.flows.run.sync import sync
from syncengine.model.case import CaseKind
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import read_settings

UPDATES = ("PATCH", "PUT")
ANSWERS = {CaseKind.REJECTED: "retry", CaseKind.STAGED: "approve"}
"""What is asked and can be answered without looking at the person."""


@dataclass(slots=True)
class Found:
    """``left``: writes that were still wanted, by somebody who looked at everything; ``lost``: rows that are not as in
    peace; ``differs``: which these are, as they should be and as they are; ``written_twice``: updates that a vendor
    took again; ``questions``: by kind, before any was answered."""

    left: int = 0
    lost: int = 0
    made_twice: int = 0
    written_twice: int = 0
    questions: Counter[str] = field(default_factory=Counter)
    differs: list[tuple[Any, Any, Any]] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """By name."""
        return {
            "writes that it left": self.left,
            "lost": self.lost,
            "made twice": self.made_twice,
            "written twice": self.written_twice,
            **{f"questions: {kind}": n for kind, n in sorted(self.questions.items())},
        }


def held_against_peace(made: Company, entered: Entered, people: int) -> Found:
    """Compare the vendors of a company with those of one in which nothing failed. People answer in both what is asked.
    Raises RuntimeError where one does not come to rest."""
    found = Found()
    with patch.dict(os.environ, made.environment), open_engine(made.settings) as engine:
        with engine.ledger.read() as tx:
            found.questions.update(case.kind.value for case in tx.cases())
        found.left = _looked_at(engine)
        _answered(engine)
    expected, there = _in_peace(made, entered, people), _rows(made.sandbox)
    found.differs = [(n, row, there.get(n)) for n, row in expected.items() if there.get(n) != row]
    found.lost = len(found.differs)
    found.made_twice = len(there.keys() - expected.keys())
    found.made_twice += sum(counts["duplicates"] for counts in made.sandbox.counters().values())
    found.written_twice = _repeated(made.sandbox, entered)
    return found


def _repeated(sandbox: SandboxProcess, entered: Entered) -> int:
    """Updates that a vendor took although it had taken the same one before. What is entered has a value of its own each
    time, so that no update is right twice but one that takes back what was entered at the vendor itself: it is as often
    as that was."""
    back = Counter(id_ for vendor, _, _, id_, _ in entered.acts if vendor == "weekly10")
    taken = Counter(
        (request["vendor"], request["path"], request["body"])
        for request in sandbox.requests()
        if request["applied"] and request["method"] in UPDATES
    )
    return sum(
        max(0, times - max(1, back[path.strip("/").rpartition("/")[2]]))
        for (_, path, _), times in taken.items()
    )


Rows = dict[tuple[str, str], tuple[Any, ...]]


def _in_peace(made: Company, entered: Entered, people: int) -> Rows:
    with SandboxProcess(people=people, seed=SEED) as sandbox, TemporaryDirectory() as folder:
        peace = {
            **made.environment, **sandbox.env, "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/peace.db",
        }  # fmt: skip
        with patch.dict(os.environ, peace), open_engine(read_settings(peace)) as engine:
            _looked_at(engine)
            entered.again(sandbox)
            _looked_at(engine)
            _answered(engine)
        return _rows(sandbox)


def _looked_at(engine: Engine) -> int:
    """How much is written by one who looks at everything. Raises RuntimeError where that is not all that is wanted."""
    document: dict[str, Any] = sync(engine)
    if not document["converged"]:
        raise RuntimeError(f"not at rest: {document['faults']}")
    applied: int = document["operations"]["applied"]
    return applied


def _answered(engine: Engine) -> None:
    """What was refused is sent again, and who leaves together with many others does so."""
    with engine.ledger.read() as tx:
        waiting = [case for kind in ANSWERS for case in tx.cases(kind=kind)]
    for case in waiting:
        answer(engine, case.id, ANSWERS[case.kind])
    _looked_at(engine)


def _rows(sandbox: SandboxProcess) -> Rows:
    """What stands at both vendors of what is written there, by vendor and number. Of an account that was left that is
    only that it was: as whom, depends on how much had been written by then."""
    of = {
        ("heavenhr", "employees", "employeeNumber"): (
            "firstName", "lastName", "professionalEmail", "jobStatus",
        ),
        ("weekly10", "users", "api_id"): ("first_name", "last_name", "email", "is_active"),
    }  # fmt: skip
    return {
        (vendor, str(row[number])): tuple(row[name] for name in names if row.get("is_active", True))
        for (vendor, resource, number), names in of.items()
        for row in sandbox.state(vendor, resource)
    }
