"""The sandbox as a child process, for tests, the demo and benchmarks."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import httpx

Row = dict[str, Any]


class SandboxProcess:
    """Starts the sandbox on free ports and waits for it; a context manager that stops it.

    ``env`` holds what the sandbox exports: base URLs, credentials, ``SYNCENGINE_SANDBOX_URL``.
    Raises RuntimeError if the sandbox does not start; a refused control call raises httpx.HTTPStatusError.
    """

    def __init__(
        self,
        people: int = 20,
        seed: int = 1,
        port: int = 0,
        profile: str = "documented",
        hakuna_calls: int | None = None,
        heavenhr_calls: int | None = None,
    ) -> None:
        command = [sys.executable, "-P", "-m", "syncengine.sandbox", "--profile", profile]
        command += [f"--people={people}", f"--seed={seed}", f"--port={port}"]
        for name, calls in (("hakuna", hakuna_calls), ("heavenhr", heavenhr_calls)):
            if calls is not None:
                command.append(f"--{name}-calls={calls}")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.env = self._read_exports()
        self._client = httpx.Client(base_url=self.env["SYNCENGINE_SANDBOX_URL"], timeout=60)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def _read_exports(self) -> dict[str, str]:
        env: dict[str, str] = {}
        for line in self._process.stdout or ():
            if line.strip() == "ready":
                return env
            name, _, value = shlex.split(line)[1].partition("=")
            env[name] = value
        raise RuntimeError(f"the sandbox ended with exit code {self._process.wait()} before ready")

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def state(self, vendor: str, resource: str) -> list[Row]:
        """All rows as the vendor's single GET shows them."""
        rows: list[Row] = self._ask("GET", f"/state/{vendor}/{resource}")
        return rows

    def mutate(
        self,
        vendor: str,
        resource: str,
        action: str,
        id: str | int | None = None,
        values: Row | None = None,
    ) -> Row:
        """What a person does on the vendor's own screen: create, update or delete; the row."""
        said = {"action": action, "id": id, "values": values or {}}
        row: Row = self._ask("POST", f"/mutate/{vendor}/{resource}", said)
        return row

    def requests(self) -> list[Row]:
        """The request ledger, oldest first."""
        rows: list[Row] = self._ask("GET", "/requests")
        return rows

    def counters(self) -> dict[str, Row]:
        """Counts by vendor: reads, writes, applied, duplicates, concurrency, routes."""
        counts: dict[str, Row] = self._ask("GET", "/requests?counters=1")
        return counts

    def fault(self, vendor: str, kind: str, **more: Any) -> None:
        """Put a fault in the way: method, route, count, probability, seed, skip, delay, field,
        status, retry_after."""
        self._ask("POST", "/faults", {"vendor": vendor, "kind": kind, **more})

    def clear_faults(self) -> None:
        self._ask("DELETE", "/faults")

    def reset(self) -> None:
        """Back to the beginning; tokens given out before no longer count."""
        self._ask("POST", "/reset")

    def stop(self) -> None:
        """End the process. Harmless if it has ended."""
        self._client.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _ask(self, method: str, path: str, body: Row | None = None) -> Any:
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()
