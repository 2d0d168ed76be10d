"""Approving at a terminal: what is approved was looked at, whoever types it."""

from __future__ import annotations

import pytest

from syncengine.flows.people.cases import answer
from syncengine.flows.views import queries
from syncengine.model.case import Case, CaseKind
from tests.support.asked import all_stored
from tests.support.bench import Bench
from tests.unit.cli.conftest import Run


def held(made: Bench) -> Case:
    """The question about held deletes."""
    return next(case for case in made.cases() if case.kind is CaseKind.STAGED)


@pytest.mark.parametrize("more", ["", " --json", " --yes"])
def test_a_script_says_what_was_looked_at(company: Bench, run: Run, more: str) -> None:
    """Without a digest nothing is approved where nobody can be asked: it is told what is held, how to look at it, and
    what to type then; the exit code is that of bad usage."""
    before = all_stored(company)
    refused = run("cases answer {held} approve" + more)
    told = " ".join(refused.stderr.replace("│", " ").split())
    assert refused.exit_code == 2, refused.output
    id_ = held(company).id[-8:]
    assert f"`syncengine cases show {id_} --all` lists them with their digest" in told
    assert f"syncengine cases answer {id_} approve --seen DIGEST" in told
    assert all_stored(company) == before


def test_what_was_looked_at_is_approved(company: Bench, run: Run) -> None:
    """By its digest, also in a script."""
    digest = queries.case(company.engine, held(company).id)["approvals"]["digest"]
    done = run(f"cases answer {{held}} approve --seen {digest}")
    assert done.exit_code == 0, done.output
    assert "12 writes may be sent now" in done.stdout


def test_what_has_changed_since_it_was_looked_at_is_not_approved(company: Bench, run: Run) -> None:
    """Not by its digest, and not by a script without one."""
    case = held(company)
    document = queries.case(company.engine, case.id)
    one = document["writes"][0]["id"]
    answer(company.engine, case.id, "reject", "stays", "ada", only=[one])
    refused = run(f"cases answer {{held}} approve --seen {document['approvals']['digest']}")
    assert refused.exit_code == 1, refused.output
    assert run("cases answer {held} approve").exit_code == 2
    assert len(queries.case(company.engine, case.id)["writes"]) == 11


def test_a_rejection_needs_no_digest(company: Bench, run: Run) -> None:
    """Nothing is sent by it."""
    asked = held(company)
    assert run("cases answer {held} reject").exit_code == 0
    assert asked not in company.cases()
