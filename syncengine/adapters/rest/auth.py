"""How connections prove who they are: a fixed header, or a token that is fetched and renewed."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, Final

import httpx
from pydantic_core import from_json

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.transport import Purpose, purpose_of
from syncengine.adapters.rest.verdicts import Kind
from syncengine.ports import Clock

Auth = httpx.Auth

Texts = Mapping[str, str]

_MARGIN: Final = 30.0
"""Seconds before its end at which a token is renewed."""


class HeaderAuth(Auth):
    """The same header with every request. ``template`` is filled with the credentials."""

    def __init__(
        self, name: str, template: str, _url: str, credentials: Texts, _options: Texts, _: Clock
    ) -> None:
        self._name = name
        self._value = template.format(**credentials)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers[self._name] = self._value
        yield request


class TokenAuth(Auth):
    """A token shared by all threads of a connector: one fetches it while the others wait; a 401 makes it be
    fetched anew and the request be repeated, exactly once."""

    def __init__(self, clock: Clock, scheme: str) -> None:
        self._clock = clock
        self._scheme = scheme
        self._fetching = threading.Lock()
        self._token: str | None = None
        self._made = self._ends = 0.0

    @abstractmethod
    def ask(self, extensions: dict[str, Any]) -> httpx.Request:
        """The request for a token."""

    @abstractmethod
    def read(self, answer: dict[str, Any]) -> tuple[Any, float]:
        """Token and lifetime in seconds. Raises one of ``verdicts.MISFITS`` where there is none."""

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises Unauthorized, RateLimited or VendorDown where no token is to be had."""
        token = yield from self._current(request, refused=None)
        self.carry(request, token)
        response = yield request
        if self.ended(response):
            token = yield from self._current(request, refused=token)
            self.carry(request, token)
            request.extensions["purpose"] = replace(purpose_of(request), repeat=True)
            yield request

    def carry(self, request: httpx.Request, token: str) -> None:
        """Put a token into a request."""
        request.headers["Authorization"] = f"{self._scheme} {token}"

    def ended(self, response: httpx.Response) -> bool:
        """Whether an answer may mean that the token is good no more."""
        return response.status_code == 401

    def _current(
        self, request: httpx.Request, refused: str | None
    ) -> Generator[httpx.Request, httpx.Response, str]:
        with self._fetching:
            token = self._token
            if token is None or token == refused or self._clock.now() >= self._ends:
                purpose = Purpose(Kind.TOKEN, "token", purpose_of(request).repeat)
                response = yield self.ask({**request.extensions, "purpose": purpose})
                token = self._keep(response, purpose)
            return token

    def _keep(self, response: httpx.Response, purpose: Purpose) -> str:
        self._token = None
        now = self._clock.now()
        verdict = verdicts.answered(response, purpose.kind, purpose.what, now)
        if verdict:
            raise verdict
        try:
            token, lifetime = self.read(from_json(response.content))
        except verdicts.MISFITS as error:
            why = "the answer holds no token"
            raise verdicts.broken(why, purpose.kind, purpose.what) from error
        if not token or not isinstance(token, str):
            raise verdicts.broken("the token is no text", purpose.kind, purpose.what)
        self._token, self._made = token, now
        self._ends = now + max(lifetime - _MARGIN, lifetime / 2)
        return token


class ClientCredentials(TokenAuth):
    """HeavenHR: ``GET /oauth2/token`` with client id and secret as Basic authorization (docs/vendors.md,
    "HeavenHR: access")."""

    LIFETIME: Final = 3600.0
    """Seconds; assumed where the answer has no ``expires_in``, whose existence is not documented."""

    def __init__(self, base_url: str, credentials: Texts, _options: Texts, clock: Clock) -> None:
        super().__init__(clock, "Bearer")
        self._url = f"{base_url}/oauth2/token"
        self._basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])

    def ask(self, extensions: dict[str, Any]) -> httpx.Request:
        """A GET, unlike what OAuth2 says."""
        query = {"grant_type": "client_credentials", "scope": "all"}
        request = httpx.Request("GET", self._url, params=query, extensions=extensions)
        return next(self._basic.auth_flow(request))

    def read(self, answer: dict[str, Any]) -> tuple[Any, float]:
        """``{"access_token": ..., "expires_in": seconds}``."""
        return answer["access_token"], float(answer.get("expires_in") or self.LIFETIME)


class LoginToken(TokenAuth):
    """weekly10: ``POST /obtainauthtoken/`` with user name and password (docs/vendors.md, "weekly10: access")."""

    LIFETIME: Final = 86400.0
    """Seconds; the vendor only says that tokens end, not when."""

    def __init__(self, base_url: str, credentials: Texts, options: Texts, clock: Clock) -> None:
        super().__init__(clock, options.get("token_scheme") or "Token")
        self._url = f"{base_url}/obtainauthtoken/"
        self._login = {name: credentials[name] for name in ("username", "password")}

    def ask(self, extensions: dict[str, Any]) -> httpx.Request:
        """A POST that changes nothing; it counts as a read."""
        return httpx.Request("POST", self._url, json=self._login, extensions=extensions)

    def read(self, answer: dict[str, Any]) -> tuple[Any, float]:
        """``{"token": ...}``."""
        return answer["token"], self.LIFETIME


class MagicToken(TokenAuth):
    """HeiaHeia: ``POST /oauth/token`` with a magic token; the option ``token_in`` puts the token into the query
    (docs/vendors.md, "HeiaHeia: access")."""

    LIFETIME: Final = 14 * 86400.0
    """Seconds from ``created_at``; the answer does not say it."""

    EARLY: Final = 86400.0
    """Seconds before its end at which a token is given up: older ones stay good."""

    OLD: Final = 86400.0
    """Seconds after which a 403 may mean that a token has ended. The vendor's own example takes one a day."""

    def __init__(self, base_url: str, credentials: Texts, options: Texts, clock: Clock) -> None:
        super().__init__(clock, "Bearer")
        self._url = f"{base_url}/oauth/token"
        self._grant = {"grant_type": "magic_token", **credentials}
        self._in_query = options.get("token_in") == "query"

    def ask(self, extensions: dict[str, Any]) -> httpx.Request:
        """A POST that changes nothing; it counts as a read."""
        return httpx.Request("POST", self._url, json=self._grant, extensions=extensions)

    def read(self, answer: dict[str, Any]) -> tuple[Any, float]:
        """``{"access_token": ..., "created_at": seconds}``."""
        made = float(answer.get("created_at") or self._clock.now())
        return answer["access_token"], made + self.LIFETIME - self.EARLY - self._clock.now()

    def carry(self, request: httpx.Request, token: str) -> None:
        """In the header, or as ``access_token``."""
        if self._in_query:
            request.url = request.url.copy_set_param("access_token", token)
        else:
            super().carry(request, token)

    def ended(self, response: httpx.Response) -> bool:
        """A 401; with an old token also a 403 that is not about an organisation."""
        old = self._clock.now() - self._made > self.OLD
        refused = response.status_code == 403 and "no_org_access" not in response.text
        return super().ended(response) or (old and refused)
