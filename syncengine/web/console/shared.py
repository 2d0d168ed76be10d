"""What all pages of the console share, whichever thread makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version

from syncengine.flows.views.directory import Directory
from syncengine.settings import Settings
from syncengine.web.console.assets import Assets
from syncengine.web.console.doors import Door
from syncengine.web.console.planner import Planner


@dataclass(slots=True)
class Shared:
    """Kept as long as the web side runs."""

    settings: Settings
    planner: Planner
    assets: Assets = field(default_factory=Assets.read)
    door: Door = field(default_factory=Door)
    directory: Directory = field(default_factory=Directory)
    version: str = field(default_factory=lambda: version("syncengine"))
