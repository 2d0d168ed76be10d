"""Secrets with which notices of vendors are signed."""

from __future__ import annotations

import base64
import binascii
from typing import Final

SHORTEST: Final = 24
"""Bytes; what Standard Webhooks ask for at least."""
WRITE: Final = f"write whsec_ and {SHORTEST} or more random bytes in base64, as `openssl rand -base64 32` makes them"


def webhook_secret(text: str) -> bytes:
    """The bytes of ``whsec_...``. Raises ValueError that says what to write, and shows nothing."""
    encoded = text.removeprefix("whsec_")
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"is no base64, {WRITE}") from None
    if len(secret) < SHORTEST:
        raise ValueError(f"has {len(secret)} bytes, which is too short; {WRITE}")
    return secret
