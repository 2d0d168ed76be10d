"""What the product, its files and its make targets point to is there."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.places import ROOT

NAMED = [
    *(ROOT / "syncengine").rglob("*.py"), *(ROOT / "workers").rglob("*.py"), *(ROOT / "mappings").rglob("*"),
    *(ROOT / "deploy").rglob("*"), *(ROOT / "bench").rglob("*"), ROOT / "compose.yaml", ROOT / "Makefile",
    ROOT / ".ci" / "run", *ROOT.glob("requirements*.in"), *(ROOT / "syncengine").rglob("*.html"),
]  # fmt: skip
"""Files that may name a page or a target."""
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in NAMED
    if path.is_file()
    and path.suffix in ("", ".py", ".yaml", ".yml", ".sh", ".in", ".html", ".service")
}


def test_every_page_that_the_product_names_is_there() -> None:
    """Whoever follows a hint of a command or of a comment finds something."""
    named = {
        (name, page)
        for name, text in TEXTS.items()
        for page in re.findall(r"\bdocs/[\w/-]+\.md", text)
    }
    assert named
    assert {(name, page) for name, page in named if not (ROOT / page).is_file()} == set()


def test_every_target_that_a_file_names_is_one_of_the_makefile() -> None:
    """In comments and docs alike."""
    targets = set(re.findall(r"^([a-z-]+):", TEXTS["Makefile"], re.M))
    docs = {
        str(p.relative_to(ROOT)): p.read_text("utf-8")
        for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    }
    pattern = r"(?:`|Locked by: |^|^\t@echo ')make ([a-z][a-z-]+)"
    named = {
        (name, target)
        for name, text in {**TEXTS, **docs}.items()
        for target in re.findall(pattern, text, re.M)
    }
    assert ("bench/peer_scripts/requirements.in", "lock-peers") in named
    assert {(name, target) for name, target in named if target not in targets} == set()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["demo", "--keep"], "syncengine demo --keep"),
        (["demo", "ARGS=--keep"], "syncengine demo  --keep"),
        (["demo", "-s"], "syncengine demo"),
        (["demo", "--no-print-directory", "-j2"], "syncengine demo"),
    ],
)
def test_make_demo_keep_leaves_the_demo_running(typed: list[str], told: str) -> None:
    """Though make takes the word for one of its own."""
    done = subprocess.run(
        ["make", "-n", "-o", "install", *typed], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.strip().removeprefix(".venv/bin/") == told
