"""The steps of the story. Each does what people do on the vendors' own screens, lets the workers work, and holds
what has come of it against the vendors' own rows."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from syncengine.demo.cast import (
    DOMAIN,
    MANDATORY,
    Story,
    alike,
    entries_of,
    linked_people,
    lost_answers,
    lost_values,
    one,
    open_course,
    served,
    somebody,
    sure_people,
    waits_of,
)
from syncengine.demo.stage import NotSo, Place, Stage
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import Link

EMPLOYEES: Place = ("heavenhr", "employees", "poll")
TRACKINGS: Place = ("heavenhr", "time_trackings", "scan")
HAKUNA_USERS: Place = ("hakuna", "users", "scan")
ENTRIES: Place = ("hakuna", "time_entries", "scan")
LEARNERS: Place = ("haekka", "employees", "scan")
COURSES: Place = ("haekka", "employee_trainings", "scan")
USERS: Place = ("weekly10", "users", "scan")
RECORDS: Place = ("weekly10", "training_records", "scan")

BURST = (
    "Alva Birk", "Bruno Cadonau", "Cleo Dietschi", "Dario Egger", "Edda Flury", "Fabio Gisler",
    "Greta Hunziker", "Hugo Imboden",
)  # fmt: skip


# 1


def first_sync(story: Story) -> None:
    """Everybody who surely is the same person is linked, nobody else is, and the rest is asked."""
    stage, screen = story.stage, story.screen
    with screen.check("two workers, beat, web and Flower are up"):
        places = len(stage.unlisted(1))
        stage.until("a worker", lambda: stage.unlisted(1), lambda left: len(left) < places)
    with screen.check("everything is listed, and nothing is left to do"):
        stage.until("every vendor to be listed", lambda: stage.unlisted(1), lambda left: not left)
        stage.settle()
    found = linked_people(story)
    with screen.check(
        "whoever has one address of their own everywhere is linked everywhere"
    ) as check:
        sure, shared = sure_people(story)
        lost = [pair for pair in sure if pair not in found]
        if lost:
            raise NotSo(f"{len(sure)} accounts to be linked", f"{len(lost)} are not")
        check.note = f"{len(sure)} accounts"
    with screen.check("an address that two people share links nobody; somebody is asked") as check:
        guessed = [pair for pair in found if pair[0] in shared]
        with stage.engine.ledger.read() as tx:
            cases = tx.cases(kind=CaseKind.IDENTITY)
        of_one = [case for case in cases if "alike" not in case.evidence]
        if guessed or len(of_one) != len(shared):
            raise NotSo(f"{len(shared)} questions", f"{len(of_one)}, and {len(guessed)} guesses")
        check.note = f"{len(of_one)} questions"
    with screen.check("accounts without an address, but of one's name, are asked about") as check:
        likely = {(k.connection, k.external_id or "") for k in links_of(story, cases)}
        if likely != alike(story):
            raise NotSo(f"{len(alike(story))} questions", f"{len(likely)}")
        check.note = f"{len(likely)} questions"
    ask(story, of_one[0])


def links_of(story: Story, cases: Sequence[Case]) -> list[Link]:
    """The rows that are only like somebody."""
    with story.stage.engine.ledger.read() as tx:
        asked = [case.link_id for case in cases if "alike" in case.evidence and case.link_id]
        return list(tx.links(asked).values())


def ask(story: Story, case: Case) -> None:
    """Show one of the open questions, with those it could be side by side."""
    with story.stage.engine.ledger.read() as tx:
        rivals = tx.links([str(key) for key in case.evidence["rows"]])
    rows = [dict(case.evidence["row"]), *(dict(link.row or {}) for link in rivals.values())]
    names = ("firstName", "lastName", "professionalEmail", "employeeNumber", "jobTitle")
    story.screen.say(f"Open: {case.question}")
    story.screen.table(
        ["", "this one", *(f"or this one ({link.connection})" for link in rivals.values())],
        [[name, *(str(row.get(name) or "") for row in rows)] for name in names],
    )
    story.screen.say("Answers: " + "; ".join(f"{a}: {does}" for a, does in case.answers.items()))


# 2


def new_employee(story: Story) -> None:
    """A newcomer gets what she needs, and what cannot be yet waits under its name."""
    stage, screen = story.stage, story.screen
    story.newcomer = her = story.hire("Nora Feldmann", 2001)
    screen.say("HR enters Nora Feldmann in HeavenHR. She starts today.")
    with screen.check("weekly10 has one user for her") as check:
        (user,) = stage.until(
            "one user", lambda: story.account("weekly10", "users", her), one, [EMPLOYEES]
        )
        check.note = story.written("weekly10", user["api_id"])
    with screen.check(f"weekly10 has her mandatory trainings: {', '.join(MANDATORY)}") as check:
        records = stage.until(
            "one record for each training", lambda: story.training_records(user),
            lambda rows: sorted(row["package_desc"] for row in rows) == sorted(MANDATORY),
        )  # fmt: skip
        check.note = story.written("weekly10", records[0]["api_id"]) + f" x {len(records)}"
    with screen.check("her onboarding day waits, for hakuna does not know her") as check:
        (link,) = stage.until(
            "one wait", lambda: waits_of(story, her), lambda found: len(found) == 1
        )
        check.note = f"waits for: {link.wait.what if link.wait else ''}"
    screen.say("The admin adds her in hakuna.")
    values = {"name": "Nora Feldmann", "email": her["professionalEmail"]}
    user = stage.sandbox.mutate("hakuna", "users", "create", values=values)
    with screen.check("hakuna has her onboarding day, once") as check:
        (entry,) = stage.until(
            "one time entry", lambda: entries_of(story, user["id"]), one, [HAKUNA_USERS]
        )
        check.note = story.written("hakuna", entry["id"])


# 3


def trainings(story: Story) -> None:
    """Completed in one system means completed in the other."""
    stage, screen, her = story.stage, story.screen, story.newcomer
    course = stage.rows("haekka", "trainings", name="SOC 2 basics")[0]
    values = {"email": her["professionalEmail"], "first_name": "Nora", "last_name": "Feldmann"}
    learner = stage.sandbox.mutate("haekka", "employees", "create", values=values)
    screen.say("Nora joins Haekka.")
    with screen.check("she is known there by her address"):
        stage.until(
            "her Haekka account to be linked",
            lambda: linked_people(story),
            lambda found: (her["id"], "haekka", learner["id"]) in found,
            [LEARNERS],
        )
    done = {"completion_status": True, "completion_rate": 100}
    values = {"employee_id": learner["id"], "training_id": course["id"], **done}
    stage.sandbox.mutate("haekka", "employee_trainings", "create", values=values)
    screen.say("She completes SOC 2 basics in Haekka.")
    user = story.account("weekly10", "users", her)[0]
    with screen.check("weekly10 knows when") as check:
        (record,) = stage.until(
            "one record with a date",
            lambda: [r for r in story.training_records(user) if r["package_desc"] == course["name"]],
            lambda rows: one(rows) and rows[0]["date_completed"], [COURSES],
        )  # fmt: skip
        check.note = f"{story.written('weekly10', record['api_id'])}: {record['date_completed']}"
    assignment, record, name = open_course(story, course)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {"date_completed": moment}
    stage.sandbox.mutate("weekly10", "training_records", "update", record["api_id"], values)
    screen.say(f"{name} completes it in weekly10.")
    with screen.check("Haekka knows that it happened: completion_status is true") as check:
        stage.until(
            "completion_status true",
            lambda: stage.rows("haekka", "employee_trainings", id=assignment["id"]),
            lambda rows: one(rows) and rows[0]["completion_status"] is True, [RECORDS],
        )  # fmt: skip
        check.note = story.written("haekka", assignment["id"])


# 4


def hours(story: Story) -> None:
    """What is booked in hakuna becomes a request in HeavenHR, and what HR corrects comes back."""
    stage, screen = story.stage, story.screen
    story.colleague = him = somebody(story)
    name = f"{him['firstName']} {him['lastName']}"
    day = (date.fromisoformat(stage.engine.today) - timedelta(days=1)).isoformat()
    user = story.account("hakuna", "users", him)[0]
    entry = stage.sandbox.mutate(
        "hakuna", "time_entries", "create",
        values={
            "user_id": user["id"], "date": day, "start_time": "13:10", "end_time": "16:00",
            "task_id": 1, "note": "Workshop",
        },
    )  # fmt: skip
    screen.say(f"{name} books yesterday from 13:10 to 16:00 in hakuna.")
    with screen.check("HeavenHR has one time tracking request for it") as check:
        (request,) = stage.until(
            "one request",
            lambda: stage.rows(
                "heavenhr", "time_trackings", employeeId=him["id"], requestDate=day,
                startTime="13:10",
            ),
            lambda rows: one(rows) and rows[0]["endTime"] == "16:00", [ENTRIES],
        )  # fmt: skip
        check.note = f"{story.written('heavenhr', request['id'])}: {request['status']}"
    stage.sandbox.mutate(
        "heavenhr", "time_trackings", "update", request["id"], {"endTime": "16:45"}
    )
    screen.say("HR corrects it in HeavenHR: until 16:45.")
    with screen.check("the hakuna entry follows") as check:
        stage.until(
            "end_time 16:45", lambda: stage.rows("hakuna", "time_entries", id=entry["id"]),
            lambda rows: one(rows) and rows[0]["end_time"] == "16:45", [TRACKINGS],
        )  # fmt: skip
        check.note = story.written("hakuna", entry["id"])


# 5


def both_sides(story: Story) -> None:
    """Two people change the same field: a rule decides, and what lost is kept."""
    stage, screen, him = story.stage, story.screen, story.colleague
    key, user = him["id"], story.account("weekly10", "users", him)[0]
    local = str(him["professionalEmail"]).split("@")[0]
    wins, loses = f"{local}@hr.{DOMAIN}", f"{local}@desk.{DOMAIN}"
    values = {"professionalEmail": wins}
    stage.sandbox.mutate("heavenhr", "employees", "update", key, values)
    stage.sandbox.mutate("weekly10", "users", "update", user["api_id"], {"email": loses})
    name = f"{him['firstName']} {him['lastName']}"
    screen.say(f"{name} gets a new work address, in HeavenHR and in weekly10 at once.")
    with screen.check("both have the address of HeavenHR") as check:
        stage.until(
            f"{wins} on both sides",
            lambda: [
                stage.rows("heavenhr", "employees", id=key)[0]["professionalEmail"],
                stage.rows("weekly10", "users", api_id=user["api_id"])[0]["email"],
            ],
            lambda found: found == [wins, wins], [EMPLOYEES, USERS],
        )  # fmt: skip
        check.note = story.written("weekly10", user["api_id"])
    with screen.check("the history keeps the address that lost") as check:
        changes = stage.until(
            f"{loses} among what was lost", lambda: lost_values(story, key),
            lambda found: any(change.lost == loses for change in found),
        )  # fmt: skip
    change = next(change for change in changes if change.lost == loses)
    screen.table(
        ["", ""],
        [
            ["HeavenHR said", wins],
            ["weekly10 said", loses],
            ["winner", wins],
            ["decided by", f"{place_of(change.rule)}, {change.policy}"],
            ["kept as lost", str(change.lost)],
        ],
    )


def place_of(rule: str) -> str:
    """``/somewhere/person.yaml:9:5`` -> ``person.yaml:9``."""
    path, line, *_ = rule.rsplit(":", 2) if rule.count(":") > 1 else rule.rsplit(":", 1)
    return f"{Path(path).name}:{line}"


# 6


def killed(story: Story) -> None:
    """A dead worker and a lost answer cost time, and nothing is made twice."""
    stage, screen = story.stage, story.screen
    fault = stage.sandbox.fault
    fault("weekly10", "drop_after", method="POST", route="/training/record", count=1)
    fault("weekly10", "slow", method="POST", delay=0.4)
    people = [story.hire(name, 3001 + place) for place, name in enumerate(BURST)]
    screen.say(f"HR enters {len(people)} people at once. weekly10 is slow, and loses one answer.")
    with screen.check("a worker process is killed with -9 while it writes") as check:
        check.note = f"process {kill_writer(stage)}"
    with screen.check("an answer is lost after weekly10 has done what was asked") as check:
        lost = stage.until("a lost answer", lambda: lost_answers(stage), lambda found: found)
        check.note = ", ".join(lost)
    with screen.check("all people have one user, and one record for each training"):
        stage.until(
            "nobody to lack anything or to have anything twice",
            lambda: [p["employeeNumber"] for p in people if not served(story, p)],
            lambda lacking: not lacking, [EMPLOYEES],
        )  # fmt: skip
    stage.sandbox.clear_faults()
    with screen.check("no vendor was ever asked to make what it had"):
        stage.settle()
        twice = {v: tally["duplicates"] for v, tally in stage.sandbox.counters().items()}
        if any(twice.values()):
            raise NotSo("no duplicates", twice)


def kill_writer(stage: Stage) -> int:
    """Kill the process that is writing to weekly10 right now; its id. Raises NotSo."""
    before = stage.writes()["weekly10"]
    writers = stage.until(
        "a process that writes",
        lambda: stage.busy("dispatch") if stage.writes()["weekly10"] > before else [],
        lambda found: found, [EMPLOYEES],
    )  # fmt: skip
    os.kill(writers[0], signal.SIGKILL)
    return writers[0]


# 7


def quiet_again(story: Story) -> None:
    """Another pass over everything writes nothing."""
    stage, screen = story.stage, story.screen
    before = stage.writes()
    with screen.check("everything is listed once more, and nothing is left to do"):
        stage.list_everything()
        stage.settle()
    with screen.check("zero writes"):
        made = {name: count - before[name] for name, count in stage.writes().items()}
        if any(made.values()):
            raise NotSo("zero writes", made)


STEPS: tuple[tuple[str, Callable[[Story], None]], ...] = (
    ("First sync: who is who", first_sync),
    ("A new employee", new_employee),
    ("Trainings, both ways", trainings),
    ("Hours, there and back", hours),
    ("One field, changed on two sides at once", both_sides),
    ("A killed worker and a lost answer", killed),
    ("One more sync", quiet_again),
)
