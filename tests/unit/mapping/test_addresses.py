"""Addresses and headers in the project's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.errors import ConfigInvalid
from syncengine.mapping.addresses import fault_of_header, fault_of_url
from syncengine.mapping.loader import load_project
from tests.support.places import MAPPINGS
from tests.unit.mapping.test_console import CATALOG


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("https://host/path", ""), ("http://127.0.0.1:8080", ""), ("https://h\n.example", "a line break"),
        ("https://host/a b", "a space"), ("https://\u200bhost", "a zero-width space"), ("host", "no address"),
        ("ftp://host", "no address"), ("https://", "no address"), ("https://host:0", "no address"),
        ("https://host:x", "no address"), ("http://host", "no address with TLS"), ("https://kim:x@host", "a password"),
        ("https://kim@host", "a user"), ("https://host?a=b", "behind ?"), ("https://host#a", "behind ?"),
    ],
)  # fmt: skip
def test_an_address_that_others_begin_with_is_nothing_but_an_address(text: str, what: str) -> None:
    """With TLS, or on this machine; what is wrong is said without repeating it."""
    told = fault_of_url(text, tls=True)
    assert what in told if what else told == ""


def test_a_hook_may_have_a_query_and_a_password() -> None:
    """Some have; it is asked for as it stands."""
    assert fault_of_url("http://kim:x@host/hook?key=1", begins=False) == ""
    assert "a line break" in fault_of_url("https://host/hook\n", begins=False)


@pytest.mark.parametrize(
    "name", ["Authorization", "cookie", "X-Forwarded-For", "Sec-Fetch-Site", "a b", "X_User", "", "X-\n"]
)  # fmt: skip
def test_who_somebody_is_stands_in_no_header_that_others_fill(name: str) -> None:
    """Browsers and other proxies send those, too."""
    assert "write for example X-Forwarded-User" in fault_of_header(name)
    assert fault_of_header("X-Forwarded-User") == fault_of_header("Remote-User") == ""


CONSOLE = """console:
  address: https://kim:secret@sync.firma.example
  proxy: {header: Authorization, addresses: [127.0.0.1]}
"""
NOTIFY = """notify:
  console: "https://kim:secret@sync.firma.example"
  mail: {server: "smtp\\n.firma.example", from: a@firma.example}
  channels:
    chat: {kind: slack, url: "https://hooks.example/a\\nb"}
  heartbeat: "https://ping.example/\\n"
  rules:
    - {when: [worker], to: chat}
"""


def test_each_place_is_told_and_none_of_what_stands_there(tmp_path: Path) -> None:
    """In all files alike."""
    for file in MAPPINGS.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (tmp_path / "console.yaml").write_text(CONSOLE, "utf-8")
    (tmp_path / "notify.yaml").write_text(NOTIFY, "utf-8")
    with pytest.raises(ConfigInvalid) as raised:
        load_project(
            tmp_path, CATALOG, {"WEEKLY10_BASE_URL": "https://kim:secret@weekly10.example"}
        )
    told = "\n".join(raised.value.faults)
    for place in ("console.address", "console.proxy.header", "notify.console", "notify.mail.server",
                  "notify.channels.chat.url", "notify.heartbeat", "connections.weekly10.base_url"):  # fmt: skip
        assert place in told, told
    assert "secret" not in told
