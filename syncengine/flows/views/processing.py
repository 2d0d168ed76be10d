"""Records of processing: which data of whom come from where and go where, by which rule, and how long they stay, as the
mappings say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from syncengine.mapping import Entity, Project, Rule, System
from syncengine.planning.observation import roots

Document = dict[str, Any]


def processing(project: Project, encrypted: bool) -> Document:
    """The document of ``privacy --json``. ``encrypted``: whether this installation has keys."""
    return {
        "encrypted": encrypted,
        "kept_s": asdict(project.retention),
        "connections": {
            name: {
                "connector": c.connector,
                "host": urlsplit(c.base_url or "").hostname,
                "mode": c.mode,
                "off": c.off,
            }
            for name, c in project.connections.items()
        },
        "data": [
            line for entity in project.entities.values() for line in _fields(project, entity, encrypted)
        ],
        "rows": [
            line for entity in project.entities.values() for line in _rows(entity)
        ],
    }  # fmt: skip


def people_of(project: Project, name: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """Whom an entity is about: as it says, else as those do that it refers to."""
    entity = project.entities.get(name)
    if entity is None or name in seen:
        return []
    if entity.people:
        return [entity.people]
    near = dict.fromkeys(f.to for f in entity.fields.values() if f.to is not None)
    found = [who for other in near for who in people_of(project, other, seen | {name})]
    return list(dict.fromkeys(found))


def _fields(project: Project, entity: Entity, encrypted: bool) -> Iterator[Document]:
    whom = people_of(project, entity.name)
    for name, field in entity.fields.items():
        rules = [(s, s.rules[name]) for s in entity.systems.values() if name in s.rules]
        derived = [
            {"derivation": d.name, "rule": str(d.values[name].position)}
            for d in project.derivations
            if d.ensure == entity.name and name in d.values
        ]
        yield {
            "entity": entity.name,
            "of_whom": whom,
            "field": name,
            "type": field.type,
            "refers_to": field.to,
            "sensitive": field.sensitive,
            "from": [_place(s, r) for s, r in rules if r.reads],
            "to": [
                {**_place(s, r), "mode": project.connections[s.connection].mode}
                for s, r in rules
                if r.writes
            ]
            + [*_ids(project, entity, name)],
            "compared_with": [_place(s, r) for s, r in rules if not (r.reads or r.writes)],
            "computed": None if field.formula is None else str(field.formula.position),
            "derived": derived,
            "identifies": any(name in names for names in entity.identity),
            "stored": field.formula is None,
            "kept_s": {"record": None, "left": project.retention.left,
                       "history": project.retention.history},
            "encrypted": encrypted,
            "rule": str(field.position),
        }  # fmt: skip


def _place(system: System, rule: Rule) -> Document:
    return {
        "connection": system.connection,
        "resource": system.resource.name,
        "paths": list(rule.paths),
        "rule": str(rule.position),
    }


def _ids(project: Project, entity: Entity, name: str) -> Iterator[Document]:
    """Systems whose ids we make of a field."""
    for system in entity.systems.values():
        if system.key is not None and name in {n.partition(".")[0] for n in system.key.names}:
            yield {
                "connection": system.connection,
                "resource": system.resource.name,
                "paths": [system.resource.chosen_id or "_id"],
                "rule": system.cause("key"),
                "mode": project.connections[system.connection].mode,
            }


def _rows(entity: Entity) -> Iterator[Document]:
    """What is kept of a vendor's row beside the fields: by it rows are told to count, or recognised by people."""
    for system in entity.systems.values():
        mapped = {root for rule in system.rules.values() for root in rule.roots}
        beside: Mapping[str, None] = dict.fromkeys(sorted(roots(system) - mapped))
        yield {
            "entity": entity.name,
            "connection": system.connection,
            "resource": system.resource.name,
            "kept_beside": list(beside),
            "rule": str(system.position),
        }
