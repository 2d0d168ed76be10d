"""The limits of a member hold at a terminal, too: by the rule of the console."""

from __future__ import annotations

import pytest

from syncengine.flows.people.members import limit
from syncengine.model.member import Scope
from tests.support.asked import all_stored
from tests.support.bench import Bench
from tests.unit.cli.conftest import Run

LIMITS = {
    "entities": Scope(entities=("course",)),
    "connections": Scope(connections=("elsewhere",)),
    "kinds": Scope(kinds=("drift",)),
}
DECIDES = (
    "cases answer {question} ignore", "cases answer {held} approve --yes", "cases answer {held} reject",
    "undo {change}",
    "links split person hr {row}", "links point person hr {row} {other}", "links join person {record} {other}",
    "pause hr", "pause", "resume hr", "erase person {record} --reason x --yes", "members add eve --role admin",
    "members limit kim",
)  # fmt: skip


@pytest.mark.parametrize("command", DECIDES)
def test_what_is_outside_of_a_limit_is_not_decided_at_a_terminal(
    company: Bench, run: Run, command: str
) -> None:
    """By no command that decides; who is refused is told by which limit, nothing is changed, and the exit code is that
    of bad usage."""
    for limits in LIMITS.values():
        limit(company.engine, "kim", limits, "ada")
        before = all_stored(company)
        refused = run(command)
        assert refused.exit_code == 2, refused.output
        assert "kim is limited to the " in " ".join(refused.stderr.split())
        assert all_stored(company) == before


@pytest.mark.parametrize(
    "limits", [Scope(), Scope(kinds=("identity",)), Scope(entities=("person",)), Scope(connections=("hr",))], ids=repr,
)  # fmt: skip
def test_what_is_within_is_answered(company: Bench, run: Run, limits: Scope) -> None:
    """As ever."""
    limit(company.engine, "kim", limits, "ada")
    asked = len(company.cases())
    assert run("cases answer {question} ignore").exit_code == 0
    assert len(company.cases()) == asked - 1


def test_of_many_those_within_are_answered(company: Bench, run: Run) -> None:
    """All of a kind are all that are within; of those that are named, each that is outside is named with why."""
    limit(company.engine, "kim", Scope(connections=("elsewhere",)), "ada")
    asked = company.cases()
    assert "0 questions answered" in run("cases answer all ignore --kind identity").stdout
    named = run("cases answer {question},{held} ignore")
    assert named.exit_code == 1
    assert "is limited to" in " ".join(named.stdout.split())
    assert company.cases() == asked


def test_a_refusal_stands_in_the_audit(company: Bench, run: Run) -> None:
    """With who, and what it would have been about."""
    limit(company.engine, "kim", LIMITS["kinds"], "ada")
    run("pause hr")
    line = company.read(lambda tx: tx.select_audit(limit=1))[0]
    assert (line.author, line.action, line.outcome) == ("kim", "pause connection", "refused")
