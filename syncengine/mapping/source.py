"""YAML files as plain data with the position of every key and value, and the list of faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from syncengine.model.ref import Position
from syncengine.model.spelling import odd

Loc = tuple[str | int, ...]
_TAG: Final = "tag:yaml.org,2002:"
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_DEEPEST: Final = 30
_LONGEST: Final = 800
LARGEST: Final = 1 << 20
"""Bytes of one file."""
_REMEMBERED: Final = 1 << 15
"""Characters of a file that is kept parsed."""
MOST: Final = 100_000
"""Keys and values of one file, those that an alias (``*name``) repeats counted each time."""
_MANY: Final = f"has more than {MOST:,} values, repeat less with & and *"


@dataclass(slots=True)
class Document:
    """One YAML file: its data, where each part stands, and what is wrong with it."""

    file: str
    data: Any = None
    faults: set[tuple[Position, str]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    unset: dict[Loc, tuple[str, ...]] = field(default_factory=dict)
    """Places left out because variables that nobody has set stand there."""
    _keys: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    _values: dict[Loc, tuple[int, int, str]] = field(default_factory=dict)
    _parts: int = 0

    def position(self, loc: Loc, value: bool = False, offset: int = 0) -> Position:
        """Where a key stands (or its value, ``offset`` characters in), or what is nearest around it."""
        for end in range(len(loc), -1, -1):
            part = loc[:end]
            if value and end == len(loc) and part in self._values:
                line, column, style = self._values[part]
                shift = 0 if style in "|>" and style else offset + (1 if style else 0)
                return Position(self.file, line, column + shift)
            if part in self._keys:
                return Position(self.file, *self._keys[part])
        return Position(self.file, 1, 1)

    def fault(self, loc: Loc, text: str, value: bool = False, offset: int = 0) -> None:
        """Report one fault: what is wrong, what to write instead."""
        self.fault_at(self.position(loc, value, offset), f"{dotted(loc)}: {text}")

    def fault_at(self, position: Position, text: str) -> None:
        """Report a fault where no loc leads. It is one line and does not repeat the file."""
        self.faults.add((position, _line(text)))

    def warn(self, loc: Loc, text: str) -> None:
        """Report what is allowed but hardly meant."""
        self.warnings.append(_line(f"{self.position(loc)}: {dotted(loc)}: {text}"))

    def names(self, *loc: str | int) -> tuple[str, ...]:
        """The keys written below a place, valid or not."""
        found = self.data
        for step in loc:
            if isinstance(found, Mapping):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return ()
        return tuple(found) if isinstance(found, Mapping) else ()


def _line(text: str) -> str:
    """A text on one line, with nothing in it that could steer a terminal; the middle of a long one is left out."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … {text[-_LONGEST // 4 :]}"


def dotted(loc: Loc) -> str:
    """A place as people write it; what stands below ``credentials`` is left out."""
    if "credentials" in loc:
        loc = loc[: loc.index("credentials") + 1]
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.lstrip(".") or "file"


