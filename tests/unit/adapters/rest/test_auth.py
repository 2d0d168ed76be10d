from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from syncengine.adapters.rest.auth import ClientCredentials, HeaderAuth, LoginToken, MagicToken
from syncengine.adapters.rest.transport import Purpose, make_client
from syncengine.adapters.rest.verdicts import Kind
from syncengine.errors import RateLimited, Unauthorized, VendorDown
from syncengine.ports import Tally
from tests.unit.adapters.wire import FrozenClock, OpenGate

URL = "https://v.example"
CREDENTIALS = {"client_id": "id", "client_secret": "secret", "username": "me", "password": "pw"}


class Desk:
    """A vendor that hands out numbered tokens and takes only the newest ones."""

    def __init__(self, **about: object) -> None:
        self.about = about
        self.tokens = 0
        self.revoked: set[str] = set()
        self.calls: list[httpx.Request] = []
        self.failing: Callable[[], httpx.Response] | None = None
        self.refusal, self.why = 401, "unknown_error"
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.calls.append(request)
            if request.url.path.endswith("token"):
                if self.failing:
                    return self.failing()
                self.tokens += 1
                time.sleep(0.02)
                body = {"access_token": f"t{self.tokens}", **self.about}
                return httpx.Response(200, json=body)
            header = request.headers.get("Authorization", "").partition(" ")[2]
            given = request.url.params.get("access_token", header)
            refused = given in self.revoked
        return httpx.Response(self.refusal if refused else 200, json={"error": self.why})


def client(desk: Desk, clock: FrozenClock | None = None) -> tuple[httpx.Client, Tally, OpenGate]:
    gate, tally = OpenGate(), Tally()
    auth = ClientCredentials(URL, CREDENTIALS, {}, clock or FrozenClock())
    return make_client(auth, gate, tally, 5, httpx.MockTransport(desk)), tally, gate


def read(live: httpx.Client) -> httpx.Response:
    return live.get(f"{URL}/x", extensions={"purpose": Purpose(Kind.READ, "GET /x")})


def write(live: httpx.Client) -> httpx.Response:
    return live.post(f"{URL}/x", extensions={"purpose": Purpose(Kind.CREATE, "POST /x")})


def in_threads(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_heavenhr_asks_with_get_and_basic() -> None:
    """The token request is the documented one, and its token goes with the call."""
    desk = Desk(expires_in=3600)
    live, tally, gate = client(desk)
    assert read(live).status_code == 200
    ask, call = desk.calls
    assert ask.method == "GET"
    assert dict(ask.url.params) == {"grant_type": "client_credentials", "scope": "all"}
    assert ask.headers["Authorization"] == "Basic " + base64.b64encode(b"id:secret").decode()
    assert call.headers["Authorization"] == "Bearer t1"
    assert tally == Tally(reads=2)
    assert gate.entered == [False, False]


def test_weekly10_logs_in_with_a_post_that_counts_as_a_read() -> None:
    """The login sends name and password once and the token under the chosen scheme."""
    calls: list[httpx.Request] = []

    def desk(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200, json={"token": "abc"})

    gate, tally = OpenGate(), Tally()
    auth = LoginToken(f"{URL}/api/v1", CREDENTIALS, {}, FrozenClock())
    live = make_client(auth, gate, tally, 5, httpx.MockTransport(desk))
    read(live)
    assert str(calls[0].url) == f"{URL}/api/v1/obtainauthtoken/"
    assert json.loads(calls[0].content) == {"username": "me", "password": "pw"}
    assert calls[1].headers["Authorization"] == "Token abc"
    assert gate.entered == [False, False]
    assert tally == Tally(reads=2)


def test_cold_threads_fetch_one_token() -> None:
    """Eight threads that start together cost one token call."""
    desk = Desk()
    live, _, _ = client(desk)
    in_threads(8, lambda: read(live))
    assert desk.tokens == 1


def test_a_revoked_token_is_fetched_once_by_all_threads() -> None:
    """Eight threads that meet a 401 cost one new token, and each repeats its call."""
    desk = Desk()
    live, tally, _ = client(desk)
    read(live)
    desk.revoked.add("t1")
    statuses: list[int] = []
    in_threads(8, lambda: statuses.append(read(live).status_code))
    assert statuses == [200] * 8
    assert desk.tokens == 2
    assert 1 <= tally.retries <= 8


def test_a_second_refusal_stands() -> None:
    """A call is repeated once and no more, even if fresh tokens are refused."""
    desk = Desk()
    desk.revoked.update(f"t{number}" for number in range(99))
    live, tally, _ = client(desk)
    assert write(live).status_code == 401
    assert desk.tokens == 2
    assert tally == Tally(reads=2, writes=2, retries=1)


def test_a_token_is_renewed_before_it_ends() -> None:
    """No call goes out with a token that may end under way."""
    desk, clock = Desk(expires_in=100), FrozenClock()
    live, _, _ = client(desk, clock)
    read(live)
    clock.time += 69
    read(live)
    assert desk.tokens == 1
    clock.time += 2
    read(live)
    assert desk.tokens == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: httpx.Response(401, json={"error": "invalid_client"}), Unauthorized),
        (lambda: httpx.Response(429, headers={"Retry-After": "3"}), RateLimited),
        (lambda: httpx.Response(503), VendorDown),
        (lambda: httpx.Response(200, text="<html>"), VendorDown),
        (lambda: httpx.Response(200, json={"token_type": "bearer"}), VendorDown),
        (lambda: httpx.Response(200, json=["t"]), VendorDown),
    ],
)
def test_a_write_without_a_token_was_surely_not_sent(
    answer: Callable[[], httpx.Response], error: type[Exception]
) -> None:
    """Whatever goes wrong with the token, the write is never unknown and the lock is free again."""
    desk = Desk()
    desk.failing = answer
    live, tally, _ = client(desk)
    with pytest.raises(error):
        write(live)
    assert tally.writes == 0
    desk.failing = None
    assert write(live).status_code == 200


