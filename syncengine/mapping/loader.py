"""From a folder of YAML files to a compiled project, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from syncengine.errors import ConfigInvalid
from syncengine.mapping.connections import compile_connections, zone
from syncengine.mapping.console import compile_console
from syncengine.mapping.console_file import ConsoleFile
from syncengine.mapping.derivations import compile_derivations
from syncengine.mapping.draft import Draft, EntityDraft, ordered
from syncengine.mapping.entities import compile_entity, digest
from syncengine.mapping.files import FILES
from syncengine.mapping.notify import Notify
from syncengine.mapping.notifying import compile_notify
from syncengine.mapping.project import Approvals, Derivation, Entity, Project, Retention
from syncengine.mapping.schema import (
    ConnectionsFile,
    DeriveFile,
    EntityFile,
    NotifyFile,
    Part,
    check,
)
from syncengine.mapping.source import Document, fill, read
from syncengine.mapping.ways_in import WaysIn
from syncengine.model.resource import Catalog


@dataclass(slots=True)
class _Files:
    """The files of a project by what they are; models are None where nothing useful is left."""

    documents: list[Document] = field(default_factory=list)
    connections: list[tuple[Document, ConnectionsFile]] = field(default_factory=list)
    entities: list[tuple[Document, EntityFile]] = field(default_factory=list)
    derivations: list[tuple[Document, DeriveFile]] = field(default_factory=list)
    notify: list[tuple[Document, NotifyFile]] = field(default_factory=list)
    console: list[tuple[Document, ConsoleFile]] = field(default_factory=list)


_FILLED = ("connections", "notify", "console")
"""Kinds of files with values from the environment."""


def load_project(
    folder: Path,
    catalog: Catalog,
    environment: Mapping[str, str],
    secrets_dir: Path | None = None,
) -> Project:
    """Compile the YAML files of a folder. Raises ConfigInvalid with all faults of all files."""
    files = _read(folder, environment, secrets_dir)
    document, part = files.connections[0] if files.connections else (None, None)
    draft = Draft(
        zone=zone(document, ("timezone",), part.timezone) if document and part else ZoneInfo("UTC"),
        declared=frozenset(name for d in files.documents for name in d.names("connections")),
        entity_names=frozenset(
            str(d.data["entity"])
            for d in files.documents
            if isinstance(d.data, dict) and "entity" in d.data
        ),
    )
    for own, entity in files.entities:
        if entity.entity in draft.entities:
            first = draft.entities[entity.entity].document.file
            own.fault(
                ("entity",), f"{entity.entity!r} is in {first} already, merge them", value=True
            )
        else:
            draft.entities[entity.entity] = EntityDraft(own, entity)
    if document and part:
        compile_connections(draft, document, part, catalog)
    names: dict[str, str] = {}
    derivations = [
        found for d, p in files.derivations for found in compile_derivations(draft, d, p, names)
    ]
    ensured = {rule.ensure for _, p in files.derivations for rule in p.derive}
    entities = {name: compile_entity(draft, name, name in ensured) for name in draft.entities}
    notify = Notify()
    for own, told in files.notify:
        notify = compile_notify(own, told)
    ways_in = WaysIn()
    for own, said in files.console:
        ways_in = compile_console(own, said)
    faults = sorted({fault for d in files.documents for fault in d.faults})
    if faults:
        raise ConfigInvalid([f"{position}: {text}" for position, text in faults])
    return _project(folder, draft, entities, derivations, files.documents, part, notify, ways_in)


def _read(folder: Path, environment: Mapping[str, str], secrets_dir: Path | None) -> _Files:
    if not folder.is_dir():
        text = (
            "no such folder, name your project in SYNCENGINE_PROJECT or make one: syncengine init"
        )
        raise ConfigInvalid([f"{folder}: {text} {folder}"])
    paths = sorted(p for p in folder.glob("*") if p.suffix in {".yaml", ".yml"} and p.is_file())
    files = _Files()
    for path in paths:
        document = read(path, path.name)
        files.documents.append(document)
        if not (document.faults and document.data is None):
            _sort(files, document, environment, secrets_dir)
    if not any("connections" in d.names() for d in files.documents):
        text = f"{folder}:1:1: connections: no file of the project has them, add connections.yaml"
        known = [f"{p}: {t}" for p, t in sorted({f for d in files.documents for f in d.faults})]
        raise ConfigInvalid([text, *known])
    return files


def _sort(
    files: _Files, document: Document, environment: Mapping[str, str], secrets_dir: Path | None
) -> None:
    kinds = [kind for kind in FILES if kind in document.names()]
    if len(kinds) != 1:
        known = ", ".join(FILES)
        what = "several kinds in one file" if kinds else "no known kind of file"
        document.fault((), f"{what}, write exactly one of the keys {known}")
        return
    kind = kinds[0]
    if kind in _FILLED:
        fill(document, environment, secrets_dir)
    part: Part | None = check(document, FILES[kind])
    if isinstance(part, ConnectionsFile):
        if files.connections:
            first = files.connections[0][0].file
            document.fault(("connections",), f"they are in {first} already, merge them")
        files.connections.append((document, part))
    elif isinstance(part, EntityFile):
        files.entities.append((document, part))
    elif isinstance(part, DeriveFile):
        files.derivations.append((document, part))
    elif isinstance(part, NotifyFile):
        if files.notify:
            first = files.notify[0][0].file
            document.fault(("notify",), f"it is in {first} already, merge them")
        files.notify.append((document, part))
    elif isinstance(part, ConsoleFile):
        if files.console:
            first = files.console[0][0].file
            document.fault(("console",), f"it is in {first} already, merge them")
        files.console.append((document, part))


def _project(
    folder: Path,
    draft: Draft,
    entities: Mapping[str, Entity],
    derivations: Sequence[Derivation],
    documents: Sequence[Document],
    part: ConnectionsFile | None,
    notify: Notify,
    ways_in: WaysIn,
) -> Project:
    needs = {
        name: sorted({f.to for f in entity.fields.values() if f.to})
        for name, entity in entities.items()
    }
    order, _ = ordered(sorted(entities), needs)
    return Project(
        folder=folder,
        timezone=str(draft.zone),
        connections=draft.connections,
        entities={name: entities[name] for name in order},
        derivations=tuple(derivations),
        digest=digest(
            [entities[name].digest for name in order],
            [derivation.digest for derivation in derivations],
            [(c.name, c.connector, c.timezone) for c in draft.connections.values()],
        ),
        warnings=tuple(text for d in documents for text in d.warnings),
        retention=Retention(**part.retention.model_dump()) if part else Retention(),
        approvals=Approvals(**part.approvals.model_dump()) if part else Approvals(),
        notify=notify,
        ways_in=ways_in,
    )