def near(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest known name, or all of them."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"write one of: {', '.join(known)}" if known else "there is none to choose from"


def read(path: Path, file: str) -> Document:
    """Read one file; whatever is wrong with it stands in ``faults``. A small one that is read again as it was is not
    parsed again."""
    document = Document(file)
    try:
        if path.stat().st_size > LARGEST:
            document.fault((), f"is larger than {LARGEST >> 20} MiB, write several files instead")
            return document
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        document.fault((), f"cannot be read ({type(error).__name__}), save it as UTF-8 text")
        return document
    found = (_parsed if len(text) <= _REMEMBERED else _parse)(file, text)
    return replace(
        found, faults=set(found.faults), warnings=list(found.warnings), unset=dict(found.unset)
    )


def _parse(file: str, text: str) -> Document:
    document = Document(file)
    root = _composed(document, text)
    if root is not None:
        document.data = _plain(document, root, ())
    return document


_parsed = lru_cache(maxsize=100)(_parse)


class _Bounded(Composer):
    """Gives up on a file that is too large or too deep before the rest of it is read."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False  # it would quote the file on stderr; YAML allows it
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        if self._nodes > 2 * MOST:  # each value of a mapping has a key
            raise _TooMany(None, None, "too many", self.parser.peek_event().start_mark)
        return super().compose_node(parent, index)


class _TooMany(MarkedYAMLError):
    """More keys and values than a file may have."""


def _composed(document: Document, text: str) -> Node | None:
    """The root of what a file says; whatever keeps it from being read is a fault."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth, yaml.Composer = _DEEPEST + 1, _Bounded
    try:
        root: Node | None = yaml.compose(text)
        return root
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        told = f"no YAML ({error.problem}), mind indent and quotes"
        if isinstance(error, MaxDepthExceededError):
            told = "nested too deeply, say it flatter"
        if isinstance(error, _TooMany):
            told = _MANY
        document.fault_at(Position(document.file, line, column), f"file: {told}")
    except (YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        document.fault((), f"no YAML ({type(error).__name__}), look for odd characters")
    return None


def _plain(document: Document, node: Node, loc: Loc) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    document._parts += 1
    if document._parts > MOST:
        if document._parts == MOST + 1:
            document.fault_at(Position(document.file, line, column), f"file: {_MANY}")
        return None
    document._values[loc] = (line, column, getattr(node, "style", None) or "")
    if len(loc) > _DEEPEST:
        document.fault(loc, "nested too deeply, repeat nothing inside itself")
        return None
    if not str(node.tag).startswith(_TAG):
        document.fault(loc, "tags (!name) are not known here, remove it", value=True)
    if isinstance(node, MappingNode):
        return _mapping(document, node, loc)
    if isinstance(node, SequenceNode):
        items = []
        for number, item in enumerate(node.value):
            at = item.start_mark
            document._keys[(*loc, number)] = (at.line + 1, at.column + 1)
            items.append(_plain(document, item, (*loc, number)))
        return items
    return _scalar(node)


def _mapping(document: Document, node: MappingNode, loc: Loc) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in node.value:
        at = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, ScalarNode):
            told = f"{dotted(loc)}: a key is text, write name: value"
            document.fault_at(Position(document.file, *at), told)
            continue
        name = str(key.value)
        if name in made:
            first = document._keys[(*loc, name)][0]
            told = f"{dotted((*loc, name))}: stands in line {first} already, remove one of them"
            document.fault_at(Position(document.file, *at), told)
            continue
        document._keys[(*loc, name)] = at
        made[name] = _plain(document, value, (*loc, name))
    return made


def _scalar(node: Node) -> Any:
    text = str(node.value)
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    make = _MAKERS.get(kind)
    if make is None:
        return text
    try:
        return make(text)
    except ValueError:
        return text


def _number(text: str) -> int:
    return int(text.replace("_", ""), 0 if text.lstrip("+-").startswith(("0x", "0o")) else 10)


_MAKERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "bool": lambda text: text.lower() == "true",
    "int": _number,
    "float": float,
}


def fill(document: Document, environment: Mapping[str, str], secrets_dir: Path | None) -> None:
    """Put environment and secrets in the place of ``${NAME}`` and ``${NAME:-default}`` everywhere.

    An empty variable counts as unset. A value that needs an unset one is left out and noted in ``unset``. One with a
    character that nobody can have meant is a fault.
    """

    def look(name: str) -> str | None:
        found = environment.get(name)
        if found is None and secrets_dir is not None:
            try:
                found = (secrets_dir / name).read_text("utf-8", "surrogateescape").rstrip("\r\n")
            except (OSError, ValueError):
                found = None
        return found or None

    document.data = _fill(document, document.data, (), look)


def _fill(document: Document, data: Any, loc: Loc, look: Callable[[str], str | None]) -> Any:
    if isinstance(data, dict):
        parts = {key: _fill(document, value, (*loc, key), look) for key, value in data.items()}
        return {key: value for key, value in parts.items() if (*loc, key) not in document.unset}
    if isinstance(data, list):
        return [_fill(document, value, (*loc, n), look) for n, value in enumerate(data)]
    if not isinstance(data, str) or "${" not in data:
        return data
    if "${" in _VARIABLE.sub("", data):
        document.fault(loc, "a ${ is not closed or has no name, write ${NAME} or ${NAME:-default}")
        return ""
    unset = tuple(
        found[1] for found in _VARIABLE.finditer(data) if look(found[1]) is found[2] is None
    )
    if unset:
        document.unset[loc] = unset
        return None
    given = {found[1]: look(found[1]) for found in _VARIABLE.finditer(data)}
    for name, value in given.items():
        if value and (what := odd(value)):
            document.fault(loc, f"{name} has {what}, remove it", value=True)
            given[name] = "".join(c for c in value if not odd(c))
    return _VARIABLE.sub(lambda found: given[found[1]] or found[2], data)
