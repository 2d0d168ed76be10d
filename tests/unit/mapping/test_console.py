"""console.yaml: what it means, and what is no part of the mapping."""

from __future__ import annotations

from pathlib import Path

from syncengine.adapters.vendors import CATALOG
from syncengine.mapping import Project, load_project
from syncengine.model.member import Role

CONNECTIONS = "version: 1\nconnections:\n  hr: {connector: heavenhr}\n"
CONSOLE = """
console:
  address: https://sync.example/
  oidc:
    issuer: https://login.example/main
    client_id: console
    client_secret: ${CONSOLE_OIDC_SECRET}
    roles: {hr: [answerer, viewer], it: [operator]}
  proxy: {header: X-Forwarded-User, addresses: [127.0.0.1, "10.1.0.0/16", "::1"]}
"""


def load(folder: Path, console: str | None = CONSOLE, **variables: str) -> Project:
    """A project with this file."""
    (folder / "connections.yaml").write_text(CONNECTIONS)
    if console is not None:
        (folder / "console.yaml").write_text(console)
    return load_project(folder, CATALOG, variables)


def test_roles_add_up_over_groups(tmp_path: Path) -> None:
    """In the order of roles, each once; other groups give none."""
    provider = load(tmp_path, CONSOLE_OIDC_SECRET="hunter2").ways_in.provider
    assert provider is not None
    assert provider.roles_of(("it", "hr", "sales")) == (Role.VIEWER, Role.ANSWERER, Role.OPERATOR)
    assert provider.roles_of(("sales",)) == ()
    assert "hunter2" not in repr(provider)


def test_a_secret_that_is_not_set_turns_the_way_off(tmp_path: Path) -> None:
    """And is told as a warning, since everything else works."""
    project = load(tmp_path)
    assert project.ways_in.provider is not None
    assert project.ways_in.provider.off == "not set: CONSOLE_OIDC_SECRET"
    assert any("console.oidc: is off, since CONSOLE_OIDC_SECRET" in w for w in project.warnings)


def test_it_is_no_part_of_the_mapping(tmp_path: Path) -> None:
    """With or without it, the same is synced."""
    digests = {load(tmp_path, None).digest, load(tmp_path).digest}
    assert len(digests) == 1


def test_a_proxy_is_at_its_addresses_alone(tmp_path: Path) -> None:
    """Of both kinds, and never at what is no address."""
    proxy = load(tmp_path).ways_in.proxy
    assert proxy is not None
    told = {
        a: proxy.is_at(a)
        for a in ("127.0.0.1", "10.1.2.3", "::1", "127.0.0.2", "10.2.0.1", "", "x")
    }
    assert [a for a, there in told.items() if there] == ["127.0.0.1", "10.1.2.3", "::1"]
