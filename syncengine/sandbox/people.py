"""The staff of the simulated company: the same people in every vendor, made from a seed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

_FIRST = (
    "Anna Jürgen Lena Björn Zoë Lukas Sophie Matthias Clémence Reto Ursula Noémie Łukasz Sinéad Jörg "
    "Käthe Emre Ayşe Giulia Luca Beat Regula Thomas Sabine Stefan Claudia Martin Nicole Daniel Sandra "
    "Peter Monika Andreas Petra Michael Birgit Urs Heidi Pascal Chantal François Amélie Søren Ingrid "
    "Dražen Ivana Mateusz Agnieszka Tomáš Petra-Marie José Inês Nuno Beatriz Yusuf Elif Priya Rahul "
    "Mei Haruto Olga Dmitri Fatima Omar"
)
_LAST = (
    "Müller|Schmidt|Weiß|Groß|O'Neill|D'Angelo|Schneider|Fischer|Weber|Meyer|Wagner|Becker|Schulz|"
    "Hoffmann|Schäfer|Köhler|Krüger|Böhm|Jäger|Vögeli|Zürcher|Brönnimann|Hürlimann|Bänziger|Aebischer|"
    "von Allmen|de la Cruz|Kowalski|Wiśniewska|Dvořák|Çelik|Yılmaz|Øverland|Sørensen|Lindström|García|"
    "Núñez|Gonçalves|Rossi|Ferrari|Favre|Rochat|Dubois|Lefèvre|Müller-Lüdenscheidt|Keller|Baumgartner|"
    "Steiner|Moser|Huber|Graf|Brunner|Frei|Gerber|Wyss|Suter|Zimmermann|Hofer|Lang|Vogel|Nakamura|Chen|"
    "Sharma|Haddad|Petrov|Ivanova|MacLeod|O'Brien|St. John|Nguyễn"
)
FIRST, LAST = _FIRST.split(), _LAST.split("|")
DEPARTMENTS = (
    "Engineering", "Sales", "People", "Finance", "Support", "Operations", "Marketing",
)  # fmt: skip
TITLES = {
    "Engineering": ("Software Engineer", "Senior Engineer", "Site Reliability Engineer"),
    "Sales": ("Account Executive", "Head of Sales", "Sales Engineer"),
    "People": ("HR Business Partner", "Recruiter", "Payroll Specialist"),
    "Finance": ("Controller", "Accountant", "Treasurer"),
    "Support": ("Support Agent", "Support Lead", "Technical Writer"),
    "Operations": ("Office Manager", "Warehouse Clerk", "Driver"),
    "Marketing": ("Content Manager", "Designer", "Event Manager"),
}
TRAININGS = ("SOC 2 basics", "GDPR basics 2026", "Phishing awareness", "Secure passwords")
TASKS = ("Work", "Travel", "Meeting")
PROJECTS = ("Website relaunch", "ERP migration", "Customer support")
SIZES = ("S", "M", "L", "XL")
DOMAIN = "alpenblick.example"
LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "ø": "oe", "ı": "i", "đ": "d"}
)

MISSING_IN_WEEKLY10 = (3, 4)
SHARED_MAILBOX = (5, 6)
LEAVER = 7
NAMESAKES = (10, 11)


@dataclass(frozen=True, slots=True)
class Person:
    """``place`` is the position in the staff. A None email or number is unknown to HR."""

    place: int
    number: str | None
    first: str
    last: str
    work_email: str | None
    private_email: str
    title: str
    department: str
    size: str
    start: date
    born: date
    salary: int

    @property
    def left(self) -> bool:
        return self.place == LEAVER

    @property
    def in_weekly10(self) -> bool:
        return self.place not in MISSING_IN_WEEKLY10

    @property
    def address(self) -> str:
        """The address of the accounts outside HR."""
        return self.work_email or self.private_email


@dataclass(frozen=True, slots=True)
class Staff:
    """Everyone, and the day on which the company was made."""

    seed: int
    today: date
    people: tuple[Person, ...]

    def random(self, purpose: str) -> Random:
        return Random(f"{self.seed}/{purpose}")

    @property
    def closed_month(self) -> str:
        """``yyyy-mm`` of the month before last, of which hakuna's books are closed."""
        return (
            (self.today.replace(day=1) - timedelta(days=1)).replace(day=1) - timedelta(days=1)
        ).strftime("%Y-%m")


def today() -> date:
    """The day in the company's zone."""
    return datetime.now(ZoneInfo("Europe/Berlin")).date()


def mailbox(first: str, last: str) -> str:
    """The local part of an address: ``Jürgen O'Neill`` is ``juergen.oneill``."""
    plain = unicodedata.normalize("NFKD", f"{first}.{last}".lower().translate(LETTERS))
    return re.sub(r"[^a-z.-]", "", plain)


def make_staff(count: int, seed: int, day: date) -> Staff:
    """``count`` people, the same for the same arguments."""
    random = Random(f"{seed}/people")
    taken: dict[str, int] = {}
    people = []
    for place in range(count):
        first, last = random.choice(FIRST), random.choice(LAST)
        if place >= len(FIRST) * len(LAST):
            # A few namesakes are real; twenty of everybody, in a company of a hundred thousand, are not.
            last = f"{last}-{random.choice(LAST)}"
        if place in NAMESAKES:
            first, last = "Anna", "Müller"
        local = mailbox(first, last)
        taken[local] = taken.get(local, 0) + 1
        if taken[local] > 1:
            local = f"{local}{taken[local]}"
        department = random.choice(DEPARTMENTS)
        email: str | None = f"{local}@{DOMAIN}"
        if place in SHARED_MAILBOX:
            email, department = f"empfang@{DOMAIN}", "Operations"
        elif place % 50 in (8, 9):
            email = None
        people.append(
            Person(
                place=place,
                number=None if place % 40 == 12 else str(1001 + place),
                first=first,
                last=last,
                work_email=email,
                private_email=f"{local}@post.example",
                title=random.choice(TITLES[department]),
                department=department,
                size=random.choice(SIZES),
                start=day - timedelta(days=random.randrange(60, 3000)),
                born=date(1960, 1, 1) + timedelta(days=random.randrange(16000)),
                salary=random.randrange(48, 140) * 1000,
            )
        )
    return Staff(seed, day, tuple(people))
