"""What is asked for lies below the connection's base URL, and an id is one segment of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from syncengine.adapters.vendors.base import RestConnector
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.adapters.vendors.heiaheia import HEIAHEIA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import SetAside, VendorDown
from tests.unit.adapters.wire import BASE, Wire, connector

ASTRAY = [
    "", ".", "..", "/", "//", "\\", "a/", "/a", "a//b", "../users", "a/../b", "..\\a", "%2e%2e", "%2E", ".%2fa",
    " .. ", "a\0b", "\ud83d", "a\nb", "x" * 501,
]  # fmt: skip
LOGIN = {"POST /obtainauthtoken/": {"token": "t"}, "GET /oauth2/token": {"access_token": "t"}}


def asked(wire: Wire) -> list[str]:
    """Paths that were asked for, but those for a token."""
    return [r.url.path for r in wire.requests if "token" not in r.url.path]


@pytest.mark.parametrize("name", ASTRAY)
def test_an_id_that_leads_elsewhere_is_asked_for_nowhere(name: str) -> None:
    """Neither read nor written nor deleted: it is refused before there is an address."""
    wire = Wire(LOGIN)
    live = connector(WEEKLY10, wire)
    for call in (
        lambda: live.get("users", name),
        lambda: live.update("users", name, {"email": "x@y.de"}, {"api_id": name}, "k"),
        lambda: live.delete("users", name, "k"),
    ):
        with pytest.raises(SetAside):
            call()
    below: list[tuple[Vendor, str, str]] = [
        (HEAVENHR, "time_trackings", f"_a_/{name}"),
        (HEAVENHR, "time_trackings", f"{name}/_a_"),
        (HAKUNA, "time_entries", f"7/{name}"),
        (HEIAHEIA, "energy_levels", f"{name}/2026-01"),
        (HEAVENHR, "shifts", f"{name},2026-01-01"),
    ]
    for vendor, resource, external_id in below:
        if "/" in name or "\\" in name:
            continue
        other: RestConnector = connector(vendor, wire)
        with pytest.raises(SetAside):
            other.get(resource, external_id)
    assert asked(wire) == []


@pytest.mark.parametrize("name", ASTRAY)
def test_a_row_whose_id_leads_elsewhere_is_set_aside(name: str) -> None:
    """It is no row that could be read again or written."""
    text = '{"results": [{"api_id": "7"}, {"api_id": NAME}], "next": null}'
    quoted = httpx.Response(200, json=name).content.decode() if name.isascii() else '"\\u0000"'
    wire = Wire({**LOGIN, "GET /users/": httpx.Response(200, text=text.replace("NAME", quoted))})
    items = [i for page in connector(WEEKLY10, wire).scan("users") for i in page.items]
    assert [bool(i.fault) for i in items] == [False, True]


@pytest.mark.parametrize(
    ("name", "path"),
    [("a/b", "a%2Fb"), ("..a", "..a"), ("a.b", "a.b"), ("?x=1", "%3Fx%3D1"), ("#", "%23"), ("a;b", "a%3Bb"),
     ("%2F", None), ("ü", "%C3%BC")],
)  # fmt: skip
def test_an_odd_id_is_one_segment(name: str, path: str | None) -> None:
    """What a server could take for a part of an address is quoted."""
    wire = Wire(LOGIN)
    if path is None:
        with pytest.raises(SetAside):
            connector(WEEKLY10, wire).get("users", name)
        return
    assert connector(WEEKLY10, wire).get("users", name) is None
    assert wire.requests[-1].url.raw_path.decode() == f"/api/users/{path}/"


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/api/users/?offset=2",
        "http://vendor.example/api/users/?offset=2",
        "https://vendor.example:8443/api/users/?offset=2",
        "//evil.example/api/users/",
        "https://vendor.example/users/?offset=2",
        "https://vendor.example/apiary/users/",
        "https://vendor.example/api/../admin/",
        "/api/users/%2e%2e/%2e%2e/admin/",
        "../../admin/",
        "/admin",
    ],
)
def test_a_next_page_elsewhere_is_not_asked_for(onward: str) -> None:
    """The token goes to what lies below the connection's base URL alone."""
    page: dict[str, Any] = {"count": 2, "next": onward, "results": [{"api_id": "1"}]}
    wire = Wire({**LOGIN, "GET /users/": page})
    with pytest.raises(VendorDown, match="base_url"):
        list(connector(WEEKLY10, wire).scan("users"))
    assert {str(r.url).partition("?")[0] for r in wire.requests[1:]} == {f"{BASE}/users/"}


def test_a_key_of_a_report_is_one_segment() -> None:
    """HeiaHeia opens a report by a key that its row shows: it leads nowhere else."""
    row = {"id": 7, "data_instance": {"id": "../../admin?x="}}
    routes = {
        "POST /oauth/token": {"access_token": "t"},
        "GET /admin/v1/documents/organisations/5/reports": {"items": [row]},
    }
    wire = Wire(routes)
    with pytest.raises(SetAside):
        connector(HEIAHEIA, wire).get("reports", "5/7")
    assert not [p for p in asked(wire) if "admin" in p.replace("/admin/v1/", "")]
