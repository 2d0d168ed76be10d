from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from syncengine.ledger.encryption import Vault
from syncengine.settings import read_settings
from tests.support.places import DOCS, MAPPINGS, ROOT

LOCKS = ("requirements.txt", "requirements-build.txt", "requirements-dev.txt")
OURS = ("migrate", "worker", "live", "beat", "web", "flower")

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation"),
            *("--no-deps", "--no-index", "--wheel-dir", str(folder), str(ROOT)),
        ],
        check=True,
    )
    return zipfile.ZipFile(next(folder.glob("syncengine-*.whl")))


def test_the_wheel_has_all_modules(wheel: zipfile.ZipFile) -> None:
    """Every module of the engine and the workers is in the wheel, migrations included."""
    modules = {
        str(path.relative_to(ROOT))
        for package in ("syncengine", "workers")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= set(wheel.namelist())


def test_the_wheel_has_the_starter_project(wheel: zipfile.ZipFile) -> None:
    """Every file of the shipped project is in the wheel, for ``syncengine init``."""
    shipped = MAPPINGS
    files = {
        f"syncengine/starter/{path.relative_to(shipped)}"
        for path in shipped.rglob("*")
        if path.is_file()
    }
    assert files
    assert files <= set(wheel.namelist())


def test_the_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Neither tests nor benchmarks are shipped."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {
        "syncengine",
        "workers",
        f"syncengine-{PROJECT['project']['version']}.dist-info",
    }


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_by_hash_and_name_no_index(name: str) -> None:
    """Every locked requirement has one version and hashes, and no lock says where packages come from."""
    text = (ROOT / name).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert all(re.match(r"[\w.\[\]-]+==\S+", entry) for entry in packages)
    assert all("--hash=sha256:" in entry for entry in packages)
    assert "://" not in text
    assert "index-url" not in text


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    pinned = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pinned}


def test_the_lock_covers_what_the_project_asks_for() -> None:
    """Each dependency that the project declares is locked at a version that it allows."""
    locked = _locked("requirements.txt")
    for line in PROJECT["project"]["dependencies"]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)])


def test_what_is_tested_is_what_runs() -> None:
    """No package has different versions in two locks."""
    dev = _locked("requirements-dev.txt")
    for name in ("requirements.txt", "requirements-build.txt"):
        assert _locked(name).items() <= dev.items()


def test_compose_starts_the_whole_service() -> None:
    """Database, broker, migration, workers, beat, web and Flower are there, the last five after what they need."""
    assert set(SERVICES) == {"postgres", "rabbitmq", *OURS}
    for name in ("worker", "live", "web"):
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["rabbitmq"]["condition"] == "service_healthy"


def test_compose_has_no_password_of_its_own(tmp_path: Path) -> None:
    """Every secret is a file that ``deploy/make-secrets.sh`` draws, for the account's own eyes; no variable holds
    one, and what is drawn once stays."""
    text = (ROOT / "compose.yaml").read_text("utf-8")
    # Where people find Flower is no secret.
    text = text.replace("SYNCENGINE_FLOWER_URL: ", "")
    assert not re.search(r"(PASSWORD|PASS|KEYS|AUTH|SECRET|URL): ", text)
    assert not re.search(r"://\w+:", text)
    script = tmp_path / "deploy" / "make-secrets.sh"
    script.parent.mkdir()
    script.write_text((ROOT / "deploy" / "make-secrets.sh").read_text("utf-8"), "utf-8")
    drawn = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        files = [path for path in (tmp_path / "secrets").rglob("*") if path.is_file()]
        drawn.append({str(p.relative_to(tmp_path)): p.read_text("utf-8") for p in files})
    assert drawn[0] == drawn[1]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    told = [*COMPOSE["secrets"].values()]
    assert all(one["file"].removeprefix("./") in drawn[0] for one in told)
    folders = {
        v["source"] for s in SERVICES.values() for v in s.get("volumes", ()) if isinstance(v, dict)
    }
    assert {Path(folder).name for folder in folders} == {"engine", "broker", "flower"}
    environment = {"SYNCENGINE_SECRETS_DIR": str(tmp_path / "secrets" / "engine")}
    settings = read_settings(environment)
    password = drawn[0]["secrets/postgres_password"]
    assert (
        settings.database_url
        == f"postgresql+psycopg://syncengine:{password}@postgres:5432/syncengine"
    )
    assert Vault(settings.encryption_keys).seal("x", "place") != "x"
    assert (
        f"default_pass = {drawn[0]['secrets/rabbitmq_password']}"
        in drawn[0]["secrets/rabbitmq.conf"]
    )


