"""People in ``hr`` and ``lms``, the teams that they lead and belong to, and notes about them."""

from __future__ import annotations

from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import COLUMNS, HR, LMS, bench, entity, together, vendor

TEAM = """
version: 1
entity: team
fields:
  name: {type: string}
  lead: {type: ref, to: person, required: REQUIRED}
  members: {type: list, of: ref, to: person}
identity: [[name]]
systems:
  hr: {resource: teams, flow: both, create: in, fields: {name: name, lead: lead, members: members}}
"""
NOTE = """
version: 1
entity: note
fields:
  text: {type: string}
  about: {type: ref, to: person, required: true}
identity: [[about, text]]
systems:
  hr: {resource: notes, flow: both, create: both, fields: {text: text, about: about}}
"""


def teams(*rules: str, required: str = "false") -> Bench:
    """People in ``hr``, who lead teams there and are members of them, and notes about them."""
    clock = ManualClock()
    hr = vendor("hr", clock, columns=(*COLUMNS, "team"))
    lms = vendor("lms", clock, search=("email",))
    more = [
        spec("hr", "id", "name", "lead", "members", resource="teams", types={"members": "list"}),
        spec("hr", "id", "text", "about", resource="notes", search=("text",)),
    ]
    hr = FakeVendor(together(hr.spec, *more), clock)
    files = (entity(hr=HR, lms=LMS), TEAM.replace("REQUIRED", required), NOTE, *rules)
    return bench(hr, lms, files=files)


def crew(made: Bench) -> tuple[str, str]:
    """Anna leads a team and is a member of it, as Bea is; a note is about each. Their ids in ``hr``."""
    hr = made.vendors["hr"]
    ids = [hr.add(id=f"no-{n}", email=f"{n}@x.de", name=n, job="cook") for n in ("anna", "bea")]
    hr.add("teams", name="crew", lead=ids[0], members=ids)
    for one in ids:
        hr.add("notes", text=f"about {one}", about=one)
    made.sync()
    return ids[0], ids[1]
