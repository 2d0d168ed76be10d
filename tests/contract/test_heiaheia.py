"""What the connector keeps of HeiaHeia's own rules, against the sandbox over real HTTP."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.adapters.vendors.heiaheia import report, stats
from syncengine.errors import VendorDown
from syncengine.ports import Window
from syncengine.sandbox.heiaheia import ROOT
from tests.contract.peers import World, listed

VENDOR = "heiaheia"
BIG, SMALL = "123", "124"
"""An organisation with enough accepted members for energy levels, and one without."""
BUSINESS = "123,123123-1"
"""A company of the first."""
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()
MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)
"""The first day of the last month that is over."""


def asked(world: World) -> Counter[str]:
    """How often each route was asked."""
    return Counter(world.sandbox.counters()["heiaheia"]["routes"])


def months(world: World, parent: str, back: int = 70) -> list[str]:
    """The months that a scan shows, over a window that reaches into the future."""
    window = Window(
        (MONTH - timedelta(days=back)).isoformat(), (TODAY + timedelta(days=99)).isoformat()
    )
    pages = world.connect("heiaheia").scan("energy_levels", parent, window)
    return [str(item.row["id"]) for page in pages for item in page.items]


def test_only_months_that_are_over_have_energy_levels(world: World) -> None:
    """A month is listed when it has ended, however far the window reaches, and listing it costs one call of stats."""
    found = months(world, BIG)
    assert found[-1] == MONTH.isoformat()[:7]
    assert len(found) == 3
    assert asked(world)[f"GET {ROOT}/{{id}}/energy_levels"] == 0
    assert asked(world)[f"GET {ROOT}/{{id}}/stats"] == 1


def test_small_organisations_are_not_asked(world: World) -> None:
    """Fewer than five accepted members: no month, and no call for one."""
    assert months(world, SMALL) == []


def test_too_few_answers_are_nulls(world: World) -> None:
    """Where too few answered, the figures are null and the reason is there; else they are numbers."""
    connector = world.connect("heiaheia")
    rows = []
    for month in months(world, BIG, 700):
        item = connector.get("energy_levels", f"{BIG}/{month}")
        assert item is not None
        rows.append(item.row)
    few = [row for row in rows if row["insufficient_data"]]
    many = [row for row in rows if not row["insufficient_data"]]
    assert few
    assert many
    assert {row["average_points"] for row in few} == {None}
    assert {row["insufficient_data_reason"] for row in few} == {"too_few_results"}
    assert all(isinstance(row["average_points"], float) for row in many)
    assert all(row["participant_count"] >= row["answer_count"] for row in rows)


def test_only_viewed_reports_are_listed_and_their_keys_stay_here(world: World) -> None:
    """A report that nobody looked at is not listed; the key of a report's data is in no row."""
    keys = {str(r["data_instance"]["id"]) for r in world.sandbox.state("heiaheia", "reports")}
    connector = world.connect("heiaheia")
    items = listed(connector, "reports", BIG)
    assert len(items) == 2
    full = connector.get("reports", items[0].external_id)
    assert full is not None
    assert full.row["full_data"]["instances"]
    shown = repr([item.row for item in [*items, full]])
    assert not any(key in shown for key in keys)


def test_one_organisation_tells_its_features(world: World) -> None:
    """Asked for by itself, an organisation shows its counts and what it has booked besides."""
    connector = world.connect("heiaheia")
    (item,) = listed(connector, "organisation_details", BIG)
    assert (item.external_id, str(item.row["id"])) == (f"{BIG}/details", BIG)
    assert item.row["feature_tags"] == []
    (counts,) = listed(connector, "stats", BIG)
    figures = {name: counts.row[name] for name in counts.row if name.endswith("count")}
    assert figures.items() <= item.row.items()
    assert len(figures) == 5


def test_what_is_told_about_a_report(world: World) -> None:
    """Beside its data a report has a description, read with its key, which is in no row."""
    connector = world.connect("heiaheia")
    item = listed(connector, "report_details", BIG)[0]
    full = connector.get("report_details", item.external_id)
    assert full is not None
    assert full.row["about"] == {"original": True, "teams": [], "tags": []}
    keys = {str(r["data_instance"]["id"]) for r in world.sandbox.state("heiaheia", "reports")}
    assert not any(key in repr(full.row) for key in keys)


def test_a_report_is_read_with_one_call_after_its_listing(world: World) -> None:
    """Whoever listed a report reads it with one call; another process looks for it first."""
    connector = world.connect("heiaheia")
    item = listed(connector, "reports", BIG)[0]
    before = asked(world)
    assert connector.get("reports", item.external_id) is not None
    other = world.connect("heiaheia")
    assert other.get("reports", item.external_id) is not None
    assert other.get("reports", f"{BIG}/999999") is None
    more = asked(world) - before
    assert more["GET /reports/v1/documents/reports/{id}/full_data"] == 2
    assert more[f"GET {ROOT}/{{id}}/reports"] == 2


