"""The program's commands, run within the process of a test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from syncengine.cli.app import app
from tests.support.databases import migrated_file
from tests.support.places import MAPPINGS


@dataclass
class Cli:
    """Commands against one database. ``first``: what the first sync said, if there was one."""

    environment: dict[str, str]
    first: Any = None

    def __call__(self, *arguments: str, code: int = 0, **more: str) -> Result:
        """Run one; the exit code must be ``code``. ``more``: further variables."""
        result = CliRunner().invoke(app, arguments, env={**self.environment, **more})
        assert result.exit_code == code, (arguments, result.output, result.exception)
        return result

    def json(self, *arguments: str, code: int = 0, **more: str) -> Any:
        """The one document on standard output."""
        return json.loads(self(*arguments, "--json", code=code, **more).stdout)


def only(*parts: Mapping[str, str]) -> dict[str, str]:
    """The variables of a command: these, and none of the program's own that happen to be set around the tests."""
    unset = dict.fromkeys((n for n in os.environ if n.startswith("SYNCENGINE_")), "")
    return {name: value for part in (unset, *parts) for name, value in part.items()}


def cli_in(
    folder: Path, *parts: Mapping[str, str], project: Path = MAPPINGS, author: str = "kim"
) -> Cli:
    """Commands on a project and an empty database in this folder, with these variables beside."""
    place = {
        "SYNCENGINE_PROJECT": str(project),
        "SYNCENGINE_DATABASE_URL": migrated_file(folder / "engine.db"),
        "SYNCENGINE_AUTHOR": author,
        "COLUMNS": "200",
    }
    return Cli(only(*parts, place))
