"""The edition: a project as its files stand, read for a process, and what else is asked of files on the disk. It knows
no store, so that files are checked without one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from syncengine.adapters.vendors import SHIPPED
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.own import vendors_of
from syncengine.errors import ConfigInvalid
from syncengine.mapping import Project, load_project
from syncengine.model.secret import webhook_secret
from syncengine.settings import Settings


def starter() -> Path:
    """The folder of the project that is shipped: part of the installed package, in a checkout beside it."""
    package = Path(__file__).parent
    packed = package / "starter"
    return packed if packed.is_dir() else package.parent / "mappings"


@dataclass(frozen=True, slots=True)
class Edition:
    """A project as its files stood at one time. ``digest``: of their content; ``touched_at``: when the last of them
    was changed (epoch seconds)."""

    project: Project
    vendors: Mapping[str, Vendor]
    digest: str
    touched_at: float = 0.0


def load(settings: Settings) -> Project:
    """The project that the settings name. Raises ConfigInvalid with all faults."""
    return read_edition(settings).project


def read_edition(settings: Settings, variables: Mapping[str, str] | None = None) -> Edition:
    """The project of the settings as its files stand now, filled in from the environment and the secrets, or from these
    ``variables``. Raises ConfigInvalid with all faults."""
    digest, touched_at = files_digest(settings.project), last_touched(settings.project)
    vendors = vendors_of(settings.project, SHIPPED, settings.trust_project)
    catalog = {name: vendor.spec for name, vendor in vendors.items()}
    secrets = settings.secrets_dir if variables is None else None
    given = os.environ if variables is None else variables
    project = load_project(settings.project, catalog, given, secrets)
    _keep_apart(project, settings)
    return Edition(project, vendors, digest, touched_at)


def _keep_apart(project: Project, settings: Settings) -> None:
    """Raises ConfigInvalid where a connection's own secret of notices is the shared one, which others take."""
    shared = settings.webhook_secret and webhook_secret(settings.webhook_secret)
    faults = [
        f"{c.position}: connections.{c.name}.webhook: is SYNCENGINE_WEBHOOK_SECRET as well, which other connections "
        "take; draw one for this connection alone"
        for c in project.connections.values()
        if shared and shared in (c.webhook or ())
    ]
    if faults:
        raise ConfigInvalid(faults)


def files_of(folder: Path) -> list[Path]:
    """The files that a project consists of, in order."""
    kinds = {".yaml", ".yml", ".py"}
    return sorted(path for path in folder.glob("*") if path.suffix in kinds and path.is_file())


def files_digest(folder: Path) -> str:
    """By which two states of a project's files are told apart; of what cannot be read only the name counts."""
    whole = hashlib.sha256()
    for path in files_of(folder):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            whole.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:12]


def last_touched(folder: Path) -> float:
    """When the last of a project's files was changed or put there (epoch seconds); 0 where there is none."""
    times = [0.0]
    for path in files_of(folder):
        with contextlib.suppress(OSError):
            times += [(found := path.stat()).st_mtime, found.st_ctime]
    return max(times)


def has_ledger(settings: Settings) -> bool:
    """Whether a store is there already; a file is not made by asking."""
    file = _file(settings)
    return file is None or file.exists()


def _file(settings: Settings) -> Path | None:
    """The file of the store, where it is one."""
    path = settings.database_url.removeprefix("sqlite:///").partition("?")[0]
    return None if path == settings.database_url else Path(path)


def exposed_files(settings: Settings) -> list[str]:
    """What other accounts may read or write of what the program keeps on the disk, each with what to do."""
    file = _file(settings)
    told = []
    for path in [Path(f"{file}{end}") for end in ("", "-wal", "-shm")] if file else ():
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                who = "read and write" if mode & 0o022 else "read"
                told.append(f"other accounts may {who} {path} ({mode:04o}): chmod 600 {path}")
    return told
