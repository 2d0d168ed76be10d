"""What is tried: project files that were damaged, YAML of odd pieces, and expressions from pieces of the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from syncengine.mapping.functions import METHODS, NAMES

SEEDS: Final = {
    "connections.yaml": """version: 1
timezone: Europe/Berlin
modes: {two: write}
connections:
  one: {connector: alpha, base_url: http://one, credentials: {token: "${TOKEN:-t}"}, resources: {people: {scan: 1h}}}
  two: {connector: beta, base_url: http://two, timezone: UTC, resources: {people: {scan: 1h}}}
""",
    "person.yaml": """version: 1
entity: person
owner: one
fields:
  name: {type: string, required: true}
  mail: &mail {type: email, sensitive: true, clear: true}
  other: *mail
  number: {type: integer}
  state: {type: enum, choices: [active, left]}
  born: {type: date}
  groups: {type: list, of: string}
  boss: {type: ref, to: person, clear: true}
  grown: {type: boolean, formula: "born != null && add_days(born, 6570) <= today"}
identity:
  - [mail]
  - [name, born]
safety: {deletes: 5%}
systems:
  one:
    resource: people
    flow: both
    create: in
    where: "row.state != 'test'"
    fields:
      name: name
      mail: mail
      state: {field: state, values: {active: [A, a], left: [L]}}
      boss: {field: boss, flow: in}
  two:
    resource: people
    flow: both
    scope: "grown"
    create: out
    fields:
      name: name
      mail: mail
      groups: {field: groups, flow: out}
      number: "attributes[name='No'].value"
    set:
      create: {extra: {by: us}}
      leave: {state: L}
""",
    "rules.yaml": """version: 1
derive:
  - name: lead
    for: {person: "person.grown"}
    ensure: badge
    with: {person: person, label: "person.name + '!'"}
""",
    "badge.yaml": """version: 1
entity: badge
fields:
  person: {type: ref, to: person, required: true}
  label: {type: string}
identity: [[person, label]]
""",
}
"""A small project in which most of the grammar occurs; one of its files is damaged at a time."""

_PIECES: Final = (
    "\n", "\n  ", "\n    ", "- ", ": ", ":", ", ", "{", "}", "[", "]", "? ", "&a ", "*a", "<<: *a", "!!int ", "!x ",
    "|\n", ">-\n", "|9\n", "'", '"', "\\x", "\\u00", "#", "---\n", "...\n", "%YAML 1.1\n", "~", "null", "true", "no",
    "0x1F", "0o9", "1_0", ".inf", ".nan", "1e999", "-", "2026-99-99", "12:30", "${A", "${A:-}", "${}", "\t", "\x00",
    "\ud800", "\ufeff", "\u2028", "\x85", "é", "a", "version", "entity", "fields", "connections", "derive", "type",
    "formula", "to", "person", "string", "values", "on_conflict", "owner", "flow", "both", "${" * 50, "(" * 200,
)  # fmt: skip


def _soup(pieces: tuple[str, ...], most: int = 60) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces) | st.text(max_size=4), max_size=most).map("".join)


@st.composite
def _damaged(draw: Callable[[st.SearchStrategy[Any]], Any], text: str) -> str:
    """A text of which spans are cut, doubled, moved, repeated, or replaced by pieces."""
    for _ in range(draw(st.integers(1, 5))):
        spans = draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2))
        start, end = min(spans), max(spans)
        end = min(end, start + draw(st.sampled_from((1, 4, 20, 200))))
        piece = draw(
            st.sampled_from(_PIECES)
            | st.just(text[start:end])
            | st.just("")
            | _soup(_PIECES, 4)
            | st.text(max_size=6)
        )
        times = draw(st.sampled_from((1, 1, 1, 2, 30, 1000)))
        keep = draw(st.booleans())
        text = text[: end if keep else start] + piece * times + text[end:]
        text = text[:50_000]
    return text


@st.composite
def yaml_inputs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[str]:
    """The name of a file of the project, and what stands in it."""
    name = draw(st.sampled_from([*SEEDS, "person.yaml", "new.yaml"]))
    seed = SEEDS.get(name, SEEDS["badge.yaml"])
    return [name, draw(st.one_of(_damaged(seed), _damaged(seed), _soup(_PIECES)))]


_NAMES: Final = ("name", "age", "score", "born", "seen", "tags", "extra", "extra.a.b", "boss", "boss.name",
                 "boss.boss.boss.age", "today", "id", "systems", "created_at", "anyone", "x", "_0",
                 "row.name")  # fmt: skip
_LITERALS: Final = ("1", "0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615u", "1e308",
                    "0x7fffffffffffffff", "1.5", "'a'", "''", '"b"', "r'\\d'", "'''t'''", "b'x'", "null", "true",
                    "[]", "[1, 'a']", "{}", "{'a': 1}", "'(a*)*b'", "'a{9999}{9999}'", "'(?i)é+'", "'[[:alpha:]'",
                    "'9999-12-31T23:59:59Z'", "'1h'", "'-9223372036s'", "'2562047h'", "'24:00'", "'\\u0041'",
                    "'\U0001f469'", "'u\u0308'")  # fmt: skip
_BINARY: Final = (
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    "in",
    "? 1 :",
    ".",
    ",",
)
_MACROS: Final = ("map", "filter", "all", "exists", "exists_one")
_FUNCTIONS: Final = (
    *sorted(NAMES),
    "has",
    "type",
    "matches",
    "max",
    "min",
    "bytes",
    "uint",
    "dyn",
    "eval",
)
_METHODS: Final = tuple(sorted(METHODS))

_ATOMS: Final = st.sampled_from(_NAMES) | st.sampled_from(_LITERALS)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    few = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(_BINARY), inner).map(" ".join),
        st.tuples(st.sampled_from(_FUNCTIONS), few).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from(_METHODS), few).map(lambda t: f"({t[0]}).{t[1]}({t[2]})"),
        st.tuples(inner, st.sampled_from(_MACROS), inner).map(lambda t: f"{t[0]}.{t[1]}(x, {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        few.map(lambda items: f"[{items}]"),
        st.tuples(inner, inner).map(lambda t: f"{{{t[0]}: {t[1]}}}"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        st.tuples(st.sampled_from(("!", "-", "--", "!!")), inner).map("".join),
        st.tuples(inner, st.sampled_from((2, 20, 200))).map(lambda t: " + ".join([t[0]] * t[1])),
        st.tuples(inner, st.sampled_from((2, 20, 100))).map(lambda t: f"[{', '.join([t[0]] * t[1])}]"),
        st.tuples(st.sampled_from("([{!-"), st.sampled_from((5, 100, 900)), inner).map(
            lambda t: t[0] * t[1] + t[2]),
    )  # fmt: skip


_TOKENS: Final = (
    *_NAMES, *_LITERALS, *_BINARY, *_FUNCTIONS, *_METHODS, "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "!", "'",
    '"', "'''", "//", "\n", "\\", "`", "@", "#", ".?", "[?", "\x00", "\u2028", "é", "as", "if", "_same(", "_seen(",
)  # fmt: skip


def expression_inputs() -> st.SearchStrategy[list[str]]:
    """One expression."""
    built = st.recursive(_ATOMS, _larger, max_leaves=12)
    whole = st.one_of(built, built, built.flatmap(_damaged), _soup(_TOKENS, 40))
    return whole.map(lambda text: [text[:1010]])
