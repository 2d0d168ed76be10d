"""What was told to whom, kept as one value, which whoever holds the lease on sending may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from syncengine.ledger.connections import Connections, known
from syncengine.model.notification import Delivery, Notifications, Reported

TOLD: Final = ":told"
"""Under this name stand what was told, and the lease; no connection is called so."""


class Notifying(Connections):
    """The part of a transaction that is about notifications."""

    def notifications(self) -> Notifications:
        """What is remembered."""
        state: Any = self._part(TOLD, "")
        return notifications_of(state)

    def save_notifications(self, now: Notifications) -> None:
        """Write all of it."""
        deliveries = [asdict(delivery) for delivery in now.deliveries.values()]
        told = [{**asdict(one), "about": dict(one.about)} for one in now.told]
        state = {"looked_at": now.looked_at, "told": told, "deliveries": deliveries}
        self._save_parts([(TOLD, "", state)])

    def take_sending(self, holder: str, now: float, until: float) -> bool:
        """Take the lease on sending until then; False where somebody else has it."""
        return self.take_slots(TOLD, 1, 1, holder, now, until) == 1


def notifications_of(state: Mapping[str, Any]) -> Notifications:
    """What is remembered, of how it is stored."""
    deliveries = [Delivery(**known(Delivery, kept)) for kept in state.get("deliveries", ())]
    told = tuple(Reported(**known(Reported, kept)) for kept in state.get("told", ()))
    return Notifications(
        float(state.get("looked_at", 0.0)), told, {each.channel: each for each in deliveries}
    )
