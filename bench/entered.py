"""Changes that people enter at vendors, to be entered once more in another company."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from syncengine.sandbox.process import Row, SandboxProcess

SEED = 7


@dataclass(slots=True)
class Entered:
    """Changes as people enter them at both vendors: each an act that can be done again in another company. ``people``:
    those whose first names are entered at the first vendor; a fifth of them never leave, and their last names are
    entered at the other one."""

    people: list[Row]
    acts: list[tuple[str, str, str, str | None, Row]] = field(default_factory=list)
    random: random.Random = field(default_factory=lambda: random.Random(SEED))

    def one(self, sandbox: SandboxProcess) -> None:
        """Somebody is renamed, at the one vendor or the other; now and then somebody starts, or leaves."""
        number = len(self.acts)
        drawn, who = self.random.random(), self.random.choice(self.people)
        stay = len(self.people) // 5
        employees = ("heavenhr", "employees")
        if drawn < 0.04:
            name = f"New{number}"
            row = {
                "firstName": name, "lastName": "Person", "jobStatus": "HIRED",
                "professionalEmail": f"{name.lower()}@example.com", "employeeNumber": f"9{number:06}",
            }  # fmt: skip
            act: tuple[str, str, str, str | None, Row] = (*employees, "create", None, row)
        elif drawn < 0.06:
            leaves = self.random.choice(self.people[stay:])
            act = (*employees, "update", leaves["id"], {"jobStatus": "LEFT"})
        elif drawn < 0.25:
            stays = self.random.choice(self.people[:stay])["account"]
            act = ("weekly10", "users", "update", stays, {"last_name": f"Family{number}"})
        else:
            act = (*employees, "update", who["id"], {"firstName": f"Name{number}"})
        self.acts.append(act)
        self._do(sandbox, act)

    def again(self, sandbox: SandboxProcess) -> None:
        """All of them in another company, in peace."""
        for act in self.acts:
            self._do(sandbox, act)

    @staticmethod
    def _do(sandbox: SandboxProcess, act: tuple[str, str, str, str | None, Row]) -> None:
        vendor, resource, action, id_, values = act
        sandbox.mutate(vendor, resource, action, id_, values)
