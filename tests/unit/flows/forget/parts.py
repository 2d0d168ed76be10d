"""What tests of forgetting begin with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.sql.functions import count

from syncengine.flows.forget.erase import erase
from syncengine.flows.forget.retention import forget_slices
from syncengine.flows.views.status import status
from syncengine.ledger.tables import metadata
from syncengine.model.erasure import Erasure
from tests.support.bench import Bench
from tests.support.people import (
    HR_DELETES,
    LMS_DELETES,
    duo,
)


def gone(made: Bench, record: str | None = None) -> Erasure:
    """Somebody is erased."""
    done = erase(made.engine, record or made.record().id, "request 17", "dpo")
    assert isinstance(done, Erasure)
    return done


DAY = 86_400.0


SAFE = "safety: {deletes: 100%}\n"


def sizes(made: Bench) -> Counter[str]:
    """How many rows each table holds."""
    with made.database.connect() as connection:
        return Counter(
            {
                name: connection.execute(select(count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )


def later(made: Bench, days: float) -> Counter[str]:
    """So many days pass, and sweeps forget what is over; what they have forgotten."""
    made.clock.sleep(days * DAY)
    return forget_slices(made.engine, 99)


def told(made: Bench) -> dict[str, dict[str, Any]]:
    """What ``status`` says of each kind."""
    return {line["kind"]: line for line in status(made.engine)["retention"]}


def leavers(**more: Any) -> Bench:
    """Who leaves ``hr`` is deleted in ``lms``, and so is the record."""
    return duo(hr_system=HR_DELETES, lms_system=LMS_DELETES, more=SAFE, **more)


def leavers_with_limit(made: Bench) -> Any:
    """The project with its deletes limited."""
    project = made.engine.project
    person = project.entities["person"]
    safety = replace(person.safety, deletes=0.1, floor=2)
    return replace(project, entities={"person": replace(person, safety=safety)})
