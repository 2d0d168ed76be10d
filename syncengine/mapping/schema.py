"""The grammar of the YAML files as typed models; what needs more than one place is checked later."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from syncengine.mapping.notify import Kind, Language, Security
from syncengine.mapping.parts import (
    Cel,
    Count,
    Days,
    Few,
    Minutes,
    Name,
    Several,
    Share,
    Size,
    Span,
    Title,
    Weeks,
    one_or_more,
    short,
)
from syncengine.mapping.project import (
    LARGEST_LISTING,
    LONGEST_LISTING,
    Approvals,
    Budget,
    Retention,
    Safety,
    Schedule,
)
from syncengine.mapping.source import Document, Loc, near
from syncengine.mapping.words import (
    Apply,
    Codec,
    Create,
    Flow,
    Keep,
    Mode,
    OnDrift,
    OnLeave,
    OnMissing,
)
from syncengine.model.values import TypeName

_BUDGET, _SCHEDULE, _RETENTION, _SAFETY = Budget(), Schedule(), Retention(), Safety()
_APPROVALS = Approvals()
"""What holds where nothing is written."""


class Part(BaseModel):
    """What all parts share: unknown keys are errors, types are taken as written. ``filled``: of a file with values from
    the environment, which are not shown."""

    filled: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BudgetPart(Part):
    """Calls that all processes together may make."""

    calls: Count | None = None
    per: Span = _BUDGET.per
    concurrency: Count | None = None


class WindowPart(Part):
    """Days around today that a dated listing fetches."""

    back: Span = 0.0
    ahead: Span = 0.0


class SchedulePart(Part):
    """How often a resource is read."""

    poll: Span | None = None
    scan: Span | None = None
    window: WindowPart | None = None
    keep: Keep = _SCHEDULE.keep


class ConnectionPart(Part):
    """One account at one vendor."""

    connector: str
    base_url: str | None = None
    mode: Mode | None = None
    credentials: dict[str, str] = {}
    options: dict[str, Any] = {}
    timezone: str | None = None
    budget: BudgetPart = BudgetPart()
    largest_listing: Size = LARGEST_LISTING
    longest_listing: Count = LONGEST_LISTING
    webhook: Annotated[
        list[str | None],
        BeforeValidator(one_or_more, json_schema_input_type=str | list[str]),
        Field(description="the secrets of its notices, whsec_ and base64"),
    ] = []
    resources: dict[str, SchedulePart] = {}


class RetentionPart(Part):
    """How long what is over is kept."""

    events: Weeks = _RETENTION.events
    operations: Days = _RETENTION.operations
    cases: Days = _RETENTION.cases
    history: Days = _RETENTION.history
    left: Days = _RETENTION.left
    runs: Minutes = _RETENTION.runs


class ApprovalsPart(Part):
    """How many people have to approve held writes of a kind."""

    deletes: Few = _APPROVALS.deletes
    creates: Few = _APPROVALS.creates
    updates: Few = _APPROVALS.updates


class ConnectionsFile(Part):
    """connections.yaml"""

    filled = True

    version: Literal[1]
    timezone: str = "UTC"
    retention: RetentionPart = RetentionPart()
    approvals: ApprovalsPart = ApprovalsPart()
    modes: dict[str, Mode] = {}
    connections: dict[Name, ConnectionPart]


class FieldPart(Part):
    """What a value is and who may change it."""

    type: TypeName
    choices: list[Annotated[str, StringConstraints(min_length=1)]] | None = None
    to: str | None = None
    of: TypeName | None = None
    required: bool = False
    default: Any = None
    formula: Cel | None = None
    owner: Cel | None = None
    on_conflict: str | None = None
    on_drift: OnDrift | None = None
    clear: bool = False
    sensitive: bool | None = None


class RulePart(Part):
    """How a vendor spells a field; a text alone is the path."""

    field: str | None = None
    codec: Codec | None = None
    values: (
        Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)] | None
    ) = None
    read: Cel | None = None
    write: Annotated[dict[str, Cel], Field(min_length=1)] | None = None
    flow: Flow | None = None
    apply: Apply = "always"


class SetPart(Part):
    """Constants by vendor path."""

    create: dict[str, Any] = {}
    leave: dict[str, Any] = {}


class SystemPart(Part):
    """How an entity stands in one connection."""

    resource: str
    flow: Flow
    where: Cel | None = None
    scope: Cel | None = None
    key: Cel | None = None
    create: Create = "none"
    on_missing: OnMissing = "flag"
    on_leave: OnLeave = "keep"
    set: SetPart = SetPart()
    fields: dict[
        str,
        Annotated[RulePart, BeforeValidator(short, json_schema_input_type=str | RulePart)],
    ] = {}


class SafetyPart(Part):
    """What a window may write before a person is asked."""

    deletes: Share = _SAFETY.deletes
    creates: Share | None = None
    updates: Share | None = None
    first: Annotated[int, Field(ge=0)] | None = None
    floor: Annotated[int, Field(ge=0)] = _SAFETY.floor
    window: Span = _SAFETY.window


class EntityFile(Part):
    """One kind of thing."""

    version: Literal[1]
    entity: Name
    people: Annotated[str, StringConstraints(min_length=1)] | None = None
    owner: Cel = "anyone"
    fields: Annotated[dict[Name, FieldPart], Field(min_length=1)]
    identity: list[Annotated[list[str], Field(min_length=1)]] = []
    systems: dict[str, SystemPart] = {}
    safety: SafetyPart = SafetyPart()


class DerivePart(Part):
    """When these records are so, ensure that record."""

    name: Title
    sources: Annotated[dict[Name, Cel], Field(alias="for", min_length=1)]
    ensure: str
    values: Annotated[dict[str, Cel], Field(alias="with")] = {}
    on_leave: OnLeave = "keep"


class DeriveFile(Part):
    """rules.yaml"""

    version: Literal[1]
    derive: list[DerivePart]


class MailPart(Part):
    """Where mail is handed in."""

    server: Annotated[str, Field(min_length=1)]
    port: Count = 587
    security: Security = "starttls"
    sender: Annotated[str, Field(alias="from", min_length=1)]
    user: str | None = None
    password: str | None = None


class ChannelPart(Part):
    """One way to people."""

    kind: Kind
    to: Several | None = None
    url: str | None = None
    secret: str | None = None
    language: Language = "en"


class NotifyRulePart(Part):
    """Which lines are told to whom."""

    when: Several
    to: Several
    wait: Annotated[Span | None, Field(alias="for")] = None
    at: str | None = None
    quiet: str | None = None


class NotifyPart(Part):
    """All of it."""

    channels: dict[Name, ChannelPart] = {}
    rules: list[NotifyRulePart] = []
    mail: MailPart | None = None
    console: str | None = None
    heartbeat: str | None = None


class NotifyFile(Part):
    """notify.yaml"""

    filled = True

    version: Literal[1] = 1
    notify: NotifyPart


FILES: dict[str, type[Part]] = {
    "connections": ConnectionsFile,
    "entity": EntityFile,
    "derive": DeriveFile,
    "notify": NotifyFile,
}


def check(document: Document, model: type[Part]) -> Part | None:
    """The file as a model. Every fault is reported; faulty parts are left out of the model, so that the
    rest can be checked further. None where nothing useful remains."""
    data, first = document.data, True
    while True:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            bad: set[Loc] = set()
            for found in error.errors(include_url=False):
                loc = tuple(step for step in found["loc"] if step != "[key]")
                if first:
                    _report(document, model, loc, found)
                bad.add(loc[:-1] if found["type"] == "missing" else loc)
        first = False
        if ("version",) in bad or (() in bad and "version" not in data):
            bad -= {("version",), ()}
            data = {**data, "version": 1}
        if () in bad:
            return None
        data = _without(data, (), bad)


def _report(document: Document, model: type[Part], loc: Loc, found: Any) -> None:
    kind, expected = found["type"], found.get("ctx", {}).get("expected", "")
    if kind == "extra_forbidden":
        document.fault(loc, f"unknown key, {near(str(loc[-1]), _keys(model, loc[:-1]))}")
    elif kind == "missing":
        document.fault(loc[:-1], f"{loc[-1]!r} is missing, add it")
    elif kind == "literal_error":
        choices = expected.replace("'", "")
        shown = isinstance(found["input"], str) and not model.filled
        text = f"{found['input']!r} is not known here" if shown else "not known here"
        document.fault(loc, f"{text}, write one of: {choices}", value=True)
    elif kind == "string_pattern_mismatch":
        text = "no usable name, write letters, digits and _, a letter first"
        document.fault(loc, text, value="[key]" not in found["loc"])
    else:
        document.fault(loc, _WORDS.get(kind) or _plain(found["msg"]), value=True)


_WORDS = {
    "string_type": "expected text, put it in quotes",
    "string_too_short": "is empty, write something or remove it",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "dict_type": "expected a map, write name: value lines below it",
    "model_type": "expected a map, write name: value lines below it",
    "list_type": "expected a list, write [a, b]",
    "greater_than_equal": "is too small",
    "too_short": "is empty, write at least one entry",
}


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _keys(model: Any, loc: Loc) -> list[str]:
    """The keys that a model knows at a place."""
    for step in loc:
        if isinstance(model, type) and issubclass(model, Part):
            named = {field.alias or name: field for name, field in model.model_fields.items()}
            model = named[str(step)].annotation if step in named else None
        else:
            model = get_args(model)[-1]
        while get_origin(model) in {Annotated, Union, UnionType}:
            model = get_args(model)[0]
    if not (isinstance(model, type) and issubclass(model, Part)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _without(data: Any, loc: Loc, bad: set[Loc]) -> Any:
    if isinstance(data, dict):
        parts = {key: _without(value, (*loc, key), bad) for key, value in data.items()}
        return {key: value for key, value in parts.items() if (*loc, key) not in bad}
    if isinstance(data, list):
        items = [_without(value, (*loc, n), bad) for n, value in enumerate(data)]
        return [value for n, value in enumerate(items) if (*loc, n) not in bad]
    return data
