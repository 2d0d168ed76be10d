"""From notify.yaml to what it means, or to its faults."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from syncengine.mapping.addresses import HERE, fault_of_url
from syncengine.mapping.notify import Channel, MailServer, Notify, NotifyRule, Quiet
from syncengine.mapping.schema import ChannelPart, NotifyFile, NotifyPart, NotifyRulePart
from syncengine.mapping.source import Document, Loc, near
from syncengine.model.secret import webhook_secret
from syncengine.model.spelling import odd
from syncengine.model.standing import CODES

DAILY: Final = "daily"
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SPAN: Final = re.compile(rf"{_CLOCK.pattern}-{_CLOCK.pattern}")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ADDRESS: Final = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_TOP: Final = ("notify",)


def compile_notify(document: Document, file: NotifyFile) -> Notify:
    """What the file says; each fault is reported."""
    part = file.notify
    mail = _mail(document, part)
    channels = {
        name: _channel(document, (*_TOP, "channels", name), item)
        for name, item in part.channels.items()
    }
    rules = [_rule(document, (*_TOP, "rules", n), r) for n, r in enumerate(part.rules)]
    told = {name for rule in rules for name in rule.to}
    for name in channels.keys() - told:
        document.warn((*_TOP, "channels", name), "no rule tells it anything, add one to rules")
    for key in ("heartbeat", "console"):
        address = getattr(part, key)
        if address and (what := fault_of_url(address, begins=key == "console")):
            document.fault((*_TOP, key), what, value=True)
    beat = (*_TOP, "heartbeat")
    return Notify(
        channels=channels,
        rules=tuple(rules),
        mail=mail,
        console=(part.console or "").rstrip("/"),
        heartbeat=part.heartbeat or "",
        heartbeat_off=_unset(document, beat),
    )


def _mail(document: Document, part: NotifyPart) -> MailServer | None:
    if part.mail is None:
        return None
    item, loc = part.mail, (*_TOP, "mail")
    for key in ("server", "user", "password"):
        if what := odd(getattr(item, key) or "", spaces=key != "server"):
            document.fault((*loc, key), f"has {what}, remove it", value=True)
    if set(item.server) & set("/@"):
        document.fault(
            (*loc, "server"), "is no name of a server, write smtp.example.com", value=True
        )
    if not _is_mail(item.sender):
        document.fault((*loc, "from"), "is no address, write name@example.com", value=True)
    if item.port > 65_535:
        document.fault((*loc, "port"), "is no port, write 587, 465 or 25", value=True)
    if item.security == "none" and item.server not in HERE:
        document.warn(
            (*loc, "security"),
            "mail and password go over the network unencrypted, write starttls or tls",
        )
    if item.password and not item.user:
        document.fault((*loc, "password"), "is of nobody, add user")
    return MailServer(
        item.server, item.port, item.security, item.user or "", item.password or "", item.sender
    )


def _channel(document: Document, loc: Loc, item: ChannelPart) -> Channel:
    off = _unset(document, loc)
    if item.kind == "mail":
        _check_mail(document, loc, item)
        off = off or _unset(document, (*_TOP, "mail"))
    else:
        if item.to is not None:
            document.fault((*loc, "to"), f"{item.kind} has no addresses, write url")
        if item.url is None and not off:
            document.fault(loc, "'url' is missing, add it")
        elif item.url is not None and (what := fault_of_url(item.url, begins=False)):
            document.fault((*loc, "url"), what, value=True)
        elif item.url is not None and _in_the_clear(item.url):
            document.warn((*loc, "url"), "goes over the network unencrypted, write https")
    return Channel(
        name=str(loc[-1]),
        kind=item.kind,
        language=item.language,
        to=tuple(item.to or ()),
        url=item.url or "",
        secret=_secret(document, loc, item, off),
        off=off,
    )


def _check_mail(document: Document, loc: Loc, item: ChannelPart) -> None:
    if item.url is not None:
        document.fault((*loc, "url"), "mail has none, write to")
    if item.to is None and not _unset(document, loc):
        document.fault(loc, "'to' is missing, add the addresses")
    for number, address in enumerate(item.to or ()):
        if not _is_mail(address):
            at = (*loc, "to", number) if len(item.to or ()) > 1 else (*loc, "to")
            document.fault(at, "is no address, write name@example.com", value=True)
    if "mail" not in document.names(*_TOP):
        document.fault(loc, "mail needs a server, add notify.mail with server and from")


def _secret(document: Document, loc: Loc, item: ChannelPart, off: str) -> bytes:
    if item.kind != "webhook":
        if item.secret is not None:
            document.fault((*loc, "secret"), "only a webhook is signed, remove it")
        return b""
    if item.secret is None:
        if not off:
            document.fault(loc, "'secret' is missing, add it: a webhook is signed")
        return b""
    try:
        return webhook_secret(item.secret)
    except ValueError as error:
        document.fault((*loc, "secret"), str(error), value=True)
        return b""


def _rule(document: Document, loc: Loc, item: NotifyRulePart) -> NotifyRule:
    channels = document.names(*_TOP, "channels")
    for name in item.to:
        if name not in channels:
            document.fault((*loc, "to"), f"no channel {name!r}, {near(name, channels)}", value=True)
    daily = item.when == [DAILY]
    for code in () if daily else item.when:
        if code == DAILY:
            document.fault((*loc, "when"), "daily stands alone, write a rule of its own", True)
        elif code not in CODES:
            hint = near(code, [*CODES, DAILY])
            document.fault((*loc, "when"), f"the standing has no line {code!r}, {hint}", True)
    if daily and item.at is None:
        document.fault(loc, "'at' is missing, write the time of the day: at: \"07:30\"")
    if daily and item.wait is not None:
        document.fault((*loc, "for"), "does not go with daily, remove it")
    if not daily and item.at is not None:
        document.fault((*loc, "at"), "goes with daily only, remove it")
    return NotifyRule(
        codes=frozenset() if daily else frozenset(item.when),
        to=tuple(dict.fromkeys(item.to)),
        wait=item.wait or 0.0,
        at=_at(document, loc, item.at) if daily else None,
        quiet=_quiet(document, loc, item.quiet),
    )


def _at(document: Document, loc: Loc, text: str | None) -> int:
    found = _CLOCK.fullmatch(text or "")
    if text is not None and not found:
        document.fault((*loc, "at"), 'is no time of the day, write for example "07:30"', value=True)
    return int(found[1]) * 60 + int(found[2]) if found else 0


def _quiet(document: Document, loc: Loc, text: str | None) -> Quiet:
    spans, days = list[tuple[int, int]](), set[int]()
    for piece in (text or "").split(",") if text is not None else ():
        word = piece.strip()
        if found := _SPAN.fullmatch(word):
            hours = [int(number) for number in found.groups()]
            spans.append((hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]))
        elif word.lower() in _DAYS:
            days.add(_DAYS.index(word.lower()))
        else:
            told = f'{word!r} is no span and no day, write for example "18:00-07:00, Sat, Sun"'
            document.fault((*loc, "quiet"), told, value=True)
    return Quiet(tuple(spans), frozenset(days))


def _unset(document: Document, loc: Loc) -> str:
    """Which variables are not set that stand below a place."""
    names = [n for at, unset in document.unset.items() if at[: len(loc)] == loc for n in unset]
    return f"not set: {', '.join(dict.fromkeys(names))}" if names else ""


def _is_mail(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text)) and not odd(text)


def _in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in HERE
