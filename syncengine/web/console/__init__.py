"""The console: pages for people, in the browser. Here stands every route of it with the right that it asks for."""

from __future__ import annotations

from typing import Final

from syncengine.web.console.console import Screen
from syncengine.web.console.rights import Right
from syncengine.web.console.screens import door, home, questions, records

SCREENS: Final = (
    Screen("/", Right.WATCH, home.show),
    Screen("/questions", Right.READ, questions.show_list, questions.answer_many, Right.ANSWER),
    Screen("/questions/{id}", Right.READ, questions.show_one, questions.answer_one, Right.ANSWER),
    Screen("/records", Right.READ, records.show_first),
    Screen("/records/{entity}", Right.READ, records.show_list),
    Screen("/records/{entity}/{id}", Right.READ, records.show_one),
    Screen("/sign-in", Right.PUBLIC, door.show_sign_in, door.sign_in, Right.PUBLIC),
    Screen("/link/{token}", Right.PUBLIC, door.show_link, door.use_link, Right.PUBLIC),
    Screen("/sign-out", Right.SIGNED_IN, act=door.sign_out, act_right=Right.SIGNED_IN),
    Screen("/password", Right.SIGNED_IN, door.show_password, door.change_password, Right.SIGNED_IN),
)
