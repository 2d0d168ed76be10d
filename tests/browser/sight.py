"""What is wrong with a page for whoever sees, hears or touches it."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SMALL = """() => [...document.querySelectorAll(
  "button, .button, summary, nav a, a.go, select, input:not([type=hidden])")]
  .filter(e => e.offsetParent && !e.closest("label"))
  .filter(e => { const b = e.getBoundingClientRect(); return b.height && (b.height < 24 || b.width < 24); })
  .map(e => e.outerHTML.slice(0, 80))"""


def wrong(page: Page, *rules: str) -> list[Any]:
    """What axe finds, by these of its rules or by all, what is too small to be hit, and what is beside the screen."""
    broken = Axe().run(page, options={"runOnly": [*rules]} if rules else None)
    found: list[Any] = [
        (v["id"], [n["target"] for n in v["nodes"][:3]]) for v in broken.response["violations"]
    ]
    found += [("smaller than 24 px", text) for text in page.evaluate(_SMALL)]
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > page.evaluate("window.innerWidth"):
        found.append(("wider than the screen", width))
    return found
