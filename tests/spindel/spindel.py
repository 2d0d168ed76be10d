"""Spindel: who has which locker. Its pages say: a key in the header, members by cursor, a `staff_no` only once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.rest.paging import Ask, Paging, Sheet, rows_of
from syncengine.adapters.vendors.declare import Resource, reads, vendor, writes
from syncengine.errors import VendorDown
from syncengine.model.resource import ResourceSpec


@dataclass(frozen=True)
class After(Paging):
    """`after` names the last row that is known; the last page has null in `next_after`."""

    size: int

    def walk(self, ask: Ask, url: str, query: Mapping[str, str]) -> Iterator[Sheet]:
        """Pages until the last."""
        query = {**query, "limit": str(self.size)}
        while True:
            answer = ask(url, query)
            yield rows_of(answer, "members"), None
            if not isinstance(answer, dict) or "next_after" not in answer:
                raise VendorDown("the page does not say whether it is the last")
            if answer["next_after"] is None:
                return
            query["after"] = str(answer["next_after"])

    def calls(self, rows: int) -> int:
        """A page that ends the listing says so."""
        return max(1, -(-rows // self.size))


MEMBERS = Resource(
    ResourceSpec(
        name="members",
        fields={
            **reads("string", "id"),
            **reads("datetime", "edited_at"),
            **writes("string", "first_name", "last_name", "staff_no", required=True),
            **writes("email", "mail"),
            **writes("string", "phone", listed=False),
        },
        create=True,
        update=True,
        search=("staff_no",),
    ),
    path="/members",
    paging=After(100),
    narrow={"staff_no": "staff_no"},
    wrapped="member",
)

SPINDEL = vendor(
    "spindel",
    (MEMBERS,),
    credentials=("key",),
    health="/me",
    login=partial(HeaderAuth, "X-Spindel-Key", "{key}"),
)
