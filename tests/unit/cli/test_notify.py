"""``syncengine notify``: who is told of what."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from syncengine.cli.notify import _channel
from syncengine.mapping.notify import Channel, Notify
from syncengine.model.notification import Delivery


@pytest.mark.parametrize(
    "known", [{}, {"hr": Delivery("hr")}], ids=["unknown", "never took anything"]
)
def test_a_channel_that_took_nothing_yet_was_never_sent_to(known: dict[str, Delivery]) -> None:
    """Which is null, and no moment of 1970."""
    hr = Channel("hr", "webhook", "en", (), "https://x.example", b"", "")
    told = _channel(Notify({"hr": hr}, ()), SimpleNamespace(deliveries=known), "hr")
    assert told["sent_at"] is None
