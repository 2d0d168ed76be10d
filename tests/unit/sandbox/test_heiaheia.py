"""The simulated HeiaHeia answers as its documents say."""

from __future__ import annotations

import httpx
import pytest

from syncengine.sandbox.heiaheia import LOGIN, ROOT
from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

ONE = f"{ROOT}/123"


def test_a_token_is_given_for_a_magic_token(sandbox: SandboxProcess, client: httpx.Client) -> None:
    """The token request takes a JSON body or a query; the answer has no lifetime; wrong credentials are a 403."""
    url = f"{sandbox.env['HEIAHEIA_BASE_URL']}/oauth/token"
    given = client.post(url, json=LOGIN).json()
    assert set(given) == {"access_token", "scope", "created_at", "token_type"}
    assert given["scope"] == "read_only_admin_api"
    assert client.post(url, params=LOGIN).status_code == 200
    wrong = client.post(url, json={**LOGIN, "magic_token": "no"})
    assert (wrong.status_code, set(wrong.json())) == (403, {"error", "error_description"})
    assert client.post(url, json={"email": "x"}).json()["error"] == "missing_param"
    assert client.post(url, content=b"{").status_code == 400


def test_a_token_may_stand_in_the_query(heiaheia: Api) -> None:
    """Header and query are both taken; without a token it is a 401; an older token stays good."""
    token = heiaheia.headers["Authorization"].split()[1]
    bare = Api(heiaheia.client, heiaheia.base, {})
    assert bare("GET", f"{ONE}/stats").status_code == 401
    assert bare("GET", f"{ONE}/stats", params={"access_token": token}).status_code == 200
    heiaheia("POST", "/oauth/token", LOGIN)
    heiaheia.get(f"{ONE}/stats")
    assert heiaheia("POST", "/oauth/revoke").status_code == 204
    assert heiaheia("GET", f"{ONE}/stats").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_scope_may_only_read(heiaheia: Api, method: str) -> None:
    """Whatever would change something is a 403."""
    assert heiaheia(method, ONE, {}).status_code == 403


def test_organisations_come_in_pages(heiaheia: Api) -> None:
    """Pages count from 1, hold at most 500, and tell a total only where it is asked for."""
    first = heiaheia.get(ROOT, page=1, per_page=2)
    second = heiaheia.get(ROOT, page=2, per_page=2)
    assert first["total"] is None
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert heiaheia.get(ROOT, total_required="true")["total"] == 3
    for wrong in ({"per_page": 501}, {"page": 0}, {"size_classes": "7"}):
        assert heiaheia("GET", ROOT, params=wrong).status_code == 400


def test_sizes_are_joined_as_documented(heiaheia: Api) -> None:
    """Several sizes stand in one parameter; the other document's form is refused."""
    joined = heiaheia.get(ROOT, size_classes="50,10000")["items"]
    assert {row["size_class"] for row in joined} == {50}
    repeated = {"size_classes": ["50", "10000"]}
    assert heiaheia("GET", ROOT, params=repeated).status_code == 400


def test_business_ids_stand_where_there_are_several(heiaheia: Api) -> None:
    """multi_business_ids is there only with multi_business_id; figures may be asked for one of them."""
    rows = {row["id"]: row for row in heiaheia.get(ROOT)["items"]}
    assert rows[123]["multi_business_ids"] == ["123123-1", "123123-2"]
    assert "multi_business_ids" not in rows[124]
    every = heiaheia.get(f"{ONE}/stats")["usage"]["total_membership_count"]
    parts = [
        heiaheia.get(f"{ONE}/stats", business_id=b)["usage"]["total_membership_count"]
        for b in rows[123]["multi_business_ids"]
    ]
    assert sum(parts) == every == 20


def test_one_organisation_is_told(heiaheia: Api) -> None:
    """A known one with its counts, an unknown one as 404, one without access as 403 no_org_access."""
    assert heiaheia.get(ONE)["feature_tags"] == []
    assert heiaheia("GET", f"{ROOT}/99").json()["error"] == "not_found"
    hidden = heiaheia("GET", f"{ROOT}/126")
    assert (hidden.status_code, hidden.json()["error"]) == (403, "no_org_access")


def test_energy_levels_take_two_dates(heiaheia: Api) -> None:
    """Both dates are needed; the answer is the same until the members change, and has nulls for too few answers."""
    days = {"start_date": "2026-09-01", "end_date": "2026-09-30"}
    for wrong in ({"start_date": "2026-09-01"}, {**days, "end_date": "soon"}):
        assert heiaheia("GET", f"{ONE}/energy_levels", params=wrong).status_code == 400
    told = heiaheia.get(f"{ONE}/energy_levels", **days)
    assert told == heiaheia.get(f"{ONE}/energy_levels", **days)
    (instance,) = told["instances"]
    team = next(iter(instance["teams"].values()))
    assert (team["average_points"], team["insufficient_data_reason"]) == (None, "too_few_results")


def test_reports_are_open_to_whoever_knows_their_key(heiaheia: Api) -> None:
    """The newest first; data of viewed ones without any token; that of others is a 404."""
    rows = heiaheia.get(f"{ONE}/reports")["items"]
    assert [r["generated_at"] for r in rows] == sorted(
        (r["generated_at"] for r in rows), reverse=True
    )
    bare = Api(heiaheia.client, heiaheia.base, {})
    for row in rows:
        path = f"/reports/v1/documents/reports/{row['data_instance']['id']}"
        status = 200 if row["viewed"] else 404
        assert bare("GET", f"{path}/full_data").status_code == status
        assert bare("GET", path).status_code == status
    viewed = heiaheia.get(f"{ONE}/reports", viewed="true")["items"]
    assert viewed == [r for r in rows if r["viewed"]]


def test_memberships_name_people(heiaheia: Api) -> None:
    """Memberships have an address; a search narrows them."""
    rows = heiaheia.get(f"{ONE}/memberships", per_page=500)["items"]
    assert len(rows) == 20
    wanted = rows[3]["email"]
    found = heiaheia.get(f"{ONE}/memberships", search=wanted.upper())["items"]
    assert {row["email"] for row in found} == {wanted}
