"""All vendors of one simulated company, their request ledger and their faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from syncengine.sandbox.faults import Fault
from syncengine.sandbox.haekka import Haekka
from syncengine.sandbox.hakuna import Hakuna
from syncengine.sandbox.heavenhr import HeavenHR
from syncengine.sandbox.heiaheia import HeiaHeia
from syncengine.sandbox.ledger import Ledger
from syncengine.sandbox.people import make_staff, today
from syncengine.sandbox.vendor import Vendor
from syncengine.sandbox.weekly10 import Weekly10

Profile = Literal["documented", "current"]


@dataclass(frozen=True, slots=True)
class Options:
    """``port``: of the control server; 0 takes any free ports. ``hakuna_calls``, ``heavenhr_calls``: a
    minute; HeavenHR's are unlimited without."""

    people: int = 20
    seed: int = 1
    port: int = 0
    profile: Profile = "documented"
    hakuna_calls: int | None = None
    heavenhr_calls: int | None = None

    @property
    def calls(self) -> int:
        return 6000 + 20 * self.people if self.hakuna_calls is None else self.hakuna_calls


class World:
    """The state of the sandbox. The same options on the same day give the same state."""

    vendors: dict[str, Vendor]
    ledger: Ledger
    faults: list[Fault]

    def __init__(self, options: Options) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Back to the beginning: rows, tokens, ledger, and no faults."""
        staff = make_staff(self._options.people, self._options.seed, today())
        vendors: list[Vendor] = [
            HeavenHR(staff, self._options.heavenhr_calls),
            Haekka(staff),
            Hakuna(staff, self._options.profile == "current", self._options.calls),
            HeiaHeia(staff, self._options.profile == "current"),
            Weekly10(staff),
        ]
        self.vendors = {vendor.name: vendor for vendor in vendors}
        self.ledger = Ledger(list(self.vendors))
        self.faults = []

    def strike(self, vendor: str, method: str, template: str, path: str) -> Fault | None:
        """The first fault that hits this request."""
        for fault in self.faults:
            if fault.strikes(vendor, method, template, path):
                return fault
        return None
