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


def control_app(world: World) -> Starlette:
    """The ASGI application over ``world``."""

    async def requests(request: Request) -> Response:
        if request.query_params.get("counters"):
            return JSONResponse(world.ledger.counters())
        return JSONResponse([asdict(entry) for entry in world.ledger.entries])

    async def state(request: Request) -> Response:
        vendor, resource = request.path_params["vendor"], request.path_params["resource"]
        try:
            return JSONResponse(world.vendors[vendor].state(resource))
        except KeyError as error:
            return _unknown(error)

    async def mutate(request: Request) -> Response:
        body = await _object(request)
        if body is None or body.get("action") not in ACTIONS:
            return _wrong(f"expected a JSON object with an action of {', '.join(ACTIONS)}")
        vendor, resource = request.path_params["vendor"], request.path_params["resource"]
        try:
            row = world.vendors[vendor].mutate(
                resource, body["action"], body.get("id"), body.get("values") or {}
            )
        except KeyError as error:
            return _unknown(error)
        except ValueError as error:
            return _wrong(str(error))
        return JSONResponse(row)

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            world.faults.clear()
        elif request.method == "POST":
            body = await _object(request)
            if body is None or body.get("vendor") not in world.vendors:
                return _wrong(f"vendor: expected one of {', '.join(world.vendors)}")
            try:
                world.faults.append(Fault(**body))
            except (TypeError, ValueError) as error:
                return _wrong(str(error))
        return JSONResponse([fault.shown() for fault in world.faults])

    async def reset(_: Request) -> Response:
        world.reset()
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/requests", requests),
            Route("/state/{vendor}/{resource}", state),
            Route("/mutate/{vendor}/{resource}", mutate, methods=["POST"]),
            Route("/faults", faults, methods=["GET", "POST", "DELETE"]),
            Route("/reset", reset, methods=["POST"]),
        ]
    )


async def _object(request: Request) -> dict[str, Any] | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _unknown(error: KeyError) -> Response:
    return JSONResponse({"error": f"unknown: {error}"}, 404)


def _wrong(message: str) -> Response:
    return JSONResponse({"error": message}, 400)
