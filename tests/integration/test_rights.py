"""``erase``, ``erasures`` and ``export`` as they are typed: what they print, ask, write and end with."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.support.cli import Cli, cli_in

PETER, ZOE = "Peter Brunner", "Zoë Moser"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A company of twelve after its first sync, in a file that one test after the other works on."""
    folder = tmp_path_factory.mktemp("rights")
    with SandboxProcess(people=12) as sandbox:
        made = cli_in(folder, sandbox.env, author="dpo")
        made("sync", code=4)
        made.first = next(
            row for row in sandbox.state("heavenhr", "employees") if row["lastName"] == "Brunner"
        )
        yield made


def asked_at(document: Any) -> Any:
    """When the first question was asked."""
    return document["questions"][0]["asked_at"]


def questions(cli: Cli) -> list[str]:
    """The open questions whether a row is Peter's."""
    return [c["id"] for c in cli.json("cases", "list")["cases"] if c["about"] == PETER]


def answer(cli: Cli) -> None:
    """Say that each row which may be Peter's is his, unless an earlier test said so."""
    for case in questions(cli):
        link = next(a for a in cli.json("cases", "show", case)["answers"] if a.startswith("link"))
        cli("cases", "answer", case, *link.split(), "--reason", "asked HR")
    cli("sync", code=4)


def test_whose_rows_are_is_answered_first(cli: Cli) -> None:
    """While rows may be Peter's, the dry run says which questions wait, and erasing ends with 1."""
    waiting = questions(cli)
    assert len(waiting) > 1
    screen = cli("erase", "person", PETER, "--dry-run").stdout
    assert all(f"syncengine cases show {case[-8:]}" in screen for case in waiting)
    refused = cli("erase", "person", PETER, "--yes", "--reason", "request 17", code=1)
    assert waiting[0][-8:] in refused.stderr


def test_an_export_is_whole_readable_and_private(cli: Cli, tmp_path: Path) -> None:
    """Two files that nobody else can read, whatever the umask and whatever stood there; both have sensitive values, and
    the sentences of ``explain``."""
    answer(cli)
    private = cli.first["email"]
    document = cli.json("export", "person", PETER)
    name = f"person-{document['record'][-8:]}"
    loose = tmp_path / f"{name}.json"
    loose.write_text("old", "utf-8")
    loose.chmod(0o666)
    told = cli("export", "person", PETER, "--to", str(tmp_path)).stdout
    assert "delete them here" in told
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert private in path.read_text("utf-8")
    written = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
    assert written["records"] == document["records"]
    mine = written["records"][0]
    email = next(f for f in mine["fields"] if f["field"] == "private_email")
    assert (email["value"], email["from"]) == (private, "heavenhr")
    assert email["why"].startswith("create: in, ")
    assert email["since"].endswith("Z")
    assert not isinstance(asked_at(written), float)
    assert {row["connection"] for row in mine["rows"]} >= {"heavenhr", "weekly10"}
    assert {r["entity"] for r in written["records"]} >= {"person", "training_record"}
    (asked, *_) = written["questions"]
    assert (asked["answered_by"], asked["reason"]) == ("dpo", "asked HR")
    assert asked["evidence"]["row"]
    page = (tmp_path / f"{name}.html").read_text("utf-8")
    assert f"heavenhr showed {private} in a single read" in page
    assert "Questions that people were asked" in page


def test_what_is_not_asked_for_properly_is_not_erased(cli: Cli) -> None:
    """Without a reason, without a yes, and with a reason that names him, nothing goes; the exit codes are those of any
    command."""
    assert "--reason" in cli("erase", "person", PETER, code=2).stderr
    cli("erase", "person", PETER, "--reason", "request 17", code=1)
    assert "--yes" in cli("erase", "person", PETER, "--reason", "r", "--json", code=2).stderr
    refused = cli("erase", "person", PETER, "--yes", "--reason", "Peter asked", code=1)
    assert "without a name" in refused.stderr
    assert cli.json("erasures") == {"erasures": []}
    assert cli.json("explain", "person", PETER)["name"] == PETER


def test_a_dry_run_shows_what_goes_and_where_vendors_still_hold_it(cli: Cli) -> None:
    """Counts of each table, what belongs to him, and each row at a vendor with its address; nothing is changed."""
    document = cli.json("erase", "person", PETER, "--dry-run")
    assert document["removes"]["records"] > 1
    assert set(document["belongs"]) >= {"training_record"}
    places = {(p["connection"], p["resource"]): p for p in document["vendors"]}
    account = places["weekly10", "users"]
    assert account["at"].startswith("http://127.0.0.1")
    assert account["deletes"] is None
    screen = cli("erase", "person", PETER, "--dry-run").stdout
    assert account["external_id"] in screen
    assert "leaves it" in screen
    assert cli.json("erase", "person", PETER, "--dry-run") == document


@pytest.mark.long
@pytest.mark.ci
def test_erased_logged_and_asked_about_when_it_comes_back(cli: Cli) -> None:
    """The last word: what the command removes nobody finds any more, the log has a line without a name, the next sync
    asks, and the question shows where he is; kept out, he is not asked about again."""
    answer(cli)
    record = cli.json("erase", "person", PETER, "--dry-run")["record"]
    done = cli("erase", "person", PETER, "--yes", "--reason", "request 17").stdout
    assert "Erased:" in done
    (line,) = cli.json("erasures")["erasures"]
    assert (line["author"], line["reason"], line["came_back"]) == ("dpo", "request 17", None)
    assert line["counts"]["records"] > 1
    assert record not in json.dumps(line)
    cli("explain", "person", PETER, code=2)
    assert cli("sync", code=4)
    asked = [c for c in cli.json("cases", "list")["cases"] if "erased on" in c["question"]]
    assert len(asked) == 1
    shown = cli("cases", "show", asked[0]["id"]).stdout
    assert "weekly10" in shown
    assert "users" in shown
    cli("explain", "person", PETER, code=2)
    cli("cases", "answer", asked[0]["id"], "keep_out", "--reason", "left for good")
    cli("sync", code=4)
    assert not [c for c in cli.json("cases", "list")["cases"] if "erased on" in c["question"]]
    assert cli.json("erasures")["erasures"][0]["came_back"] == "keep_out"
    assert "kept out" in cli("erasures").stdout
    assert "kept out: 1" in cli("status").stdout
    assert "--take-in" in cli("erasures", "--take-in", "nobody", code=2).stderr
    assert "taken in" in cli("erasures", "--take-in", line["id"][-8:]).stdout
    cli("sync", code=4)
    assert cli.json("explain", "person", PETER)["name"] == PETER


def test_of_what_kind_an_absence_was_is_no_part_of_it(cli: Cli) -> None:
    """Ids that speak are dotted where they are looked at before, and in no question afterwards, whoever looks: that
    vendors have some of her absences is enough."""
    kind = "HOLIDAY"
    assert kind not in json.dumps(cli.json("erase", "person", ZOE, "--dry-run"))
    told = cli.json("erase", "person", ZOE, "--dry-run", "--show-sensitive")
    assert kind in json.dumps(told)
    cli("erase", "person", ZOE, "--yes", "--reason", "request 18")
    cli("sync", code=4)
    (asked,) = [c for c in cli.json("cases", "list")["cases"] if "erased on" in c["question"]]
    shown = cli("cases", "show", asked["id"], "--show-sensitive").stdout
    assert "absences" in shown
    assert "some of it" in shown
    assert kind not in shown
    assert ",2026-" not in shown
