"""``python -m syncengine.web.apart KIND``: computes a plan in a process of its own, so that pages stay quick while it
does. The author comes on its standard input; what went wrong stands on its standard output."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from syncengine.bootstrap import open_engine, open_ledger
from syncengine.edition import files_digest
from syncengine.errors import ConfigInvalid, Halt, SyncengineError
from syncengine.flows.views.stored_plan import keep, refused_trial
from syncengine.logs import configure_logs, hide_values
from syncengine.model.stored_plan import TRIAL
from syncengine.process import die_with_parent, keep_private
from syncengine.settings import Settings, read_settings
from syncengine.web.console.planner import computed

LONGEST: Final = 3600.0
"""Seconds after which it is ended."""
_POLITE: Final = 10
"""Others of this machine come first."""


@dataclass(slots=True)
class Apart:
    """Computes in a process that is started for it, with the environment of this one."""

    _process: subprocess.Popen[str] | None = None

    def __call__(self, kind: str, author: str) -> None:
        """Start it and wait for its end. Raises Halt with what it says went wrong."""
        command = [sys.executable, "-P", "-m", "syncengine.web.apart", kind]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        try:
            said, _ = self._process.communicate(author, LONGEST)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Halt(f"it took longer than {LONGEST:.0f} s and was ended") from None
        code, self._process = self._process.returncode, None
        if code:
            raise Halt(said.strip() or f"its process ended with {code}")

    def stop(self) -> None:
        """End the process that is under way."""
        process = self._process
        if process is not None:
            process.kill()


def main(kind: str) -> int:
    """Compute it and store it; the exit code."""
    keep_private()
    hide_values()
    die_with_parent()
    os.nice(_POLITE)
    author = sys.stdin.read()
    try:
        settings = read_settings()
        configure_logs(settings.log_format)
        _compute(settings, kind, author)
    except SyncengineError as error:
        print(error)
        return 1
    return 0


def _compute(settings: Settings, kind: str, author: str) -> None:
    try:
        with open_engine(settings) as engine:
            computed(engine, kind, author)
    except ConfigInvalid as invalid:
        if kind != TRIAL:
            raise
        edition = files_digest(settings.project)
        with open_ledger(settings) as ledger, ledger.write() as tx:
            keep(tx, [refused_trial(edition, invalid.faults, author, ledger.now())])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
