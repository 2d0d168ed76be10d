"""The search for what is personal or secret in whatever operators see."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from syncengine.sandbox.process import SandboxProcess

_PACKED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_CREDENTIALS = re.compile(r"CLIENT|SECRET|TOKEN|KEY|PASSWORD|EMAIL|USERNAME")


def plain(text: str) -> str:
    """A text with what is packed or escaped in it made readable, twice over."""
    for _ in range(2):
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        text += "\n" + "\n".join(_unpacked(found[0]) for found in _PACKED.finditer(text))
    return text.casefold()


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def found_in(text: str, wanted: Iterable[str]) -> set[str]:
    """Which of the wanted words stand in a text, packed or not."""
    words = set(re.findall(r"[\w'@.-]+", readable := plain(text)))
    whole = words | {word.strip(".'-") for word in words}
    return {w for w in wanted if (w in readable if re.search(r"[^\w.-]", w) else w in whole)}


def seeded(sandbox: SandboxProcess) -> set[str]:
    """What the sandbox knows of its people, and what it lets us in by: full names, long last names, addresses,
    personnel numbers, notes, kinds of absences, absences as ids, tokens and passwords."""
    found: set[Any] = set()
    for row in sandbox.state("heavenhr", "employees"):
        found |= {f"{row['firstName']} {row['lastName']}", row["email"], row["professionalEmail"]}
        found |= {row["employeeNumber"], row["lastName"] if len(row["lastName"]) > 5 else None}
    for row in sandbox.state("heavenhr", "absences"):
        found |= {row["key"], row["absenceType"]}
    for row in sandbox.state("hakuna", "absences"):
        found |= {row["absence_type"]["name"]}
    found |= {row["note"] for row in sandbox.state("hakuna", "time_entries")}
    found |= {row["slack_user_id"] for row in sandbox.state("haekka", "employees")}
    found |= credentials(sandbox.env)
    return {str(word).casefold() for word in found if word}


def credentials(environment: Mapping[str, str]) -> set[str]:
    """Values of variables that let somebody in."""
    named = {n: v for n, v in environment.items() if _CREDENTIALS.search(n) and "URL" not in n}
    return {value for value in named.values() if len(value) > 5}
