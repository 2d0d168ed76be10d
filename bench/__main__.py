"""``python -m bench NAME [--options]`` runs one bench, ``small`` or ``long`` a set of them; without a name all are
listed.

Each measures the engine in turn with its limit and prints medians with least and most. NAME.json and NAME.svg are
written to bench/results.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from bench.result import RESULTS, say

BENCHES = (
    "changes", "slow", "sync", "latency", "queue", "noop", "first", "plan", "start", "scale", "peers",
    "hosts", "chaos",
)  # fmt: skip
_FEW = "--people 500 --changes 400 --rounds 2"
_STACKS = "--stacks sqlite-embedded postgresql-redis postgresql-rabbitmq"
SETS = {
    "small": (
        "start",
        f"changes {_FEW} --workers 1 2 {_STACKS}",
        f"sync {_FEW}",
        "latency --backlog 400 --notices 20 --rounds 1",
        "queue --people 500 --tasks 1000 --rounds 2",
        "noop --people 3000 --rounds 2",
        "first --people 1000 --rounds 1",
        "plan --people 1000 --rounds 2",
    ),
    "long": BENCHES,
}
"""Name -> what is run: in under 15 minutes, and in some hours."""


def main() -> int:
    """The command."""
    # Of who installed it the product has its byte code; without it each process would compile it first.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    each = parser.add_subparsers(dest="name", metavar="NAME")
    for name in BENCHES:
        module = import_module(f"bench.{name}")
        said = (module.__doc__ or "").partition("\n\n")[0]
        one = each.add_parser(name, help=said, description=module.__doc__)
        module.options(one)
        _to(one, RESULTS)
    for name in SETS:
        _to(each.add_parser(name, help=f"{len(SETS[name])} of them"), RESULTS / name)
    asked = parser.parse_args()
    if asked.name is None:
        parser.print_help()
        return 0
    if asked.name not in SETS:
        _measure(asked.name, asked)
        return 0
    began = time.monotonic()
    for line in SETS[asked.name]:
        _measure(line.split()[0], parser.parse_args([*line.split(), "--to", str(asked.to)]))
        say(f"{(time.monotonic() - began) / 60:.1f} minutes so far")
    return 0


def _to(parser: argparse.ArgumentParser, folder: Path) -> None:
    parser.add_argument("--to", type=Path, default=folder, help="folder of the results")


def _measure(name: str, asked: argparse.Namespace) -> None:
    folder = asked.to
    del asked.name, asked.to
    result = import_module(f"bench.{name}").run(asked)
    print(f"## {result.title}\n\n{result.table()}", flush=True)
    for file in result.save(folder):
        say(str(file))


if __name__ == "__main__":
    sys.exit(main())
