"""What all pages of the console share, whichever thread makes them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.metadata import version

from syncengine.flows.core.engine import Engine
from syncengine.flows.views.directory import Directory
from syncengine.flows.views.standing import standing
from syncengine.model.standing import Standing
from syncengine.settings import Settings
from syncengine.web.console.assets import Assets
from syncengine.web.console.doors import Door
from syncengine.web.console.planner import Planner

FRESH = 10.0
"""Seconds for which a standing is shown again, unless somebody has done something."""


@dataclass(slots=True)
class Glance:
    """The last standing, for all who look within some seconds."""

    _kept: Standing | None = None
    _edition: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, engine: Engine) -> Standing:
        """How everything stands."""
        with self._lock:
            now, kept = engine.clock.now(), self._kept
            if kept is None or engine.edition != self._edition or not 0 <= now - kept.at < FRESH:
                kept = self._kept = standing(engine)
                self._edition = engine.edition
            return kept

    def forget(self) -> None:
        """Look anew next time."""
        self._kept = None


@dataclass(slots=True)
class Shared:
    """Kept as long as the web side runs."""

    settings: Settings
    planner: Planner
    assets: Assets = field(default_factory=Assets.read)
    door: Door = field(default_factory=Door)
    directory: Directory = field(default_factory=Directory)
    glance: Glance = field(default_factory=Glance)
    version: str = field(default_factory=lambda: version("syncengine"))
