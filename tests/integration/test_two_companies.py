"""Two accounts at each of two vendors in one project: which row belongs where is said by the connection alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncengine.bootstrap import open_engine
from syncengine.flows.run.sync import sync
from syncengine.sandbox.people import today
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import read_settings

COMPANIES = {"north": 3, "south": 4}
"""Name of a company -> seed of its people."""

CONNECTION = """
  heavenhr_{name}:
    connector: heavenhr
    mode: write
    base_url: ${{{NAME}_HEAVENHR_BASE_URL}}
    credentials: {{client_id: "${{HEAVENHR_CLIENT_ID}}", client_secret: "${{HEAVENHR_CLIENT_SECRET}}"}}
    resources:
      employees: {{poll: 5m, scan: 24h}}
      time_trackings: {{scan: 15m, window: {{back: 35d, ahead: 0d}}}}
  hakuna_{name}:
    connector: hakuna
    mode: write
    base_url: ${{{NAME}_HAKUNA_BASE_URL}}
    credentials: {{token: "${{HAKUNA_TOKEN}}"}}
    resources:
      users: {{scan: 6h}}
      time_entries: {{scan: 15m, window: {{back: 35d, ahead: 1d}}}}
"""
PERSON = """
version: 1
entity: person
fields:
  work_email: {type: email}
  first_name: {type: string}
  number: {type: string}
owner: anyone
identity: [[work_email]]
systems:
"""
EMPLOYEES = """
  heavenhr_{name}:
    resource: employees
    flow: both
    create: in
    fields: {{work_email: professionalEmail, first_name: firstName, number: {{field: employeeNumber, flow: in}}}}
  hakuna_{name}:
    resource: users
    flow: match
    on_missing: keep
    fields: {{work_email: email}}
"""
TIME_ENTRY = """
version: 1
entity: time_entry
owner: anyone
fields:
  person: {type: ref, to: person, required: true}
  date: {type: date, required: true, on_conflict: newest}
  start: {type: time, required: true, on_conflict: newest}
  end: {type: time, required: true, on_conflict: newest}
identity: [[person, date, start]]
systems:
"""
ENTRIES = """
  hakuna_{name}:
    resource: time_entries
    flow: both
    create: in
    on_missing: keep
    fields: {{person: user_id, date: date, start: start_time, end: {{field: end_time, codec: midnight}}}}
  heavenhr_{name}:
    resource: time_trackings
    flow: both
    scope: "date < today && 'hakuna_{name}' in systems"
    create: out
    set: {{create: {{status: REQUESTED}}}}
    fields: {{person: employeeId, date: requestDate, start: startTime, end: endTime}}
"""


@dataclass
class Company:
    """One company's accounts."""

    name: str
    vendors: SandboxProcess

    def hours(self) -> set[tuple[str, str, str, str]]:
        """(address, date, start, end) of past days in hakuna, of people whom HeavenHR surely knows."""
        users = {
            user["id"]: str(user["email"]).lower() for user in self.vendors.state("hakuna", "users")
        }
        known = self.addresses()
        return {
            (users[entry["user"]["id"]], entry["date"], entry["start_time"], entry["end_time"])
            for entry in self.vendors.state("hakuna", "time_entries")
            if entry["date"] < today().isoformat() and users[entry["user"]["id"]] in known.values()
        }

    def requested(self) -> set[tuple[str, str, str, str]]:
        """The same of HeavenHR's requests."""
        known = self.addresses()
        return {
            (known[row["employeeId"]], row["requestDate"], row["startTime"], row["endTime"])
            for row in self.vendors.state("heavenhr", "time_trackings")
        }

    def addresses(self) -> dict[str, str]:
        """Employee -> the work address that nobody shares."""
        rows = {
            row["id"]: str(row.get("professionalEmail") or "").strip().lower()
            for row in self.vendors.state("heavenhr", "employees")
        }
        shared = list(rows.values())
        return {i: mail for i, mail in rows.items() if mail and shared.count(mail) == 1}


@pytest.fixture(scope="module")
def companies() -> Iterator[list[Company]]:
    """Both companies, each on servers of its own."""
    started = [
        Company(name, SandboxProcess(12, seed, hakuna_calls=6000))
        for name, seed in COMPANIES.items()
    ]
    yield started
    for company in started:
        company.vendors.stop()


def _project(folder: Path) -> Path:
    texts = {
        "connections": "version: 1\ntimezone: Europe/Berlin\nconnections:\n"
        + "".join(CONNECTION.format(name=name, NAME=name.upper()) for name in COMPANIES),
        "person": PERSON.strip() + "\n" + "".join(EMPLOYEES.format(name=n) for n in COMPANIES),
        "time_entry": TIME_ENTRY.strip()
        + "\n"
        + "".join(ENTRIES.format(name=n) for n in COMPANIES),
    }
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def _environment(companies: list[Company], folder: Path) -> dict[str, str]:
    variables = {
        "SYNCENGINE_PROJECT": str(_project(folder / "mappings")),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/two.db",
    }
    for company in companies:
        variables |= {n: v for n, v in company.vendors.env.items() if not n.endswith("_BASE_URL")}
        for vendor in ("HEAVENHR", "HAKUNA"):
            address = company.vendors.env[f"{vendor}_BASE_URL"]
            variables[f"{company.name.upper()}_{vendor}_BASE_URL"] = address
    return variables


def _writes(companies: list[Company]) -> int:
    return sum(n["writes"] for c in companies for n in c.vendors.counters().values())


def test_two_accounts_at_each_vendor_converge_apart(
    companies: list[Company], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of each hakuna account become requests in its own company's HeavenHR and in no other; corrections come
    back to where they belong; another pass writes nothing."""
    for name, value in _environment(companies, tmp_path).items():
        monkeypatch.setenv(name, value)
    with open_engine(read_settings()) as engine:

        def passes() -> dict[str, Any]:
            result = sync(engine)
            assert result["converged"], result
            assert not result["faults"]
            return result

        passes()
        for company in companies:
            assert company.hours(), company.name
            assert company.requested() == company.hours(), company.name

        north, south = companies
        row = north.vendors.state("heavenhr", "time_trackings")[0]
        north.vendors.mutate(
            "heavenhr", "time_trackings", "update", row["id"], {"endTime": "19:45"}
        )
        entry = next(
            entry
            for entry in south.vendors.state("hakuna", "time_entries")
            if (entry["date"], entry["start_time"]) in {hours[1:3] for hours in south.hours()}
        )
        south.vendors.mutate("hakuna", "time_entries", "update", entry["id"], {"end_time": "19:15"})
        passes()
        for company, end in ((north, "19:45"), (south, "19:15")):
            assert company.requested() == company.hours(), company.name
            assert end in {hours[3] for hours in company.hours()}
            assert {c["duplicates"] for c in company.vendors.counters().values()} == {0}

        before = _writes(companies)
        passes()
        assert _writes(companies) == before
