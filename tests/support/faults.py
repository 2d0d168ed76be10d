"""Faults of every kind at simulated vendors, by the share of calls that they strike."""

from __future__ import annotations

from collections.abc import Collection

from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import SandboxProcess

TOKENS = ("heavenhr", "heiaheia", "weekly10")
"""Whose tokens can expire. A key that is refused is wrong until a person gives another one, and stops its connection;
that is no fault which passes by itself."""


def strike(sandbox: SandboxProcess, vendors: Collection[str], share: float) -> None:
    """Every kind of fault at each of these vendors, each as often, so that ``share`` of the calls is struck. Tokens end
    after so many calls: one that was just given out is good."""
    each = share / len(KINDS)
    for number, vendor in enumerate(vendors if share else ()):
        for seed, kind in enumerate(KINDS, start=100 * number):
            if kind != "expire_tokens":
                sandbox.fault(vendor, kind, probability=each, seed=seed, delay=0.5)
        for calls in range(1, 50) if vendor in TOKENS else ():
            sandbox.fault(vendor, "expire_tokens", skip=round(calls / each), count=1)
