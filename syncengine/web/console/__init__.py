"""The console: pages for people, in the browser. Here stands every route of it with the right that it asks for."""

from __future__ import annotations

from typing import Final

from syncengine.model.rights import Right
from syncengine.web.console.console import Screen
from syncengine.web.console.screens import (
    about,
    access,
    activity,
    connections,
    door,
    home,
    kept_forms,
    mappings,
    plan,
    privacy,
    questions,
    records,
    ties,
    tokens,
    upcoming,
)

_RECORD: Final = "/records/{entity}/{id}"
SCREENS: Final = (
    Screen("/", Right.WATCH, home.show),
    Screen("/questions", Right.READ, questions.show_list, questions.answer_many, Right.ANSWER),
    Screen("/questions/{id}", Right.READ, questions.show_one, questions.answer_one, Right.ANSWER),
    Screen("/questions/{id}/take", Right.ANSWER, act=questions.take, act_right=Right.ANSWER),
    Screen("/records", Right.READ, records.show_first),
    Screen("/records/{entity}", Right.READ, records.show_list),
    Screen(_RECORD, Right.READ, records.show_one),
    Screen(f"{_RECORD}/sync", Right.ANSWER, act=records.sync_now, act_right=Right.ANSWER),
    Screen(f"{_RECORD}/links", Right.ANSWER, ties.show, ties.act, Right.ANSWER),
    Screen(f"{_RECORD}/uncovered", Right.PRIVACY, act=privacy.uncover, act_right=Right.PRIVACY),
    Screen(f"{_RECORD}/export", Right.PRIVACY, privacy.show_export, privacy.export, Right.PRIVACY),
    Screen(f"{_RECORD}/erase", Right.PRIVACY, privacy.show_erase, privacy.erase, Right.PRIVACY),
    Screen("/plan", Right.WATCH, plan.show, plan.renew, Right.PLAN),
    Screen("/trial", Right.WATCH, plan.show_trial, plan.try_files, Right.PLAN),
    Screen("/upcoming", Right.WATCH, upcoming.show, upcoming.renew, Right.PLAN),
    Screen("/activity", Right.WATCH, activity.show),
    Screen("/changes/{id}/undo", Right.ANSWER, act=activity.take_back, act_right=Right.ANSWER),
    Screen("/connections", Right.WATCH, connections.show_list),
    Screen(
        "/connections/{name}", Right.WATCH, connections.show_one, connections.act, Right.OPERATE
    ),
    Screen("/mappings", Right.WATCH, mappings.show_first),
    Screen("/mappings/{entity}", Right.WATCH, mappings.show_one),
    Screen("/access", Right.MEMBERS, access.show, access.add, Right.MANAGE),
    Screen("/access/{id}", Right.MEMBERS, access.show_one, access.act, Right.MANAGE),
    Screen("/tokens", Right.SIGNED_IN, tokens.show, tokens.act, Right.SIGNED_IN),
    Screen("/about", Right.SIGNED_IN, about.show),
    Screen("/sign-in", Right.PUBLIC, door.show_sign_in, door.sign_in, Right.PUBLIC),
    Screen("/link/{token}", Right.PUBLIC, door.show_link, door.use_link, Right.PUBLIC),
    Screen("/prove", Right.SIGNED_IN, door.show_prove),
    Screen("/kept", Right.SIGNED_IN, kept_forms.show),
    Screen("/sign-out", Right.SIGNED_IN, act=door.sign_out, act_right=Right.SIGNED_IN),
    Screen("/password", Right.SIGNED_IN, door.show_password, door.change_password, Right.SIGNED_IN),
)
