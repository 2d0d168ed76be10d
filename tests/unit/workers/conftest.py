"""The workers' application without a database."""

from __future__ import annotations

import pytest

from syncengine.settings import Settings


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database is asked for the name of the queue."""

    def unnamed(settings: Settings, **_: object) -> Settings:
        return settings

    monkeypatch.setattr("workers.celery.wait_for_queue", unnamed)