def test_compose_bounds_memory_processes_and_logs() -> None:
    """Nothing grows until the machine is full."""
    for service in SERVICES.values():
        assert service["mem_limit"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_compose_migrates_once_nobody_works_by_the_old_schema() -> None:
    """And a worker that answers no more is ended, so that it is started again."""
    assert SERVICES["migrate"]["command"] == ["syncengine", "db", "upgrade", "--wait", "2m"]
    for name in ("worker", "live"):
        assert "kill 1" in SERVICES[name]["healthcheck"]["test"][1]
        assert SERVICES[name]["init"]


def test_compose_opens_ports_on_loopback_only() -> None:
    """Nothing is reachable from another host, and database and broker not even from this one."""
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name for name, opened in ports.items() if opened} == {"web", "flower"}
    assert all(port.startswith("127.0.0.1:") for opened in ports.values() for port in opened)


def test_compose_shows_flower_read_only_behind_a_password() -> None:
    """Flower asks who comes, changes nothing, and holds neither keys nor the database's password."""
    flower = SERVICES["flower"]
    assert "--read-only" in flower["command"]
    (secrets,) = flower["volumes"]
    assert secrets["source"] == "./secrets/flower"
    assert secrets["read_only"]
    assert "env_file" not in flower


def test_compose_watches_what_runs() -> None:
    """What serves others has a health check, and all that runs on is started again."""
    for name in ("postgres", "rabbitmq", "worker", "web", "flower"):
        assert SERVICES[name]["healthcheck"]["test"]
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_compose_builds_from_the_locks() -> None:
    """The image installs by hash, runs without root, and copies only files that exist."""
    recipe = SERVICES["worker"]["build"]["dockerfile_inline"]
    assert recipe.count("--require-hashes") == 2
    assert recipe.rindex("USER syncengine") > recipe.rindex("FROM ")
    copied = [line.split()[1:-1] for line in recipe.splitlines() if line.startswith("COPY")]
    sources = [word for words in copied for word in words if "--from" not in word]
    assert all((ROOT / source).exists() for source in sources if not source.startswith("/"))
    allowed = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert all(f"!{source}" in allowed for source in sources if not source.startswith("/"))


def test_compose_names_images_by_digest() -> None:
    """What is run is what was chosen, whoever moves a tag: each image of others has a tag to read and a digest."""
    recipe = SERVICES["worker"]["build"]["dockerfile_inline"]
    images = re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)
    images += [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(images) == 4
    assert all(re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)


def test_the_licence_travels_with_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Who gets the wheel gets the whole text, and an index is told its name."""
    info = f"syncengine-{PROJECT['project']['version']}.dist-info"
    text = wheel.read(f"{info}/licenses/LICENSE").decode("utf-8")
    assert text.strip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text
    assert "\nLicense-Expression: Apache-2.0\n" in wheel.read(f"{info}/METADATA").decode("utf-8")


def test_the_licences_of_what_is_locked_are_told() -> None:
    """docs/licences.md names each locked package in its version with a licence that somebody has looked at."""
    told = subprocess.run(
        [sys.executable, ".ci/licences.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert told.stderr == ""
    assert told.returncode == 0
    page = (DOCS / "licences.md").read_text("utf-8")
    for name in LOCKS:
        for package, version in _locked(name).items():
            assert f"| {version} |" in next(
                line for line in page.splitlines() if f"| {package} " in line
            )


def test_a_machine_without_venv_is_told_what_to_install() -> None:
    """Where python3 cannot make an environment, the package that is missing is named."""
    program = (
        "import runpy, sys; sys.modules['ensurepip'] = None;"
        "runpy.run_path('.ci/python.py', run_name='__main__')"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 1
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in told.stderr
