"""Writes that a vendor accepts and does not do, or whose answer names no row; reads pass as they are.

``ignore``: the answer shows what stands there still, and of a create what was sent, without an id.
``ignore_error``: 200 with an error inside. ``ignore_empty``: 204. ``ignore_stamp``: as ``ignore``, and the row's own
stamp of change moves.
``answer_empty``, ``answer_list``, ``answer_null_id``: done, but the answer is nothing, a list, or has null for each id.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from syncengine.sandbox.vendor import Call, Reply, Vendor, now

NOT_DONE: Final = ("ignore", "ignore_error", "ignore_empty", "ignore_stamp")
UNNAMED: Final = ("answer_empty", "answer_list", "answer_null_id")
IDS: Final = ("id", "api_id", "typeId", "employeeId", "user")
_STAMPS: Final = ("updatedAt", "updated_at", "modified", "modified_at", "changed_at")


def pretended(vendor: Vendor, call: Call, kind: str) -> Reply:
    """The answer to a write that is not done."""
    if kind == "ignore_error":
        return Reply(200, {"error": "This could not be saved."})
    if kind == "ignore_empty":
        return Reply(204)
    if kind == "ignore_stamp":
        _touch(vendor, call)
    match = vendor.match("GET", _path(vendor, call)) if call.method != "POST" else None
    if match is None or isinstance(match, Reply):
        return Reply(201, _sent(call))
    route, params = match
    look = replace(call, method="GET", template=route.template, params=params, body=b"")
    return vendor.handle(route, look)


def unnamed(kind: str, reply: Reply) -> Reply:
    """The answer to a write that is done, without saying which row it made."""
    if reply.status >= 300:
        return reply
    if kind == "answer_empty":
        return Reply(reply.status)
    if kind == "answer_list":
        return Reply(reply.status, [reply.payload])
    return Reply(reply.status, _without_ids(reply.payload))


def _without_ids(payload: Any) -> Any:
    if not isinstance(payload, dict):
        return payload
    return {n: None if n in IDS else _without_ids(v) for n, v in payload.items()}


def _path(vendor: Vendor, call: Call) -> str:
    return vendor.prefix + call.template.format(**call.params) + "/" * vendor.slash


def _sent(call: Call) -> Any:
    try:
        return _without_ids(call.parse())
    except ValueError:
        return {}


def _touch(vendor: Vendor, call: Call) -> None:
    """Move the stamp of the row that a path names, of those that the row has."""
    named = [part for text in call.params.values() for part in (text, _number(text))]
    for table in vendor.tables.values():
        for identifier in named:
            row = table.get(identifier)
            for name in _STAMPS if row is not None else ():
                if row is not None and name in row:
                    table.change(identifier, {name: _moved(row[name])})


def _number(text: str) -> Any:
    return int(text) if text.isdecimal() else text


def _moved(stamp: Any) -> Any:
    """This moment, kept as the stamp that stood there."""
    return now() if isinstance(stamp, datetime) else now().isoformat()
