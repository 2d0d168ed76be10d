"""The API: JSON documents for programs. Here stands every endpoint of it with the right that it asks for."""

from __future__ import annotations

from typing import Final

from syncengine.model.rights import Right
from syncengine.web.api import endpoints as e
from syncengine.web.api import models as m
from syncengine.web.api.call import Endpoint

_AFTER = {"after": "where the page begins: `next` of the one before", "limit": "lines, 1 to 500"}
_CONNECTION = {"connection": "only those of this connection"}
_RECORD = "/records/{entity}/{id}"

ENDPOINTS: Final = (
    Endpoint("GET", "/standing", Right.WATCH, e.standing, m.Standing),
    Endpoint("GET", "/questions", Right.READ, e.questions, m.Questions,
             query={"kind": "only those of this kind", "closed": "those that are answered",
                    "author": "only those that they answered",
                    "since": "epoch seconds: asked, or answered, from then on", "until": "and before then",
                    **_CONNECTION, **_AFTER}),
    Endpoint("GET", "/questions/{id}", Right.READ, e.question, m.QuestionInFull),
    Endpoint("POST", "/questions/{id}/answer", Right.ANSWER, e.answer, m.Answered, m.AnswerGiven),
    Endpoint("GET", "/records/{entity}", Right.READ, e.records, m.Records,
             query={"q": "a part of the name, an address, or the end of an id", **_AFTER}),
    Endpoint("GET", _RECORD, Right.READ, e.record, m.Record),
    Endpoint("GET", f"{_RECORD}/why", Right.READ, e.why, m.Why),
    Endpoint("POST", f"{_RECORD}/sync", Right.ANSWER, e.sync, m.Done, m.Nothing),
    Endpoint("POST", f"{_RECORD}/export", Right.PRIVACY, e.export, m.Export, m.Nothing),
    Endpoint("GET", "/changes", Right.READ, e.changes, m.History,
             query={"author": "only what they decided", **_CONNECTION, **_AFTER}),
    Endpoint("POST", "/changes/{id}/undo", Right.ANSWER, e.take_back, m.Done, m.Reasoned),
    Endpoint("GET", "/runs", Right.WATCH, e.runs, m.Runs,
             query={"since": "epoch seconds", "until": "epoch seconds", "all": "quiet ones and parts, too",
                    "outcome": "only runs that are `complete`, `failed`, `broke_off` or `under_way`",
                    "limit": "lines, 1 to 500"}),
    Endpoint("GET", "/operations", Right.READ, e.operations, m.Operations,
             query={"state": "only those in this state", **_CONNECTION, **_AFTER}),
    Endpoint("GET", "/plans", Right.READ, e.plans, m.Plans),
    Endpoint("POST", "/plans", Right.PLAN, e.renew, m.Done, m.Nothing),
    Endpoint("GET", "/plans/{id}", Right.READ, e.plan, m.Plan),
    Endpoint("POST", "/plans/{id}/vote", Right.ANSWER, e.vote, m.Answered, m.Vote),
    Endpoint("GET", "/connections", Right.WATCH, e.connections, m.Connections),
    Endpoint("GET", "/connections/{name}", Right.WATCH, e.connection, m.Connection),
    Endpoint("POST", "/connections/{name}/pause", Right.OPERATE, e.pause, m.Paused, m.Reasoned),
    Endpoint("POST", "/connections/{name}/resume", Right.OPERATE, e.resume, m.Resumed, m.Nothing),
    Endpoint("GET", "/upcoming", Right.READ, e.upcoming, m.Upcoming),
    Endpoint("GET", "/audit", Right.AUDIT, e.audit, m.Audit,
             query={"author": "only what they did", **_AFTER}),
)  # fmt: skip
