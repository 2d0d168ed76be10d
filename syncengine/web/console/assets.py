"""Assets: style sheet, script and icon, under names that change with their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from syncengine.web.console.templating import HERE

_KINDS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files by the name in an address. ``names``: file -> that name."""

    files: dict[str, tuple[bytes, str]]
    names: dict[str, str]

    @classmethod
    def read(cls) -> Assets:
        """All of them."""
        files, names = {}, {}
        for file, kind in _KINDS.items():
            content = (HERE / "static" / file).read_bytes()
            stem, _, ending = file.partition(".")
            name = f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
            files[name], names[file] = (content, kind), name
        return cls(files, names)

    def answer(self, name: str) -> Response | None:
        """One of them, for browsers to keep for a year; None where there is none."""
        if name not in self.files:
            return None
        content, kind = self.files[name]
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, media_type=kind, headers=kept)
