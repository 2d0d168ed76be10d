"""How people come in besides by a password of ours, as console.yaml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from syncengine.model.member import Role


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider. ``issuer``: as its tokens name it. ``groups``: the claim with the groups of a person;
    ``roles``: group -> what it gives. ``off``: why it is not used, empty if it is."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    groups: str
    roles: Mapping[str, tuple[Role, ...]]
    off: str = ""

    def roles_of(self, groups: tuple[str, ...]) -> tuple[Role, ...]:
        """The roles of somebody in these groups."""
        given = {role for group in groups for role in self.roles.get(group, ())}
        return tuple(role for role in Role if role in given)


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """A proxy that says in a header who somebody is, believed where the request comes from one of its addresses.
    ``proves``: what it says counts as proof, too, before something grave is done."""

    header: str
    addresses: tuple[IPv4Network | IPv6Network, ...]
    proves: bool = False

    def is_at(self, address: str) -> bool:
        """Whether it is at an address."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.addresses)


@dataclass(frozen=True, slots=True)
class WaysIn:
    """All of them. ``address``: where people reach the console, without a slash at the end."""

    address: str = ""
    provider: Provider | None = None
    proxy: TrustedProxy | None = None
