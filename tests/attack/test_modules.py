"""The attacker has another account on the host, or a hand in the project's folder: what is run from there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncengine.adapters.vendors import SHIPPED
from syncengine.adapters.vendors.own import vendors_of
from syncengine.errors import ConfigInvalid
from tests.unit.adapters.vendors.test_own import MODULE

NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one module, which would tell by a file that it was run."""
    (tmp_path / "project").mkdir(mode=0o700)
    ran = tmp_path / "ran"
    text = f"from pathlib import Path\nPath({str(ran)!r}).touch()\n{MODULE}"
    (tmp_path / "project" / "acme.py").write_text(text, "utf-8")
    (tmp_path / "project" / "acme.py").chmod(0o600)
    return tmp_path / "project"


def refused(folder: Path) -> str:
    """Why the module is not run; it is not."""
    with pytest.raises(ConfigInvalid) as invalid:
        vendors_of(folder, SHIPPED)
    assert not (folder.parent / "ran").exists()
    assert len(invalid.value.faults) == 1
    return invalid.value.faults[0]


def test_a_module_of_one_s_own_is_run(folder: Path) -> None:
    """What only this account can write is a connector."""
    assert "acme" in vendors_of(folder, SHIPPED)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_module_that_others_may_write_is_not_run(folder: Path, mode: int) -> None:
    """The attacker shares a group, or any account: the file is writable for him."""
    (folder / "acme.py").chmod(mode)
    assert refused(folder) == (
        f"acme.py:1:1: is not run: others may write {folder / 'acme.py'}, take that away: chmod "
        "go-w, or trust it: SYNCENGINE_TRUST_PROJECT=yes"
    )


@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("above", [False, True])
def test_a_module_in_a_folder_that_others_may_write_is_not_run(
    folder: Path, mode: int, above: bool
) -> None:
    """The attacker can put another file, or another folder, in its place."""
    place = folder.parent if above else folder
    place.chmod(mode)
    assert f"others may write {place}, take that away" in refused(folder)


@ROOT_ONLY
@pytest.mark.parametrize("what", ["acme.py", "."])
def test_a_module_of_another_account_is_not_run(folder: Path, what: str) -> None:
    """The attacker owns the file, or its folder."""
    os.chown(folder / what, NOBODY, NOBODY)
    assert "belongs to another account, take it over: chown" in refused(folder)


@pytest.mark.parametrize("hops", [1, 2])
def test_a_link_in_a_folder_that_others_may_write_is_not_run(folder: Path, hops: int) -> None:
    """The attacker chooses by a link which file of ours is run, and can turn it to his own in the last moment."""
    (folder / "acme.py").rename(folder.parent / "ours")
    target = folder.parent / "ours"
    if hops == 2:
        (folder.parent / "open").mkdir()
        (folder.parent / "open" / "link").symlink_to(target)
        target = folder.parent / "open" / "link"
    (folder / "acme.py").symlink_to(target)
    place = folder if hops == 1 else target.parent
    place.chmod(0o777)
    assert f"others may write {place}, take that away" in refused(folder)


def test_a_pipe_keeps_nobody_waiting(folder: Path) -> None:
    """What stands there under the name of a module and is no file is a fault."""
    (folder / "acme.py").unlink()
    os.mkfifo(folder / "acme.py", 0o600)
    assert refused(folder) == "acme.py:1:1: cannot be loaded: ImportError: is no file"


def test_a_link_to_what_others_may_write_is_not_run(folder: Path) -> None:
    """The attacker owns what a link points to."""
    elsewhere = folder.parent / "elsewhere.py"
    (folder / "acme.py").rename(elsewhere)
    (folder / "acme.py").symlink_to(elsewhere)
    elsewhere.chmod(0o666)
    assert f"others may write {elsewhere}" in refused(folder)


def test_a_flag_trusts_all_of_it(folder: Path) -> None:
    """Who mounts the folder read-only says so."""
    (folder / "acme.py").chmod(0o666)
    assert "acme" in vendors_of(folder, SHIPPED, trusted=True)


def test_whatever_a_module_raises_is_a_fault_without_its_text(folder: Path) -> None:
    """Its own exceptions are told by their class, too."""
    text = "class Odd(Exception): ...\nraise Odd('Anna Meier')\n"
    (folder / "acme.py").write_text(text, "utf-8")
    told = refused(folder)
    assert told.startswith("acme.py:2:1: cannot be loaded: Odd: ")
    assert "Anna" not in told


@pytest.mark.parametrize("end", ["raise SystemExit(0)", "import sys\nsys.exit()", "quit()"])
def test_a_module_that_ends_the_program_is_a_fault(folder: Path, end: str) -> None:
    """The attacker lets every command end with success, having done nothing."""
    (folder / "acme.py").write_text(f"import sys\n{end}\n", "utf-8")
    with pytest.raises(ConfigInvalid, match=r"acme.py:\d:1: cannot be loaded: SystemExit"):
        vendors_of(folder, SHIPPED)
