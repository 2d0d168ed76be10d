"""Requests of one connection: sent, judged, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import httpx
from pydantic_core import from_json

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.transport import Client, Purpose
from syncengine.adapters.rest.verdicts import Kind
from syncengine.errors import RateLimited, Rejected, VendorDown
from syncengine.model.values import Json
from syncengine.ports import Clock

_LONGEST_WAIT: Final = 20.0
"""Seconds that a read waits for a call; see ``syncengine.flows.gate.LONGEST_WAIT``."""

_PAUSES: Final = (0.1, 0.4, 1.6)
"""Seconds before a read that failed is repeated; a write never is. Where the vendor asks for a pause it is that one."""

_LATEST: Final = 5.0
"""Seconds after its first failure within which a read is sent for the last time: the slot that it holds has an end."""

_LONGEST_UNSAID: Final = 60.0
"""Seconds up to which the pause is doubled where the vendor goes on asking for one and does not say how long."""


Query = Mapping[str, str | Sequence[str]]
"""A list goes as one parameter for each of its items."""


class Missing(Rejected):
    """The vendor says by a 404 that there is no such thing; a web page with that status is a gateway's."""


class Session:
    """JSON over a client. ``what`` is a method and route without values, for messages.

    Where the vendor has said that no call is left until some time, or asked a read for a short pause, none is sent
    before: a read waits a little, a write is put off.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._free_at = 0.0
        self._unsaid = 0.0

    def read(self, url: str, what: str, query: Query) -> Json:
        """A GET's answer. Raises Missing for a 404."""
        latest = 0.0
        for repeats, pause in enumerate(_PAUSES):
            try:
                return self._send(Purpose(Kind.READ, what, repeats > 0), "GET", url, query)
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
        return self._send(Purpose(Kind.READ, what, True), "GET", url, query)

    def write(self, kind: Kind, method: str, url: str, what: str, query: Query, body: Json) -> Json:
        """A write's answer, None where it has no body. Raises Missing for a 404."""
        return self._send(Purpose(kind, what), method, url, query, body)

    def _send(
        self, purpose: Purpose, method: str, url: str, query: Query, body: Json = None
    ) -> Json:
        self._wait(purpose)
        response = self._client.request(
            method,
            url,
            params=query or None,
            json=body,
            extensions={"purpose": purpose},
        )
        self._note(response, self._clock.now())
        kind, what = purpose.kind, purpose.what
        page = "html" in response.headers.get("Content-Type", "")
        if response.status_code == 404 and not page:
            raise Missing(f"{what}: HTTP 404", 404, response.text)
        verdict = verdicts.answered(response, kind, what, self._clock.now(), self._unsaid)
        if verdict:
            raise verdict
        if not response.content and kind.writes:
            return None
        try:
            return from_json(response.content, allow_inf_nan=False)
        except ValueError as error:
            why = "the answer is a web page" if page else "the answer is no JSON"
            raise verdicts.unusable(why, kind, what, response.text, passes=True) from error

    def _note(self, response: httpx.Response, now: float) -> None:
        """When the vendor takes calls again. Of several that were under way, one doubles the pause."""
        if response.status_code != 429:
            self._unsaid = 0.0
        elif now >= self._free_at:
            self._unsaid = min(max(2 * self._unsaid, verdicts.PAUSE), _LONGEST_UNSAID)
        self._free_at = max(self._free_at, verdicts.used_up(response, now))

    def _wait(self, purpose: Purpose) -> None:
        ahead = self._free_at - self._clock.now()
        if ahead > 0 and (purpose.kind.writes or ahead > _LONGEST_WAIT):
            raise RateLimited(
                f"{purpose.what}: not sent, the vendor has no call left", self._free_at
            )
        if ahead > 0:
            self._clock.sleep(ahead)
