"""Addresses and headers of the web in the project's files: what is wrong with one, and what to write instead."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from syncengine.model.spelling import odd

HERE: Final = ("localhost", "127.0.0.1", "::1")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_OTHERS: Final = frozenset({
    "authorization", "cookie", "host", "origin", "referer", "user-agent", "connection", "upgrade", "te", "trailer",
    "transfer-encoding", "date", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-proto", "x-real-ip", "dnt", "range", "pragma", "cache-control", "expect", "from", "max-forwards",
    "keep-alive", "x-requested-with",
})  # fmt: skip
_KINDS: Final = ("accept", "content-", "sec-", "proxy-", "if-", "access-control-")


def fault_of_url(text: str, tls: bool = False, begins: bool = True) -> str:
    """What is wrong with an address; empty if nothing is. ``tls``: the network needs https. ``begins``: other addresses
    begin with it, and people see it, so that it has no user, query or fragment."""
    if what := odd(text, spaces=False):
        return f"has {what}, remove it"
    no = f"is no address{' with TLS' if tls else ''}, write https://host/path"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
        host.encode("idna")
        fits = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:
        return no
    if not fits or (tls and parts.scheme == "http" and host not in HERE):
        return no
    if begins and (parts.username is not None or parts.password is not None):
        return "names a user or a password, which an address shows to everybody, write https://host/path"
    if begins and (parts.query or parts.fragment):
        return "goes on behind ? or #, write https://host/path"
    return ""


def fault_of_header(name: str) -> str:
    """What is wrong with the name of a header in which a proxy says who somebody is; empty if nothing is."""
    if not _HEADER.fullmatch(name):
        return "is no name of a header, write for example X-Forwarded-User"
    if name.lower() in _OTHERS or name.lower().startswith(_KINDS):
        return "is filled by browsers and proxies with something else, write for example X-Forwarded-User"
    return ""