def test_an_organisation_that_may_not_be_seen_is_no_deletion(world: World) -> None:
    """Access withdrawn: listings below it break off with an error that names no organisation."""
    world.sandbox.mutate("heiaheia", "organisations", "update", int(BIG), {"access": False})
    connector = world.connect("heiaheia")
    for resource in ("stats", "reports", "memberships"):
        with pytest.raises(VendorDown, match="403") as told:
            listed(connector, resource, BIG)
        assert BIG not in str(told.value)


def test_the_sizes_of_the_connection_s_options_are_asked_for(world: World, server: str) -> None:
    """The option size_classes leaves small organisations out of the listing, in the form that the server's document
    has; the other form is refused."""
    forms = {"documented": "joined", "current": "repeated"}
    every = {i.external_id for i in listed(world.connect("heiaheia"), "organisations")}
    options = {"size_classes": [50, 10000], "size_classes_as": forms.pop(server)}
    assert world.sandbox.env["HEIAHEIA_SIZE_CLASSES_AS"] == options["size_classes_as"]
    for resource in ("organisations", "businesses"):
        some = listed(world.connect("heiaheia", options=options), resource)
        assert {i.external_id for i in some} < every | {f"125,456456-{n}" for n in "12"} | {
            BUSINESS
        }
        assert {i.row.get("size_class", 50) for i in some} == {50}
    (wrong,) = forms.values()
    with pytest.raises(VendorDown, match="400"):
        listed(
            world.connect("heiaheia", options={**options, "size_classes_as": wrong}),
            "organisations",
        )


@pytest.mark.parametrize("place", ["header", "query"])
def test_the_token_stands_where_the_option_puts_it(world: World, place: str) -> None:
    """In the header or in the query, and never in both."""
    connector = world.connect("heiaheia", options={"token_in": place})
    listed(connector, "stats", BIG)
    connector.health()
    asked = [row["path"] for row in world.sandbox.requests() if row["method"] == "GET"]
    assert asked
    assert all(("access_token=" in path) is (place == "query") for path in asked)


def test_figures_of_one_company(world: World) -> None:
    """An organisation of several companies has figures and months for each of them, and they add up; one without has
    no such row."""
    connector = world.connect("heiaheia")
    found = [i.external_id for i in listed(connector, "businesses")]
    assert found == [BUSINESS, "123,123123-2", "125,456456-1", "125,456456-2"]
    total = "total_membership_count"
    (whole,) = listed(connector, "stats", BIG)
    parts = [row for name in found[:2] for row in listed(connector, "business_stats", name)]
    assert parts[0].external_id == f"{BUSINESS}/stats"
    assert sum(int(str(part.row[total])) for part in parts) == whole.row[total]
    month = MONTH.isoformat()[:7]
    item = connector.get("business_energy_levels", f"{BUSINESS}/{month}")
    of_all = connector.get("energy_levels", f"{BIG}/{month}")
    assert item is not None
    assert of_all is not None
    counts = [int(str(i.row["participant_count"])) for i in (item, of_all)]
    assert 0 < counts[0] < counts[1]


USAGE = {
    "total_membership_count": 20, "hh_core_total_membership_count": 0,
    "hh_core_accepted_membership_count": 0, "app_use_count": 2, "app_monthly_use_count": 2,
}  # fmt: skip


@pytest.mark.parametrize("shown", [{"usage": USAGE}, USAGE])
def test_stats_are_read_wrapped_and_flat(shown: dict[str, Any]) -> None:
    """Both documented forms of the usage figures are one row."""
    row = {**shown}
    stats(row)
    assert row == USAGE


def test_the_documented_report_is_read() -> None:
    """The example of the documents, flattened, without the key of its data."""
    row: dict[str, Any] = {
        "id": 708,
        "data_instance": {"id": "organisation_123_survey_key_tyovire_123", "type": "X"},
        "viewed": True, "sub_report": False, "generated_at": "2018-03-14T16:22:20+02:00",
        "scheduled_survey": {
            "id": 172, "started_at": "2019-05-07T11:08:37Z", "ends_on": "2019-05-14",
            "closed": True, "title": "Survey title here",
        },
    }  # fmt: skip
    report(row)
    assert row == {
        "id": 708, "viewed": True, "sub_report": False, "generated_at": "2018-03-14T16:22:20+02:00",
        "started_at": "2019-05-07T11:08:37Z", "ends_on": "2019-05-14", "closed": True,
        "title": "Survey title here",
    }  # fmt: skip
