"""Runs: steps drawn from a seed, played one by one, the promises checked at the end; the shortest run that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from sqlalchemy.exc import SQLAlchemyError

from syncengine.errors import SyncengineError
from syncengine.logs import place
from syncengine.simulation.acts import ACTS
from syncengine.simulation.checks import check
from syncengine.simulation.company import Company, Violation
from syncengine.simulation.kinds import WORDY
from syncengine.simulation.setting import Setting

LONGEST = 110
TRIES = 150
"""Runs that looking for a shorter one may take."""
BREAKS = (
    AssertionError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
    SyncengineError, SQLAlchemyError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """Something happens. ``number``: all that is chosen in it follows from it and from what is there."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.number}"


def read_steps(text: str) -> list[Step]:
    """From ``kind.number kind.number``. Raises ValueError that says which is none."""
    steps = []
    for word in text.split():
        kind, _, number = word.partition(".")
        if kind not in ACTS or not number.isdecimal():
            raise ValueError(
                f"{word!r} is no step: write one of {', '.join(ACTS)}, a dot, a number"
            )
        steps.append(Step(kind, int(number)))
    return steps


def drawn_steps(seed: int) -> list[Step]:
    """Some that follow from a seed; they begin with people who are linked, mostly."""
    chance = Random(f"{seed}/steps")
    first = ["enter", "enter", *(["everything"] * chance.choice([2, 2, 0]))]
    weights = [weight for weight, _ in ACTS.values()]
    kinds = first + chance.choices([*ACTS], weights, k=chance.randint(10, LONGEST))
    return [Step(kind, chance.randrange(1000)) for kind in kinds]


@dataclass
class Run:
    """One run. ``story``: seconds since its beginning, step, and what it came to."""

    seed: int
    company: Company = field(init=False)
    story: list[tuple[float, Step, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.company = Company(Setting(self.seed))

    def play(self, steps: Sequence[Step]) -> Run:
        """All steps, then quiet. Raises Violation, or whatever breaks in the engine."""
        for step in steps:
            self.do(step)
        self.finish()
        return self

    def do(self, step: Step) -> None:
        """Let one thing happen."""
        company = self.company
        before, at = company.held(), company.bench.clock.now()
        self.story.append((at - company.began, step, "it broke off"))
        told = ACTS[step.kind][1](company, Random(str(step)))
        self.story[-1] = (at - company.began, step, told)
        after = company.held()
        for name in sorted(before.keys() & after.keys()):
            if before[name] != after[name]:
                raise Violation(f"wrote to {name}, which is paused or only observed")
        company.look()

    def finish(self) -> None:
        """Calm down, and see whether all promises hold."""
        self.company.calm()
        check(self.company)

    def faults(self) -> Counter[str]:
        """What went wrong in it, by kind, and how its vendors code texts."""
        found: Counter[str] = Counter()
        for vendor in self.company.bench.vendors.values():
            found += vendor.befell
        setting = self.company.setting
        coded = [setting.coded(n, c) for n in setting.names for c in setting.fields if c in WORDY]
        found += Counter(f"texts {how}" for how in coded if how != "as it is")
        return found + Counter(s.kind for _, s, _ in self.story if s.kind in _AT_ONCE)


_AT_ONCE = ("crash", "both", "meanwhile", "during", "after")


def played(seed: int, steps: Sequence[Step]) -> tuple[Run, str]:
    """A run, and what it broke: a promise, or the engine itself; empty if all is well."""
    run = Run(seed)
    try:
        run.play(steps)
    except Violation as broken:
        return run, str(broken)
    except BREAKS as error:
        return run, f"{place(error)}: {error}"
    finally:
        run.company.close()
    return run, ""


def shortest(
    steps: Sequence[Step], broken: Callable[[Sequence[Step]], bool], tries: int = TRIES
) -> list[Step]:
    """Leave out steps, many at once and then fewer, as long as what is left is still broken."""
    kept, width = list(steps), max(1, len(steps) // 2)
    while width and tries:
        at = 0
        while at < len(kept) and tries:
            less = kept[:at] + kept[at + width :]
            tries -= 1
            if broken(less):
                kept = less
            else:
                at += width
        width //= 2
    return kept
