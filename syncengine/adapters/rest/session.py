"""Requests of one connection: sent, judged, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

import httpx

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.decoding import Large, decode
from syncengine.adapters.rest.transport import Client, Meter, Purpose
from syncengine.adapters.rest.verdicts import Kind
from syncengine.errors import Astray, RateLimited, Rejected, VendorDown
from syncengine.model.values import Json
from syncengine.ports import Clock

_LONGEST_WAIT: Final = 20.0
"""Seconds that a read waits for a call; see ``syncengine.flows.core.gate.LONGEST_WAIT``."""

_PAUSES: Final = (0.1, 0.4, 1.6)
"""Seconds before a read that failed is repeated; a write never is. Where the vendor asks for a pause it is that one."""

_LATEST: Final = 5.0
"""Seconds after its first failure within which a read is sent for the last time: the slot that it holds has an end."""

_LONGEST_UNSAID: Final = 60.0
"""Seconds up to which the pause is doubled where the vendor goes on asking for one and does not say how long."""


Query = Mapping[str, str | Sequence[str]]
"""A list goes as one parameter for each of its items."""


class Missing(Rejected):
    """The vendor says by a 404 or 410 that there is no such thing; a web page with that status is a gateway's."""


class Session:
    """JSON over a client. ``what`` is a method and route without values, for messages.

    Nothing is asked for that does not lie below ``base_url``. Where the vendor has said that no call is left until
    some time, or asked a read for a short pause, none is sent before: a read waits a little, a write is put off.
    """

    def __init__(self, client: Client, clock: Clock, base_url: str) -> None:
        self._client = client
        self._home = httpx.URL(base_url)
        self._clock = clock
        self._free_at = 0.0
        self._unsaid = 0.0

    def read(
        self, url: str, what: str, query: Query, meter: Meter | None = None, streams: bool = False
    ) -> Json:
        """A GET's answer; with ``streams`` a large one as ``Large``. ``meter``: of the listing that it is for. Raises
        Missing for a 404 or 410."""
        latest = 0.0
        for repeats, pause in enumerate(_PAUSES):
            try:
                purpose = Purpose(Kind.READ, what, repeats > 0, meter, streams)
                return self._send(purpose, "GET", url, query)
            except VendorDown as down:
                now = self._clock.now()
                latest = latest or now + _LATEST
                if not down.passes or now + pause > latest:
                    raise
                self._clock.sleep(pause)
            except RateLimited as limited:
                latest = latest or self._clock.now() + _LATEST
                if limited.until > latest:
                    raise
                self._free_at = max(self._free_at, limited.until)
        return self._send(Purpose(Kind.READ, what, True, meter, streams), "GET", url, query)

    def write(self, kind: Kind, method: str, url: str, what: str, query: Query, body: Json) -> Json:
        """A write's answer, None where it has no body. Raises Missing for a 404 or 410."""
        return self._send(Purpose(kind, what), method, url, query, body)

    def _send(
        self, purpose: Purpose, method: str, url: str, query: Query, body: Json = None
    ) -> Json:
        goal = self._below_home(url, purpose.what)
        self._wait(purpose)
        response = self._client.request(
            method,
            goal,
            params=query or None,
            json=body,
            extensions={"purpose": purpose},
        )
        self._note(response, purpose.kind, self._clock.now())
        kind, what, status = purpose.kind, purpose.what, response.status_code
        page = verdicts.is_page(response)
        if status in verdicts.GONE and not page:
            raise Missing(f"{what}: HTTP {status}", status, response.text)
        verdict = verdicts.answered(response, kind, what, self._clock.now(), self._unsaid)
        if verdict:
            raise verdict
        if not response.content and kind.writes:
            return None
        rest = response.extensions.get("rest")
        if rest is not None:
            return Large(chain([response.content], rest), what)
        try:
            return decode(response.content)
        except ValueError as error:
            if page and not kind.writes:
                raise Astray(f"{what}: {verdicts.ASTRAY}") from error
            why = "the answer is a web page" if page else "the answer is no JSON"
            why = f"{why} ({verdicts.outline(response)})"
            raise verdicts.unusable(why, kind, what) from error

    def _below_home(self, url: str, what: str) -> httpx.URL:
        """The address that is asked. Whoever is asked gets our token: nobody is but what lies below the base URL.
        Raises VendorDown."""
        home, goal = self._home, httpx.URL(url)
        there = (goal.scheme, goal.host, goal.port) == (home.scheme, home.host, home.port)
        below = f"{goal.path}/".startswith(f"{home.path.rstrip('/')}/")
        if not (there and below) or {".", ".."} & set(goal.path.split("/")):
            raise VendorDown(
                f"{what}: not sent, the address of the next page leads away from the connection's base_url; "
                "set base_url to the origin and path that the vendor names"
            )
        return goal

    def _note(self, response: httpx.Response, kind: Kind, now: float) -> None:
        """When the vendor takes calls again. Of several that were under way, one doubles the pause. A write that it
        may have done all the same raises no RateLimited, so its pause is kept here."""
        asked = verdicts.asks_pause(response)
        if not asked:
            self._unsaid = 0.0
        elif now >= self._free_at:
            self._unsaid = min(max(2 * self._unsaid, verdicts.PAUSE), _LONGEST_UNSAID)
        until = verdicts.used_up(response, now)
        if asked and kind.writes:
            until = max(until, now + verdicts.pause(response, now, self._unsaid))
        self._free_at = max(self._free_at, until)

    def _wait(self, purpose: Purpose) -> None:
        ahead = self._free_at - self._clock.now()
        if ahead > verdicts.LONGEST_PAUSE:  # the clock was put back
            ahead = self._free_at = 0.0
        if ahead > 0 and (purpose.kind.writes or ahead > _LONGEST_WAIT):
            raise RateLimited(
                f"{purpose.what}: not sent, the vendor has no call left", self._free_at
            )
        if ahead > 0:
            self._clock.sleep(ahead)
