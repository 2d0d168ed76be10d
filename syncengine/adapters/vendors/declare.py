"""The words in which a vendor is declared: everything a connector knows that is data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

from syncengine.adapters.rest.auth import Auth
from syncengine.adapters.rest.paging import Paging, Whole
from syncengine.errors import RowInvalid
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import LONGEST_ID, Json, Row, TypeName
from syncengine.ports import Clock, Window

Fields = dict[str, FieldSpec]


def reads(type: TypeName, *names: str, listed: bool = True) -> Fields:
    """Fields that can only be read."""
    return {name: FieldSpec(type, listed=listed) for name in names}


def writes(type: TypeName, *names: str, required: bool = False, listed: bool = True) -> Fields:
    """Fields that can be read and written."""
    return {name: FieldSpec(type, True, required, listed) for name in names}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an update: ``suffix`` to the row's address, and the body (None: no body)."""

    suffix: str = ""
    body: Mapping[str, Json] | None = None


# What these trip over in a vendor's answer (``verdicts.MISFITS``) is that row's or that answer's fault.

Shape = Callable[[dict[str, Json]], None]
"""Brings a row as the vendor shows it into the form in which it is written, in place."""

Steps = Callable[[dict[str, Json], Row], Sequence[Step]]
"""Cuts a write into calls: (top names -> values, the row as it is; empty for a create, whose first step is the
POST). Raises Rejected for what the vendor has no way to do."""


Unfold = Callable[[Any], Iterable[Any]]
"""A row as listed -> rows as we count them: a tree made flat, what recurs taken apart, what is none left out."""

GivesWay = Callable[[Row], bool]
"""Whether a row counts only where no other of the same id does."""

Look = Callable[[str, Mapping[str, str]], Json]
"""GET a path below the base URL with a query; None for a 404. Ids stand in it as ``segment``s."""

Listing = Callable[[Look, str, Window, date], list[Any]]
"""(look, parent, window, today) -> the rows, where no call of the vendor lists them. It makes one call."""

Single = Callable[[Look, str, str, Row | None], dict[str, Any] | None]
"""(look, parent, own id, the row as last listed) -> the full row, where no call of the vendor shows it by its id.
It makes one call; None: it is not there."""


def usable(part: Json) -> bool:
    """Whether a value may be an id or a part of one: a text or number that can stand as one segment of an address."""
    if isinstance(part, bool) or not isinstance(part, str | int):
        return False
    text = str(part)
    walked = _WALLS.split(unquote(text))
    return (
        0 < len(text) <= LONGEST_ID
        and text.isprintable()
        and not any(step.strip() in ("", ".", "..") for step in walked)
    )


_WALLS: Final = re.compile(r"[/\\]")
"""What a server may take for the end of a segment, quoted or not."""


def segment(part: Json) -> str:
    """An id as one quoted segment of an address. Raises RowInvalid for what would lead elsewhere: nothing, a step to
    the folder above, a slash at an end."""
    if not usable(part):
        raise RowInvalid("its id cannot stand in an address, so nothing is asked for", {"id": part})
    return quote(str(part), safe="")


def as_listed(row: Any) -> Iterable[Any]:
    """The vendor lists what we call rows."""
    return (row,)


def as_it_is(row: dict[str, Json]) -> None:
    """The vendor writes what it reads."""


def one_call(sent: dict[str, Json], _current: Row) -> Sequence[Step]:
    """Everything at once."""
    return (Step(body=sent),)


@dataclass(frozen=True, slots=True)
class Resource:
    """How a resource is spoken to.

    ``path``: of the listing and of a create (``post`` where that differs); ``item``: of one row; all may hold
    ``{parent}`` and the name of an option in braces. ``id``: the field that identifies a row, or the fields that
    do so together, with spaces between; ``only``: the external id of a resource that is one object.
    ``holds_parent``: the field of rows and bodies with the parent's id; then external ids are
    ``<parent>/<id>``. ``acts_for``: the query parameter that names the parent. ``window``: query parameters
    of first and last day, ``year``: that of one year; ``days``: the fields of first and last day where no
    parameter cuts to the window. ``fixed``: query of each listing; ``given``: query parameter -> option,
    ``repeated``: the option by whose value ``repeated`` such a list goes as one parameter for each item. ``changed``:
    the stamp of the change feed and the query parameter of that name. ``narrow``: query parameter -> field of
    a create's body, for finding it again. ``wrapped``: the member of a write's answer that holds the row;
    ``nameless``: the answer to a create does not tell the row, which is looked for; ``moves``: field -> another
    that the vendor may change with it. ``boxed``: the member of a single read's answer that holds a list of it.
    ``verb``: of an update.
    ``ids_by_name``: list field whose items need ids -> path of an answer that has them by name. ``empty_404``:
    a listing without rows is a 404. ``gives_way``: where rows may share an id.
    """

    spec: ResourceSpec
    path: str
    item: str = ""
    post: str = ""
    id: str = "id"
    only: str = ""
    paging: Paging = field(default_factory=Whole)
    holds_parent: str = ""
    acts_for: str = ""
    window: tuple[str, str] | None = None
    year: str = ""
    days: tuple[str, str] | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    repeated: str = ""
    changed: str = ""
    narrow: Mapping[str, str] = field(default_factory=dict)
    wrapped: str = ""
    nameless: bool = False
    moves: Mapping[str, str] = field(default_factory=dict)
    boxed: str = ""
    verb: Literal["PATCH", "PUT"] = "PATCH"
    ids_by_name: Mapping[str, str] = field(default_factory=dict)
    empty_404: bool = False
    shape: Shape = as_it_is
    steps: Steps = one_call
    unfold: Unfold = as_listed
    gives_way: GivesWay | None = None
    listing: Listing | None = None
    single: Single | None = None


Login = Callable[[str, Mapping[str, str], Mapping[str, str], Clock], Auth]
"""(base URL, credentials, options, clock) -> how requests are authorized."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """``health``: the path of a cheap authenticated call."""

    spec: ConnectorSpec
    resources: Mapping[str, Resource]
    health: str
    login: Login


def vendor(
    name: str,
    resources: Sequence[Resource],
    credentials: tuple[str, ...],
    health: str,
    login: Login,
    concurrency: int = 4,
    options: Mapping[str, str] | None = None,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    settle_time: float = 5.0,
) -> Vendor:
    """A vendor by its resources; what the words mean is said in ``ConnectorSpec``."""
    specs = {r.spec.name: replace(r.spec, id_fields=tuple(r.id.split())) for r in resources}
    spec = ConnectorSpec(
        name, specs, credentials, options or {}, choices or {}, settle_time, concurrency
    )
    return Vendor(spec, {r.spec.name: r for r in resources}, health, login)
