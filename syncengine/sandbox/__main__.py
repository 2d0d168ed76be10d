"""``python -m syncengine.sandbox``: the simulators alone."""

from __future__ import annotations

import argparse

from syncengine.sandbox.server import serve
from syncengine.sandbox.world import Options


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m syncengine.sandbox", description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--port", type=int, default=0, help="of the control server; 0: any free ports"
    )
    parser.add_argument("--profile", choices=("documented", "current"), default="documented")
    for name in ("--hakuna-calls", "--heavenhr-calls"):
        parser.add_argument(name, type=int, default=None, help="calls a minute")
    serve(Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
