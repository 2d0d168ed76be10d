"""Mappings: which field goes where by which rule, and which edition of the files is in use."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.views.processing import processing
from syncengine.mapping.lenses import LensVerdict, lens_report
from syncengine.web.console.ask import Ask


def show_first(ask: Ask) -> Response:
    """The editions, and all kinds of records."""
    return _page(ask, "")


def show_one(ask: Ask) -> Response:
    """The rules of one kind of records."""
    if ask.visit.params["entity"] not in ask.engine.project.entities:
        raise HTTPException(404, "the project has no such records")
    return _page(ask, ask.visit.params["entity"])


def _page(ask: Ask, entity: str) -> Response:
    project = ask.engine.project
    document = processing(project, bool(ask.shared.settings.encryption_keys))
    with ask.engine.ledger.read() as tx:
        processes = tx.processes()
    entities = [e for e in project.entities.values() if ask.within.has(e.name)]
    known = sorted(entities, key=lambda e: not e.people)
    chosen = entity or (known[0].name if known else "")
    return ask.page(
        "mappings.html", entities=[e.name for e in known], entity=chosen,
        fields=[line for line in document["data"] if line["entity"] == chosen],
        systems=project.entities[chosen].systems if chosen else {}, project=project,
        derivations=[d for d in project.derivations if chosen in (d.ensure, *d.sources)],
        processes=processes, edition=ask.engine.edition, lossy=_lossy(ask, chosen),
        off=[c for c in project.connections.values() if c.off and ask.within.has(connection=c.name)],
    )  # fmt: skip


def _lossy(ask: Ask, entity: str) -> list[LensVerdict]:
    """The rules of an entity by which a value does not come back as it was, as `check` finds them on samples."""
    found = lens_report(ask.engine.project, {})
    return [v for v in found if v.verdict == "lossy" and v.entity == entity]
