"""Telling: compare the standing with what each channel knows, send what is new, and note what was taken."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from syncengine.flows.core.engine import Engine, failed, new_id
from syncengine.flows.tell.wording import changes, headline, report, test_words, verdict_words
from syncengine.flows.views.standing import standing
from syncengine.mapping.notify import Notify
from syncengine.model.notification import Delivery, Message, Notifications, Reported
from syncengine.model.standing import Standing
from syncengine.planning.notifications import (
    HEARTBEAT,
    Tidings,
    first_day,
    heartbeat_due,
    pause,
    tidings,
)

EVERY = 10.0
"""Seconds between two looks at the standing."""
log = structlog.get_logger()


def tell(engine: Engine) -> Counter[str]:
    """Send what is due to all channels; whoever comes while another one sends, or too soon, does nothing. Returns
    channel -> messages that it took."""
    notify, taken = engine.project.notify, Counter[str]()
    if not notify:
        return taken
    holder, now = new_id(), engine.clock.now()
    with engine.ledger.write() as tx:
        known = tx.notifications()
        if 0 <= now - known.looked_at < EVERY:
            return taken
        if not tx.take_sending(holder, now, now + 1.5 * engine.limits.lease):
            return taken
        # Who had the lease may have sent since: what counts is what stands there within it.
        known = tx.notifications()
    try:
        with engine.holding(holder):
            _send(engine, notify, known, taken)
    finally:
        with engine.ledger.write() as tx:
            tx.free_slots(holder)
    return taken


def send_test(engine: Engine, names: Sequence[str]) -> dict[str, str]:
    """Send each of these channels a message that says that it is a test. Returns channel -> why it did not take it,
    empty where it did."""
    notify, now = engine.project.notify, engine.clock.now()
    jobs = []
    for name in names:
        language = notify.channels[name].language
        message = Message(new_id(), now, "test", test_words(language, name), (), "", notify.console)
        jobs.append((name, partial(engine.channels[name].send, message)))
    answers = dict.fromkeys(names, "")
    for name, result in engine.call_all(jobs, len(jobs)):
        answers[name] = str(failed(result) or "")
    return answers


def _send(engine: Engine, notify: Notify, known: Notifications, taken: Counter[str]) -> None:
    now, zone = standing(engine), ZoneInfo(engine.project.timezone)
    found = {each.channel: each for each in tidings(notify, now, known, zone)}
    jobs = [
        (each.channel, partial(engine.channels[each.channel].send, message))
        for each in found.values()
        if each.due
        for message in [_message(notify, now, each, zone)]
    ]
    if heartbeat_due(notify, now, known):
        beat = Message(new_id(), now.at, HEARTBEAT, "")
        jobs.append((HEARTBEAT, partial(engine.channels[HEARTBEAT].send, beat)))
    names = [*notify.channels, HEARTBEAT]
    deliveries = {n: known.deliveries.get(n, Delivery(n)) for n in names}
    after = dict(_quiet(found, jobs))
    for name, result in engine.call_all(jobs, max(1, len(jobs))):
        error = failed(result)
        deliveries[name] = _delivered(deliveries[name], error, engine.clock.now())
        taken[name] += not error
        if name in found:
            each = found[name]
            after[name] = each.before if error else each.told
            if each.report and not error:
                deliveries[name] = replace(deliveries[name], reported=each.report)
    for name in notify.channels:
        if not deliveries[name].reported:
            day = first_day(notify, name, now.at, zone)
            deliveries[name] = replace(deliveries[name], reported=day)
    kept = [told for told in known.told if told.channel in notify.channels]
    kept = [told for told in kept if told.channel not in after]
    told = (*kept, *(one for some in after.values() for one in some))
    used = {n: d for n, d in deliveries.items() if d != Delivery(n)}
    with engine.ledger.write() as tx:
        tx.save_notifications(Notifications(now.at, told, used))


def _quiet(
    found: dict[str, Tidings], jobs: Sequence[tuple[str, Any]]
) -> Iterator[tuple[str, Sequence[Reported]]]:
    """What those know to whom nothing is sent."""
    sent = {name for name, _ in jobs}
    return ((name, each.told) for name, each in found.items() if name not in sent)


def _delivered(delivery: Delivery, error: Exception | None, now: float) -> Delivery:
    if error is None:
        if delivery.failures:
            log.warning("notifications are taken again", channel=delivery.channel)
        return Delivery(delivery.channel, sent_at=now, reported=delivery.reported)
    failures = delivery.failures + 1
    if failures == 1:
        log.warning("a notification was not taken", channel=delivery.channel, why=str(error))
    return replace(
        delivery, failures=failures, why=str(error), next_at=now + pause(failures),
        failing_since=delivery.failing_since or now,
    )  # fmt: skip


def _message(notify: Notify, now: Standing, each: Tidings, zone: ZoneInfo) -> Message:
    """One message of everything that is due."""
    language = notify.channels[each.channel].language
    items = changes(each.news, now, language, zone, notify.console)
    if each.report:
        items += report(now, language, zone, notify.console)
    parts = [f"{item.news}/{item.code}/{sorted(item.about.items())}/{item.level}" for item in items]
    seen = [f"{told.seen_at}" for told in each.before]
    identity = hashlib.sha256("|".join([each.channel, each.report, *parts, *seen]).encode())
    return Message(
        id=f"msg_{identity.hexdigest()[:32]}",
        at=now.at,
        kind="report" if each.report else "change",
        head=headline(items, now, language, bool(each.report)),
        items=items,
        verdict=verdict_words(now, language),
        link=notify.console,
    )
