"""Who the story is about, and the looks at the vendors' rows and at the ledger that its steps share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from syncengine.demo.screen import Screen
from syncengine.demo.stage import NotSo, Stage
from syncengine.model.change import Change
from syncengine.model.condition import InScope
from syncengine.model.link import Link, LinkState
from syncengine.sandbox.process import Row

DOMAIN = "alpenblick.example"
MANDATORY = ("GDPR basics 2026", "SOC 2 basics")
"""As ``rules.yaml`` says."""
Account = tuple[str, str, str]
"""HeavenHR's id of an employee, a connection, and the id of his account there."""


@dataclass(slots=True)
class Story:
    """The stage, the screen, and who the story is about: HeavenHR's row of the newcomer and of a colleague."""

    stage: Stage
    screen: Screen
    newcomer: Row = field(default_factory=dict)
    colleague: Row = field(default_factory=dict)

    def hire(self, name: str, number: int) -> Row:
        """HR enters somebody who starts today."""
        first, _, last = name.partition(" ")
        address = f"{first}.{last}".lower()
        return self.stage.sandbox.mutate(
            "heavenhr", "employees", "create",
            values={
                "firstName": first, "lastName": last, "email": f"{address}@post.example",
                "professionalEmail": f"{address}@{DOMAIN}", "employeeNumber": str(number),
                "jobTitle": "Engineer", "jobStatus": "HIRED", "startDate": self.stage.engine.today,
                "locationId": self.stage.sandbox.state("heavenhr", "locations")[0]["id"],
            },
        )  # fmt: skip

    def account(self, vendor: str, resource: str, employee: Row) -> list[Row]:
        """A vendor's rows with an employee's address, however it is spelled."""
        wanted = str(employee["professionalEmail"]).casefold()
        rows = self.stage.sandbox.state(vendor, resource)
        return [row for row in rows if str(row.get("email")).casefold() == wanted]

    def training_records(self, user: Row) -> list[Row]:
        """weekly10's records of a user."""
        return self.stage.rows("weekly10", "training_records", person_api_id=user["api_id"])

    def written(self, vendor: str, key: object) -> str:
        """The write that a vendor has applied to a row last: ``POST /users``."""
        done = [""] + [
            f"{entry['method']} {entry['route']}"
            for entry in self.stage.sandbox.requests()
            if entry["vendor"] == vendor and entry["applied"] and entry["ids"].get("id") == str(key)
        ]
        return done[-1]


def one(rows: list[Row]) -> bool:
    """Exactly one."""
    return len(rows) == 1


def linked_people(story: Story) -> set[Account]:
    """(HeavenHR id, connection, id there) of all links of persons."""
    with story.stage.engine.ledger.read() as tx:
        links = tx.select_links("person", states=[LinkState.LINKED])
    names = {k.record_id: str(k.external_id) for k in links if k.connection == "heavenhr"}
    return {
        (names[link.record_id], link.connection, str(link.external_id))
        for link in links if link.record_id in names and link.connection != "heavenhr"
    }  # fmt: skip


def sure_people(story: Story) -> tuple[set[Account], set[str]]:
    """By the vendors' own rows: the accounts whose address is that of one employee alone, and the employees who
    share theirs."""
    state = story.stage.sandbox.state
    here = [row for row in state("heavenhr", "employees") if row["jobStatus"] != "LEFT"]
    addresses = Counter(str(row["professionalEmail"]).casefold() for row in here)
    owners = {str(row["professionalEmail"]).casefold(): row["id"] for row in here}
    shared = {r["id"] for r in here if addresses[str(r["professionalEmail"]).casefold()] > 1}
    shared -= {row["id"] for row in here if row["professionalEmail"] is None}
    sure = set()
    for vendor, resource, key in (
        ("hakuna", "users", "id"), ("haekka", "employees", "id"), ("weekly10", "users", "api_id"),
    ):  # fmt: skip
        for row in state(vendor, resource):
            address = str(row["email"]).casefold()
            if row["email"] is not None and addresses[address] == 1:
                sure.add((owners[address], vendor, str(row[key])))
    return sure, shared


