"""What stays after the demo: addresses, and a link that signs somebody in to the console."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from syncengine.demo import story
from syncengine.demo.screen import Screen
from syncengine.flows.people.signing_in import Refused, sign_in_by_link
from tests.support.people import duo

WEB = "http://127.0.0.1:8099"


class Waits:
    """What the demo waits for until Ctrl-C, which comes at once."""

    def wait(self) -> None:
        """Somebody ends it."""
        raise KeyboardInterrupt


def test_what_is_kept_has_a_console_to_which_its_link_signs_in_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As somebody who may answer and pause; the other addresses stand beside."""
    monkeypatch.setattr(story.threading, "Event", Waits)
    engine, told = duo().engine, io.StringIO()
    stage: Any = SimpleNamespace(
        engine=engine, log=Path("/tmp/service.log"), write_exports=lambda: Path("/tmp/exports"),
        service=SimpleNamespace(
            web_url=WEB, flower_url="http://127.0.0.1:5599", flower_login=("demo", "secret")
        ),
        sandbox=SimpleNamespace(env={"SYNCENGINE_SANDBOX_URL": "http://127.0.0.1:9000"}),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        story._stay(cast(Any, stage), Screen(Console(file=told, width=200)))
    shown = told.getvalue()
    assert all(part in shown for part in (WEB, "http://127.0.0.1:5599", "/tmp/exports", "Ctrl-C"))
    found = re.search(rf"{WEB}/link/(\S+)", shown)
    assert found is not None
    signed = sign_in_by_link(engine, found[1])
    assert (signed.member.name, signed.member.roles) == ("guest", ("answerer", "operator"))
    with pytest.raises(Refused):
        sign_in_by_link(engine, found[1])
