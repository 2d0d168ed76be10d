"""Vendors that answer badly, over real HTTP: what does not fit is asked about, everything else goes on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.flows.views.status import status
from syncengine.model.case import Case
from syncengine.sandbox.heiaheia import REPORTS, ROOT
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import VENDORS, Quick, opened


def records(engine: Engine) -> Counter[str]:
    """Entity -> how many records there are."""
    with engine.ledger.read() as tx:
        return Counter({name: len(tx.records_of(name)) for name in engine.project.entities})


def cases(engine: Engine) -> list[Case]:
    """Open questions about what does not fit."""
    with engine.ledger.read() as tx:
        return tx.cases(kind="quarantined")


def failing(engine: Engine) -> dict[str, str]:
    """Connections that are held to be failing."""
    shown = status(engine)["connections"].items()
    return {name: c["halted"] or f"{c['failures']} failures" for name, c in shown if c["failures"]}


@dataclass(frozen=True)
class Bad:
    """One row that a vendor shows badly, and what the case ``told`` of it shows. ``kind``: a fault ``at`` a route
    (``{n}``: the id of employee ``n``) that strikes ``count`` times (0: until it is taken away), at ``member``; or
    ``typed``: row ``nth`` of the resource has ``values``. ``lost``: entity -> records that are not there meanwhile."""

    vendor: str
    resource: str
    kind: str
    at: str
    told: str
    lost: Mapping[str, int] = field(default_factory=dict)
    member: str | None = None
    count: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    nth: int = -1

    def __str__(self) -> str:
        return f"{self.vendor}-{self.resource}-{self.kind}"


ONE, TYPE = {"person": 1}, "wrong_type"
NEVER = {"start_date": "2026-99-99", "is_recurring": True}
BAD = [
    Bad("heavenhr", "employees", "missing_id", "/employees", "no usable id", ONE),
    Bad("heavenhr", "employees", "truncate", "/employees/{3}", "no JSON (", ONE),
    Bad("heavenhr", "employees", "huge", "/employees/{4}", "larger than", ONE),
    Bad("heavenhr", "employees", TYPE, "/employees/{8}", "12345", ONE, "firstName"),
    Bad("heavenhr", "employees", "status_500", "/employees/{9}", "HTTP 500", ONE),
    Bad("heavenhr", "locations", TYPE, "/company/locations", "12345", {"location": 1}, "name"),
    Bad("heavenhr", "cost_centers", "missing_id", "/company/cost-centers", "1359", {"cost_center": 1}),
    Bad("heavenhr", "absences", "unknown_enum", "/company/absences", "UNHEARD_OF", {"absence": 1}, "status"),
    Bad("hakuna", "users", TYPE, "/users", "12345", {"time_entry": 3}, "email"),
    Bad("hakuna", "tasks", "missing_id", "/tasks", "no usable id"),
    Bad("hakuna", "absences", "typed", "", "2026-99-99", values=NEVER),
    Bad("haekka", "employees", "missing_id", "/employees", "no usable id"),
    Bad("haekka", "trainings", "typed", "", "12345", {"training": 1}, values={"name": 12345}),
    Bad("haekka", "employee_trainings", "typed", "", "many",
        values={"completion_rate": "many"}, nth=-2),
    Bad("weekly10", "departments", TYPE, "/departments", "12345", member="name"),
    Bad("weekly10", "training_packages", "missing_id", "/training/package", "no usable id"),
    Bad("weekly10", "users", TYPE, "/users", "12345", member="first_name"),
    Bad("weekly10", "training_records", TYPE, "/training/record", "12345", member="date_assigned"),
    Bad("heiaheia", "stats", TYPE, f"{ROOT}/124/stats", "many", {"usage_snapshot": 1}),
    Bad("heiaheia", "reports", "truncate", f"{REPORTS}/*/full_data", "no JSON (", {"survey_report": 1}, count=4),
]  # fmt: skip


@contextmanager
def struck(sandbox: SandboxProcess, bads: Iterable[Bad]) -> Iterator[None]:
    """Inside the block vendors show these rows badly, afterwards they answer well again."""
    employees = [row["id"] for row in sandbox.state("heavenhr", "employees")]
    before = []
    for bad in bads:
        if bad.kind == "typed":
            row = sandbox.state(bad.vendor, bad.resource)[bad.nth]
            sandbox.mutate(bad.vendor, bad.resource, "update", row["id"], dict(bad.values))
            before.append((bad, row["id"], {name: row[name] for name in bad.values}))
            continue
        at = re.sub(r"\{(\d+)\}", lambda found: employees[int(found[1])], bad.at)
        often = {"count": bad.count} if bad.count else {}
        sandbox.fault(bad.vendor, bad.kind, method="GET", route=at, field=bad.member, **often)
    yield
    sandbox.clear_faults()
    for bad, row_id, values in before:
        sandbox.mutate(bad.vendor, bad.resource, "update", row_id, values)


def known(sandbox: SandboxProcess, engine: Engine, vendor: str) -> None:
    """What the rows of a vendor refer to is there before the vendor is asked."""
    if vendor == "heavenhr":  # whose first employee is shown badly
        first = sandbox.state("heavenhr", "absences")[0]["key"]
        sandbox.mutate("heavenhr", "absences", "delete", first)
    before = {"heavenhr": (), "heiaheia": (), "weekly10": ("heavenhr", "weekly10")}
    for name in before.get(vendor, ("heavenhr",)):
        assert not sync(engine, connection=name)["faults"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_one_row_that_does_not_fit_keeps_no_other_from_being_synced(
    sandbox: SandboxProcess, engine: Engine, vendor: str
) -> None:
    """Each is one case with what the vendor showed; everything else is there, nothing is deleted, the connection
    stands; once the vendor answers well the cases end by themselves and the rows are synced."""
    known(sandbox, engine, vendor)
    bads = [bad for bad in BAD if bad.vendor == vendor]
    with struck(sandbox, bads):
        document = sync(engine, connection=vendor)
    assert (document["converged"], document["faults"]) == (True, [])
    assert not failing(engine)
    meanwhile = records(engine)
    told = [f"{case.question} {case.evidence}" for case in cases(engine)]
    assert [bad for bad in bads if not any(shows(bad, text) for text in told)] == []
    assert len(told) == len(bads)
    assert sync(engine, connection=vendor)["converged"]
    assert not cases(engine)
    lost: Counter[str] = Counter()
    for bad in bads:
        lost.update(bad.lost)
    assert records(engine) - meanwhile == lost


def shows(bad: Bad, text: str) -> bool:
    return f"{bad.vendor} {bad.resource}" in text and bad.told in text


@pytest.mark.long
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_each_kind_of_bad_row_is_one_case_by_itself(
    sandbox: SandboxProcess, engine: Engine, bad: Bad
) -> None:
    """Alone too, each is exactly one case, and leaves nothing behind once the vendor answers well."""
    known(sandbox, engine, bad.vendor)
    with struck(sandbox, [bad]):
        assert sync(engine, connection=bad.vendor)["converged"]
    (case,) = cases(engine)
    assert shows(bad, f"{case.question} {case.evidence}")
    meanwhile = records(engine)
    assert sync(engine, connection=bad.vendor)["converged"]
    assert not cases(engine)
    assert not meanwhile - records(engine)


LISTS = {
    "heavenhr": ("/company/locations", "locations"), "hakuna": ("/users", "users"),
    "haekka": ("/trainings", "trainings"), "heiaheia": (ROOT, "organisations"),
    "weekly10": ("/training/package", "training_packages"),
}  # fmt: skip
"""A listing of each vendor: its route, its resource."""
KINDS = [
    "html",
    *(pytest.param(k, marks=pytest.mark.long) for k in ("truncate", "huge", "status_500")),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_listing_that_is_none_concludes_nothing(
    sandbox: SandboxProcess, engine: Engine, vendor: str, kind: str
) -> None:
    """The pass says which listing failed, no record goes and nobody is asked whether one has; the next pass is well."""
    route, resource = LISTS[vendor]
    known(sandbox, engine, vendor)
    sync(engine, connection=vendor)
    before = records(engine)
    sandbox.fault(vendor, kind, method="GET", route=route)
    faults = sync(engine, connection=vendor)["faults"]
    assert any(fault.startswith(f"{vendor} {resource}: the listing broke off") for fault in faults)
    assert records(engine) == before
    with engine.ledger.read() as tx:
        assert not {"missing", "quarantined"} & tx.count_cases().keys()
    sandbox.clear_faults()
    assert isinstance(engine.clock, Quick)
    engine.clock.ahead += 60
    assert not sync(engine, connection=vendor)["faults"]
    assert records(engine) == before


def test_a_wrong_type_is_written_nowhere(sandbox: SandboxProcess, engine: Engine) -> None:
    """A number for a name renames nobody at another vendor, while the other employees' changes arrive."""
    for name in ("heavenhr", "weekly10"):
        sync(engine, connection=name)
    one, two = (sandbox.state("heavenhr", "employees")[n] for n in (0, 1))
    at = f"/employees/{one['id']}"
    sandbox.fault("heavenhr", "wrong_type", method="GET", route=at, field="firstName")
    sandbox.mutate("heavenhr", "employees", "update", one["id"], {"jobTitle": "Pilot"})
    sandbox.mutate("heavenhr", "employees", "update", two["id"], {"firstName": "Thea"})
    sync(engine, connection="heavenhr")
    names = [user["first_name"] for user in sandbox.state("weekly10", "users")]
    assert one["firstName"] in names
    assert "Thea" in names
    assert "12345" not in names
    assert len(cases(engine)) == 1


