"""Notices that nobody asked for: forged, replayed, or more than anybody can read.

The attackers can reach the web side. Some hold the secret of one connection, rightly or not, some have seen a notice on
its way, and one holds nothing and guesses.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.edition import load
from syncengine.errors import ConfigInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sweep import sweep
from syncengine.mapping import load_project
from syncengine.model.event import Event
from syncengine.settings import Settings, read_settings
from syncengine.web import make_app
from tests.support.bench import Bench
from tests.support.people import anna, duo
from tests.unit.web.conftest import HR, PERSON, SECRET, Side, notice, signed, web_side


def secret(letter: str, size: int = 32) -> str:
    """A secret of so many bytes."""
    return "whsec_" + base64.b64encode(letter.encode() * size).decode()


def connections(**webhooks: str) -> str:
    """The file of connections: name -> what stands behind ``webhook``, nothing where that is empty."""
    lines = [
        f'  {name}: {{connector: hr, base_url: "http://127.0.0.1:9", credentials: {{token: t}}'
        + (f", webhook: {text}" if text else "")
        + "}"
        for name, text in webhooks.items()
    ]
    return "version: 1\nconnections:\n" + "\n".join(lines)


BOTH = PERSON + "  crm: {resource: people, flow: in, create: in, fields: {email: email}}\n"
OWN = connections(hr=secret("h"), crm=f"[{secret('n')}, {secret('o')}]")


def post(side: Side, to: str, event_id: str = "msg_1", key: str = SECRET, row: str = "7") -> int:
    """Send a notice; the status of the answer."""
    return resend(side, to, signed(notice(external_id=row), event_id, secret=key), row)


def resend(side: Side, to: str, headers: dict[str, str], row: str = "7") -> int:
    """Send a notice with a signature that was made before."""
    answer = side.client.post(f"/events/{to}", content=notice(external_id=row), headers=headers)
    return answer.status_code


def stored(side: Side) -> list[Event]:
    with side.engine.ledger.read() as tx:
        return tx.select_events()


# who may sign for whom


def test_a_secret_signs_for_its_own_connection_alone(tmp_path: Path) -> None:
    """The attacker holds the secret of one connection, or the shared one, and signs for another."""
    with web_side(tmp_path, OWN, BOTH) as side:
        for key, to in [(secret("h"), "crm"), (secret("n"), "hr"), (SECRET, "hr"), (SECRET, "crm")]:
            assert post(side, to, key=key) == 401
        assert stored(side) == []
        assert post(side, "hr", key=secret("h")) == 202


def test_several_secrets_count_while_one_is_changed_for_another(tmp_path: Path) -> None:
    """Old and new are both taken until the old one is removed; who holds the old one has nothing afterwards."""
    with web_side(tmp_path, OWN, BOTH) as side:
        assert post(side, "crm", "1", secret("n")) == post(side, "crm", "2", secret("o")) == 202
    with web_side(tmp_path, connections(hr=secret("h"), crm=secret("n")), BOTH) as side:
        assert post(side, "crm", "3", secret("o")) == 401
        assert post(side, "crm", "4", secret("n")) == 202


def test_a_notice_under_the_shared_secret_counts_for_one_connection(tmp_path: Path) -> None:
    """The attacker has seen a notice for one connection on its way, and sends it to another."""
    with web_side(tmp_path, connections(hr="", crm=""), BOTH) as side:
        seen = signed(notice())
        assert resend(side, "hr", seen) == 202
        assert resend(side, "crm", seen) == 401
        stamp = {"webhook-timestamp": f"{seen['webhook-timestamp']}.0"}
        assert resend(side, "crm", seen | stamp) == 401
        assert resend(side, "hr", seen) == 202
        assert [event.connection for event in stored(side)] == ["hr"]
        assert post(side, "crm", row="8") == 202


def test_an_id_that_says_whom_it_is_about_is_not_kept(tmp_path: Path) -> None:
    """Whoever reads the database finds no name in the ids of notices; a repeat is known all the same."""
    with web_side(tmp_path, OWN, BOTH) as side:
        for _ in range(2):
            assert post(side, "hr", "changed anna.meier@x.de", secret("h")) == 202
        (event,) = stored(side)
        assert event.event_id.startswith("notice:")
        assert "anna" not in event.event_id
        assert post(side, "hr", "another", secret("h")) == 202
        assert len(stored(side)) == 2


def test_an_id_that_names_its_connection_counts_for_that_one(tmp_path: Path) -> None:
    """The attacker takes the notice off its way, so that it has never arrived where it was meant for."""
    with web_side(tmp_path, connections(hr="", crm=""), BOTH) as side:
        seen = signed(notice(), "hr:1")
        assert resend(side, "crm", seen) == 401
        assert resend(side, "hr", seen) == 202


@pytest.mark.parametrize("webhook", ['"${HR_WEBHOOK}"', '["${HR_WEBHOOK}", "${HR_WEBHOOK_OLD}"]'])
def test_a_secret_that_is_not_set_opens_nothing(tmp_path: Path, webhook: str) -> None:
    """The attacker holds the shared secret; a connection that is to have one of its own does not fall back to it, and
    is not off for it."""
    with web_side(tmp_path, connections(hr=webhook, crm=""), BOTH) as side:
        assert post(side, "hr") == 401
        assert not side.engine.project.connections["hr"].off


def test_who_holds_nothing_learns_nothing(tmp_path: Path) -> None:
    """The attacker tries names: one that there is and one that there is not are answered alike."""
    with web_side(tmp_path, OWN, BOTH, webhook_secret=None) as side:
        answers = [
            side.client.post(f"/events/{name}", content=notice(), headers=headers)
            for name in ("hr", "crm", "nobody")
            for headers in ({}, signed(notice(), secret=secret("x")))
        ]
    assert {(a.status_code, a.text) for a in answers} == {(401, answers[0].text)}


# secrets that can be guessed or are shared


@pytest.mark.parametrize(
    "text", ["whsec_c2VjcmV0", secret("a", 23), "whsec_", "whsec_%%%", "changeit"]
)
def test_a_short_secret_is_refused(tmp_path: Path, text: str) -> None:
    """The attacker guesses; so nothing below 24 bytes starts, wherever it stands, and the value is not shown."""
    with pytest.raises(ConfigInvalid, match=r"SYNCENGINE_WEBHOOK_SECRET: .*openssl") as raised:
        read_settings({"SYNCENGINE_WEBHOOK_SECRET": text})
    assert text not in str(raised.value).replace("write whsec_ and", "")
    (tmp_path / "connections.yaml").write_text(connections(hr='["${HR_WEBHOOK}"]'))
    (tmp_path / "person.yaml").write_text(PERSON)
    with pytest.raises(ConfigInvalid) as raised:
        load_project(tmp_path, {"hr": HR}, {"HR_WEBHOOK": text})
    (fault,) = raised.value.faults
    assert re.match(r"connections.yaml:3:\d+: connections.hr.webhook\[0\]: .*openssl", fault)
    assert text not in fault.replace("write whsec_ and", "")


def test_no_two_connections_have_one_secret(tmp_path: Path) -> None:
    """The attacker is the holder of the secret of one; another one must not be set up with the same, however it is
    written, nor with the shared one."""
    bare = secret("h").removeprefix("whsec_").rstrip("=")
    (tmp_path / "connections.yaml").write_text(connections(hr=secret("h"), crm=f"[{bare}]"))
    (tmp_path / "person.yaml").write_text(PERSON)
    with pytest.raises(ConfigInvalid, match=r"connections.crm.webhook: is a secret of hr as well"):
        load_project(tmp_path, {"hr": HR}, {})


def test_the_shared_secret_is_nobodys_own(tmp_path: Path) -> None:
    """The attacker holds the shared secret, and a connection was given it as its own."""
    text = connections(hakuna="${SHARED}").replace("connector: hr", "connector: hakuna")
    (tmp_path / "connections.yaml").write_text(text.replace("${SHARED}", secret("s")))
    with pytest.raises(ConfigInvalid, match=r"connections.hakuna.webhook: is SYNCENGINE_WEBHOOK"):
        load(Settings(project=tmp_path, webhook_secret=secret("s")))


def test_check_names_who_shares_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker holds a secret that signs for several connections; ``check`` says so until each has its own, and
    also where one has lost its own."""
    for name, value in {
        "PROJECT": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
        "WEBHOOK_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(f"SYNCENGINE_{name}", value)
    own = "SYNCENGINE_WEBHOOK_SECRET signs for all of hakuna, haekka"
    unset = "hakuna takes no notice"
    for webhook, expected in (("", [own]), (secret("h"), []), ('"${NOT_SET}"', [unset])):
        text = connections(hakuna=webhook, haekka="").replace("connector: hr", "connector: haekka")
        (tmp_path / "connections.yaml").write_text(text.replace("{token: t}", "{api_key: t}"))
        told = CliRunner().invoke(app, ["check", "--json"])
        lines = "\n".join(json.loads(told.stdout)["warnings"])
        assert [line for line in (own, unset) if line in lines] == expected


# more than anybody can read


@contextmanager
def over(made: Bench) -> Iterator[TestClient]:
    """The web side of an engine on vendors in memory."""

    @contextmanager
    def work() -> Iterator[Engine]:
        yield made.engine

    with TestClient(make_app(work, Settings(webhook_secret=SECRET))) as client:
        yield client


def send(client: TestClient, number: int, row: str) -> Any:
    """A signed notice about a row of ``hr``."""
    body = json.dumps({"resource": "people", "id": row})
    return client.post("/events/hr", content=body, headers=signed(body, f"flood-{number}"))


def reads(made: Bench, verb: str = "get") -> int:
    return [v for v, _ in made.vendors["hr"].calls].count(verb)


def test_a_flood_of_signed_notices_costs_no_flood_of_calls() -> None:
    """The attacker holds the secret and makes ids up: a few are read, the others are told when to come again, and leave
    no event and no link."""
    made = duo()
    anna(made)
    with over(made) as client:
        before = reads(made)
        answers = [send(client, n, f"nobody-{n}") for n in range(300)]
        made.settle()
    taken = [a for a in answers if a.status_code == 202]
    refused = [a for a in answers if a.status_code == 429]
    assert (len(taken), len(refused)) == (60, 240)
    assert all(int(a.headers["retry-after"]) >= 1 for a in refused)
    assert "next listing" in refused[0].json()["detail"]
    assert reads(made) - before <= 60
    events = made.read(lambda tx: tx.select_events("hr", limit=1000))
    assert len([e for e in events if e.source == "webhook"]) == 60
    assert len(made.links("hr")) == 1


def test_the_flood_of_one_connection_is_not_the_drought_of_another() -> None:
    """What one may send is counted for it alone, and comes back with time."""
    made = duo()
    with over(made) as client:
        while send(client, len(made.queue.sent) + 1000, "x").status_code == 202:
            pass
        body = notice()
        headers = signed(body, "for-lms")
        assert client.post("/events/lms", content=body, headers=headers).status_code == 202
        made.clock.sleep(5)
        assert send(client, 1, "y").status_code == 202


def test_an_id_that_is_not_there_is_remembered() -> None:
    """The attacker names one id again and again: it is asked for once a minute."""
    made = duo()
    with over(made) as client:
        for n in range(20):
            assert send(client, n, "nobody").status_code == 202
            made.settle()
        assert reads(made) == 1
        made.clock.sleep(61)
        assert send(client, 99, "nobody").status_code == 202
        made.settle()
        assert reads(made) == 2


def test_where_only_a_listing_tells_it_is_read_now_and_then() -> None:
    """The attacker names rows of a vendor without single reads: that is one listing, and another after five minutes."""
    made = duo(hr={"single_get": False})
    mine, _ = anna(made)
    before = reads(made, "scan")
    with over(made) as client:
        for n in range(20):
            assert send(client, n, mine if n % 2 else "nobody").status_code == 202
            work_through(made)
            made.clock.sleep(10)
        assert reads(made, "scan") - before == 1
        made.clock.sleep(150)
        work_through(made)
        assert reads(made, "scan") - before == 2


def work_through(made: Bench) -> None:
    """What the workers do: the sweep, and the listings that it announces."""
    made.queue.sent.clear()
    sweep(made.engine)
    for task, ids in made.queue.sent:
        if task == "capture" and ids[0] == "hr":
            made.scan("hr")
    made.settle()


def test_a_small_budget_is_not_used_up_by_notices() -> None:
    """The attacker holds the secret of a connection that may be asked little: half of that is left for listings."""
    made = duo()
    connection = made.engine.project.connections["hr"]
    object.__setattr__(connection, "budget", type(connection.budget)(calls=60, per=60.0))
    with over(made) as client:
        taken = [send(client, n, f"nobody-{n}").status_code for n in range(100)].count(202)
    assert taken == 30
