"""People in ``hr`` with an account in ``lms``, and a course there for each developer, which a rule makes."""

from __future__ import annotations

from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import COLUMNS, HR_DELETES, LMS, bench, entity, together, vendor

RECORD = """
version: 1
entity: course
fields:
  person: {type: ref, to: person}
  name: {type: string}
identity: [[person]]
systems:
  lms: {resource: courses, flow: both, create: both, on_missing: keep, fields: {person: person, name: name}}
"""
RULES = """
version: 1
derive:
  - name: basics
    for: {person: "person.job == 'dev'"}
    ensure: course
    with: {person: person, name: "'basics'"}
    on_leave: ON_LEAVE
"""


def school(on_leave: str = "keep", on_missing: str = "flag", record: str = RECORD) -> Bench:
    """People, and a course for each developer."""
    clock = ManualClock()
    hr = vendor("hr", clock, search=("email",))
    courses = spec("lms", "id", "person", "name", resource="courses", search=("person",))
    lms = FakeVendor(together(spec("lms", *COLUMNS, search=("email",)), courses), clock)
    people = LMS.replace("create: out", f"create: out, on_missing: {on_missing}")
    files = (entity(hr=HR_DELETES, lms=people), record, RULES.replace("ON_LEAVE", on_leave))
    return bench(hr, lms, files=files)
