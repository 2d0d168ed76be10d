"""Import of all employees by dlt: list them, read each one, four at once, and keep them in SQLite."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import dlt
import requests

BASE = os.environ["HEAVENHR_BASE_URL"]
session = requests.Session()


@dlt.resource(name="listed", selected=False)
def listed() -> Iterator[list[dict[str, Any]]]:
    """The pages of the listing."""
    page = 0
    while True:
        answer = session.get(
            f"{BASE}/employees", params={"page": page, "pageSize": 200}, timeout=30
        )
        if answer.status_code == 404 or not answer.json()["data"]:
            return
        yield answer.json()["data"]
        page += 1


@dlt.transformer(data_from=listed, write_disposition="merge", primary_key="id", name="employees")
def employees(rows: list[dict[str, Any]]) -> Iterator[Any]:
    """Each employee in full."""

    @dlt.defer
    def whole(employee: str) -> dict[str, Any]:
        row: dict[str, Any] = session.get(f"{BASE}/employees/{employee}", timeout=30).json()
        return row

    for row in rows:
        yield whole(row["id"])


def main(folder: str, token: str) -> None:
    """One run."""
    os.environ.update(
        EXTRACT__WORKERS="4", EXTRACT__MAX_PARALLEL_ITEMS="20", RUNTIME__DLTHUB_TELEMETRY="false"
    )
    session.headers["Authorization"] = token
    to = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/dlt.db")
    pipeline = dlt.pipeline("people", pipelines_dir=folder, destination=to, dataset_name="main")
    started, worked = time.perf_counter(), time.process_time()
    pipeline.run(employees)
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM employees")
    print(json.dumps({"seconds": took, "cpu": cpu, "rows": rows[0][0]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
