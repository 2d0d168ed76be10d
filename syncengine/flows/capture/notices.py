"""Webhook notices: a vendor reports that a row changed. However many arrive, they cause few calls."""

from __future__ import annotations

from syncengine.errors import RateLimited, Stale
from syncengine.flows.capture.capture import list_soon
from syncengine.flows.capture.erased_rows import withhold_erased
from syncengine.flows.capture.rows import UNKNOWN
from syncengine.flows.core.engine import Engine, new_id
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.changeset import Changeset
from syncengine.model.event import Event
from syncengine.planning.observation import new_link

MOST = 600
"""Notices that a connection takes in a ``SPAN``, a tenth of them at once; fewer where the connection's budget is
small."""
SPAN = 600.0
SHARE = 0.5
"""Of a connection's budget, the part that notices may use up."""
LISTED_EVERY = 300.0
"""Seconds between two listings that notices ask for, where a vendor has no single read."""
SEALED_FOR = 660.0
"""Seconds for which it is remembered whose notice this was: longer than a signature counts."""
_LISTED = "listed for a notice"
_SEALED = "signed notice"


def notice(
    engine: Engine,
    connection: str,
    resource: str,
    external_id: str,
    event_id: str,
    signed_content: str = "",
) -> bool:
    """Store a webhook as a durable event and have the row read, or listed where there is no single read. Returns False
    for a repeated event id. ``signed_content``: what was signed, where the signature does not name the connection; it
    counts only for the first connection it is sent to. Raises KeyError for a connection or resource that no mapping
    reads, RateLimited where too many came."""
    systems = engine.project.systems_of(connection, resource)
    if not systems:
        raise KeyError(f"{connection}/{resource}")
    ids = list[str]()
    with engine.ledger.write() as tx:
        now = engine.clock.now()
        # Of somebody who was erased not even the notice is kept.
        systems = tuple(s for s in systems if not _is_erased(engine, tx, *s, external_id))
        event = Event(connection, resource, external_id, event_id, "webhook", now)
        if systems and not tx.add_notice(event):
            return False
        if (
            signed_content
            and tx.remember(_SEALED, [signed_content], now, now + SEALED_FOR, connection)
            != connection
        ):
            raise Stale("this notice was sent to another connection before")
        _pay(engine, tx, connection, now)
        for entity, system in systems:
            change = sought(engine, tx, entity, system, external_id)
            tx.write(change)
            ids += [link.id for link in (*change.links, *change.new_links)]
    engine.announce("refresh", ids)
    return True


def _is_erased(
    engine: Engine, tx: Transaction, entity: Entity, system: System, external_id: str
) -> bool:
    link = new_link("", entity.name, system, external_id, None)
    return bool(withhold_erased(engine, tx, entity, system, [link]))


def _pay(engine: Engine, tx: Transaction, connection: str, now: float) -> None:
    """Take one call of the budget for webhooks. Raises RateLimited."""
    budget = engine.project.connections[connection].budget
    most = MOST
    if budget.calls:
        most = max(1, min(MOST, int(SHARE * budget.calls * SPAN / budget.per)))
    granted, free_at = tx.take_calls(f"{connection}: notices", 1, most, SPAN, now)
    if not granted:
        raise RateLimited(f"{connection} takes {most} notices in {SPAN / 60:.0f} minutes", free_at)


def sought(
    engine: Engine, tx: Transaction, entity: Entity, system: System, external_id: str
) -> Changeset:
    """The link is to be read, unless a read has just shown that there is no such row. Where there is no single read, or
    no id, a listing is due instead."""
    connection, resource = system.connection, system.resource.name
    if not (system.resource.single_get and external_id):
        return _listed(engine, tx, connection, resource)
    link = tx.links_at(entity.name, connection, resource, [external_id], lock=True).get(external_id)
    if link is not None:
        return Changeset(links=[link.to_read().woken()])
    if tx.remembered(UNKNOWN, [connection, resource, external_id], engine.clock.now()):
        return Changeset()
    link = new_link(new_id(), entity.name, system, external_id, None)
    return Changeset(new_links=[link.to_read().woken()])


def _listed(engine: Engine, tx: Transaction, connection: str, resource: str) -> Changeset:
    """A listing is due: now, or as soon as the last one that a notice asked for is some time ago."""
    now = engine.clock.now()
    quiet = tx.remembered(_LISTED, [connection, resource], now)
    if not quiet:
        tx.remember(_LISTED, [connection, resource], now, now + LISTED_EVERY)
    return list_soon(engine, tx, connection, resource, quiet)
