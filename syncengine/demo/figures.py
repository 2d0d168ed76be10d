"""What the story took: the vendors' own counts, the ledger's operations, and what Flower saw."""

from __future__ import annotations

from collections import Counter

from syncengine.demo.screen import Screen
from syncengine.demo.stage import Stage
from syncengine.model.operation import OperationState

VENDORS = (
    "asked: requests that read; wrote: requests that write; took effect: as the vendor counts them"
)


def show_figures(stage: Stage, screen: Screen) -> bool:
    """Print them. Returns whether the whole is converged: nothing left to do, every listing sound."""
    screen.table(
        ["vendor", "asked", "wrote", "took effect", "made twice"],
        [
            [vendor, *(str(tally[name]) for name in ("reads", "writes", "applied", "duplicates"))]
            for vendor, tally in stage.sandbox.counters().items()
        ],
        title="Requests, as the vendors count them",
        numbers=4,
    )
    with stage.engine.ledger.read() as tx:
        counts = tx.count_operations()
        repeated = sum(operation.attempts > 1 for operation in tx.select_operations())
    states = [state for state in OperationState if any(key[2] == state for key in counts)]
    screen.table(
        ["write intents", *states],
        [
            [f"{vendor} {action}", *(str(counts.get((vendor, action, s), 0)) for s in states)]
            for vendor, action in sorted({key[:2] for key in counts})
        ],
        title="The ledger: each intent takes effect once, however often it was tried",
        numbers=len(states),
    )
    show_flower(stage, screen)
    left = {**stage.open_work(), **{f"{c} {r} unlisted": 1 for c, r, _ in stage.unlisted(1)}}
    screen.say(f"{repeated} intents were tried more than once.")
    screen.say("converged" if not left else f"not converged: {left}")
    return not left


def show_flower(stage: Stage, screen: Screen) -> None:
    """The tasks that Flower has seen, by name."""
    tasks = stage.flower("tasks?limit=100000").values()
    seen = Counter((task["name"], task["state"]) for task in tasks if task["name"])
    names = sorted({name for name, _ in seen})
    screen.table(
        ["task", "succeeded", "failed", "other"],
        [
            [name, str(seen[name, "SUCCESS"]), str(seen[name, "FAILURE"]), str(other(seen, name))]
            for name in names
        ],
        title=f"Flower: {sum(seen.values())} tasks, {len(stage.flower('workers'))} worker",
        numbers=3,
    )


def other(seen: Counter[tuple[str, str]], name: str) -> int:
    """Tasks under way, or cut off by a kill."""
    ended = ("SUCCESS", "FAILURE")
    return sum(n for (task, state), n in seen.items() if task == name and state not in ended)
