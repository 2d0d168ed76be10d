"""Connector modules of a project: found beside the YAML, and what is wrong with one is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.adapters.vendors import SHIPPED
from syncengine.adapters.vendors.own import misfits, vendors_of
from syncengine.errors import ConfigInvalid

MODULE = """\
from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.vendors.declare import Resource, reads, vendor, writes
from syncengine.model.resource import ResourceSpec

THINGS = Resource(
    ResourceSpec("things", {**reads("string", "id"), **writes("email", "mail")}, search=("mail",)),
    path="/things",
)
ACME = vendor("acme", (THINGS,), ("key",), "/me", lambda *_: HeaderAuth("X-Key", "{key}", *_))
"""


def loaded(folder: Path, module: str) -> list[str]:
    """What is wrong with a module, as it is said."""
    (folder / "acme.py").write_text(module, "utf-8")
    with pytest.raises(ConfigInvalid) as invalid:
        vendors_of(folder, SHIPPED)
    return list(invalid.value.faults)


def test_a_module_beside_the_yaml_is_a_connector(tmp_path: Path) -> None:
    """Its vendor stands beside the shipped ones, under the name that it declares."""
    (tmp_path / "some.py").write_text(MODULE, "utf-8")
    found = vendors_of(tmp_path, SHIPPED)
    assert found.keys() - SHIPPED.keys() == {"acme"}
    assert list(found["acme"].resources) == ["things"]
    assert vendors_of(tmp_path / "elsewhere", SHIPPED) == SHIPPED


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path=", "pth=", "acme.py:5:1: cannot be loaded: TypeError: "),
        ("import Resource", "import Resorce", "acme.py:2:1: cannot be loaded: ImportError: "),
        ("THINGS =", "THINGS = =", "acme.py:5:1: cannot be loaded: SyntaxError: "),
        ("ACME =", "ACME = lambda:", "acme.py:1:1: declares no vendor, end it with NAME = vendor"),
        ('"acme"', '"hakuna"', "acme.py:1:1: a connector 'hakuna' is there, choose another name"),
        (
            '"email"',
            '"e-mail"',
            "acme.py:1:1: things.mail: no such type 'e-mail', did you mean 'email'?",
        ),
        (
            '=("mail",)',
            '=("male",)',
            "acme.py:1:1: things: search names 'male', which is no field, did you mean 'mail'?",
        ),
        (
            'search=("mail",)',
            'parent="thing"',
            "acme.py:1:1: things: parent names 'thing', which is no resource, did you mean 'things'?",
        ),
    ],
)
def test_what_is_wrong_with_a_module_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A mistake is named with file and line, or with the resource and what to write instead."""
    (fault,) = loaded(tmp_path, MODULE.replace(old, new, 1))
    assert fault.startswith(said)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_vendors_fit(name: str) -> None:
    """No shipped declaration names a field, type or parent that is not there."""
    assert list(misfits(SHIPPED[name])) == []