WRONG = {
    "heavenhr": "HEAVENHR_CLIENT_SECRET", "hakuna": "HAKUNA_TOKEN", "haekka": "HAEKKA_API_KEY",
    "heiaheia": "HEIAHEIA_MAGIC_TOKEN", "weekly10": "WEEKLY10_PASSWORD",
}  # fmt: skip


def calls(sandbox: SandboxProcess, vendor: str) -> int:
    counted = sandbox.counters()[vendor]
    return int(counted["reads"] + counted["writes"])


@pytest.mark.parametrize("vendor", VENDORS)
def test_wrong_credentials_stop_their_connection_alone(
    sandbox: SandboxProcess, tmp_path: Path, vendor: str
) -> None:
    """Status says so, a handful of calls is all that the vendor sees, and another connection works."""
    sandbox.reset()
    with opened(sandbox, tmp_path, Quick(), **{WRONG[vendor]: "wrong"}) as engine:
        assert sync(engine, connection=vendor)["faults"]
        assert "credentials" in failing(engine)[vendor]
        asked = calls(sandbox, vendor)
        assert asked <= 2
        sync(engine, connection=vendor)
        assert calls(sandbox, vendor) == asked
        other = "haekka" if vendor != "haekka" else "hakuna"
        assert not sync(engine, connection=other)["faults"]
        assert failing(engine).keys() == {vendor}


@pytest.mark.parametrize("vendor", ["heavenhr", "heiaheia", "weekly10"])
def test_tokens_that_are_refused_as_soon_as_they_are_given_are_not_fetched_for_ever(
    sandbox: SandboxProcess, engine: Engine, vendor: str
) -> None:
    """One fresh token is tried, then the connection halts."""
    sandbox.fault(vendor, "expire_tokens")
    assert sync(engine, connection=vendor)["faults"]
    assert "credentials" in failing(engine)[vendor]
    asked = calls(sandbox, vendor)
    assert asked <= 4
    sync(engine, connection=vendor)
    assert calls(sandbox, vendor) == asked