def alike(story: Story) -> set[tuple[str, str]]:
    """By the vendors' own rows: the accounts (vendor, id) with nobody's work address that have the whole name of an
    employee without one."""
    state = story.stage.sandbox.state
    here = [row for row in state("heavenhr", "employees") if row["jobStatus"] != "LEFT"]
    known = {str(row["professionalEmail"]).casefold() for row in here}
    names = {
        f"{r['firstName']} {r['lastName']}" for r in here if r["professionalEmail"] is None
    }  # fmt: skip
    return {
        (vendor, str(row["id"]))
        for vendor, resource in (("hakuna", "users"), ("haekka", "employees"))
        for row in state(vendor, resource)
        if str(row["email"]).casefold() not in known
        and (row.get("name") or f"{row.get('first_name')} {row.get('last_name')}") in names
    }


def somebody(story: Story) -> Row:
    """A colleague whose address is in all systems. Raises NotSo."""
    sure, _ = sure_people(story)
    places = Counter(key for key, _, _ in sure)
    for row in story.stage.rows("heavenhr", "employees", jobStatus="HIRED")[1:]:
        if places[row["id"]] == len(("hakuna", "haekka", "weekly10")):
            return row
    raise NotSo("somebody who is in all systems", "nobody")


def open_course(story: Story, course: Row) -> tuple[Row, Row, str]:
    """Somebody's assignment in Haekka that is open in weekly10 too: both rows, and a name. Raises NotSo."""
    stage = story.stage
    users = {str(u["email"]).casefold(): u for u in stage.rows("weekly10", "users", is_active=True)}
    learners = {row["id"]: row for row in stage.rows("haekka", "employees", active=True)}
    for row in stage.rows(
        "haekka", "employee_trainings", training_id=course["id"], completion_status=False
    ):
        learner = learners.get(row["employee_id"], {})
        user = users.get(str(learner.get("email")).casefold(), {"api_id": None})
        for record in story.training_records(user):
            if record["package_desc"] == course["name"] and record["date_completed"] is None:
                return row, record, f"{learner['first_name']} {learner['last_name']}"
    raise NotSo("somebody whose training is open in Haekka and weekly10", "nobody")


def waits_of(story: Story, employee: Row) -> list[Link]:
    """Links of an employee's time entries that wait for something."""
    with story.stage.engine.ledger.read() as tx:
        found = tx.links_at("person", "heavenhr", "employees", [employee["id"]])
        person = next((link.record_id for link in found.values()), None)
        entries = [k for k in tx.waiting_links() if k.entity == "time_entry"]
        waiting = [k for k in entries if k.wait is not None and k.wait.on != InScope()]
        records = tx.records([k.record_id for k in waiting if k.record_id is not None])
    return [k for k in waiting if records[k.record_id or ""].values.get("person") == person]


def entries_of(story: Story, user: int) -> list[Row]:
    """hakuna's time entries of a user."""
    rows = story.stage.sandbox.state("hakuna", "time_entries")
    return [row for row in rows if row["user"]["id"] == user]


def lost_values(story: Story, employee: str) -> list[Change]:
    """The changes of an employee's work address in which a value lost, the newest first."""
    with story.stage.engine.ledger.read() as tx:
        found = tx.links_at("person", "heavenhr", "employees", [employee])
        changes = tx.history(found[employee].record_id or "") if employee in found else []
    return [c for c in reversed(changes) if c.field == "work_email" and c.lost is not None]


def served(story: Story, person: Row) -> bool:
    """Whether weekly10 has exactly what it should have of a person."""
    users = story.account("weekly10", "users", person)
    if not one(users):
        return False
    records = Counter(row["package_desc"] for row in story.training_records(users[0]))
    return records == Counter(MANDATORY)


def lost_answers(stage: Stage) -> list[str]:
    """What took effect and was never answered."""
    return [
        f"{entry['method']} {entry['route']}"
        for entry in stage.sandbox.requests()
        if entry["fault"] == "drop_after" and entry["applied"]
    ]