def test_a_lost_token_call_leaves_nothing_unknown() -> None:
    """A timeout of the token call is the vendor's being down, even before a write."""

    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    auth = ClientCredentials(URL, CREDENTIALS, {}, FrozenClock())
    live = make_client(auth, OpenGate(), Tally(), 5, httpx.MockTransport(slow))
    with pytest.raises(VendorDown):
        write(live)


def test_a_fixed_header_goes_with_each_request() -> None:
    """Haekka and hakuna know one header."""
    seen: list[str] = []

    def desk(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["X-Auth-Token"])
        return httpx.Response(200)

    auth = HeaderAuth("X-Auth-Token", "a{token}", URL, {"token": "bc"}, {}, FrozenClock())
    live = make_client(auth, OpenGate(), Tally(), 5, httpx.MockTransport(desk))
    read(live)
    write(live)
    assert seen == ["abc", "abc"]


# HeiaHeia

DAY = 86400.0
MAGIC = {"email": "e", "magic_token": "m", "client_id": "c", "client_secret": "s"}


def magic(desk: Desk, clock: FrozenClock, **options: str) -> tuple[httpx.Client, Tally]:
    tally = Tally()
    auth = MagicToken(URL, MAGIC, options, clock)
    return make_client(auth, OpenGate(), tally, 5, httpx.MockTransport(desk)), tally


def test_heiaheia_takes_a_token_for_two_weeks_and_a_new_one_a_day_before() -> None:
    """The grant goes into a JSON body; the token, whose age counts from ``created_at``, lasts thirteen days, and the
    next one is fetched while it is still good."""
    clock = FrozenClock()
    desk = Desk(created_at=int(clock.now() - DAY))
    live, tally = magic(desk, clock)
    read(live)
    assert json.loads(desk.calls[0].content) == {"grant_type": "magic_token", **MAGIC}
    assert (desk.calls[0].method, desk.calls[0].url.path) == ("POST", "/oauth/token")
    clock.time += 12 * DAY - 60
    read(live)
    assert desk.tokens == 1
    desk.about["created_at"] = int(clock.now())
    clock.time += 60
    read(live)
    read(live)
    assert (desk.tokens, tally.retries) == (2, 0)


@pytest.mark.parametrize(
    ("age", "status", "why", "tokens"),
    [
        (0.5, 401, "unknown_error", 2),
        (0.5, 403, "unknown_error", 1),
        (1.5, 403, "unknown_error", 2),
        (1.5, 403, "no_org_access", 1),
    ],
)
def test_a_403_means_an_ended_token_only_with_an_old_one(
    age: float, status: int, why: str, tokens: int
) -> None:
    """HeiaHeia says 403 of a token that has ended and of what may not be seen: a new token is fetched once where the
    old one is older than a day and no organisation is meant."""
    clock, desk = FrozenClock(), Desk()
    live, _ = magic(desk, clock)
    read(live)
    clock.time += age * DAY
    desk.revoked, desk.refusal, desk.why = {"t1"}, status, why
    assert read(live).status_code == (200 if tokens == 2 else status)
    assert desk.tokens == tokens


def test_a_403_that_stays_is_told_after_one_new_token() -> None:
    """A refusal that a new token does not lift is the answer, and costs no token with the next call."""
    clock, desk = FrozenClock(), Desk()
    live, _ = magic(desk, clock)
    read(live)
    clock.time += 2 * DAY
    desk.revoked, desk.refusal = {f"t{n}" for n in range(9)}, 403
    assert [read(live).status_code for _ in range(3)] == [403] * 3
    assert desk.tokens == 2


def test_a_token_may_go_into_the_query() -> None:
    """With the option ``token_in: query`` it stands there, a new one in the place of the old one, and in no header."""
    clock, desk = FrozenClock(), Desk()
    live, _ = magic(desk, clock, token_in="query")
    read(live)
    desk.revoked = {"t1"}
    assert read(live).status_code == 200
    assert desk.calls[-1].url.params.get_list("access_token") == ["t2"]
    assert not any("Authorization" in call.headers for call in desk.calls)
