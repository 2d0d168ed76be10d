"""The OpenAPI document of the API, made of its endpoints and models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from syncengine.model.rights import roles_for
from syncengine.web.api.call import ROOT, Endpoint
from syncengine.web.api.models import Problem

_REFUSED: Final = {
    "401": "no token, or one that opens nothing", "403": "the token, or its member, lacks the right",
    "404": "there is nothing like that, or it is not within what the member may see",
    "409": "it is not possible any more, or somebody was first", "422": "something is missing or does not fit",
    "503": "the database does not answer; try again",
}  # fmt: skip


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The whole document, by OpenAPI 3.1."""
    bodies = [endpoint.body for endpoint in endpoints if endpoint.body is not None]
    answers = [endpoint.answer for endpoint in endpoints]
    asked: list[Any] = [(model, "validation") for model in bodies]
    asked += [(model, "serialization") for model in [*answers, Problem]]
    named, told = models_json_schema(
        asked,
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        mode: Any = "serialization"
        entry = _operation(endpoint)
        entry["responses"] = {
            "200": _json(endpoint.answer.__doc__ or "", named[endpoint.answer, mode]),
            **{code: _json(why, named[Problem, mode], "application/problem+json")
               for code, why in _REFUSED.items()},
        }  # fmt: skip
        if endpoint.body is not None:
            body: Any = "validation"
            entry["requestBody"] = {
                "required": True, "content": {"application/json": {"schema": named[endpoint.body, body]}},
            }  # fmt: skip
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "syncengine", "version": version, "description": _ABOUT},
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": told.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


_ABOUT = (
    "The same documents as the commands print with `--json`. Each call has the header `Authorization: Bearer TOKEN`; a "
    "member makes tokens in the console. Times are epoch seconds."
)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", endpoint.path)
    text = {"type": "string"}
    parameters = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": told, "schema": text}
        for name, told in (endpoint.query or {}).items()
    ]
    return {
        "operationId": endpoint.handle.__name__,
        "summary": endpoint.handle.__doc__,
        "description": f"Right: `{endpoint.right.value}`, which has the role {' or '.join(roles_for(endpoint.right))}.",
        "parameters": parameters,
    }


def _json(why: str, schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"description": why, "content": {kind: {"schema": schema}}}
