"""Which files a project may have, by the key that tells each."""

from __future__ import annotations

from typing import Final

from syncengine.mapping import schema
from syncengine.mapping.console_file import ConsoleFile

FILES: Final[dict[str, type[schema.Part]]] = {**schema.FILES, "console": ConsoleFile}
