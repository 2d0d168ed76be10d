"""What may happen in a step: what people and vendors do, and those who answer for the engine; and of each how often."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

from syncengine.errors import RateLimited
from syncengine.flows.capture.notices import notice
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.people import links
from syncengine.flows.people.cases import answer
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.undo import undo
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.send.probe import probe
from syncengine.model.case import Case, CaseKind
from syncengine.simulation.company import EMAILS, Company
from syncengine.simulation.traits import Fault
from syncengine.simulation.work import (
    both,
    chosen,
    crash,
    everything,
    poll,
    scan,
    scanned,
    settle,
    work,
)

LISTINGS: tuple[Fault, ...] = ("fail", "partial", "empty", "short")
CALLS: tuple[Fault, ...] = ("down", "lost", "drop", "late", "drop", "late", "refuse", "limit")
CLAIMS: tuple[Fault, ...] = ("ignore", "mute", "later", "ignore", "mute")
NOBODY = "nothing is there to do it with"

Act = Callable[[Company, Random], str]
"""Does something, and says what."""


# people


def enter(company: Company, chance: Random) -> str:
    """Somebody enters a person."""
    name = chance.choice(["hr", "hr", *company.setting.names])
    email = chance.choice(EMAILS)
    if _taken(company, name, email):
        return f"{email} is in {name} already"
    values = {n: company.thought(name, n, chance) for n in company.setting.fields}
    some = {n: v for n, v in values.items() if v is not None and chance.random() < 0.7}
    row = company.add(name, email=email, job="dev", **some)
    return f"{email} is entered in {name} as {row}: {some}"


def _taken(company: Company, name: str, email: str) -> bool:
    rows = company.vendor(name).rows().values()
    return any(str(row.get("email")).lower() == email for row in rows)


def edit(company: Company, chance: Random) -> str:
    """Somebody changes a value."""
    return _edit(company, chance.choice(company.setting.names), chance)


def _edit(company: Company, name: str, chance: Random) -> str:
    row = company.pick(name, chance)
    column = chance.choice([*company.setting.fields, *company.setting.fields, "job"])
    if row is None:
        return NOBODY
    old = company.vendor(name).row(row).get(column)
    value = company.thought(name, column, chance, old)
    company.edit(name, row, column, value)
    return f"{column} of {row} in {name}: {old!r} -> {value!r}"


def leave(company: Company, chance: Random) -> str:
    """Somebody leaves the company in the first vendor, or is back."""
    row = company.pick("hr", chance)
    if row is None:
        return NOBODY
    job = "dev" if company.vendor("hr").row(row).get("job") == "left" else "left"
    company.edit("hr", row, "job", job)
    return f"job of {row} in hr -> {job!r}"


def email(company: Company, chance: Random) -> str:
    """An address is changed."""
    name, new = chance.choice(company.setting.names), chance.choice(EMAILS)
    row = company.pick(name, chance)
    if row is None or _taken(company, name, new):
        return NOBODY
    company.edit(name, row, "email", new)
    return f"email of {row} in {name} -> {new}"


def remove(company: Company, chance: Random) -> str:
    """A row is deleted."""
    name = chance.choice(company.setting.names)
    row = company.pick(name, chance)
    if row is None:
        return NOBODY
    company.remove(name, row)
    return f"{row} is deleted in {name}"


def rehire(company: Company, chance: Random) -> str:
    """A row is deleted, that is noticed, and the person is entered again."""
    row = company.pick("hr", chance)
    if row is None:
        return NOBODY
    address = company.vendor("hr").row(row).get("email")
    company.remove("hr", row)
    everything(company, chance)
    if _taken(company, "hr", str(address).lower()):
        return f"{row} is deleted in hr; all listed and settled"
    again = company.add("hr", email=address, job="dev")
    return f"{row} is deleted in hr; all listed and settled; {address} is entered again as {again}"


def course(company: Company, chance: Random) -> str:
    """Somebody renames a course, drops it, or enters one for a person."""
    name = chance.choice(company.setting.names)
    vendor = company.vendor(name)
    if "courses" not in vendor.spec.resources:
        return NOBODY
    row, person = company.pick(name, chance, "courses"), company.pick(name, chance)
    what = chance.choice(["edit", "edit", "remove", "add"])
    company.serial += 1
    title = f"{company.serial}-course"
    if what == "add" and person is not None:
        if any(r.get("person") == person for r in vendor.rows("courses").values()):
            return NOBODY
        row = company.add(name, "courses", person=person, title=title)
        return f"course {row} of {person} is entered in {name}"
    if row is not None and what == "remove":
        company.remove(name, row, "courses")
        return f"course {row} is deleted in {name}"
    if row is None:
        return NOBODY
    company.edit(name, row, "title", title, "courses")
    return f"title of course {row} in {name} -> {title!r}"


def during(company: Company, chance: Random) -> str:
    """Somebody is quicker than the next write, between our read and it."""
    name, seed = chance.choice(company.setting.names), chance.random()
    company.vendor(name).during = lambda: _edit(company, name, Random(seed))
    return f"somebody will be quicker than the next write to {name}"


def after(company: Company, chance: Random) -> str:
    """Somebody acts between the next write and its answer."""
    name, seed = chance.choice(company.setting.names), chance.random()
    company.vendor(name).after = lambda: _edit(company, name, Random(seed))
    return f"somebody will act before the next write to {name} is answered"


def meanwhile(company: Company, chance: Random) -> str:
    """Somebody changes a value between two transactions of a worker, and perhaps a listing shows it at once."""
    name, at, listed = chance.choice(company.setting.names), chance.randint(1, 5), chance.random()
    flow = chosen(chance, refresh, reconcile, dispatch, probe)
    done: list[str] = []

    def happen() -> None:
        done.append(_edit(company, name, chance))
        if listed < 0.5:
            done.append(f"{name} is listed: {scanned(company.bench.engine, name)}")

    with company.bench.between(at, happen):
        flow(company.bench.engine)
    return f"{flow.__name__}, and before its transaction {at}: {'; '.join(done) or 'nothing'}"


# vendors


def wait(company: Company, chance: Random) -> str:
    """Time goes by."""
    seconds = chance.choice([0.5, 2, 5, 9])
    company.bench.clock.sleep(seconds)
    return f"{seconds} s go by"


def bad_listing(company: Company, chance: Random) -> str:
    """The next listing of a vendor breaks."""
    name, fault = chance.choice(company.setting.names), chance.choice(LISTINGS)
    company.vendor(name).fault("scan", fault)
    return f"the next listing of {name}: {fault}"


def bad_call(company: Company, chance: Random) -> str:
    """The next call of a kind breaks."""
    name = chance.choice(company.setting.names)
    verb = chance.choice(["create", "update", "update", "delete", "delete", "get", "find", "poll"])
    fault: Fault = "fail" if verb in ("get", "find", "poll") else chance.choice(CALLS)
    company.vendor(name).fault(verb, fault)
    return f"the next {verb} in {name}: {fault}"


def bad_claim(company: Company, chance: Random) -> str:
    """The next write of a kind is accepted, and not done, or later, or its answer names no row."""
    name = chance.choice(company.setting.names)
    verb = chance.choice(["create", "update", "update", "update", "delete", "delete"])
    fault: Fault = chance.choice([*CLAIMS, "unnamed"] if verb == "create" else CLAIMS)
    company.vendor(name).fault(verb, fault)
    return f"the next {verb} in {name} is accepted: {fault}"


def hook(company: Company, chance: Random) -> str:
    """A webhook tells that a row moved."""
    name = chance.choice(company.setting.names)
    row = company.pick(name, chance)
    if row is None:
        return NOBODY
    with suppress(RateLimited):
        notice(company.bench.engine, name, "people", row, f"{name}-{company.tick}")
    return f"{name} says that {row} moved"


# who answers for the engine


def reply(company: Company, chance: Random) -> str:
    """A question is answered, long after it was asked perhaps."""
    cases = sorted(company.bench.cases(), key=lambda case: case.id)
    if not cases:
        return NOBODY
    case = chance.choice(cases)
    given = chance.choice(sorted(case.answers))
    company.ruled |= case.kind in (CaseKind.IDENTITY, CaseKind.UNKNOWN)
    company.misled |= given == "not_applied" and _took_effect(company, case)
    try:
        done = answer(company.bench.engine, case.id, given).done
    except NotPossible as error:
        done = str(error)
    return f"{case.question} {given}: {done}"


def _took_effect(company: Company, case: Case) -> bool:
    """Whether the write that a case is about was done, whatever people think of it."""
    made = [o for o in company.bench.operations() if o.id == case.operation_id]
    return any(company.vendor(o.connection).made[o.key] for o in made)


def take_back(company: Company, chance: Random) -> str:
    """A change of the past is undone."""
    records = sorted(company.bench.records(), key=lambda record: record.id)
    lines = company.bench.history(chance.choice(records).id) if records else []
    if not lines:
        return NOBODY
    try:
        change, value = undo(company.bench.engine, chance.choice(lines).id, "ada")
    except NotPossible as error:
        return str(error)
    return f"{change.field} -> {value!r} again"


def relink(company: Company, chance: Random) -> str:
    """A row is split from its record, pointed at another one, or two records are joined."""
    engine, what = company.bench.engine, chance.choice(["split", "own", "point", "join"])
    rows = [link for link in company.bench.links() if link.row is not None]
    records = sorted(record.id for record in company.bench.records())
    if not rows or len(records) < 2:
        return NOBODY
    link, (one, two) = chance.choice(rows), chance.sample(records, 2)
    company.ruled = True
    try:
        if what == "point":
            done = links.point(engine, link.id, one, "ada")
        elif what == "join":
            done = links.join(engine, one, two, "ada")
        else:
            done = links.split(engine, link.id, what == "own", "ada")
    except NotPossible as error:
        done = str(error)
    return f"{what} {link.connection} {link.external_id}: {done}"


def pause(company: Company, chance: Random) -> str:
    """Writes to a connection are stopped, or go on."""
    name = chance.choice(company.setting.names)
    if chance.random() < 0.6:
        company.pause(name)
    else:
        company.resume()
    return f"paused: {', '.join(sorted(company.paused)) or 'none'}"


def mode(company: Company, chance: Random) -> str:
    """A connection is only observed from now on, or all are written to again."""
    names = [chance.choice(company.setting.names)] if chance.random() < 0.5 else []
    company.observe(*names)
    return f"only observed: {', '.join(names) or 'none'}"


ACTS: dict[str, tuple[int, Act]] = {
    "enter": (3, enter), "edit": (10, edit), "leave": (5, leave), "email": (1, email),
    "remove": (2, remove), "rehire": (1, rehire), "course": (2, course), "during": (2, during),
    "after": (2, after), "wait": (3, wait), "bad_listing": (2, bad_listing),
    "bad_call": (8, bad_call), "bad_claim": (4, bad_claim), "scan": (6, scan), "poll": (2, poll), "hook": (2, hook),
    "work": (10, work), "settle": (2, settle), "everything": (1, everything), "crash": (4, crash),
    "both": (4, both), "meanwhile": (4, meanwhile), "reply": (3, reply),
    "take_back": (1, take_back), "relink": (1, relink), "pause": (1, pause), "mode": (1, mode),
}  # fmt: skip
"""Kind of step -> how often it happens, and what it does."""
