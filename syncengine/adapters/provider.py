"""Signing in at an OpenID provider: the authorization code flow with PKCE, and what its token says of a person."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError
from starlette.requests import Request

from syncengine.errors import SyncengineError
from syncengine.mapping.ways_in import Provider

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
"""With which a token may be signed: by a key that nobody but the provider has."""
PATIENCE: Final = 8.0
"""Seconds for an answer of the provider."""
LEEWAY: Final = 60
"""Seconds by which its clock may differ from ours."""
_BROKEN = (
    AuthlibBaseError, JoseError, httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError,
    RuntimeError,
)  # fmt: skip
"""What a provider that answers otherwise than it should may raise."""


class NotSignedIn(SyncengineError):
    """The provider, or who stands in its place, let nobody in. The text names no person."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider knows. ``subject``: issuer and subject, by which a person is known for good; ``name``: what
    they are called there. ``groups``: in which they are. ``auth_time``: when they said there who they are (epoch
    seconds), 0 where it does not tell."""

    subject: str
    name: str = field(repr=False)
    groups: tuple[str, ...]
    auth_time: float


class SignOn:
    """The client of one provider, and what it has read of it."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._app: Any = _oauth().register(
            "provider",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=provider.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(provider.scopes),
                "code_challenge_method": "S256",
                "timeout": PATIENCE,
            },
        )

    async def begin(self, session: dict[str, Any], back: str, again: bool) -> str:
        """The address to which the browser is sent, and which comes ``back``. ``session`` gets what has to come back
        with it. ``again``: the provider is to ask anew who they are. Raises NotSignedIn."""
        asked = {"prompt": "login", "max_age": "0"} if again else {}
        try:
            await self._known()
            made = await self._app.create_authorization_url(back, **asked)
            await self._app.framework.set_state_data(
                session, made.pop("state"), {"redirect_uri": back, **made}
            )
        except _BROKEN as error:
            raise _refused(error) from None
        return str(made["url"])

    async def person(self, request: Request) -> Person:
        """Who came back, by ``request.session``. Raises NotSignedIn."""
        wanted = {
            "iss": {"essential": True, "value": self.provider.issuer},
            "aud": {"essential": True, "value": self.provider.client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }
        try:
            _must_be_young(request.session)
            await self._known()
            token = await self._app.authorize_access_token(
                request, claims_options=wanted, leeway=LEEWAY
            )
            claims = dict(token["userinfo"])
            if self.provider.groups not in claims:
                claims = await self._more(token, claims)
            return self._read(claims)
        except _BROKEN as error:
            raise _refused(error) from None

    async def _known(self) -> None:
        """Read what the provider says of itself, once. Raises ValueError where it is another one, or one that signs by
        nothing that we believe."""
        told = await self._app.load_server_metadata()
        if told.get("issuer") != self.provider.issuer:
            self._app.server_metadata.pop("_loaded_at", None)
            raise ValueError("another issuer")
        named = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        told["id_token_signing_alg_values_supported"] = [a for a in named if a in ALGORITHMS]
        if not told["id_token_signing_alg_values_supported"]:
            raise ValueError("no algorithm")
        for key in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe(str(told.get(key, ""))):
                raise ValueError(f"{key} without TLS")

    async def _more(self, token: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        """The claims with those that stand at the provider alone, which have to be of the same person."""
        if not self._app.server_metadata.get("userinfo_endpoint"):
            return claims
        more = dict(await self._app.userinfo(token=token))
        if more.get("sub") != claims["sub"]:
            raise ValueError("userinfo of somebody else")
        return {**more, **claims}

    def _read(self, claims: dict[str, Any]) -> Person:
        given = claims.get(self.provider.groups, [])
        groups = [given] if isinstance(given, str) else given
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject or not isinstance(groups, list):
            raise TypeError("claims")
        name = claims.get("preferred_username") or claims.get("name") or ""
        return Person(
            f"{self.provider.issuer} {subject}",
            str(name),
            tuple(group for group in groups if isinstance(group, str)),
            float(claims.get("auth_time") or 0),
        )


def _oauth() -> Any:
    """The library's client. It is imported where it is used, since few use it, and it tells everybody to update a
    library of its own."""
    with warnings.catch_warnings():
        import authlib.deprecate  # noqa: F401 - it has these warnings shown, whatever was said before

        warnings.simplefilter("ignore")
        from authlib.integrations.starlette_client import OAuth

        return OAuth()


def is_safe(address: str) -> bool:
    """Whether nobody on the way can read or change what is asked there: TLS, or this machine."""
    try:
        parts = urlsplit(address)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _must_be_young(session: dict[str, Any]) -> None:
    """Raises ValueError where the browser was sent away too long ago, or not by us."""
    now = time.time()
    kept = [v for v in session.values() if isinstance(v, dict) and v.get("exp", 0) > now]
    if len(kept) != len(session) or not kept:
        raise ValueError("state")


def _refused(error: Exception) -> NotSignedIn:
    """What broke, by its kind alone: its text may be a stranger's."""
    code = getattr(error, "error", None)
    kind = code if isinstance(code, str) and code.isidentifier() else type(error).__name__
    if type(error) is ValueError:
        kind = f"{error}" if f"{error}" in _OWN else "ValueError"
    return NotSignedIn(f"the provider let nobody in: {kind}")


_OWN = {"another issuer", "no algorithm", "state", "userinfo of somebody else"}
