"""A declared resource at a vendor's base URL: where its rows are, and what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Final

from syncengine.adapters.rest.decoding import harmless, unfit
from syncengine.adapters.rest.stamps import to_utc
from syncengine.adapters.rest.verdicts import MISFITS, misfit
from syncengine.adapters.vendors.declare import Resource, Step, segment, usable
from syncengine.errors import Rejected, RowInvalid, VendorDown
from syncengine.mapping import paths
from syncengine.model.operation import Written
from syncengine.model.values import Json, Row
from syncengine.ports import Item, Window

_MARKER: Final = re.compile(r" ?\[sync:[^\]\s]{0,12}\]?| ?\[sync?$")
"""A marker, or what is left of one that was cut."""
_TOLD: Final = len("[sync:") + 4
"""Characters of a marker that was cut by which it is still told from others."""
_HALF: Final = len("[syn")


_PLACES: Final = re.compile(r"\{(\w+)\}")


def marker(key: str) -> str:
    """What a create with this idempotency key leaves in a text of its row."""
    return f"[sync:{key[:12]}]"


class Bound:
    """``zone``: of stamps that name none. ``listed``: rows as last listed, by external id, where a single read needs
    them."""

    def __init__(
        self, declared: Resource, base_url: str, zone: tzinfo, options: Mapping[str, str]
    ) -> None:
        self.declared = declared
        self.listed: dict[str, Row] = {}
        self.spec = declared.spec
        self.route = declared.item or f"{declared.path.rstrip('/')}/{{id}}"
        self._base = base_url
        self._zone = zone
        self._options = options
        self._names = declared.id.split()
        given = {n: options[option] for n, option in declared.given.items() if options.get(option)}
        apart = options.get(declared.repeated) == "repeated"
        self.query = {**declared.fixed, **({} if apart else given)}
        self.repeated = {n: values.split(",") for n, values in given.items() if apart}
        fields = declared.spec.fields.items()
        self._stamps = tuple(name for name, spec in fields if spec.type == "datetime")

    # addresses

    def listing(self, parent: str | None) -> str:
        """The address of the rows (of a parent)."""
        return self._base + self._filled(self.declared.path, parent)

    def creation(self, parent: str | None) -> str:
        """The address where a row is created."""
        return self._base + self._filled(self.declared.post or self.declared.path, parent)

    def row(self, external_id: str) -> str:
        """The address of one row."""
        parent = self.parent(external_id)
        return self._base + self._filled(self.route, parent, self.own(external_id))

    def _filled(self, path: str, parent: str | None, own: str = "") -> str:
        named = {**self._options, "parent": parent or "", "id": own}
        for name in _PLACES.findall(path):
            if name not in named or (name in self._options and not usable(named[name])):
                raise VendorDown(f"{self.spec.name} need the option {name!r} of the connection")
        return _PLACES.sub(lambda place: segment(named[place[1]]), path)

    def own(self, external_id: str) -> str:
        """The row's own part of an external id."""
        parent = self.parent(external_id)
        return external_id if parent is None else external_id[len(parent) + 1 :]

    def parent(self, external_id: str) -> str | None:
        """The parent that a composite id names."""
        return external_id.partition("/")[0] if self.declared.holds_parent else None

    def acting(self, parent: str | None) -> dict[str, str]:
        """The query of each request but a create that names the parent."""
        return {self.declared.acts_for: parent} if self.declared.acts_for and parent else {}

    def queries(self, window: Window | None) -> list[dict[str, str]]:
        """The query of each listing that a window of dates takes."""
        declared = self.declared
        if window is not None and declared.year:
            years = range(int(window.start[:4]), int(window.end[:4]) + 1)
            return [{declared.year: str(year)} for year in years]
        if window is not None and declared.window:
            return [dict(zip(declared.window, (window.start, window.end), strict=True))]
        return [{}]

    # reading

    def unfolded(self, rows: Iterable[Any]) -> list[Any]:
        """Rows as we count them; one that cannot be taken apart is an item with a fault."""
        found: list[Any] = []
        for row in rows:
            try:
                found += self.declared.unfold(row)
            except MISFITS as error:
                found.append(_faulty("", row, None, misfit(error)))
        return found

    def items(self, rows: Iterable[Any], parent: str | None, holding: str = "") -> list[Item]:
        """Items of unfolded rows in order. ``holding``: only rows whose marker field holds this text, or so little of
        it that nobody can tell, which is their fault."""
        if not holding:
            return [self.item(row, parent) for row in rows]
        held = [(row, self._holds(row, holding)) for row in rows]
        items = [(self.item(row, parent), part) for row, part in held if part]
        why = "it ends in too little of a marker to tell whose it is"
        return [i if part >= _TOLD else replace(i, fault=i.fault or why) for i, part in items]

    def told_apart(self, items: list[Item]) -> list[Item]:
        """Items of one answer. Rows that share an id and differ are each at fault: nobody can tell which of them it
        is, unless it is declared."""
        if self.declared.gives_way is not None:
            return items
        first: dict[str, Item] = {}
        sound = [item for item in items if not item.fault]
        shared = {i.external_id for i in sound if first.setdefault(i.external_id, i).row != i.row}
        why = "another row of the same answer has its id"
        return [replace(i, fault=i.fault or why) if i.external_id in shared else i for i in items]

    def names(self, row: Any) -> str | None:
        """What identifies a row as listed; None if nothing usable does."""
        if not isinstance(row, dict):
            return None
        parts = [self.declared.only] if self.declared.only else [row.get(n) for n in self._names]
        return ",".join(map(str, parts)) if all(map(usable, parts)) else None

    def item(self, row: Any, parent: str | None) -> Item:
        """One item; the row is changed in place. What does not fit becomes one with a fault."""
        if not isinstance(row, Item) and (why := unfit(row)):
            return replace(self._item(harmless(row), parent), fault=why)
        return self._item(row, parent)

    def _item(self, row: Any, parent: str | None) -> Item:
        if isinstance(row, Item):
            return replace(row, parent=parent)
        if not isinstance(row, dict):
            return _faulty("", row, parent, f"it is no object but {type(row).__name__}")
        own = self.names(row)
        if own is None:
            return _faulty("", row, parent, f"it has no usable id in {self.declared.id!r}")
        if self.declared.single:
            self.listed[f"{parent}/{own}" if parent else own] = deepcopy(row)
        held = self.declared.holds_parent
        fault = ""
        try:
            self._reshape(row)
        except MISFITS as error:
            fault = misfit(error)
        if not held:
            return Item(own, row, parent, fault or None)
        parent = parent or (str(row[held]) if usable(row.get(held)) else None)
        if parent is None:
            return _faulty("", row, None, fault or f"it has no parent in {held!r}")
        if "/" in parent:
            return _faulty("", row, parent, "the id of its parent holds a slash")
        row["_parent"] = parent
        return Item(f"{parent}/{own}", row, parent, fault or None)

    def within(self, items: Sequence[Item], window: Window | None) -> Sequence[Item]:
        """Items whose days reach into it, where no parameter of the vendor sees to that; and those with a fault."""
        if not self.declared.days or window is None:
            return items
        first, last = self.declared.days
        return [
            i for i in items
            if i.fault or (str(i.row.get(first))[:10] <= window.end and str(i.row.get(last))[:10] >= window.start)
        ]  # fmt: skip

    def standing(self, pages: Iterable[Sequence[Item]]) -> Iterator[Sequence[Item]]:
        """Items that give way come last, and only those whose id no other has."""
        gives_way = self.declared.gives_way
        if gives_way is None:
            yield from pages
            return
        shown, held = set[str](), dict[str, Item]()
        for items in pages:
            over = {id(i): i for i in items if not i.fault and gives_way(i.row)}
            held |= {i.external_id: i for i in over.values()}
            shown |= {i.external_id for i in items if id(i) not in over}
            yield [i for i in items if id(i) not in over]
        yield [item for name, item in held.items() if name not in shown]

    def written(self, answer: Any, parent: str | None) -> Written | None:
        """The row that the answer to a write shows, if it names one."""
        if isinstance(answer, dict):
            wrapped = answer.get(self.declared.wrapped)
            item = self.item(wrapped if isinstance(wrapped, dict) else answer, parent)
            if item.external_id:
                return Written(item.external_id, None if item.fault else item.row)
        return None

    def _reshape(self, row: dict[str, Json]) -> None:
        self.declared.shape(row)
        for name in self._stamps:
            value = row.get(name)
            if isinstance(value, str):
                row[name] = to_utc(value, self._zone)
        hidden = self.spec.marker
        if hidden and isinstance(row.get(hidden), str) and "[syn" in row[hidden]:
            row[hidden] = _MARKER.sub("", row[hidden])

    def _holds(self, row: Any, text: str) -> int:
        """How many characters of a marker a row holds; 0 where it holds another's or none."""
        row = row.row if isinstance(row, Item) else row
        shown = str(row.get(self.spec.marker)) if isinstance(row, dict) else ""
        if text in shown:
            return len(text)
        cuts = range(len(text) - 1, _HALF - 1, -1)
        return next((n for n in cuts if shown.endswith(text[:n])), 0)

    # writing

    def steps(self, sent: dict[str, Any], current: Row) -> Sequence[Step]:
        """The calls of a write. Raises RowInvalid where the row as it is cannot be built upon."""
        try:
            return self.declared.steps(sent, current)
        except MISFITS as error:
            why = f"{self.spec.name}: nothing can be written to this row: {misfit(error)}"
            raise RowInvalid(why, {"row": dict(current)}) from error

    def sent(self, body: Mapping[str, Json], current: Row) -> dict[str, Json]:
        """Top names -> values: of what is nested, the row's present value with the change in it. References
        are texts on our side; a vendor that numbers its rows gets numbers."""
        sent: dict[str, Json] = {}
        for name, value in body.items():
            path = self.declared.holds_parent if name == "_parent" else name
            top = paths.root(path)
            spec = self.spec.fields.get(path)
            if spec and spec.type == "integer" and isinstance(value, str) and value.isdecimal():
                sent[path] = int(value)
            elif path == top:
                sent[path] = value
            else:
                if top not in sent and current.get(top) is not None:
                    sent[top] = deepcopy(current[top])
                try:
                    paths.put(sent, path, value)
                except RowInvalid as error:
                    raise Rejected(f"{self.spec.name}: {error}") from error
        return sent


def _faulty(external_id: str, row: Any, parent: str | None, fault: str) -> Item:
    row = harmless(row)
    return Item(external_id, row if isinstance(row, dict) else {"_value": row}, parent, fault)
