"""README.md and the pages under docs/ name only commands, files and variables that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from syncengine.adapters.vendors import CATALOG
from syncengine.cli.app import app
from syncengine.cli.ui import Exit
from syncengine.settings import PREFIX, Settings
from tests.support.pages import PAGES, rows, sections
from tests.support.places import MAPPINGS, ROOT

README = (ROOT / "README.md").read_text("utf-8")
PROJECT = (MAPPINGS / "connections.yaml").read_text("utf-8")


def commands(command: Any = None, before: str = "syncengine") -> dict[str, set[str]]:
    """Every command of the program as it is written -> its options."""
    command = command or typer.main.get_command(app)
    found = {before: {option for param in command.params for option in param.opts}}
    if hasattr(command, "commands"):
        found = {}
        for name, below in command.commands.items():
            found |= commands(below, f"{before} {name}")
    return found


def written() -> Iterator[str]:
    """Every piece of code of the page: lines of blocks without their comments, and what stands in ticks."""
    prose = README
    for block in re.findall(r"^```\w*\n(.*?)^```", README, re.M | re.S):
        prose = prose.replace(block, "")
        yield from (line.split("  #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", prose)


def test_the_two_ways_in_are_named() -> None:
    """The page tells how to see the engine at work and how to run its tests, each by one command."""
    assert {"make demo", "make test"} <= set(written())


def test_make_targets_exist() -> None:
    """Every target of make that the page names is in the Makefile."""
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = {target for code in written() for target in re.findall(r"\bmake ([a-z-]+)", code)}
    assert named
    assert named <= known


def test_commands_exist() -> None:
    """Every command that the page names is one of the program's, with the options that stand behind it."""
    known = commands()
    lines = [part for code in written() for part in re.findall(r"\bsyncengine [^&;]+", code)]
    lines = [line for line in lines if "COMMAND" not in line]
    assert len(lines) > 15
    for line in lines:
        name = next((name for name in known if f"{line} ".startswith(f"{name} ")), None)
        assert name is not None, line
        options = {
            word.strip("[]") for word in shlex.split(line) if word.strip("[").startswith("--")
        }
        assert options <= known[name], line


def test_links_and_files_exist() -> None:
    """Every link within the project leads to a file, and every path that is named is there."""
    targets = [t.partition("#")[0] for t in re.findall(r"\]\((?!https?:)([^)]+)\)", README)]
    assert "docs/mapping.md" in targets
    paths = [code for code in written() if re.fullmatch(r"[\w./-]+\.(ya?ml|md|toml)", code)]
    assert "compose.yaml" in paths
    for path in [*targets, *paths]:
        assert (ROOT / path).exists() or (MAPPINGS / path).exists(), path


def test_variables_are_read() -> None:
    """Every variable that the page names is read by the settings, the shipped project or compose.yaml, and
    every setting is named."""
    compose = (ROOT / "compose.yaml").read_text("utf-8")
    drawn = (ROOT / "deploy" / "make-secrets.sh").read_text("utf-8")
    table = sections(README, 3)["Environment"]
    named = set(
        re.findall(
            r"\b(?:SYNCENGINE|HEAVENHR|HAKUNA|HAEKKA|WEEKLY10|FLOWER|POSTGRES|RABBITMQ)_\w+", README
        )
    )
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    known = set(re.findall(r"\$\{(\w+)", PROJECT + compose))
    assert named - settings <= known | set(re.findall(r"\b[A-Z0-9]+_[A-Z_]+\b", drawn))
    told = {
        f"{PREFIX[:-1]}{end}" if end.startswith("_") else end
        for end in re.findall(r"`(\w+)`", table)
    }
    assert settings <= told
    assert set(re.findall(r"\$\{(\w+)", re.sub(r"(?m)^ *#.*", "", PROJECT))) <= told


def test_vendors_exit_codes_and_starter() -> None:
    """The vendors, the exit codes and the number of files of the starter project are told as they are."""
    told = re.search(r"\*\*HeavenHR.*?\*\*", README)
    assert told is not None
    assert {name.lower() for name in re.findall(r"\w+", told[0])} == set(CATALOG)
    codes = [
        row[0] for text in re.split(r"\n\n", README) if "exit code" in text for row in rows(text)
    ]
    assert codes == [str(code.value) for code in Exit]
    count = len(list((MAPPINGS).glob("*.yaml")))
    assert f"{count} small YAML files" in README


# the pages


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_commands_exist(path: Path) -> None:
    """Every command that a page names is one of the program's, and takes the options that stand behind it."""
    known = commands()
    for line in re.findall(r"`(syncengine [^`]+)`", path.read_text("utf-8")):
        name = next((name for name in known if f"{line} ".startswith(f"{name} ")), None)
        assert name is not None, line
        assert {word for word in line.split() if word.startswith("--")} <= known[name], line


def test_links_between_pages() -> None:
    """Every link leads to a file, and to a heading of it."""
    for path in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
            name, _, anchor = target.partition("#")
            goal = path.parent / name if name else path
            assert goal.is_file(), (path.name, target)
            heads = re.findall(r"^#+ (.+)$", goal.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert not anchor or anchor in slugs, (path.name, target)
