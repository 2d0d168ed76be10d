"""The control server: ledger, state, hands on the vendors' screens, faults, reset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from syncengine.sandbox.faults import Fault
from syncengine.sandbox.world import World

ACTIONS = ("create", "update", "delete")


class Control:
    """The routes over ``world``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/requests", self._requests),
                Route("/state/{vendor}/{resource}", self._state),
                Route("/mutate/{vendor}/{resource}", self._mutate, methods=["POST"]),
                Route("/faults", self._faults, methods=["GET", "POST", "DELETE"]),
                Route("/reset", self._reset, methods=["POST"]),
            ]
        )

    async def _requests(self, request: Request) -> Response:
        if request.query_params.get("counters"):
            return JSONResponse(self._world.ledger.counters())
        return JSONResponse([asdict(entry) for entry in self._world.ledger.entries])

    async def _state(self, request: Request) -> Response:
        vendor, resource = request.path_params["vendor"], request.path_params["resource"]
        try:
            return JSONResponse(self._world.vendors[vendor].state(resource))
        except KeyError as error:
            return _unknown(error)

    async def _mutate(self, request: Request) -> Response:
        body = await _object(request)
        if body.get("action") not in ACTIONS:
            return _wrong(f"action: expected one of {', '.join(ACTIONS)}")
        vendor, resource = request.path_params["vendor"], request.path_params["resource"]
        values = body.get("values") or {}
        try:
            row = self._world.vendors[vendor].mutate(
                resource, body["action"], body.get("id"), values
            )
        except KeyError as error:
            return _unknown(error)
        except ValueError as error:
            return _wrong(str(error))
        return JSONResponse(row)

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._world.faults.clear()
        elif request.method == "POST":
            body = await _object(request)
            if body.get("vendor") not in self._world.vendors:
                return _wrong(f"vendor: expected one of {', '.join(self._world.vendors)}")
            try:
                self._world.faults.append(Fault(**body))
            except (TypeError, ValueError) as error:
                return _wrong(str(error))
        return JSONResponse([fault.shown() for fault in self._world.faults])

    async def _reset(self, _: Request) -> Response:
        self._world.reset()
        return JSONResponse({})


async def _object(request: Request) -> dict[str, Any]:
    """The JSON object of a request; empty if it is none."""
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _unknown(error: KeyError) -> Response:
    return JSONResponse({"error": f"unknown: {error}"}, 404)


def _wrong(message: str) -> Response:
    return JSONResponse({"error": message}, 400)
