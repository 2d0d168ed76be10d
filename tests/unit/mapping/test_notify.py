"""notify.yaml: what it means, and what is no part of the mapping."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.mapping import Project, load_project
from syncengine.model.standing import CODES
from syncengine.planning.standing import LEVELS
from tests.support.places import DOCS

CONNECTIONS = "version: 1\nconnections:\n  hr: {connector: heavenhr}\n"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOTIFY = """
notify:
  console: https://sync.example.com/
  mail: {server: mail.example.com, from: sync@example.com, user: sync, password: "${MAIL_PASSWORD}"}
  channels:
    hr: {kind: mail, to: hr@example.com, language: de}
    ops: {kind: slack, url: "${OPS_HOOK}"}
  rules:
    - {when: [worker, beat], for: 15m, to: ops}
    - {when: question, to: [hr, ops], quiet: "18:00-07:00, Sat, sun"}
    - {when: daily, at: "07:30", to: hr}
"""
SET = {"MAIL_PASSWORD": "hunter2", "OPS_HOOK": "https://hooks.example/hunter2"}


def load(folder: Path, notify: str | None = NOTIFY, **variables: str) -> Project:
    """A project with this file."""
    (folder / "connections.yaml").write_text(CONNECTIONS)
    if notify is not None:
        (folder / "notify.yaml").write_text(notify)
    return load_project(folder, CATALOG, variables)


def test_the_words_of_the_file_become_rules(tmp_path: Path) -> None:
    """Spans are seconds, times are minutes of the day, one name is a list of one."""
    found = load(tmp_path, **SET).notify
    workers, questions, daily = found.rules
    assert (workers.codes, workers.wait, workers.to) == ({"worker", "beat"}, 900.0, ("ops",))
    assert questions.to == ("hr", "ops")
    assert (daily.at, daily.codes) == (450, frozenset())
    assert found.console == "https://sync.example.com"
    assert found.channels["ops"].url == SET["OPS_HOOK"]
    assert found.mail is not None
    assert (found.mail.port, found.mail.security) == (587, "starttls")


@pytest.mark.parametrize(
    ("weekday", "minute", "quiet"),
    [
        (0, 18 * 60, True),
        (0, 420, False),
        (0, 419, True),
        (5, 720, True),
        (6, 720, True),
        (4, 720, False),
    ],
)
def test_quiet_hours_go_over_midnight_and_hold_whole_days(
    tmp_path: Path, weekday: int, minute: int, quiet: bool
) -> None:
    """From the first minute on, up to the last one, which is none of them."""
    rule = load(tmp_path, **SET).notify.rules[1]
    assert rule.quiet.holds(weekday, minute) is quiet


def test_it_is_outside_the_digest_of_the_mapping(tmp_path: Path) -> None:
    """Who is told of something changes nothing of what is synced; so no link is looked at again."""
    before = load(tmp_path, None)
    after = load(tmp_path, **SET)
    assert before.digest == after.digest
    assert not before.notify
    assert after.notify


def test_a_channel_whose_variable_is_not_set_is_off_and_says_which(tmp_path: Path) -> None:
    """As connections are; mail without its password is off as a whole."""
    channels = load(tmp_path).notify.channels
    assert channels["ops"].off == "not set: OPS_HOOK"
    assert channels["hr"].off == "not set: MAIL_PASSWORD"


def test_a_channel_that_nobody_uses_is_warned_of(tmp_path: Path) -> None:
    """It is there for something."""
    text = NOTIFY.replace("to: [hr, ops]", "to: hr").replace(
        "for: 15m, to: ops", "for: 15m, to: hr"
    )
    (warning,) = [w for w in load(tmp_path, text, **SET).warnings if "notify.yaml" in w]
    assert warning.startswith("notify.yaml:7:5: notify.channels.ops: no rule tells it anything")


def test_what_would_go_unencrypted_is_warned_of(tmp_path: Path) -> None:
    """Not on this machine's own loopback."""
    text = NOTIFY.replace("user: sync", "security: none, user: sync")
    told = load(tmp_path, text, **{**SET, "OPS_HOOK": "http://chat.lan/x"}).warnings
    assert [w.split(": ")[1] for w in told if "unencrypted" in w] == [
        "notify.mail.security", "notify.channels.ops.url",
    ]  # fmt: skip
    text = text.replace("mail.example.com", "localhost")
    told = load(tmp_path, text, **{**SET, "OPS_HOOK": "http://localhost/x"}).warnings
    assert not [w for w in told if "unencrypted" in w]


def test_nothing_secret_shows_in_the_value(tmp_path: Path) -> None:
    """Neither address of a hook nor password, whoever prints the project."""
    own = f'    own: {{kind: webhook, url: "https://h.example/hunter2", secret: {SECRET}}}'
    text = NOTIFY.replace("    ops:", f"{own}\n    ops:")
    text += '  heartbeat: "https://ping.example/hunter2"\n'
    shown = repr(load(tmp_path, text, **SET).notify)
    assert "hunter2" not in shown
    assert "example.com" not in shown.replace("sync.example.com", "").replace(
        "mail.example.com", ""
    )


def test_every_line_of_the_standing_can_be_asked_for() -> None:
    """The codes that a rule may name are those that there are, in their order."""
    assert set(CODES) == set(LEVELS)


def test_the_example_of_the_docs_is_valid(tmp_path: Path) -> None:
    """As it stands there, with its variables set, and without a warning."""
    page = (DOCS / "how-to" / "notifications.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    variables = {
        "SMTP_PASSWORD": "x", "OPS_HOOK": "https://h.example/x", "PING_URL": "https://p.example",
    }  # fmt: skip
    project = load(tmp_path, block, **variables)
    assert set(project.notify.channels) == {"hr", "ops"}
    assert not [warning for warning in project.warnings if "notify" in warning]
