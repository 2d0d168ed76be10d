"""What is shipped for running it: units, the sample for Kubernetes, alerts and the board say what the program has."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from syncengine.planning.standing import LEVELS
from syncengine.process import free_port
from syncengine.settings import PREFIX, Settings
from tests.support.places import ROOT
from tests.unit.test_packaging import SERVICES
from tests.unit.web.conftest import web_side

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
RULES: dict[str, Any] = YAML(typ="safe").load(
    (DEPLOY / "monitoring" / "prometheus-rules.yaml").read_text("utf-8")
)
BOARD: dict[str, Any] = json.loads((DEPLOY / "monitoring" / "grafana.json").read_text("utf-8"))
CLUSTER: list[dict[str, Any]] = list(
    YAML(typ="safe").load_all((DEPLOY / "kubernetes" / "syncengine.yaml").read_text("utf-8"))
)
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in BOARD["panels"] for target in panel["targets"]
]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Metric -> its labels, as the real web side shows them, those of families without a sample included."""
    with web_side(tmp_path_factory.mktemp("web")) as side:
        text = side.client.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        labels = {name for sample in family.samples for name in sample.labels}
        found[family.name] = labels
    return found


def test_alerts_and_board_ask_for_what_is_shown(exposed: dict[str, set[str]]) -> None:
    """Every metric that an expression names is one of /metrics, and every metric is on the board or in an alert."""
    named = {name for expr in EXPRESSIONS for name in re.findall(r"\bsyncengine_\w+", expr)}
    assert named == set(exposed)


def test_codes_and_levels_of_alerts_are_those_of_the_standing() -> None:
    """A code that is renamed would make an alert that never fires."""
    for expr in EXPRESSIONS:
        codes = [c for found in re.findall(r'code=~?"([^"]+)"', expr) for c in found.split("|")]
        levels = re.findall(r'level="([^"]+)"', expr)
        assert all(code in LEVELS for code in codes), expr
        for level in levels:
            assert all(level in [x.name.lower() for x in LEVELS[code]] for code in codes), expr
            assert level in {x.name.lower() for of in LEVELS.values() for x in of}


