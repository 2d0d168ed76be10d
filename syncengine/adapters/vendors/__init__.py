"""The vendors that a project may name, and how to speak to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from syncengine.adapters.rest.transport import make_client
from syncengine.adapters.vendors.base import RestConnector
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.adapters.vendors.heiaheia import HEIAHEIA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import ConnectionOff
from syncengine.mapping import Connection
from syncengine.model.resource import Catalog
from syncengine.ports import Clock, Connector, Gate, Tally

__all__ = ["CATALOG", "SHIPPED", "connect"]

SHIPPED: Final[Mapping[str, Vendor]] = {
    v.spec.name: v for v in (HEAVENHR, HAEKKA, HAKUNA, HEIAHEIA, WEEKLY10)
}

CATALOG: Final[Catalog] = {name: vendor.spec for name, vendor in SHIPPED.items()}


def connect(
    vendor: Vendor, connection: Connection, gate: Gate, clock: Clock, request_timeout: float = 10
) -> Connector:
    """A connector for a connection to a vendor; nothing is sent yet. ``request_timeout``: seconds for one request.

    Raises ConnectionOff for a connection without base URL or credentials.
    """
    if connection.off or connection.base_url is None:
        raise ConnectionOff(f"{connection.name} is off: {connection.off or 'it has no base_url'}")
    base_url = connection.base_url.rstrip("/")
    options = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in connection.options.items()
    }
    auth = vendor.login(base_url, connection.credentials, options, clock)
    tally = Tally()
    client = make_client(auth, gate, tally, request_timeout)
    zone = ZoneInfo(connection.timezone)
    return RestConnector(
        vendor, base_url, auth, client, tally, clock, zone, options, connection.largest_listing,
        connection.longest_listing,
    )  # fmt: skip
