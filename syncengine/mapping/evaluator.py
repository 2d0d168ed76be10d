"""The library that evaluates CEL, without the command line that comes with it and loads a whole terminal toolkit."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["cel"]

if TYPE_CHECKING:
    import cel
else:
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    cel = import_module("cel")
