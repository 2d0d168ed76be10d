"""HeavenHR's answers, and what its connector reads in them."""

from __future__ import annotations

from typing import Any

from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.ports import Item
from tests.unit.adapters.wire import Wire, connector

OWNER = "_3PSTCjfM7B2qg5Az6wuRVg_"


TOKEN = {"GET /oauth2/token": {"access_token": "t", "token_type": "bearer", "expires_in": 3600}}


def page(*rows: Any, total: int | None = None) -> dict[str, Any]:
    """Envelope A."""
    count = len(rows) if total is None else total
    about = {"page": 0, "pageSize": 200, "totalItems": count, "totalPages": -(-count // 200)}
    return {**about, "data": list(rows)}


def items(wire: Wire, resource: str, **scope: Any) -> list[Item]:
    return [i for p in connector(HEAVENHR, wire).scan(resource, **scope) for i in p.items]
