"""The starter project, wherever the program was installed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine import edition
from syncengine.cli import project
from syncengine.flows.naming.masking import DOTS
from syncengine.mapping.lenses import LensVerdict, Loss
from syncengine.mapping.rule import NOWHERE
from tests.support.people import FIELDS
from tests.support.places import MAPPINGS
from tests.unit.planning.parts import compiled


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
    monkeypatch.setattr(edition, "__file__", str(package / "edition.py"))
    assert project.copy_starter(tmp_path / "mine") == ["one.yaml"]
    assert (tmp_path / "mine" / "one.yaml").read_text("utf-8") == "version: 1\n"


@pytest.mark.parametrize(("seen", "shown"), [(True, DOTS), (False, "a")])
def test_a_sensitive_value_that_was_seen_is_dotted(seen: bool, shown: str) -> None:
    """A sample is shown as it is; what somebody's row holds is not."""
    fields = FIELDS.replace("name: {type: string}", "name: {type: string, sensitive: true}")
    made = compiled(fields=fields)
    verdict = LensVerdict(
        "person", "lms", "name", "lossy", "", Loss("ours", "a", "b", seen=seen), NOWHERE
    )
    assert project.rule_document(made, verdict)["example"]["given"] == shown
