"""The console: pages for people, in the browser. Here stands every route of it with the right that it asks for."""

from __future__ import annotations

from typing import Final

from syncengine.web.console.console import Screen
from syncengine.web.console.rights import Right
from syncengine.web.console.screens import door, home

SCREENS: Final = (
    Screen("/", Right.WATCH, home.show),
    Screen("/sign-in", Right.PUBLIC, door.show_sign_in, door.sign_in, Right.PUBLIC),
    Screen("/link/{token}", Right.PUBLIC, door.show_link, door.use_link, Right.PUBLIC),
    Screen("/sign-out", Right.SIGNED_IN, act=door.sign_out, act_right=Right.SIGNED_IN),
    Screen("/password", Right.SIGNED_IN, door.show_password, door.change_password, Right.SIGNED_IN),
)
