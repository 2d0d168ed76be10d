"""The keys of the database as an operator handles them: begun late, changed, mixed up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.ledger.encryption import key_name, new_key
from tests.support.cli import Cli

SANDBOX = {"people": 4}
KEYS = "SYNCENGINE_ENCRYPTION_KEYS"


@pytest.mark.long
@pytest.mark.ci
def test_the_key_of_a_database_has_a_life(cli: Cli) -> None:
    """Begun without a key, sealed later, changed to another key: each time the next pass finds everything, what is
    needed is said, and the old key is of no use any more."""
    first = cli.json("sync")
    assert first["converged"]
    old = cli("db", "key").stdout.strip()
    assert re.fullmatch(r"[\w-]{43}=", old)
    warned = cli.json("check", **{KEYS: old})["warnings"]
    assert any("stand in the clear: `syncengine db encrypt` seals them" in line for line in warned)
    told = cli("db", "encrypt", **{KEYS: old}).stdout
    assert "not needed any more" in told
    assert not [
        w for w in cli.json("check", **{KEYS: old})["warnings"] if "key" in w or "clear" in w
    ]
    second = cli.json("sync", **{KEYS: old})
    assert sum(c["calls"]["writes"] for c in second["connections"].values()) == 0

    new = new_key()
    both = {KEYS: f"{new},{old}"}
    warned = cli.json("check", **both)["warnings"]
    assert any(f"need the key {key_name(old)}, the 2nd in the list" in line for line in warned)
    done = cli.json("db", "rekey", **both)
    assert (done["broken"], done["left"], done["clean"]) == (0, 0, True)
    (line,) = cli.json("db", "keys", **{KEYS: new})["kept"]
    assert (line["key"], line["place"], line["known"]) == (key_name(new), "1st", True)
    third = cli.json("sync", **{KEYS: new})
    assert sum(c["calls"]["writes"] for c in third["connections"].values()) == 0
    refused = cli("sync", code=2, **{KEYS: old}).stderr
    assert f"it was sealed with the key {key_name(new)}, which is not there" in refused
    assert new not in refused
    assert old not in refused


def test_without_a_key_nothing_can_be_sealed(cli: Cli) -> None:
    """It is said how to make one, and nothing is changed."""
    told = cli("db", "encrypt", code=2).stderr
    assert told.startswith(f"{KEYS} is not set: make a key with `syncengine db key`")


def test_a_new_project_comes_with_a_key(cli: Cli, tmp_path: Path) -> None:
    """``init`` prints a key that nobody has had before, and says where to keep it; it is in none of the files."""
    printed = [cli("init", str(tmp_path / name)).stdout for name in ("one", "two")]
    keys = [re.findall(rf"export {KEYS}=([\w-]+=)", text)[0] for text in printed]
    assert len({*keys}) == 2
    assert "never beside the database" in printed[0]
    assert not [f for f in (tmp_path / "one").iterdir() if keys[0] in f.read_text()]
