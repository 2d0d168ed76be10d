"""Changes brought over as connectors of business suites do it: one row after the other, each read, looked up, written
and committed by itself."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

import requests

HERE, THERE = os.environ["HEAVENHR_BASE_URL"], os.environ["WEEKLY10_BASE_URL"]


def main(told_in: str, database: str) -> None:
    """``told_in``: ``headers`` by vendor, and ``changes`` with ``employee`` and ``account``."""
    told = json.loads(Path(told_in).read_text("utf-8"))
    mine, theirs = requests.Session(), requests.Session()
    mine.headers.update(told["headers"]["heavenhr"])
    theirs.headers.update(told["headers"]["weekly10"])
    store = sqlite3.connect(database)
    store.execute(
        "CREATE TABLE IF NOT EXISTS binding (employee PRIMARY KEY, account, row, synced_at)"
    )
    started, worked = time.perf_counter(), time.process_time()
    for change in told["changes"]:
        employee, account = change["employee"], f"{THERE}/users/{change['account']}/"
        row = mine.get(f"{HERE}/employees/{employee}", timeout=30).json()
        store.execute("SELECT row FROM binding WHERE employee = ?", (employee,)).fetchone()
        store.execute(
            "INSERT INTO binding VALUES (?, ?, ?, ?) ON CONFLICT (employee) DO UPDATE SET row = excluded.row",
            (employee, change["account"], json.dumps(row), time.time()),
        )
        store.commit()
        current = theirs.get(account, timeout=30).json()
        if current["first_name"] != row["firstName"]:
            theirs.patch(
                account, json={"first_name": row["firstName"]}, timeout=30
            ).raise_for_status()
        store.execute(
            "UPDATE binding SET synced_at = ? WHERE employee = ?", (time.time(), employee)
        )
        store.commit()
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"seconds": took, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
