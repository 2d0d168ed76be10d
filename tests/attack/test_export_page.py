"""The attacker enters text at a vendor, for the browser of whoever opens an export."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from syncengine.cli.dossier import as_page
from syncengine.flows.views.export import export
from tests.support.people import duo

SCRIPT = "<script>fetch('http://evil.example')</script>"
ATTRIBUTE = '"><img src=x onerror=alert(1)>'
ENTITY = "&lt;script&gt;\x1b[2J</td></table>"


class Seen(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("value", [SCRIPT, ATTRIBUTE, ENTITY])
def test_what_somebody_enters_at_a_vendor_is_text_on_the_page(value: str) -> None:
    """The attacker enters markup as name and job at a vendor, and asks for an export, or has a colleague ask: the page
    shows it as text, knows no script, no picture and no link, and forbids its browser to fetch anything."""
    made = duo()
    hr = made.vendors["hr"]
    mine = hr.add(id=f"id-{value}", email="anna@x.de", name=value, job="dev")
    made.sync()
    hr.edit(mine, job=value)
    made.sync()
    page = as_page(export(made.engine, made.record().id, value))
    seen = Seen()
    seen.feed(page)
    assert not seen.elements & {"script", "img", "a", "link", "iframe", "svg", "form", "object"}
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "name"}
    told = "".join(c if c.isprintable() else " " for c in value)
    assert sum(told in text for text in seen.texts) > 4
    assert "default-src 'none'" in page
    assert "\x1b" not in page
