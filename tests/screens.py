"""``python -m tests.screens``: pictures of the console's screens for docs/console/, of the company of
``tests.support.scene``. Needs Chromium: ``SYNCENGINE_BROWSER``, or one on the path."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.model.member import Role
from tests.browser.conftest import executable
from tests.support.places import DOCS
from tests.support.scene import Scene, monday, serving

FOLDER = DOCS / "console"
SCREENS = {
    "home": "/", "questions": "/questions?kind=identity", "question": "/questions",
    "records": "/records/person?q=anna", "record": "/records/person?q=sandra+br", "plan": "/plan",
    "staged": "/questions?kind=staged", "links": "/records/person?q=sandra+br", "erase": "/records/person?q=sandra+br",
    "trial": "/trial", "upcoming": "/upcoming", "activity": "/activity?show=changes",
    "connections": "/connections", "connection": "/connections/hakuna",
    "mappings": "/mappings", "access": "/access", "about": "/about", "tokens": "/tokens",
}  # fmt: skip
"""Name of a picture -> where it is taken."""
FIRST = {
    "question": ("tbody a",), "record": ("tbody a",), "staged": ("tbody a",),
    "links": ("tbody a", ".tools a[href$=links]"), "erase": ("tbody a", ".tools a[href$=erase]"),
}  # fmt: skip
"""What is clicked before."""
SIZE = {"width": 1080, "height": 680}
PHONE = {"width": 375, "height": 720}


def main() -> None:
    """Take all of them."""
    path = executable()
    if path is None:
        sys.exit("no browser: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        tempfile.TemporaryDirectory() as folder,
        monday(Path(folder)) as scene,
        serving(scene.settings) as url,
        sync_playwright() as playwright,
    ):
        with scene.engine() as engine:
            store_plan(engine, "kim")
            store_plan(engine, "kim", trial=True)
            store_upcoming(engine, "kim")
        browser = playwright.chromium.launch(executable_path=path, args=args)
        page = _signed_in(browser.new_page(base_url=url, viewport=SIZE), scene, "kim")
        for name, place in SCREENS.items():
            page.goto(place)
            for what in FIRST.get(name, ()):
                page.locator(what).first.click()
            _take(page, name)
        dark = browser.new_page(base_url=url, viewport=SIZE, color_scheme="dark")
        _take(_signed_in(dark, scene, "ada"), "home-dark")
        phone = _signed_in(browser.new_page(base_url=url, viewport=PHONE), scene, "lee")
        phone.goto("/questions")
        _take(phone, "questions-phone")
        german = _signed_in(
            browser.new_page(base_url=url, viewport=SIZE, locale="de-DE"), scene, "ina"
        )
        _take(german, "home-german")
        stranger = browser.new_page(base_url=url, viewport=SIZE)
        stranger.goto("/sign-in")
        _take(stranger, "sign-in")
        browser.close()


def _signed_in(page: Page, scene: Scene, name: str) -> Page:
    page.goto(scene.link(*Role, name=name))
    page.get_by_role("button").last.click()
    page.goto("/")
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state()
    page.evaluate("document.activeElement && document.activeElement.blur()")
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
