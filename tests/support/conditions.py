"""Conditions of any kind, drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from syncengine.model.condition import (
    Approved,
    Condition,
    InScope,
    Listed,
    OperationSettled,
    PlaceFree,
    RecordAt,
    RowTied,
    WrittenTo,
)
from syncengine.model.ref import Ref

WORD = st.from_regex(r"[a-z0-9_-]{1,9}", fullmatch=True)
ROW = st.builds(Ref, WORD, WORD, st.text())
CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(RowTied, ROW), st.builds(PlaceFree, ROW), st.builds(RecordAt, WORD, WORD),
    st.builds(OperationSettled, WORD), st.builds(Listed, WORD, WORD),
    st.builds(Approved, WORD, WORD, st.sampled_from(["create", "update", "delete"])),
    st.builds(WrittenTo, WORD), st.just(InScope()),
)  # fmt: skip
"""Names of connections, resources and entities are words; what vendors call their rows is any text."""
