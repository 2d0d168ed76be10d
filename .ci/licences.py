"""``python .ci/licences.py``: which licence each locked package has, as docs/licences.md; ``--check``: whether that
page says so still."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
FREE = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0",
}  # fmt: skip
"""They ask for no more than that their notice is kept."""
BOUND = {"LGPL-3.0-only", "MPL-2.0"}
"""They ask for the source of the package itself where it is changed."""
SPELLED = {
    "Apache 2": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause", "BSD License": "BSD", "New BSD": "BSD-3-Clause",
    "ISC License": "ISC", "ISC License (ISCL)": "ISC", "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}  # fmt: skip
"""As packages write it -> the identifier that SPDX has for it. BSD alone does not say which."""
ELSEWHERE = {
    "async-timeout": "Apache-2.0",
    "axe-playwright-python": "MIT AND MPL-2.0",
    "colorama": "BSD",
}
"""What is locked for other machines than this one, or says it in its licence file alone: by what the packages say
themselves. axe-playwright-python is MIT and carries axe-core, which is MPL-2.0."""
HEAD = """# Licences

syncengine itself is under the [Apache License 2.0](../LICENSE). What it needs is not part of it: each package is
installed from its own wheel, which brings the text of its licence (`*.dist-info/licenses`). This page is made by
`make licences` from what the locked packages say of themselves, and a test holds it to the lock.

All but these ask for no more than that their notice is kept:

{bound}

They are used as they come. Who changes one of them and hands it on has to offer the changed source of that package;
nothing follows for syncengine or for a project.

The images of `compose.yaml` come from others too: Python (PSF-2.0) on Debian, PostgreSQL (PostgreSQL), RabbitMQ
(MPL-2.0).
"""


def locked(name: str) -> Iterator[tuple[str, str, str]]:
    """Name, version and marker of each package of a lock."""
    text = (ROOT / name).read_text("utf-8")
    yield from re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)(?: ; (.*?))? \\$", text, re.MULTILINE)


def licence(name: str, version: str) -> str:
    """What a package says of itself. Raises ValueError where it says nothing that is known here."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        if name in ELSEWHERE:
            return ELSEWHERE[name]
        raise ValueError(f"{name} is not installed, run make install") from None
    if said["Version"] != version:
        raise ValueError(f"{name} is installed as {said['Version']}, run make install")
    classified = [
        c.rpartition(" :: ")[2]
        for c in said.get_all("Classifier") or []
        if c.startswith("License :: ") and not c.endswith("approved")
    ]
    told = [said["License-Expression"], said["License"], " OR ".join(map(_spelled, classified))]
    for text in told:
        found = _spelled(text or "")
        if found and all(part in FREE | BOUND for part in re.split(r" OR | AND ", found)):
            return found
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    raise ValueError(f"{name} has a licence that nobody has looked at: {told}")


def _spelled(text: str) -> str:
    return SPELLED.get(text, text)


def page() -> str:
    """docs/licences.md as it should be."""
    ships = list(locked("requirements.txt"))
    names = {name for name, _, _ in ships}
    others = [line for line in locked("requirements-dev.txt") if line[0] not in names]
    found = {name: licence(name, version) for name, version, _ in (*ships, *others)}
    bound = [
        f"- {n} ({text})"
        for n, text in sorted(found.items())
        if any(word in text for word in BOUND)
    ]
    parts = [HEAD.format(bound="\n".join(bound))]
    for title, lines in (("What the service runs on", ships), ("What builds and tests it", others)):
        parts.append(f"\n## {title}\n\n| package | version | licence |\n|---|---|---|\n")
        for name, version, marker in lines:
            where = f" (where `{marker}`)" if marker else ""
            parts.append(f"| {name}{where} | {version} | {found[name]} |\n")
    return "".join(parts)


def main() -> str | int:
    """What is wrong, or 0."""
    try:
        text = page()
    except ValueError as wrong:
        return str(wrong)
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text("utf-8") == text
        return 0 if same else f"{PAGE.name} is not what the lock says, run make licences"
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
