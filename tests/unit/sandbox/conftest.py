"""One sandbox per test run; every test begins with a fresh company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from syncengine.sandbox.heiaheia import LOGIN
from syncengine.sandbox.process import SandboxProcess


@dataclass(frozen=True)
class Api:
    """A vendor as a client sees it."""

    client: httpx.Client
    base: str
    headers: dict[str, str]

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.client.request(method, self.base + path, json=json, headers=headers, **more)

    def get(self, path: str, **params: Any) -> Any:
        answer = self("GET", path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(people=20, seed=7) as running:
        yield running


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False, trust_env=False) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


@pytest.fixture
def heavenhr(sandbox: SandboxProcess, client: httpx.Client) -> Api:
    base = sandbox.env["HEAVENHR_BASE_URL"]
    key = (sandbox.env["HEAVENHR_CLIENT_ID"], sandbox.env["HEAVENHR_CLIENT_SECRET"])
    asked = {"grant_type": "client_credentials", "scope": "all"}
    token = client.get(f"{base}/oauth2/token", params=asked, auth=key).json()["access_token"]
    return Api(client, base, {"Authorization": f"Bearer {token}"})


@pytest.fixture
def haekka(sandbox: SandboxProcess, client: httpx.Client) -> Api:
    key = sandbox.env["HAEKKA_API_KEY"]
    return Api(client, sandbox.env["HAEKKA_BASE_URL"], {"Authorization": f"Bearer {key}"})


@pytest.fixture
def hakuna(sandbox: SandboxProcess, client: httpx.Client) -> Api:
    token = sandbox.env["HAKUNA_TOKEN"]
    return Api(client, sandbox.env["HAKUNA_BASE_URL"], {"X-Auth-Token": token})


@pytest.fixture
def weekly10(sandbox: SandboxProcess, client: httpx.Client) -> Api:
    base = sandbox.env["WEEKLY10_BASE_URL"]
    login = {
        "username": sandbox.env["WEEKLY10_USERNAME"],
        "password": sandbox.env["WEEKLY10_PASSWORD"],
    }
    token = client.post(f"{base}/obtainauthtoken/", json=login).json()["token"]
    return Api(client, base, {"Authorization": f"Token {token}"})


@pytest.fixture
def heiaheia(sandbox: SandboxProcess, client: httpx.Client) -> Api:
    base = sandbox.env["HEIAHEIA_BASE_URL"]
    token = client.post(f"{base}/oauth/token", json=LOGIN).json()["access_token"]
    return Api(client, base, {"Authorization": f"Bearer {token}"})
