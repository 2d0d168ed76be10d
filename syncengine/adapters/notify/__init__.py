"""Channels of notifications: mail and web hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncengine.adapters.notify.hooks import Heartbeat, Hook
from syncengine.adapters.notify.mail import Mail
from syncengine.mapping.notify import Notify
from syncengine.ports import Channel

LONGEST: Final = 10.0
"""Seconds that a channel gets for a message, with all that it takes."""


def open_channels(
    notify: Notify, heartbeat: str, longest: float = LONGEST
) -> Mapping[str, Channel]:
    """All channels that are on, by name; the heartbeat under the name given."""
    made: dict[str, Channel] = {}
    for name, channel in notify.channels.items():
        if channel.off:
            continue
        if channel.kind == "mail":
            if notify.mail is not None:
                made[name] = Mail(channel, notify.mail, longest)
        else:
            made[name] = Hook(channel, longest)
    if notify.heartbeat:
        made[heartbeat] = Heartbeat(notify.heartbeat, longest)
    return made
