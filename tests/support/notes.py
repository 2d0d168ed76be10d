"""People in ``hr``, and notes that are listed below each of them."""

from __future__ import annotations

from syncengine.flows.core.limits import Limits
from syncengine.simulation.bench import LIMITS
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import COLUMNS, HR, bench, crowd, entity, together

NOTES = """
version: 1
entity: note
fields: {owner: {type: ref, to: person}, text: {type: string}}
systems:
  hr: {resource: notes, flow: in, create: in, on_missing: delete, fields: {owner: _parent, text: text}}
"""


def noted(people: int, limits: Limits = LIMITS, **systems: str) -> Bench:
    """So many people with a note each; nothing is read yet. ``systems``: of people, beside ``hr``."""
    clock = ManualClock()
    notes = spec("hr", "id", "text", resource="notes", parent="people")
    hr = FakeVendor(together(spec("hr", *COLUMNS), notes), clock)
    others = [FakeVendor(spec(name, *COLUMNS, search=("email",)), clock) for name in systems]
    made = bench(hr, *others, files=(entity(hr=HR, **systems), NOTES), limits=limits)
    for name in crowd(made, people):
        hr.add("notes", _parent=name, text=f"of {name}")
    return made
