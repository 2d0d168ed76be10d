"""A company in which something is to be seen, decided and approved; and all that is stored of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.ledger.tables import metadata
from tests.support.bench import Bench
from tests.support.people import crowd, duo, row


def asking_and_held() -> Bench:
    """A company in which something is to be seen or done on every route: Bea, whose job was changed; two rows of which
    nobody knows whose they are; deletes that wait for approval, a plan, and what is to come."""
    made = duo(identity="[[email], [name]]", lms_system=_LMS)
    hr = made.vendors["hr"]
    ids, bea = crowd(made), hr.add(email="bea@x.de", name="Bea Vogel", job="dev")
    made.sync()
    hr.edit(bea, job="lead")
    for id_ in ids:
        hr.edit(id_, job="left")
    for number in ("one", "two"):
        hr.add(**row(email=f"anna.{number}@x.de"))
    made.sync()
    store_plan(made.engine, "test")
    store_upcoming(made.engine, "test")
    return made


_LMS = (
    "{resource: people, flow: both, create: both, scope: \"job != 'left'\", on_leave: delete, "
    "fields: {email: email, name: name, job: job}}"
)


_ASIDE: Final = ("grants", "audit", "processes")
"""Tables of which every visit writes something: that somebody was there."""


def all_stored(made: Bench) -> dict[str, list[str]]:
    """All that the database holds, but for the visits themselves."""
    with made.database.connect() as connection:
        return {
            table.name: sorted(repr(dict(line)) for line in connection.execute(select(table)).mappings())
            for table in metadata.sorted_tables
            if table.name not in _ASIDE
        }  # fmt: skip
