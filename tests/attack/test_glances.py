"""Who attacks: a colleague who looks over the operator's shoulder, or reads a ticket with a pasted screen. She has
neither the database nor the keys, and wants private addresses, numbers, titles, dates and illnesses."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.flows.naming.masking import DOTS
from syncengine.sandbox.process import SandboxProcess
from tests.support.cli import cli_in
from tests.support.places import MAPPINGS

SECRET = ("employee_number", "job_title", "start_date")
"""Fields of a person that this company calls sensitive as well; weekly10's ids are made of the first one."""
LISTS = (
    "status", "plan", "links list --limit 1000", "operations --limit 1000", "events --limit 1000",
    "cases list --closed", "history --limit 1000", "history --lost", "check",
)  # fmt: skip

pytestmark = [pytest.mark.long, pytest.mark.ci]


@dataclass
class Seen:
    """``shown``: command -> what it shows, tables and documents. ``secrets``: every value that nobody may see.
    ``asked``: what is shown to whoever says that she may see it."""

    shown: dict[str, str]
    secrets: set[str]
    asked: list[str]


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The screens of a company of twelve."""
    folder = tmp_path_factory.mktemp("glances")
    project = shutil.copytree(MAPPINGS, folder / "mappings")
    text = (project / "person.yaml").read_text("utf-8")
    for name in SECRET:
        text = re.sub(rf"(  {name}: +{{type: \w+)", r"\1, sensitive: true", text)
    (project / "person.yaml").write_text(text, "utf-8")
    with SandboxProcess(people=12) as sandbox:
        environment = cli_in(folder, sandbox.env, project=project).environment | {"COLUMNS": "300"}

        def run(command: str, **more: str) -> str:
            done = CliRunner().invoke(app, command.split(), env={**environment, **more})
            assert done.exit_code in (0, 3, 4), (command, done.output)
            return done.output

        run("sync")
        staff = sandbox.state("heavenhr", "employees")
        sandbox.mutate("heavenhr", "employees", "update", staff[2]["id"], {"jobTitle": "Xylograph"})
        run("sync")
        sandbox.mutate("heavenhr", "employees", "update", staff[3]["id"], {"jobTitle": "Zymurgist"})
        run("plan --fresh")
        shown = {f"{c}{j}": run(f"{c}{j}") for c in LISTS for j in ("", " --json")}
        for case in re.findall(r"^(\w{8})  ", shown["cases list --closed"], re.MULTILINE)[:4]:
            shown |= {f"case {case}{j}": run(f"cases show {case}{j}") for j in ("", " --json")}
        people = re.findall(r"person .*? ([0-9a-f]{8}) ", shown["links list --limit 1000"])
        for record in list(dict.fromkeys(people))[:4]:
            for more in ("", " --json", " job_title", " employee_number"):
                shown[f"person {record}{more}"] = run(f"explain person {record}{more}")
        absence = re.findall(r"absence .*? ([0-9a-f]{8}) ", shown["links list --limit 1000"])[0]
        shown |= {f"absence{j}": run(f"explain absence {absence}{j}") for j in ("", " --json")}
        names = ("email", "employeeNumber", "jobTitle", "startDate")
        secrets = {str(row[n]) for row in [*staff, *sandbox.state("heavenhr", "employees")]
                   for n in names if row.get(n)}  # fmt: skip
        # Who gave her private address to another vendor has it there as the address for work, which may be seen.
        secrets -= {row.get("email") for row in sandbox.state("haekka", "employees")}
        secrets |= {row["absenceType"] for row in sandbox.state("heavenhr", "absences")}
        one = f"explain person {people[0]}"
        role = {"SYNCENGINE_SHOW_SENSITIVE": "yes"}
        asked = [run(f"{one} --show-sensitive"), run(f"{one} --json", **role)]
        yield Seen(shown, secrets, asked)


def found(text: str, secrets: set[str]) -> set[str]:
    """The values that a text shows."""
    return {s for s in secrets if re.search(rf"(?<![\w.:-]){re.escape(s)}(?![\w.:-])", text)}


def test_no_screen_and_no_document_shows_what_is_sensitive(screens: Seen) -> None:
    """Not in names, values, ids, questions, plans or explanations; dots stand there."""
    assert {"ILLNESS", "Xylograph", "Zymurgist"} <= screens.secrets
    assert len(screens.secrets) > 30
    seen = {name: found(text, screens.secrets) for name, text in screens.shown.items()}
    assert {name: values for name, values in seen.items() if values} == {}
    dotted = [text for text in screens.shown.values() if DOTS in text.replace("\\u2022", "•")]
    assert len(dotted) > len(screens.shown) / 2


def test_whoever_has_the_role_says_so(screens: Seen) -> None:
    """By an option or by a variable; then all of it is shown, and that is said."""
    for text in screens.asked:
        assert len(found(text, screens.secrets)) >= 3
        assert DOTS not in text.replace("\\u2022", "•")
        assert "Sensitive values are shown." in text
