"""What the story took: the vendors' own counts, the ledger's operations, and what Flower saw."""

from __future__ import annotations

from collections import Counter

from syncengine.demo.screen import Screen
from syncengine.demo.stage import Stage
from syncengine.model.operation import OperationState

ENDED = ("SUCCESS", "FAILURE", "RETRY")


def show_figures(stage: Stage, screen: Screen) -> bool:
    """Print them. Returns whether the whole is converged: nothing left to do, every listing sound."""
    show_vendors(stage, screen)
    show_ledger(stage, screen)
    show_flower(stage, screen)
    left = {**stage.open_work(), **{f"{c} {r} unlisted": 1 for c, r, _ in stage.unlisted(1)}}
    screen.say("converged" if not left else f"not converged: {left}", "bold")
    return not left


def show_vendors(stage: Stage, screen: Screen) -> None:
    """Requests, as the vendors count them."""
    screen.say("What each vendor was asked, and what was written to it, as it counts itself:")
    names = ("reads", "writes", "applied", "duplicates")
    screen.table(
        ["vendor", "asked", "wrote", "took effect", "made twice"],
        [
            [vendor, *(str(tally[name]) for name in names)]
            for vendor, tally in stage.sandbox.counters().items()
        ],
        numbers=len(names),
    )


def show_ledger(stage: Stage, screen: Screen) -> None:
    """The operations by state."""
    with stage.engine.ledger.read() as tx:
        counts = tx.count_operations()
        repeated = sum(operation.attempts > 1 for operation in tx.select_operations())
    states = [state for state in OperationState if any(key[2] == state for key in counts)]
    screen.say(
        "The ledger of write intents, each with a key of its own. Stale: surely not done, and planned anew. "
        f"{repeated} were taken up more than once, for want of a free call or after a fault."
    )
    screen.table(
        ["intent", *states],
        [
            [f"{vendor} {action}", *(str(counts.get((vendor, action, s), 0)) for s in states)]
            for vendor, action in sorted({key[:2] for key in counts})
        ],
        numbers=len(states),
    )


def show_flower(stage: Stage, screen: Screen) -> None:
    """The tasks that Flower has seen, by name."""
    tasks = stage.flower("tasks?limit=100000").values()
    seen = Counter((task["name"] or "", str(task["state"])) for task in tasks)
    workers = stage.flower("workers?status=true")
    many = "worker" if len(workers) == 1 else "workers"
    screen.say(
        f"Flower saw {len(workers)} {many} and {seen.total()} tasks. Cut off: was in the killed "
        "process."
    )
    screen.table(
        ["task", "succeeded", "cut off", "under way"],
        [
            [name, *(str(seen[name, state]) for state in ENDED), str(under_way(seen, name))]
            for name in sorted({name for name, _ in seen})
        ],
        numbers=3,
    )


def under_way(seen: Counter[tuple[str, str]], name: str) -> int:
    """Tasks that have not ended."""
    return sum(n for (task, state), n in seen.items() if task == name and state not in ENDED)
