"""Getting through to a vendor: credentials, tokens, the gate, and what is said where nobody gets through."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.errors import (
    ConnectionOff,
    Exists,
    RateLimited,
    Unauthorized,
    Unknown,
    VendorDown,
)
from syncengine.ports import Connector
from tests.contract.peers import (
    KEY,
    LONGEST,
    READ_ONLY,
    WRITABLE,
    World,
    at,
    every,
    listed,
)


@every
def test_a_vendor_that_is_asked_too_much_says_until_when(world: World, vendor: str) -> None:
    """A 429 stops reads and writes with a time, and nothing was done."""
    connector = world.connect(vendor)
    connector.health()
    world.sandbox.fault(vendor, "status_429", delay=7)
    now = time.time()
    with pytest.raises(RateLimited) as limited:
        listed(connector, LONGEST[vendor])
    assert now + 6 < limited.value.until < now + 9
    assert connector.tally.retries == 0
    if vendor not in READ_ONLY:
        with pytest.raises(RateLimited):
            _some_update(world, connector)
    assert world.sandbox.counters()[vendor]["applied"] == 0


def _some_update(world: World, connector: Connector) -> None:
    vendor = connector.spec.name
    if vendor in READ_ONLY:
        return
    if vendor == "haekka":
        row = world.sandbox.state(vendor, "employee_trainings")[0]
        connector.update("employee_trainings", row["id"], {"completion_rate": 1}, row, KEY)
        return
    kind = next(k for k in WRITABLE if k.vendor == vendor)
    connector.create(kind.resource, kind.create(world), KEY)


@every
def test_a_vendor_that_cannot_be_reached_has_done_nothing(world: World, vendor: str) -> None:
    """Where nobody listens, reads and writes alike may be tried again."""
    connector = world.connect(vendor, base_url="http://127.0.0.1:9/api")
    with pytest.raises(VendorDown):
        listed(connector, LONGEST[vendor])
    if vendor not in READ_ONLY:
        with pytest.raises(VendorDown):
            _some_update(world, connector)


@every
def test_wrong_credentials_are_said_to_be_wrong(world: World, vendor: str) -> None:
    """Refused credentials halt at the first call, whatever it is."""
    wrong = dict.fromkeys(CATALOG[vendor].credentials, "wrong")
    connector = world.connect(vendor, credentials=wrong)
    for call in (connector.health, lambda: listed(connector, LONGEST[vendor])):
        with pytest.raises(Unauthorized):
            call()
    if vendor not in READ_ONLY:
        with pytest.raises(Unauthorized):
            _some_update(world, connector)


@every
def test_a_connection_that_is_off_is_not_opened(world: World, vendor: str) -> None:
    """Without credentials or base URL there is no connector."""
    with pytest.raises(ConnectionOff):
        world.connect(vendor, off="no credentials")
    with pytest.raises(ConnectionOff):
        world.connect(vendor, base_url=None)


@at("heavenhr", "heiaheia", "weekly10")
def test_expired_tokens_are_fetched_anew_by_one_thread(world: World, vendor: str) -> None:
    """Eight threads whose token ended under way cost one token call, and no read fails."""
    connector = world.connect(vendor)
    listed(connector, LONGEST[vendor])
    before = world.counted(vendor)[0]
    world.sandbox.fault(vendor, "expire_tokens", method="GET", count=1)
    resource = {"heavenhr": "categories", "weekly10": "departments"}.get(vendor, LONGEST[vendor])
    with ThreadPoolExecutor(8) as pool:
        sizes = set(pool.map(lambda _: len(listed(connector, resource)), range(8)))
    assert len(sizes) == 1
    tokens = [
        r for r in world.sandbox.requests() if r["vendor"] == vendor and "token" in r["route"]
    ]
    assert len(tokens) == 2
    reads = world.counted(vendor)[0] - before
    assert reads == 8 + 1 + connector.tally.retries
    assert connector.token_calls == 1


@every
def test_each_request_passes_the_gate_and_is_counted(world: World, vendor: str) -> None:
    """What the gate let through, what the tally says and what the vendor saw are the same."""
    connector = world.connect(vendor)
    world.sandbox.fault(vendor, "expire_tokens", probability=0.2, seed=3, count=4)
    world.sandbox.fault(vendor, "status_503", method="GET", probability=0.3, seed=4)
    for _ in range(6):
        for call in (
            lambda: listed(connector, LONGEST[vendor]),
            lambda: _some_update(world, connector),
        ):
            try:
                call()
            except (VendorDown, Unauthorized, Exists, Unknown):
                continue
    seen = world.counted(vendor)
    assert (connector.tally.reads, connector.tally.writes) == seen
    assert (world.gate.counts[False], world.gate.counts[True]) == seen
    assert connector.tally.retries > 0
