"""From console.yaml to what it means, or to its faults."""

from __future__ import annotations

from ipaddress import ip_network

from syncengine.mapping.addresses import fault_of_header, fault_of_url
from syncengine.mapping.console_file import ConsoleFile, OidcPart, ProxyPart
from syncengine.mapping.source import Document
from syncengine.mapping.ways_in import Provider, TrustedProxy, WaysIn
from syncengine.model.member import Role
from syncengine.model.spelling import odd


def compile_console(document: Document, file: ConsoleFile) -> WaysIn:
    """What the file says; each fault is reported."""
    part = file.console
    if part.address is not None and (what := fault_of_url(part.address, tls=True)):
        document.fault(("console", "address"), what, value=True)
    return WaysIn(
        address=(part.address or "").rstrip("/"),
        provider=_provider(document, part.oidc, bool(part.address)) if part.oidc else None,
        proxy=_proxy(document, part.proxy) if part.proxy else None,
    )


def _provider(document: Document, part: OidcPart, reached: bool) -> Provider:
    loc = ("console", "oidc")
    if what := fault_of_url(part.issuer, tls=True):
        document.fault((*loc, "issuer"), what, value=True)
    words = {
        "name": [part.name],
        "client_id": [part.client_id],
        "groups": [part.groups],
        "scopes": part.scopes,
    }
    for key, texts in words.items():
        for text in texts:
            if what := odd(text, spaces=key != "scopes"):
                document.fault((*loc, key), f"has {what}, remove it", value=True)
    if "openid" not in part.scopes:
        document.fault((*loc, "scopes"), "lack openid, add it", value=True)
    if not part.roles:
        document.fault((*loc, "roles"), "nobody would get in, write GROUP: [ROLE] lines below it")
    if not reached:
        document.fault(
            loc, "the provider has to know where people come back to, add console.address"
        )
    unset = [n for at, names in document.unset.items() if at[:2] == loc for n in names]
    if part.client_secret is None and not unset:
        document.fault(
            loc, "'client_secret' is missing, add client_secret: \"${CONSOLE_OIDC_SECRET}\""
        )
    if unset:
        document.warn(loc, f"is off, since {', '.join(dict.fromkeys(unset))} is not set")
    return Provider(
        name=part.name,
        issuer=part.issuer,
        client_id=part.client_id,
        client_secret=part.client_secret or "",
        scopes=tuple(dict.fromkeys(part.scopes)),
        groups=part.groups,
        roles={group: tuple(map(Role, roles)) for group, roles in part.roles.items()},
        off=f"not set: {', '.join(dict.fromkeys(unset))}" if unset else "",
    )


def _proxy(document: Document, part: ProxyPart) -> TrustedProxy:
    loc = ("console", "proxy")
    if what := fault_of_header(part.header):
        document.fault((*loc, "header"), what, value=True)
    found = []
    for number, text in enumerate(part.addresses):
        try:
            network = ip_network(text)
        except ValueError:
            at = (*loc, "addresses", number) if len(part.addresses) > 1 else (*loc, "addresses")
            document.fault(
                at, "is no address, write for example 10.0.0.5 or 10.0.0.0/28", value=True
            )
            continue
        if network.prefixlen < (8 if network.version == 4 else 32):
            document.fault(
                (*loc, "addresses"), "is nearly everybody, name the proxy alone", value=True
            )
        found.append(network)
    return TrustedProxy(part.header, tuple(found), part.proves)
