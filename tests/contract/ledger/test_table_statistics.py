"""PostgreSQL knows how large its tables are while an empty ledger fills."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from syncengine.ledger import Ledger
from syncengine.ledger.table_statistics import FIRST
from syncengine.model.changeset import Changeset
from tests.contract.ledger.samples import a_link

_KNOWN = text("SELECT reltuples FROM pg_class WHERE oid = 'links'::regclass")
_LOOKED = text("SELECT count(*) FROM pg_stats WHERE tablename = 'links'")


def grow(ledger: Ledger, start: int, count: int) -> None:
    """So many links are added in one transaction."""
    with ledger.write() as tx:
        tx.write(Changeset(new_links=[a_link(f"l{n}") for n in range(start, start + count)]))


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_tables_are_looked_at_while_they_grow(engine: Engine, ledger: Ledger) -> None:
    """After the first few hundred rows, and whenever there are twice as many."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE links SET (autovacuum_enabled = false)"))

    def known() -> float:
        with engine.connect() as connection:
            found: float = connection.execute(_KNOWN).scalar_one()
        return found

    before = known()
    grow(ledger, 0, FIRST - 10)
    assert known() == before
    grow(ledger, FIRST, 10)
    assert known() == FIRST
    grow(ledger, 2 * FIRST, FIRST - 10)
    assert known() == FIRST
    grow(ledger, 4 * FIRST, 20)
    assert known() == 2 * FIRST + 10
    with engine.connect() as connection:
        assert connection.execute(_LOOKED).scalar_one() > 0


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_look_that_somebody_else_holds_up_breaks_nothing(engine: Engine, ledger: Ledger) -> None:
    """What was written stays written."""
    with engine.connect() as other, other.begin():
        other.execute(text("LOCK TABLE links IN SHARE UPDATE EXCLUSIVE MODE"))
        grow(ledger, 0, FIRST)
    with ledger.read() as tx:
        assert len(tx.links([f"l{n}" for n in range(FIRST)])) == FIRST
