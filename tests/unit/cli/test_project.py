"""The starter project, wherever the program was installed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.cli import project

MAPPINGS = Path(__file__).parents[3] / "mappings"


def test_a_checkout_starts_with_its_mappings(tmp_path: Path) -> None:
    """In a checkout the starter project is ``mappings``, file by file."""
    names = project.copy_starter(tmp_path / "mine")
    assert names == sorted(path.name for path in MAPPINGS.glob("*.yaml"))
    for name in names:
        assert (tmp_path / "mine" / name).read_bytes() == (MAPPINGS / name).read_bytes()


def test_an_installed_package_starts_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package holds a starter project, that one is written, whatever lies beside it."""
    package = tmp_path / "site" / "syncengine"
    (package / "starter").mkdir(parents=True)
    (package / "starter" / "one.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "site" / "mappings").mkdir()
    monkeypatch.setattr(project, "files", lambda _: package)
    assert project.copy_starter(tmp_path / "mine") == ["one.yaml"]
    assert (tmp_path / "mine" / "one.yaml").read_text("utf-8") == "version: 1\n"
