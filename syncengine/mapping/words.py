"""Words: what may stand at a key of the YAML that knows only these."""

from __future__ import annotations

from typing import Literal

Mode = Literal["observe", "write"]
Flow = Literal["in", "out", "both", "match"]
Apply = Literal["always", "create", "if_empty"]
Create = Literal["none", "in", "out", "both"]
OnMissing = Literal["keep", "flag", "delete", "recreate"]
OnLeave = Literal["keep", "delete"]
OnDrift = Literal["revert", "flag"]
Keep = Literal["latest", "day", "month"]
Codec = Literal["midnight", "minutes", "happened"]