def test_alerts_say_what_is_wrong_and_for_how_long() -> None:
    """With a summary, a severity and a time; names tell whose they are, each once."""
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    for rule in ALERTS:
        assert rule["alert"].startswith("Syncengine")
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"].endswith((".", "."))
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_board_can_be_imported_as_it_is() -> None:
    """Panels have ids of their own, do not overlap, and take the source of data that is chosen."""
    assert BOARD["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = set[tuple[int, int]]()
    for panel in BOARD["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & places
        places |= cells


def _words(command: Any) -> set[str]:
    """What of a command is ours, however it is spelled."""
    text = command if isinstance(command, str) else " ".join(map(str, command))
    words = text.replace("=", " ").replace("/opt/syncengine/bin/", "").split()
    return {w for w in words if w not in ("%h", "%%h")} - {
        "127.0.0.1", "0.0.0.0", "--hostname", "worker@%h", "live@%h", "live@%%h", "2m", "10m",
    }  # fmt: skip


def _unit(path: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(path, "utf-8")
    return parsed


def test_units_and_cluster_run_what_compose_runs() -> None:
    """The same parts with the same commands, without root, and bounded."""
    compose = {
        name: _words(SERVICES[name]["command"]) for name in SERVICES if "command" in SERVICES[name]
    }
    units = {}
    for path in UNITS:
        service = _unit(path)["Service"]
        units[path.stem.removeprefix("syncengine-")] = _words(service["ExecStart"])
        assert service["User"] == "syncengine"
        assert service["MemoryMax"]
        assert service["ProtectSystem"] == "strict"
    assert units == compose
    pods = {}
    for made in CLUSTER:
        if made["kind"] in ("Deployment", "Job"):
            pod = made["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            pods[made["metadata"]["name"].removeprefix("syncengine-")] = _words(
                container["command"]
            )
            assert pod["securityContext"]["runAsNonRoot"]
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["resources"]["limits"]["memory"]
            mounted = {m["name"] for m in container["volumeMounts"]}
            assert mounted == {v["name"] for v in pod["volumes"]}
    assert pods == compose


def test_beat_and_flower_get_no_secret_of_the_engine() -> None:
    """Neither keys nor credentials are where they are not needed."""
    for name in ("beat", "flower"):
        text = (DEPLOY / "systemd" / f"syncengine-{name}.service").read_text("utf-8")
        assert "SYNCENGINE_SECRETS_DIR=/etc/syncengine/secrets-broker\n" in text
        (pod,) = (
            m
            for m in CLUSTER
            if m["metadata"]["name"] == f"syncengine-{name}" and m["kind"] == "Deployment"
        )
        secrets = [
            v["secret"]["secretName"]
            for v in pod["spec"]["template"]["spec"]["volumes"]
            if "secret" in v
        ]
        assert secrets in (["syncengine-broker"], ["syncengine-flower"])


def test_variables_of_the_samples_are_read() -> None:
    """Each is a setting, or one of the shipped project."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {"SYNCENGINE_MODE"}
    texts = [path.read_text("utf-8") for path in UNITS]
    texts += [(DEPLOY / "kubernetes" / "syncengine.yaml").read_text("utf-8")]
    assert {v for text in texts for v in re.findall(r"\bSYNCENGINE_[A-Z_]+\b", text)} <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As its own checker says, with programs that exist."""
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text("utf-8")
        text = re.sub(r"/opt/syncengine/bin/\w+", sys.executable, text)
        (tmp_path / path.name).write_text(text, "utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    ours = [line for line in told.stderr.splitlines() if "syncengine" in line]
    assert ours == []


def test_the_console_is_told_where_flower_is() -> None:
    """In each sample, so that people find it from the console."""
    assert SERVICES["web"]["environment"]["SYNCENGINE_FLOWER_URL"]
    assert "SYNCENGINE_FLOWER_URL=" in (DEPLOY / "systemd" / "syncengine-web.service").read_text()
    assert CLUSTER[0]["data"]["SYNCENGINE_FLOWER_URL"]


def test_secrets_that_the_samples_name_are_laid_out_by_the_script(tmp_path: Path) -> None:
    """Folders of secrets in comments are those of deploy/make-secrets.sh."""
    script = tmp_path / "deploy" / "make-secrets.sh"
    script.parent.mkdir()
    script.write_text((DEPLOY / "make-secrets.sh").read_text("utf-8"), "utf-8")
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    text = (DEPLOY / "kubernetes" / "syncengine.yaml").read_text("utf-8")
    named = set(re.findall(r"--from-file=(?:\w+=)?(secrets[\w/-]*)", text))
    assert named == {"secrets/engine/", "secrets/broker/", "secrets/flower/"}
    assert all(any((tmp_path / folder).iterdir()) for folder in named)


@pytest.mark.parametrize("name", ["web", "flower"])
def test_a_web_server_that_gives_no_answer_is_started_again(name: str, tmp_path: Path) -> None:
    """After three times in a row; one that answers that it is not well is not."""
    check = SERVICES[name]["healthcheck"]["test"]
    assert check[0] == "CMD-SHELL"
    script = check[1].replace("$$", "$").replace("/tmp/ill", str(tmp_path / "ill"))
    script = script.replace("kill 1", "echo ENDED")
    path = SERVICES[name]["environment"]["HEALTH_AT"].rpartition("/")[2]

    def look(port: int) -> tuple[int, str]:
        environment = {"HEALTH_AT": f"http://127.0.0.1:{port}/{path}", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=30
        )
        return done.returncode, done.stdout.strip()

    nobody = free_port()
    assert [look(nobody) for _ in range(2)] == [(1, ""), (1, "")]
    with answering(503) as unwell:
        assert [look(unwell) for _ in range(4)] == [(1, "")] * 4
    assert [look(nobody) for _ in range(3)] == [(1, ""), (1, ""), (1, "ENDED")]
    with answering(200) as well:
        assert look(well) == (0, "")
    assert look(nobody) == (1, "")


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a web server that always says this."""

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Says) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
