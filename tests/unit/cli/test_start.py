"""What a command loads before it does anything, which is most of what it costs to start one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.places import MAPPINGS

LOADED = """
import contextlib, io, json, sys
from syncengine.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
print(json.dumps(sorted(sys.modules)))
"""
PACKAGES = {
    "annotated_doc",
    "attr",
    "markdown_it",
    "mdurl",
    "pygments",
    "rich",
    "shellingham",
    "typer",
}
"""Of others; those by which options are read and help is set. ``rich`` looks for ``attr``, which
tests alone install."""
OURS = (
    "syncengine.cli",
    "syncengine.errors",
    "syncengine.logs",
    "syncengine.model",
    "syncengine.process",
)


def loaded(command: str, **variables: str) -> set[str]:
    """The modules that a command has loaded by its end."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, command],
        env={**os.environ, **variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout))


def test_the_help_loads_commands_and_what_reads_options() -> None:
    """Neither database, nor vendors, nor mappings, nor logs are loaded to print the help."""
    found = loaded("--help")
    others = {name.partition(".")[0] for name in found if not name.startswith("_")}
    assert others - set(sys.stdlib_module_names) <= PACKAGES | {"syncengine"}
    ours = {name for name in found if name.startswith("syncengine.")}
    assert not [name for name in ours if not name.startswith(OURS)]


def test_a_look_loads_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    """On a database file that is up to date: no migrations, no driver of PostgreSQL, no broker, no web side."""
    place = {
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db",
    }
    loaded("status", **place)
    found = loaded("status", **place)
    assert "syncengine.ledger" in found
    unused = {
        "alembic",
        "argon2",
        "celery",
        "kombu",
        "prompt_toolkit",
        "psycopg",
        "redis",
        "starlette",
    }
    assert not unused & {name.partition(".")[0] for name in found}


def test_files_are_checked_without_a_store_where_there_is_none(tmp_path: Path) -> None:
    """Nothing of SQL is loaded, and no file is made."""
    file = tmp_path / "ledger.db"
    found = loaded(
        "check",
        SYNCENGINE_PROJECT=str(MAPPINGS), SYNCENGINE_DATABASE_URL=f"sqlite:///{file}",
    )  # fmt: skip
    assert "syncengine.mapping.checks" in found
    assert not {"sqlalchemy", "syncengine.ledger"} & found
    assert not file.exists()
