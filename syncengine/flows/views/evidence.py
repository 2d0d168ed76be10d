"""Evidence: which of its values a case may show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from syncengine.flows.core.staging import Group
from syncengine.flows.naming.masking import DOTS, Mask, mask, shown_id, without
from syncengine.flows.naming.names import Names
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import Link
from syncengine.model.values import Json

_PLACE = re.compile(r"(?:quarantined|emptied):([^/:]+)/([^/]+)")
_PLAIN = frozenset(
    {"connection", "resource", "rows", "kind", "allowed", "links", "digest", "place"}
)
"""Evidence that is no value of a row."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as a viewer may see it. ``link``: the link it is about, if any. ``rivals``: links whose rows its answers
    may name."""

    called: Names
    case: Case
    link: Link | None
    rivals: Sequence[Link] = ()

    @property
    def mask(self) -> Mask:
        """That of the entity in question."""
        return mask(self.called.engine, self.case.entity)

    @property
    def system(self) -> System | None:
        """Where the row in question stands."""
        link = self.link
        return None if link is None else self.called.engine.system(link.entity, link.connection)

    @property
    def place(self) -> tuple[str, str] | None:
        """Connection and resource that the question is about; of held writes the entity for the resource."""
        if self.link is not None:
            return self.link.connection, self.link.resource
        if self.case.kind is CaseKind.STAGED:
            group = Group.of(self.case.subject)
            return group.connection, group.entity
        found = _PLACE.match(self.case.subject)
        return (found[1], found[2]) if found else None

    @property
    def loosely_hidden(self) -> bool:
        """Whether what was found before any entity was told is hidden: it may be of an entity with a hidden field."""
        engine, place = self.called.engine, self.place
        if engine.shows_sensitive or self.mask.entity is not None:
            return False
        near = engine.project.systems_of(*place) if place is not None else ()
        return not near or any(mask(engine, e).hides(n) for e, _ in near for n in e.fields)

    @property
    def secrets(self) -> list[Json]:
        """The hidden values that a text of the question, an answer or a vendor's words in it may repeat."""
        link, evidence = self.link, self.case.evidence
        owner = self.case.record_id or (link.record_id if link is not None else None)
        record = self.called.records.get(owner or "")
        found = self.mask.secrets(self.system, record, link, evidence=evidence)
        misfit = evidence.get("found")
        if isinstance(misfit, dict) and self.mask.hides(self._misfit_field):
            found += [value for name, value in misfit.items() if name != "field"]
        if self.loosely_hidden:
            found += [v for name, v in evidence.items() if name not in _PLAIN | {"answer"}]
        return found

    @property
    def external_id(self) -> str | None:
        """The row that it is about."""
        told = (
            self.link.external_id
            if self.link is not None
            else self.case.evidence.get("external_id")
        )
        if self.place is not None:
            return shown_id(self.called.engine, *self.place, told)
        return DOTS if told and self.loosely_hidden else told

    @property
    def vendor_says(self) -> Json:
        """The vendor's words."""
        answer = self.case.evidence.get("answer")
        if not isinstance(answer, str) or not answer:
            return answer
        return DOTS if self.loosely_hidden else self.text(answer)

    def text(self, text: str) -> str:
        """A text of the question."""
        for link in self.rivals:
            row = shown_id(self.called.engine, link.connection, link.resource, link.external_id)
            if row != link.external_id:
                text = text.replace(str(link.external_id), str(row))
        return without(text, self.secrets)

    def loose(self) -> dict[str, Json]:
        """What was found before any entity was told."""
        told = {n: v for n, v in self.case.evidence.items() if n != "row"}
        return {n: DOTS if self.loosely_hidden and n not in _PLAIN else v for n, v in told.items()}

    def body(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """A body in the vendor's words, by our fields, or by vendor path where no field stands behind it."""
        rules = self.system.rules.values() if self.system is not None else ()
        fields = {path: rule.field.name for rule in rules for path in rule.paths if rule.writes}
        return {fields.get(p, p): self.mask.at(self.system, p, raw) for p, raw in body.items()}

    def misfit(self) -> dict[str, Json]:
        """The value that does not fit."""
        found = self.case.evidence["found"]
        value = found.get("value", found) if isinstance(found, dict) else found
        name = str(self.case.evidence.get("field", ""))
        return {name: self.mask.value(self._misfit_field, value)}

    @property
    def _misfit_field(self) -> str:
        """The field whose value does not fit; of a row as a whole none that there is."""
        found = self.case.evidence.get("found")
        named = found.get("field") if isinstance(found, dict) else None
        return str(named or self.case.evidence.get("field") or "?")


def rivals_in(tx: Transaction, cases: Iterable[Case]) -> list[Link]:
    """The links of the records in whose place a row may be put, as answers say."""
    named = {
        given.partition(" ")[2]
        for c in cases
        for given in c.answers
        if given.startswith("replace ")
    }
    return tx.links_of(named) if named else []
