"""connections.yaml: accounts, how often they are read, what they may cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncengine.mapping.addresses import fault_of_url
from syncengine.mapping.draft import SPECIAL, Draft
from syncengine.mapping.expressions import RESERVED
from syncengine.mapping.project import Budget, Connection, Schedule
from syncengine.mapping.schema import ConnectionPart, ConnectionsFile, SchedulePart
from syncengine.mapping.source import Document, Loc, near
from syncengine.mapping.words import Mode
from syncengine.model.resource import Catalog, ConnectorSpec, ResourceSpec
from syncengine.model.secret import webhook_secret

_TAKEN = RESERVED | set(SPECIAL) | {"row", "anyone", "flag", "newest", "max", "min"}


def zone(document: Document, loc: Loc, name: str) -> ZoneInfo:
    """A time zone; a fault and UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        document.fault(loc, "is no time zone, write for example Europe/Berlin", value=True)
        return ZoneInfo("UTC")


def compile_connections(
    draft: Draft, document: Document, part: ConnectionsFile, catalog: Catalog
) -> None:
    """Fill ``draft.connections``; connectors that nobody knows are left out."""
    for loc, names in document.unset.items():
        if not _may_be_unset(loc):
            text = f"{names[0]} is not set, set it or write ${{{names[0]}:-default}}"
            document.fault(loc, text)
    for name, item in part.connections.items():
        loc = ("connections", name)
        _check_name(draft, document, loc, name)
        spec = catalog.get(item.connector)
        if spec is None:
            hint = near(item.connector, catalog)
            text = f"no such connector, shipped or in a module beside this file, {hint}"
            document.fault((*loc, "connector"), text, value=True)
            continue
        mode = item.mode or part.modes.get(name, "observe")
        draft.connections[name] = _connection(draft, document, loc, item, spec, mode)
    _check_webhooks(draft, document)
    for name in part.modes:
        if name not in document.names("connections"):
            text = f"no such connection, {near(name, document.names('connections'))}"
            document.fault(("modes", name), text)


def _may_be_unset(loc: Loc) -> bool:
    free = {"credentials", "base_url", "webhook"}
    return len(loc) > 2 and loc[0] == "connections" and loc[2] in free


def _check_name(draft: Draft, document: Document, loc: Loc, name: str) -> None:
    if name in _TAKEN:
        document.fault(loc, f"{name!r} is a word of the expression language, choose another name")
    for entity, other in draft.entities.items():
        if name == entity:
            document.fault(loc, f"{name!r} is also an entity, choose another name")
        elif name in other.document.names("fields"):
            document.fault(loc, f"{name!r} is also a field of {entity}, choose another name")


def _connection(
    draft: Draft, document: Document, loc: Loc, item: ConnectionPart, spec: ConnectorSpec,
    mode: Mode,
) -> Connection:  # fmt: skip
    for name in item.credentials:
        if name not in spec.credentials:
            text = f"a name that {spec.name} does not take, write: {', '.join(spec.credentials)}"
            document.fault((*loc, "credentials", name), text)
    for name, value in item.options.items():
        if name not in spec.options:
            document.fault((*loc, "options", name), f"unknown option, {near(name, spec.options)}")
        elif name in spec.choices and value not in spec.choices[name]:
            text = f"no value that {spec.name} knows, {near(str(value), spec.choices[name])}"
            document.fault((*loc, "options", name), text, value=True)
    if item.base_url and (what := fault_of_url(item.base_url)):
        document.fault((*loc, "base_url"), what, value=True)
    own = zone(document, (*loc, "timezone"), item.timezone) if item.timezone else draft.zone
    return Connection(
        name=str(loc[1]),
        connector=item.connector,
        spec=spec,
        mode=mode,
        base_url=item.base_url,
        credentials=dict(item.credentials),
        options=dict(item.options),
        timezone=str(own),
        budget=Budget(
            item.budget.calls,
            item.budget.per,
            min(item.budget.concurrency or spec.concurrency, spec.concurrency),
        ),
        largest_listing=item.largest_listing,
        longest_listing=item.longest_listing,
        resources=_schedules(document, (*loc, "resources"), item, spec),
        off=_off(document, loc, item, spec.credentials),
        position=document.position(loc),
        webhook=_webhook(document, (*loc, "webhook"), item),
    )


def _webhook(document: Document, loc: Loc, item: ConnectionPart) -> tuple[bytes, ...] | None:
    """The secrets of a connection's notices; those whose variable is not set are left out."""
    found = list[bytes]()
    for number, text in enumerate(item.webhook):
        try:
            found += [] if text is None else [webhook_secret(text)]
        except ValueError as error:
            document.fault((*loc, number), str(error), value=True)
    named = item.webhook or any(at[:3] == loc for at in document.unset)
    return tuple(dict.fromkeys(found)) if named else None


def _check_webhooks(draft: Draft, document: Document) -> None:
    """A secret that two connections have would let a notice for one count for the other."""
    holders: dict[bytes, str] = {}
    for connection in draft.connections.values():
        for secret in connection.webhook or ():
            first = holders.setdefault(secret, connection.name)
            if first != connection.name:
                loc: Loc = ("connections", connection.name, "webhook")
                document.fault(loc, f"is a secret of {first} as well, draw one for each")


def _off(document: Document, loc: Loc, item: ConnectionPart, wanted: Sequence[str]) -> str:
    stops = {at: names for at, names in document.unset.items() if at[2:3] != ("webhook",)}
    unset = [name for at, names in stops.items() if at[:2] == loc for name in names]
    if unset:
        return f"not set: {', '.join(dict.fromkeys(unset))}"
    missing = [name for name in wanted if not item.credentials.get(name)]
    if not item.base_url:
        missing.append("base_url")
    return f"without {', '.join(missing)}" if missing else ""


def _schedules(
    document: Document, loc: Loc, item: ConnectionPart, spec: ConnectorSpec
) -> dict[str, Schedule]:
    made: dict[str, Schedule] = {}
    for name, part in item.resources.items():
        resource = spec.resources.get(name)
        if resource is None:
            hint = near(name, spec.resources)
            document.fault((*loc, name), f"{spec.name} has no such resource, {hint}")
            continue
        _check_schedule(document, (*loc, name), part, resource)
        window = part.window and tuple(
            math.ceil(span / 86400) for span in (part.window.back, part.window.ahead)
        )
        made[name] = Schedule(
            part.poll, part.scan, (window[0], window[1]) if window else None, part.keep
        )
    return made


def _check_schedule(
    document: Document, loc: Loc, part: SchedulePart, resource: ResourceSpec
) -> None:
    if part.poll is not None and not resource.poll:
        document.fault((*loc, "poll"), f"{resource.name} has no change feed, use scan")
    if part.scan is not None and not resource.scan:
        document.fault((*loc, "scan"), f"{resource.name} cannot be listed, remove it")
    if part.keep != "latest" and part.poll is not None:
        document.fault((*loc, "keep"), "does not go with poll, use scan")
    if part.window is not None and not resource.dated:
        document.fault((*loc, "window"), f"{resource.name} takes no dates, remove it")
    if part.window is None and resource.dated and part.scan is not None:
        document.fault(loc, f"{resource.name} needs dates, add window: {{back: 35d}}")
