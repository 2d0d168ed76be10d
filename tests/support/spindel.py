"""The service that ``tests/spindel`` connects: an invented REST API on a real server, in a thread of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "spindel-key"
LISTED = ("id", "first_name", "last_name", "staff_no", "mail", "edited_at")
PAGE = 5
"""Rows of a page at most, whatever is asked for."""
Row = dict[str, Any]


class Spindel(ThreadingHTTPServer):
    """``members``: by id, in the order in which they were made. ``writes``: how many were accepted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.members: dict[str, Row] = {}
        self.writes = 0
        self.lock = threading.Lock()
        self.env = {
            "SPINDEL_BASE_URL": f"http://127.0.0.1:{self.server_port}/v1",
            "SPINDEL_KEY": KEY,
        }

    def change(self, key: str, values: Row) -> Row:
        """Change a member or make one; the row."""
        row = self.members.setdefault(key, {"id": key, "mail": None, "phone": None})
        row |= values | {"edited_at": datetime.now(UTC).isoformat()}
        return row

    def answer(self, method: str, path: str, query: Row, body: Row) -> tuple[int, Any]:
        """Status and answer of a request by somebody who may ask."""
        match method, path.removeprefix("/v1/").split("/"):
            case "GET", ["me"]:
                return 200, {"name": "key of the engine"}
            case "GET", ["members"]:
                return 200, self._listing(query)
            case "POST", ["members"]:
                numbers = [row["staff_no"] for row in self.members.values()]
                if body.get("staff_no") in numbers:
                    return 409, {"error": "staff_no is taken"}
                self.writes += 1
                return 201, {"member": self.change(f"m_{len(self.members) + 1:04}", body)}
            case "GET", ["members", key] if key in self.members:
                return 200, self.members[key]
            case "PATCH", ["members", key] if key in self.members:
                self.writes += 1
                return 200, {"member": self.change(key, body)}
        return 404, {"error": "there is nothing here"}

    def _listing(self, query: Row) -> Row:
        rows = [
            {name: row[name] for name in LISTED}
            for key, row in sorted(self.members.items())
            if key > query.get("after", "") and query.get("staff_no") in (None, row["staff_no"])
        ]
        size = min(PAGE, int(query.get("limit", PAGE)))
        more = rows[size - 1]["id"] if len(rows) > size else None
        return {"members": rows[:size], "next_after": more}


class _Handler(BaseHTTPRequestHandler):
    server: Spindel
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, said = 401, {"error": "unknown key"}
        if self.headers.get("X-Spindel-Key") == KEY:
            query, body = dict(parse_qsl(url.query)), json.loads(content or "{}")
            with self.server.lock:
                status, said = self.server.answer(self.command, url.path, query, body)
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


for _verb in ("GET", "POST", "PATCH"):
    setattr(_Handler, f"do_{_verb}", _Handler._serve)


@contextmanager
def spindel() -> Iterator[Spindel]:
    """The running service."""
    with Spindel() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
