"""The one connector: speaks to any vendor that is declared as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from syncengine.adapters.rest.auth import Auth, TokenAuth
from syncengine.adapters.rest.session import Missing, Session
from syncengine.adapters.rest.stamps import seconds, stamp
from syncengine.adapters.rest.transport import Client
from syncengine.adapters.rest.verdicts import Kind
from syncengine.adapters.vendors.declare import Resource, Vendor
from syncengine.adapters.vendors.rows import Address, Rows, marker
from syncengine.errors import Bug, Exists, Rejected, SyncengineError, Unknown, VendorDown
from syncengine.mapping import paths
from syncengine.model.operation import Written
from syncengine.model.resource import ConnectorSpec
from syncengine.model.values import Json, Row, is_empty
from syncengine.ports import Clock, Item, Page, Tally, Window

_PASSES: Final = 3
"""How often a listing that moves while it is read is read before it is given up."""

_OVERLAP: Final = 300.0
"""Seconds that a poll looks back behind its cursor: stamps come in no promised order (CONTRACT 2.6)."""


class RestConnector:
    """Keeps ``ports.Connector`` for one connection of a vendor.

    A listing is complete when the vendor's own count, where it gives one, did not move while its pages were
    read and as many rows came; otherwise it is read again, and VendorDown is raised after the third time.
    A marker is dropped when its text is later updated: no update is planned before the create is settled.
    """

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        auth: Auth,
        client: Client,
        tally: Tally,
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self._vendor = vendor
        self._base_url = base_url
        self._auth = auth
        self._client = client
        self._session = Session(client, clock)
        self._tally = tally
        self._clock = clock
        self._zone = zone
        self._rows = {name: Rows(r, zone) for name, r in vendor.resources.items()}
        self._addresses = {name: Address(base_url, r) for name, r in vendor.resources.items()}

    @property
    def spec(self) -> ConnectorSpec:
        """What the vendor declares."""
        return self._vendor.spec

    @property
    def tally(self) -> Tally:
        """What was sent."""
        return self._tally

    def health(self) -> None:
        """One cheap authenticated call."""
        path = self._vendor.health
        self._session.read(self._base_url + path, f"GET {path}", {})

    def scan(
        self, resource: str, parent: str | None = None, window: Window | None = None
    ) -> Iterator[Page]:
        """The complete listing. Raises Bug where a parent or a window is lacking."""
        declared = self._resource(resource)
        query: dict[str, str] = {}
        if declared.spec.parent and parent is None:
            raise Bug(f"{resource} are listed below one of {declared.spec.parent}")
        if declared.window:
            if window is None:
                raise Bug(f"{resource} are listed for a window of dates")
            query = dict(zip(declared.window, (window.start, window.end), strict=True))
        for items in self._listing(declared, parent, query):
            yield Page(_within(items, declared.day, window))

    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """What moved, a page for each call; only the last one moves the cursor, since rows come in no promised
        order."""
        declared = self._resource(resource)
        if declared.changed is None:
            raise Bug(f"{resource} have no change feed")
        name, parameter = declared.changed
        started = self._clock.now()
        query = {parameter: stamp(seconds(cursor) - _OVERLAP)} if cursor else {}
        newest = [seconds(cursor)] if cursor else []
        last: Sequence[Item] | None = None
        for items in self._listing(declared, None, query):
            if last is not None:
                yield Page(last, cursor)
            newest += (self._cautious(i.row[name]) for i in items if i.row.get(name))
            last = items
        yield Page(last or (), stamp(min(max(newest), started)) if newest else None)

    def get(self, resource: str, external_id: str) -> Item | None:
        """One full row; None for a 404."""
        declared, address = self._resource(resource), self._addresses[resource]
        if not declared.spec.single_get:
            raise Bug(f"{resource} have no single GET")
        parent, _ = address.split(external_id)
        what = f"GET {address.item_path}"
        try:
            answer = self._session.read(address.row(external_id), what, address.query(parent))
        except Missing:
            return None
        item = self._rows[resource].item(answer, parent)
        if item.fault:
            raise VendorDown(f"{what}: {item.fault}")
        return item

    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """By chosen id one GET; by marker the narrowest listing; else by the first of ``search`` that the body
        gives."""
        declared = self._resource(resource)
        spec = declared.spec
        if spec.chosen_id and not is_empty(body.get(spec.chosen_id)):
            item = self.get(resource, str(body[spec.chosen_id]))
            return [item] if item else []
        narrow = {
            parameter: str(body[name])
            for parameter, name in declared.narrow.items()
            if not is_empty(body.get(name))
        }
        parent = self._parent(declared, body)
        if spec.marker:
            if len(narrow) < len(declared.narrow):
                raise Bug(f"a create of {resource} cannot be found without its date")
            pages = self._listing(declared, parent, narrow, holding=marker(key))
            return _distinct(item for items in pages for item in items)
        by = next((name for name in spec.search if not is_empty(body.get(name))), None)
        if by is None:
            wanted = " or ".join(spec.search) or "a key that the vendor has"
            raise Bug(f"a create of {resource} cannot be found without {wanted}")
        pages = self._listing(declared, parent, narrow)
        return _distinct(i for items in pages for i in items if _alike(i.row.get(by), body[by]))

    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """POST, and what the vendor takes only afterwards; Unknown if that last part fails."""
        declared, address = self._resource(resource), self._addresses[resource]
        sent = _sent(declared, body, {})
        parent = self._parent(declared, sent)
        if declared.spec.marker:
            text = sent.get(declared.spec.marker)
            sent[declared.spec.marker] = f"{text or ''} {marker(key)}".strip()
        first, *others = declared.steps(sent, {})
        url, what = address.creation(parent), f"POST {declared.path}"
        try:
            answer = self._session.write(Kind.CREATE, "POST", url, what, {}, first.body)
        except Rejected as refusal:
            self._look_for_a_twin(declared, body, key, refusal)
            raise
        written = self._written(declared, answer, parent, sent)
        if written is None:
            raise Unknown(f"{what}: accepted, but the answer names no id")
        for step in others:
            written = self._change(declared, written, step.suffix, step.body, partly=True)
        return written

    def update(
        self,
        resource: str,
        external_id: str,
        body: Mapping[str, Json],
        current: Row,
        key: str,
    ) -> Written:
        """PATCH with whole top members; Unknown if a part was taken and another was not."""
        del key  # an update is proved by its values
        declared = self._resource(resource)
        sent = _sent(declared, body, current)
        parent, _ = self._addresses[resource].split(external_id)
        moved = sent.get(declared.holds_parent, parent) if declared.holds_parent else parent
        if str(moved) != str(parent):
            raise Rejected(f"a row of {resource} cannot move to another of {declared.spec.parent}")
        written = Written(external_id)
        for number, step in enumerate(declared.steps(sent, current)):
            written = self._change(declared, written, step.suffix, step.body, partly=number > 0)
        return written

    def delete(self, resource: str, external_id: str, key: str) -> None:
        """DELETE; a 404 is as good."""
        del key  # a delete is proved by a 404
        declared, address = self._resource(resource), self._addresses[resource]
        if not declared.spec.delete:
            raise Bug(f"{resource} cannot be deleted")
        parent, _ = address.split(external_id)
        what, query = f"DELETE {address.item_path}", address.query(parent)
        try:
            self._session.write(Kind.DELETE, "DELETE", address.row(external_id), what, query, None)
        except Missing:
            return

    def pages(self, resource: str, rows: int) -> int:
        """By the vendor's way of paging."""
        return self._resource(resource).paging.calls(rows)

    @property
    def token_calls(self) -> int:
        """One where a token is needed."""
        return int(isinstance(self._auth, TokenAuth))

    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """As many as there are steps; exact where ``current`` is the row to be updated (none: a create)."""
        declared = self._resource(resource)
        return (
            len(declared.steps(_sent(declared, body, current or {}), current or {})) if body else 1
        )

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def _resource(self, name: str) -> Resource:
        declared = self._vendor.resources.get(name)
        if declared is None:
            raise Bug(f"{self.spec.name} has no resource {name!r}")
        return declared

    def _listing(
        self, declared: Resource, parent: str | None, query: Mapping[str, str], holding: str = ""
    ) -> Iterator[list[Item]]:
        name = declared.spec.name
        address, decode = self._addresses[name], self._rows[name]
        what = f"GET {declared.path}"

        def ask(url: str, page: Mapping[str, str]) -> Json:
            try:
                answer = self._session.read(url, what, {**page, **address.query(parent)})
            except Missing as missing:
                if declared.empty_404:
                    return None
                raise VendorDown(f"{missing}; is the connection's base_url right?") from missing
            return [answer] if declared.only and isinstance(answer, dict) else answer

        for _ in range(_PASSES):
            totals: set[int | None] = set()
            seen: set[str] = set()
            faults = 0
            for rows, total in declared.paging.walk(ask, address.listing(parent), query):
                known = len(seen)
                own = [r.get(declared.id) for r in rows if isinstance(r, dict)]
                seen.update(str(i) for i in own if i is not None)
                faults += len(rows) - sum(i is not None for i in own)
                totals.add(total)
                if known and rows and len(seen) == known and not faults:
                    raise VendorDown(f"{what}: the next page shows the same rows again")
                yield decode.items(rows, parent, holding)
            told = next(iter(totals), None)
            if len(totals) < 2 and len(seen) + faults >= (told or 0):
                return
        raise VendorDown(f"{what}: incomplete; fewer rows came than the vendor counts")

    def _change(
        self,
        declared: Resource,
        written: Written,
        suffix: str,
        body: Mapping[str, Json] | None,
        partly: bool,
    ) -> Written:
        address = self._addresses[declared.spec.name]
        parent, _ = address.split(written.external_id)
        url = address.row(written.external_id) + suffix
        what = f"PATCH {address.item_path}{suffix}"
        try:
            query = address.query(parent)
            answer = self._session.write(Kind.CHANGE, "PATCH", url, what, query, body)
        except SyncengineError as error:
            if partly:
                raise Unknown(f"{error}; the part before it was accepted") from error
            raise
        shown = self._written(declared, answer, parent, {})
        row = shown.row if shown else None
        return Written(written.external_id, row)

    def _written(
        self, declared: Resource, answer: Any, parent: str | None, sent: Mapping[str, Json]
    ) -> Written | None:
        if isinstance(answer, dict) and isinstance(answer.get(declared.wrapped), dict):
            answer = answer[declared.wrapped]
        if isinstance(answer, dict):
            item = self._rows[declared.spec.name].item(answer, parent)
            if not item.fault:
                return Written(item.external_id, item.row)
        chosen = sent.get(declared.spec.chosen_id or "")
        return Written(str(chosen)) if chosen else None

    def _look_for_a_twin(
        self, declared: Resource, body: Mapping[str, Json], key: str, refusal: Rejected
    ) -> None:
        keys = [k for k in (declared.spec.chosen_id, *declared.spec.search) if k]
        named = any(k in refusal.answer and not is_empty(body.get(k)) for k in keys)
        if named and self.find(declared.spec.name, body, key):
            raise Exists(f"{refusal}; the vendor has such a row") from refusal

    def _parent(self, declared: Resource, body: Mapping[str, Json]) -> str | None:
        if not declared.spec.parent:
            return None
        parent = body.get("_parent") or body.get(declared.holds_parent)
        if is_empty(parent):
            raise Bug(f"a row of {declared.spec.name} needs its parent in _parent")
        return str(parent)

    def _cautious(self, text: str) -> float:
        """The earlier reading of a stamp: a vendor that names no offset may mean UTC or its local time."""
        at = seconds(text)
        offset = datetime.fromtimestamp(at, UTC).astimezone(self._zone).utcoffset()
        return min(at, at + offset.total_seconds()) if offset else at


def _within(items: Sequence[Item], day: str, window: Window | None) -> Sequence[Item]:
    if not day or window is None:
        return items
    return [
        item
        for item in items
        if item.fault or window.start <= str(item.row.get(day))[:10] <= window.end
    ]


def _sent(declared: Resource, body: Mapping[str, Json], current: Row) -> dict[str, Json]:
    """Top names -> values: what is nested is the row's present value, changed. References are texts on our
    side; a vendor that numbers its rows gets numbers."""
    sent: dict[str, Json] = {}
    for name, value in body.items():
        path = declared.holds_parent if name == "_parent" else name
        top = paths.root(path)
        spec = declared.spec.fields.get(path)
        if path != top:
            if top not in sent and current.get(top) is not None:
                sent[top] = deepcopy(current[top])
            paths.put(sent, path, value)
        elif spec and spec.type == "integer" and isinstance(value, str) and value.isdecimal():
            sent[path] = int(value)
        else:
            sent[path] = value
    return sent


def _distinct(items: Iterator[Item]) -> Sequence[Item]:
    return list({item.external_id: item for item in items if not item.fault}.values())


def _alike(left: Json, right: Json) -> bool:
    return str(left).strip().casefold() == str(right).strip().casefold()
