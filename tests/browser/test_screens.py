"""Every screen in a real browser: for everybody, at each width, in light and dark."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import store_upcoming
from syncengine.model.member import Role
from tests.browser.conftest import Desk
from tests.browser.sight import wrong

pytestmark = [pytest.mark.long, pytest.mark.ci]
PATHS = (
    "/", "/questions", "/questions?kind=identity", "QUESTION", "/questions?closed=1", "/records/person", "RECORD",
    "RECORD/links", "RECORD/export", "RECORD/erase", "/plan", "GROUP", "/trial", "/upcoming", "/activity",
    "/activity?show=changes", "/activity?show=runs", "/records/person/nobody",
    "/connections", "/connections/hakuna", "/mappings",
    "/mappings/training_record", "/access", "MEMBER", "/questions?kind=staged",
    "/tokens", "/about", "/password",
)  # fmt: skip
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 375, "height": 700}


def visit(page: Page, path: str) -> None:
    """Go to a screen; those of one thing are found from their list."""
    lists = {
        "QUESTION": "/questions",
        "RECORD": "/records/person",
        "GROUP": "/plan",
        "MEMBER": "/access",
    }
    first, _, part = path.partition("/")
    page.goto(lists.get(first, path))
    if first in lists:
        page.locator("main a.go" if first == "GROUP" else "tbody a").first.click()
        if part:
            page.goto(f"{page.url}/{part}")
    page.wait_for_load_state()


@pytest.fixture(scope="module")
def planned(company: Desk) -> Desk:
    """A plan was computed."""
    with company.scene.engine() as engine:
        store_plan(engine, "kim")
        store_upcoming(engine, "kim")
    return company


@pytest.mark.timeout(300)
def test_screens_are_open_to_everybody(planned: Desk) -> None:
    """Nothing that axe finds, nothing that the policy forbids, nothing beside the page: in light and in dark, and, as
    far as widths go, on a phone."""
    planned.said.clear()
    found = {}
    with planned.open(*Role, viewport=WIDE, reduced_motion="reduce") as page:
        for path in PATHS:
            visit(page, path)
            found[path, "light"] = wrong(page)
            page.emulate_media(color_scheme="dark")
            found[path, "dark"] = wrong(page)
            page.emulate_media(color_scheme="light")
            page.set_viewport_size(PHONE)
            found[path, "phone"] = wrong(page, "target-size", "scrollable-region-focusable")
            page.set_viewport_size(WIDE)
    assert not {where: what for where, what in found.items() if what}
    assert planned.csp() == []


@pytest.mark.timeout(300)
def test_screens_are_open_to_everybody_in_german(planned: Desk) -> None:
    """Longer words break nothing either."""
    planned.said.clear()
    found = {}
    with planned.open(*Role, viewport=WIDE, reduced_motion="reduce", locale="de-DE") as page:
        for path in PATHS:
            visit(page, path)
            found[path] = wrong(page)
    assert not {where: what for where, what in found.items() if what}


def test_the_page_that_asks_again_who_somebody_is_is_open_to_everybody(planned: Desk) -> None:
    """With what is about to be done."""
    with planned.open(*Role, name="ivo", viewport=WIDE) as page:
        with planned.scene.engine() as engine, engine.ledger.write() as tx:
            (ivo,) = tx.members(names=["ivo"])
            tx.save_member(replace(ivo, password="x"))
            for grant in tx.grants_of(ivo.id):
                tx.save_grant(replace(grant, proved_at=1.0))
        page.goto("/questions?kind=staged")
        page.locator("tbody a").first.click()
        page.locator("input[data-pick]").first.uncheck()
        page.get_by_text("Send the ticked ones", exact=True).click()
        page.get_by_role("button", name="Answer").click()
        assert "11 of 12 held leavers in weekly10" in page.locator("main").inner_text()
        assert wrong(page) == []


def test_strangers_find_the_door_in_order(desk: Desk) -> None:
    """The page to sign in, and one for an address that there is not."""
    with desk.open() as page:
        for path in ("/sign-in", "/nothing"):
            page.goto(path)
            assert Axe().run(page).response["violations"] == []
    assert desk.csp() == []


def test_who_may_not_is_told_so_in_order(desk: Desk) -> None:
    """A page that lacks a role names it, and axe finds nothing there."""
    with desk.open(Role.VIEWER) as page:
        page.goto("/tokens")
        page.goto("/access")
        assert "admin" in page.locator("main").inner_text()
        assert wrong(page) == []


def test_several_that_may_be_meant_are_offered_in_order(desk: Desk) -> None:
    """Somebody joins two records, and names the other in a few letters."""
    with desk.open(*Role) as page:
        visit(page, "RECORD/links")
        page.locator("#other").fill("a")
        page.get_by_role("button", name="Join them").click()
        assert page.locator("main input[type=radio], main button").count() > 1
        assert wrong(page) == []


def test_a_page_speaks_the_language_of_the_browser(desk: Desk) -> None:
    """German where it is asked for, and says so."""
    with desk.open(Role.VIEWER, locale="de-DE") as page:
        page.goto("/questions")
        assert page.locator("html").get_attribute("lang") == "de"
        assert re.search(r"Fragen", page.locator("h1").inner_text())
