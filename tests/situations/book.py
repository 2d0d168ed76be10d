"""The tables of ``docs/situations.md``: what is so, and what the code makes of it."""

from __future__ import annotations

from typing import Final

from tests.situations.fields import (
    CHANCES,
    FLOWS,
    MOVES,
    OWNERS,
    SETS,
    SIGHTS,
    WINNERS,
    agreed_before,
    applied,
    first_link,
    rule_changed,
    sets,
    who_wins,
)
from tests.situations.rows import (
    LACKS,
    LEAVES,
    LINKS,
    OWNERS_ROW,
    PLACES,
    RECORDS,
    ROWS,
    back_in_scope,
    creating,
    leaving,
    returning,
    row_gone,
    stranger,
)
from tests.situations.scenes import YES
from tests.situations.tables import Table

TABLES: Final = (
    Table(
        "A field that both agreed on",
        "The row is linked with our record, and there was a time when both agreed on this field. What counts is who "
        "changed it since. `flow` is that of the rule; where it makes no difference, neither does the scope.",
        {
            "since they agreed": tuple(MOVES),
            "`flow`": tuple(FLOWS),
            "owner": tuple(OWNERS),
            "`clear`": YES,
        },
        agreed_before,
        "since they agreed",
        "A field without `clear` is not emptied: what is emptied at one vendor is filled again. So our record is "
        "empty only where it never had a value, or where the mapping changed. An owner that is never read "
        "(`flow: out`) is overruled like anybody.",
    ),
    Table(
        "Who wins",
        "Nobody owns the field and both sides changed it: what `on_conflict` prefers in the tables above and below "
        "that say *here wins* and *ours wins*. *Seen last* goes by when this engine saw the changes, not by any "
        "vendor's clock; *larger* by the type of the field.",
        {
            "`on_conflict`": tuple(WINNERS),
            "the clash": (
                "both changed, differently",
                "emptied here, changed in our record",
                "changed here, emptied in our record",
                "first link, different",
            ),
            "seen last": ("here", "ours"),
            "larger": ("here", "ours"),
        },
        who_wins,
    ),
    Table(
        "A field at the first link",
        "Row and record were just found to be the same thing; there is nothing that they agreed on before. All "
        "fields of a row that are asked about come in one question.",
        {
            "at first sight": tuple(SIGHTS),
            "`flow`": tuple(FLOWS),
            "owner": tuple(OWNERS),
            "`clear`": YES,
        },
        first_link,
        "at first sight",
    ),
    Table(
        "A rule that was changed",
        "The YAML has another rule for the field than when both agreed, and nobody changed a value since. Where both "
        "still mean the same, nothing happens.",
        {
            "in the rule": ("how it spells", "where it looks"),
            "now they are": tuple(SIGHTS),
            "`flow`": tuple(FLOWS),
            "owner": tuple(OWNERS),
            "`clear`": YES,
        },
        rule_changed,
        "now they are",
        "At the place where the rule has always looked stands our own value in the old spelling. At another place it "
        "is somebody's, and is kept.",
    ),
    Table(
        "A set that both agreed on",
        "Nobody owns it. A set has no order and is merged item by item: what either side added stays, what either side "
        "removed goes.",
        {"since they agreed": tuple(SETS), "`flow`": tuple(FLOWS), "`clear`": YES},
        sets,
        "since they agreed",
    ),
    Table(
        "A rule that does not always apply",
        "The rule reads and writes, nobody owns the field, and the newest change counts, which is the one here.",
        {"`apply`": ("`always`", "`create`", "`if_empty`"), "so it stands": tuple(CHANCES)},
        applied,
    ),
    Table(
        "The row is gone",
        "A complete listing did not show it, and a confirming read did not find it. *Left* is the link of a record "
        "that is out of scope, *missing* one about which a person is being asked. Which systems own a field counts for "
        "those that the record has a row in, or had; nothing is made again for a record whose owner has lost its row.",
        {
            "the record": tuple(RECORDS),
            "the link": tuple(LINKS),
            "`on_missing`": ("`keep`", "`flag`", "`delete`", "`recreate`"),
            "another system owns a field": tuple(OWNERS_ROW),
            "a change of ours never arrived": YES,
        },
        row_gone,
    ),
    Table(
        "The record is gone, or out of scope",
        "The row is still there. *Changed here* is what the vendor shows and our record has not taken over yet. A "
        "record that is deleted learns nothing more.",
        {
            "the record": ("out of scope", "deleted"),
            "the link": ("linked", "left"),
            "`on_leave`": tuple(LEAVES),
            "changed here": ("nothing", "a field of `set.leave`", "another field"),
        },
        leaving,
        "the link",
        notes="A row that was left is left for good: not even `on_leave: delete`, written later, deletes it.",
    ),
    Table(
        "The record is back in scope",
        "Its row was left at the vendor. What somebody changed there meanwhile is judged like any other change.",
        {"`set.leave` wrote the field": YES, "changed here meanwhile": YES, "owner": tuple(OWNERS)},
        back_in_scope,
        notes="Where our record may take a change from here, it has done so while it was out of scope.",
    ),
    Table(
        "The row was gone",
        "Its link is a tombstone by now. Other than by hand a row goes by our own delete, or while its record is out "
        "of scope (but for `on_missing: keep`, which keeps the tombstone).",
        {
            "the row": ("is there again", "is still gone"),
            "it went": ("by hand, in scope", "otherwise"),
            "the record": tuple(RECORDS),
            "another row has its place": YES,
            "`create`": ("`out`", "`none`"),
        },
        returning,
        notes="What somebody deletes by hand stays deleted, unless `on_missing` says otherwise: see *The row is gone*. "
        "Where `create` is `none`, nothing is made, not even again.",
    ),
    Table(
        "A record without a row",
        "The record exists, and `create: out` lets a row of it be made here. *Waiting*: another record holds the row.",
        {
            "the record": tuple(RECORDS),
            "the link": ("creating", "waiting"),
            "the listing here": ("is complete", "never was"),
            "it lacks": tuple(LACKS),
            "the vendor refused it before": YES,
        },
        creating,
    ),
    Table(
        "A row that belongs to nobody",
        "A vendor shows a row that is linked with no record. *It fits* goes by the rules of `identity`, of which the "
        "first that decides counts; a deleted record fits nobody, so that who comes back is somebody new.",
        {
            "a create of ours may have made it": YES,
            "it fits": (
                "nobody at all",
                "nobody, a ref of its identity is not linked",
                "nobody, but another new row does",
                "several records",
                "one record, and another new row too",
                *PLACES,
            ),
            "`create`": ("`in`", "`none`"),
            "the row": tuple(ROWS),
        },
        stranger,
    ),
)
"""All tables, in the order of the page."""
