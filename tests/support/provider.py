"""An OpenID provider on a real port, which a test may have break the rules."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from syncengine.mapping.ways_in import Provider
from syncengine.model.member import Role
from syncengine.process import free_port
from tests.support.web import serving

SECRET = "a secret of the client"
ROLES = {"hr": (Role.ANSWERER,), "it": (Role.OPERATOR, Role.ADMIN)}


@dataclass
class Login:
    """The provider. ``people``: name -> claims. ``claims``: what every token says besides, or instead. ``metadata``:
    the same of what it says of itself. ``signed``: makes the token of header and claims, in place of its own key.
    ``clock``: when people say who they are."""

    url: str
    people: dict[str, dict[str, Any]]
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    signed: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    clock: Callable[[], float] = time.time
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    userinfo: dict[str, Any] | None = None

    def provider(self, **other: Any) -> Provider:
        """As console.yaml says it."""
        told: dict[str, Any] = {
            "name": "Alpenblick", "issuer": self.url, "client_id": "console", "client_secret": SECRET,
            "scopes": ("openid", "profile"), "groups": "groups", "roles": ROLES,
        }  # fmt: skip
        return Provider(**told | other)

    def app(self) -> Starlette:
        """Its pages."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _metadata(self, _: Request) -> Response:
        own = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        }
        return JSONResponse(own | self.metadata)

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        """A page that asks who it is; or on to the client with a code."""
        given = dict(request.query_params)
        if request.method == "GET":
            names = "".join(
                f'<button name="who" value="{escape(who)}">{escape(who)}</button>'
                for who in self.people
            )
            return HTMLResponse(f'<title>Alpenblick</title><form method="post">{names}</form>')
        assert given["response_type"] == "code"
        assert given["code_challenge_method"] == "S256"
        self.asked.append(given)
        who = (await _form(request))["who"]
        code = secrets.token_urlsafe()
        self.codes[code] = {**given, "who": who}
        back = urlencode({"code": code, "state": given["state"]})
        return RedirectResponse(f"{given['redirect_uri']}?{back}", 303)

    async def _token(self, request: Request) -> Response:
        """A code is exchanged once, by whoever knows the client's secret and the verifier."""
        given = await _form(request)
        known = base64.b64encode(f"console:{SECRET}".encode()).decode()
        secret = request.headers.get("authorization") in (
            f"Basic {known}", "Basic " + base64.b64encode(f"console:{SECRET.replace(' ', '%20')}".encode()).decode(),
        )  # fmt: skip
        asked = self.codes.pop(given.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        )
        fits = asked is not None and asked["code_challenge"] == challenge.decode().rstrip("=")
        if (
            not secret
            or asked is None
            or not fits
            or asked["redirect_uri"] != given["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = secrets.token_urlsafe()
        self.tokens[token] = asked["who"]
        made: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        made["id_token"] = self._id_token(asked)
        return JSONResponse({name: value for name, value in made.items() if value})

    def _id_token(self, asked: Mapping[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url, "aud": "console", "sub": f"id of {asked['who']}", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "auth_time": int(self.clock()), "preferred_username": asked["who"],
        }  # fmt: skip
        claims |= self.people[asked["who"]] | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": "one"}
        if self.signed is not None:
            return self.signed(header, claims)
        return jwt.encode(header, claims, self.key)

    async def _userinfo(self, request: Request) -> Response:
        who = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if who is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(self.userinfo or {"sub": f"id of {who}", **self.people[who]})


async def _form(request: Request) -> dict[str, str]:
    return {n: v[0] for n, v in parse_qs((await request.body()).decode()).items()}


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with ``alg: none``."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({**header, 'alg': 'none'})}.{part(claims)}."


@contextmanager
def login(**people: dict[str, Any]) -> Iterator[Login]:
    """A provider that knows these people."""
    port = free_port()
    made = Login(f"http://127.0.0.1:{port}", people)
    with serving(made.app(), port):
        yield made
