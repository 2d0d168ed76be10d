"""Figures of the house: how much of it somebody must hold in the head. ``python -m tests.house`` prints them.

The core is what decides and keeps: errors, model, ports, ledger, planning, and the flows without what people look at
and what people decide. Lines are those of the files, docstrings and blanks included.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from syncengine.ledger import Transaction

ROOT = Path(__file__).parents[1]
CORE = (
    "errors.py", "ports.py", "model", "ledger", "planning", "flows/core", "flows/naming",
    "flows/capture", "flows/reconcile", "flows/send", "flows/run",
)  # fmt: skip
WRITING = {"_run", "_add", "_save", "_put", "_change", "_drop", "add_events"}
"""What changes rows within the ledger: the statements of a session, and what runs one of its own."""
WRITER = "write"
"""The method that writes a changeset: all that is decided about what is synchronised."""
CLAIMS = {
    "claim_links", "release_links", "claim_operations", "claim_probes", "renew_claims", "take_sending",
    "take_slots", "renew_slots", "free_slots", "take_calls", "book_calls", "take_keys", "retake_keys",
    "swap_keys", "add_events", "add_notice", "remember", "forget", "derivations_done", "set_back",
}  # fmt: skip
"""Methods whose answer a decision depends on: leases, slots, calls of a budget, identity keys, ids of events, what a
moment is remembered for. The others write what is not synchronised: members, runs, plans, processes, erasures."""


def sources(*places: str) -> Iterator[Path]:
    """Python files of these places of the package, migrations aside."""
    for place in places or ("",):
        path = ROOT / "syncengine" / place
        found = [path] if path.suffix else path.rglob("*.py")
        yield from (p for p in sorted(found) if "migrations" not in p.parts)


def lines(*places: str) -> int:
    """Of all their files."""
    return sum(len(path.read_text("utf-8").splitlines()) for path in sources(*places))


def imports() -> dict[str, set[str]]:
    """Module -> modules of the project that it imports, those for types alone included."""
    modules = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in sources()}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= (inner & modules.keys()) or ({node.module} & modules.keys())
    return found


def sizes(paths: Iterable[Path]) -> tuple[Counter[str], Counter[str]]:
    """Lines of each module, and of each function."""
    files, functions = Counter[str](), Counter[str]()
    for path in paths:
        text, name = path.read_text("utf-8"), str(path.relative_to(ROOT))
        files[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{name}: {node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    return files, functions


def writers() -> set[str]:
    """Methods of a transaction that change something, by the ledger's own source; a lock that makes its place does
    not."""
    calls: dict[str, set[str]] = {}
    for path in sources("ledger"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name != "_make_parts":
                called = calls.setdefault(node.name, set())
                called |= set(re.findall(r"\bself\.(\w+)\(", ast.unparse(node)))
    found = set(WRITING)
    while more := {name for name, called in calls.items() if called & found} - found:
        found |= more
    return {name for name in found if name in dir(Transaction) and not name.startswith("_")}


def writes() -> Counter[str]:
    """Places in flows that change something, by what they call: a method of a transaction, or a helper that hands a
    changeset to the writer."""
    called = re.compile(rf"\btx\.({'|'.join(sorted(writers()))})\(|\.commit\(")
    found = Counter[str]()
    for path in sources("flows"):
        found.update(method or WRITER for method in called.findall(path.read_text("utf-8")))
    return found


def figures() -> dict[str, str]:
    """What is counted -> the figure."""
    edges = imports()
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    life = (ROOT / "docs" / "life-of-a-change.md").read_text("utf-8")
    docs = sum(len(p.read_text("utf-8").splitlines()) for p in (ROOT / "docs").glob("*.md"))
    written = writes()
    claims = sum(written[method] for method in CLAIMS)
    (file, most), (function, long) = (counted.most_common(1)[0] for counted in sizes(sources()))
    return {
        "lines of the core": f"{lines(*CORE):,}",
        "lines of the package": f"{lines():,}",
        "files": str(len(edges)),
        "imports among them": str(sum(map(len, edges.values()))),
        "places in flows that hand a changeset to its one writer": str(written[WRITER]),
        "places in flows that claim": str(claims),
        "places in flows that write what is not synchronised": str(
            written.total() - written[WRITER] - claims
        ),
        "methods of a transaction": str(sum(not n.startswith("_") for n in dir(Transaction))),
        "words of the glossary": str(len(re.findall(r"^\| (?!word|---)\S", glossary, re.M))),
        "steps of the life of a change": str(len(re.findall(r"^\d+\. ", life, re.M))),
        "lines of docs": f"{docs:,}",
        "longest module": f"{file}, {most}",
        "longest function": f"{function}, {long}",
    }


if __name__ == "__main__":
    for what, figure in figures().items():
        print(f"{what:58} {figure}")
