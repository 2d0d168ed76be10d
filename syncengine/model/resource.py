"""What a connector declares about its vendor, as data. Adapters fill it in; the mapping is checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from syncengine.model.values import Json, TypeName

LONGEST_MARKER: Final = 20
"""Characters of a marker with the space before it."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a vendor's row. ``required`` means: a create is refused without it. ``longest``: UTF-16 units after
    which the vendor cuts a text; None: none is known."""

    type: TypeName = "string"
    writable: bool = False
    required: bool = False
    listed: bool = True
    """False where only the single GET shows the field."""
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A kind of thing at a vendor and what can be done with it.

    ``chosen_id``: the field of a create body through which the client chooses the id.
    ``parent``: the resource that rows hang under; such a listing is read once per parent row.
    ``search``: natural keys by which ``Connector.find`` finds a row of a create, each a field or several with
    spaces between, ``marker``: the
    text field in which the connector hides the idempotency key of a create and which ``find`` reads; it is left out
    where the text would be longer than ``longest_marked``, lest the vendor refuses or cuts it.
    ``again``: what is added to the body of a create where an earlier one for the same link went out and never showed.
    ``open``: the vendor does not say what its rows hold: ``fields`` are a guess, and others may be read.
    ``id_fields``: the fields of which external ids are made, in order, joined by commas.
    ``id_tail``: the fields that are told behind an ``@`` in external ids, where there is one.
    ``scan``: whether it can be listed. ``archive``: rows are history; one that is listed no more is not missing.
    ``read_lag``, ``list_lag``: seconds by which a single GET, a listing may be behind the vendor's truth.
    """

    name: str
    fields: Mapping[str, FieldSpec]
    chosen_id: str | None = None
    parent: str | None = None
    open: bool = False
    scan: bool = True
    poll: bool = False
    dated: bool = False
    single_get: bool = True
    create: bool = False
    update: bool = False
    delete: bool = False
    search: tuple[str, ...] = ()
    marker: str | None = None
    longest_marked: int = 255
    again: Mapping[str, Json] = field(default_factory=dict)
    id_fields: tuple[str, ...] = ()
    id_tail: tuple[str, ...] = ()
    archive: bool = False
    read_lag: float = 0.0
    list_lag: float = 0.0

    @property
    def unlisted(self) -> frozenset[str]:
        """Fields that only the single GET shows."""
        return frozenset(name for name, spec in self.fields.items() if not spec.listed)

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The natural keys of ``search``, each as its fields."""
        return tuple(tuple(key.split()) for key in self.search)

    @property
    def provable(self) -> bool:
        """Whether a create whose answer was lost can be proved by reading."""
        return bool(self.chosen_id or self.search or self.marker)

    def marks(self, body: Mapping[str, Json]) -> bool:
        """Whether a create with this body carries a marker: its text leaves room for one, counted in UTF-16 units."""
        text = str(body.get(self.marker or "") or "")
        room = self.longest_marked - LONGEST_MARKER
        return self.marker is not None and len(text.encode("utf-16-le", "replace")) // 2 <= room

    def proves(self, body: Mapping[str, Json]) -> bool:
        """Whether a create with this body can be proved by reading."""
        return bool(self.chosen_id or self.search or self.marks(body))


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """A connector as declared: what a project may say about it.

    ``credentials``: the names that connections.yaml must give. ``options``: name -> what it means; ``choices``: the
    values of those that take no other.
    ``settle_time``: seconds within which the vendor commits what it accepted. ``concurrency``: the most
    calls it bears at once.
    """

    name: str
    resources: Mapping[str, ResourceSpec]
    credentials: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settle_time: float = 5.0
    concurrency: int = 4


Catalog = Mapping[str, ConnectorSpec]
"""All connectors that a project may name."""
