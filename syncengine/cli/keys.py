"""``db key``, ``db keys``, ``db encrypt``, ``db rekey``: by which keys the database is sealed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from syncengine.cli import ui
from syncengine.cli.decide import database
from syncengine.errors import SyncengineError

if TYPE_CHECKING:
    from syncengine.settings import Settings


def register(_: typer.Typer) -> None:
    """Add the commands."""
    for command in (key, keys, encrypt, rekey):
        database.command()(command)


def key() -> None:
    """Print a new key for SYNCENGINE_ENCRYPTION_KEYS. It is kept nowhere: whoever loses it loses the database.

    Example: `syncengine db key`
    """
    from syncengine.bootstrap import new_encryption_key

    ui.screen().print(new_encryption_key(), soft_wrap=True)


def keys(as_json: ui.Json = False) -> None:
    """How many values are sealed with which key. Keys are called by eight digits that say nothing of them.

    Example: `syncengine db keys`
    """
    from syncengine.bootstrap import kept_under

    held = kept_under(ui.settings())
    if as_json:
        ui.emit({"kept": held})
        return
    table = ui.table("key", "values", right=["values"])
    for line in held:
        name = line["key"] + (f" ({line['place']} in the list)" if line["place"] else "")
        table.add_row(
            ui.cell(name if line["known"] else f"{name}: not in the list"), str(line["values"])
        )
    ui.screen().print(table)


def encrypt(as_json: ui.Json = False) -> None:
    """Seal a database that was begun without keys, with the first key of SYNCENGINE_ENCRYPTION_KEYS. The service may
    run, with the same keys; what was ended goes on where it was.

    Example: `syncengine db encrypt`
    """
    _seal(as_json)


def rekey(as_json: ui.Json = False) -> None:
    """Seal everything anew with the first key of SYNCENGINE_ENCRYPTION_KEYS and renew the hashes of identities, so that
    the other keys can be taken out of the list. The service may run, with the same keys.

    Example: put the new key in front, restart every process, `syncengine db rekey`, then take the old key out
    """
    _seal(as_json)


def _seal(as_json: bool) -> None:
    from syncengine.bootstrap import seal_anew

    told = 0

    def tell(table: str, values: int) -> None:
        nonlocal told
        if values - told >= _STEP:
            told = values
            ui.aside().print(f"{values} values sealed, now in {table}")

    done = seal_anew(ui.settings(), tell)
    if as_json:
        ui.emit(asdict(done))
    else:
        _show(done.values, done.broken, done.left, done.clean)
    ui.leave(ui.Exit.ERROR if done.left else ui.Exit.DONE)


_STEP = 20_000
_NO_KEY = "SYNCENGINE_ENCRYPTION_KEYS is not set: personal data is stored in the clear. `syncengine db key` makes one"


def _show(values: int, broken: int, left: int, clean: bool) -> None:
    screen = ui.screen()
    screen.print(f"{ui.counted(values, 'value')} sealed with the first key.")
    if broken:
        screen.print(
            f"{ui.counted(broken, 'value')} did not open; each has a question: `syncengine cases list`."
        )
    if left:
        screen.print(
            f"{ui.counted(left, 'value')} written meanwhile by a process that has not the first key: give it to every"
            " process, restart them, and run this again. Hashes were not renewed.",
            soft_wrap=True,
        )
        return
    screen.print("Hashes of identities are renewed. The other keys are not needed any more.")
    if not clean:
        screen.print(
            "The files of the database may still hold what stood there: run `VACUUM` on it once nothing uses it.",
            soft_wrap=True,
        )
    screen.print("Backups made before are sealed as they were: delete them, or keep their keys.")


def key_warnings(found: Settings) -> list[str]:
    """What ``check`` says of keys: values in the clear although there is a key, and keys that are still needed."""
    from syncengine.edition import has_ledger

    if not found.encryption_keys:
        return [_NO_KEY]
    if not has_ledger(found):
        return []
    from syncengine.bootstrap import kept_under

    try:
        held = kept_under(found)
    except SyncengineError:
        return []  # said by whoever needs the database
    return [_warning(line) for line in held if line["place"] != "1st"]


def _warning(line: dict[str, Any]) -> str:
    count = ui.counted(line["values"], "value")
    if not line["place"] and line["known"]:
        return f"{count} in the database {line['key']}: `syncengine db encrypt` seals them"
    if not line["known"]:
        return f"{count} in the database need the key {line['key']}, which is not in the list"
    return f"{count} in the database need the key {line['key']}, the {line['place']} in the list: `syncengine db rekey`"
