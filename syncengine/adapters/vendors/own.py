"""Connector modules of a project: vendors declared in its folder, beside the YAML (docs/adding-a-vendor.md)."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from typing import Final, get_args

from syncengine.adapters.vendors.declare import Resource, Vendor
from syncengine.errors import ConfigInvalid
from syncengine.mapping import paths
from syncengine.mapping.source import near
from syncengine.model.values import TypeName

_TYPES: Final = get_args(TypeName)
_MISTAKES: Final = (Exception, GeneratorExit, SystemExit)
"""Whatever a module may raise while it is loaded."""

_SPEAKING: Final = (AttributeError, ImportError, NameError, SyntaxError, TypeError)
"""Those whose text names code; that of others names values, such as that of a variable which is no number."""


def vendors_of(
    folder: Path, shipped: Mapping[str, Vendor], trusted: bool = False
) -> dict[str, Vendor]:
    """Vendors by name: the shipped ones, and those of the ``*.py`` files in a project's folder, which are run, unless
    others than this account could have written them. ``trusted``: they are run all the same.
    Raises ConfigInvalid with what is wrong with these files."""
    found, faults = dict(shipped), list[str]()
    for path in sorted(folder.glob("*.py")):
        doubt = "" if trusted else _foreign(path)
        if doubt:
            faults.append(
                f"{path.name}:1:1: is not run: {doubt}, or trust it: SYNCENGINE_TRUST_PROJECT=yes"
            )
            continue
        try:
            declared = _declared(path)
        except _MISTAKES as error:
            faults.append(_mistake(path, error))
            continue
        if not declared:
            faults.append(f"{path.name}:1:1: declares no vendor, end it with NAME = vendor(...)")
        for vendor in declared:
            name = vendor.spec.name
            if name in found:
                faults.append(
                    f"{path.name}:1:1: a connector {name!r} is there, choose another name"
                )
            faults += [f"{path.name}:1:1: {text}" for text in misfits(vendor)]
            found[name] = vendor
    if faults:
        raise ConfigInvalid(faults)
    return found


def _declared(path: Path) -> list[Vendor]:
    """The vendors of one file, which is run as a module of its own."""
    if not (path.is_file() or path.is_dir()):
        raise ImportError("is no file")
    name = f"syncengine_project_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("is no Python module")
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return [value for value in vars(module).values() if isinstance(value, Vendor)]


def _foreign(path: Path) -> str:
    """Who beside this account and root could have written a file that is to be run, and what to do; else empty."""
    for place in dict.fromkeys(_way(path.absolute(), set())):
        found = place.lstat()
        if found.st_uid not in (0, os.geteuid()):
            return f"{place} belongs to another account, take it over: chown"
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        open_ = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(found.st_mode)
        if open_ and not sticky:
            return f"others may write {place}, take that away: chmod go-w"
    return ""


def _way(path: Path, seen: set[Path]) -> Iterator[Path]:
    """Every file, folder and link by which a path leads to its file."""
    for place in (path, *path.parents):
        if place not in seen:
            seen.add(place)
            if place.is_symlink():
                yield from _way(place.parent / place.readlink(), seen)
            yield place


def _mistake(path: Path, error: BaseException) -> str:
    lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else next(reversed(lines), 1)
    told = (
        str(error)
        if isinstance(error, _SPEAKING)
        else "its text is not shown, it may quote a secret"
    )
    return f"{path.name}:{line or 1}:1: cannot be loaded: {type(error).__name__}: {told}"


def misfits(vendor: Vendor) -> Iterator[str]:
    """What a declaration names that is not there, each with what to write instead."""
    for name, resource in vendor.resources.items():
        fields = resource.spec.fields
        for field, spec in fields.items():
            if spec.type not in _TYPES:
                yield f"{name}.{field}: no such type {spec.type!r}, {near(spec.type, _TYPES)}"
        for what, named in _named(resource):
            if paths.root(named) not in fields:
                yield f"{name}: {what} names {named!r}, which is no field, {near(named, fields)}"
        parent = resource.spec.parent
        if parent and parent not in vendor.resources:
            yield f"{name}: parent names {parent!r}, which is no resource, {near(parent, vendor.resources)}"


def _named(resource: Resource) -> Iterator[tuple[str, str]]:
    """(word of the declaration, field that it names)."""
    spec = resource.spec
    told: dict[str, Collection[str]] = {
        "id": () if resource.only else resource.id.split(),
        "id_tail": spec.id_tail,
        "chosen_id": [spec.chosen_id] if spec.chosen_id else (),
        "marker": [spec.marker] if spec.marker else (),
        "search": [name for key in spec.keys for name in key],
        "narrow": resource.narrow.values(),
        "changed": [resource.changed] if resource.changed else (),
        "days": resource.days or (),
    }
    for what, names in told.items():
        yield from ((what, name) for name in names)
