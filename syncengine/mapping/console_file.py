"""The grammar of console.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from syncengine.mapping.schema import Part

Word = Annotated[str, StringConstraints(min_length=1)]
RoleName = Literal["viewer", "answerer", "operator", "privacy_officer", "admin"]


class OidcPart(Part):
    """An OpenID provider at which people sign in."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "single sign-on"
    issuer: Word
    client_id: Word
    client_secret: Word | None = None
    scopes: list[Word] = Field(["openid", "profile"])
    groups: Word = "groups"
    roles: dict[str, list[RoleName]]


class ProxyPart(Part):
    """A proxy that says who somebody is."""

    header: Word
    addresses: Annotated[list[Word], Field(min_length=1)]
    proves: bool = False


class ConsolePart(Part):
    """All of it."""

    address: Word | None = None
    oidc: OidcPart | None = None
    proxy: ProxyPart | None = None


class ConsoleFile(Part):
    """console.yaml"""

    filled = True
    version: Literal[1] = 1
    console: ConsolePart
