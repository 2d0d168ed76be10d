"""A real Chromium at a real console over the company of ``tests.support.scene``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from syncengine.model.member import Role
from tests.support.scene import Scene, monday, serving

_numbers = count()


@dataclass
class Desk:
    """The console's address, what lies behind, and a browser."""

    url: str
    scene: Scene
    browser: Browser
    said: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, *roles: Role, name: str = "", **how: Any) -> Iterator[Page]:
        """A page of somebody with these roles, signed in; of a stranger without any."""
        context = self.browser.new_context(
            base_url=self.url, locale=how.pop("locale", "en-GB"), **how
        )
        try:
            page = context.new_page()
            page.on("console", lambda message: self.said.append(message.text))
            page.on("pageerror", lambda error: self.said.append(str(error)))
            if roles:
                page.goto(self.scene.link(*roles, name=name or f"kim{next(_numbers)}"))
                page.get_by_role("button").last.click()
            yield page
        finally:
            context.close()

    def csp(self) -> list[str]:
        """What the browser said of things that the policy forbids, and of errors of scripts."""
        return [text for text in self.said if "Failed to load resource" not in text]


def executable() -> str | None:
    """Where a browser is: ``SYNCENGINE_BROWSER``, else ``chromium`` on the path."""
    return os.environ.get("SYNCENGINE_BROWSER") or shutil.which("chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Skipped with a word where there is none, unless ``SYNCENGINE_BROWSER_REQUIRED`` asks for one."""
    path = executable()
    if path is None:
        missing = "no browser: apt-get install chromium"
        if os.environ.get("SYNCENGINE_BROWSER_REQUIRED"):
            pytest.fail(missing)
        pytest.skip(missing)
    # As root, which containers are, Chromium refuses its sandbox.
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=args)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def company(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One company for all tests of a module."""
    with monday(tmp_path_factory.mktemp("scene")) as scene, serving(scene.settings) as url:
        yield Desk(url, scene, browser)


@pytest.fixture
def desk(company: Desk) -> Desk:
    """The same, with nothing said yet."""
    company.said.clear()
    return company
