"""weekly10 / Zensai: directory and training records (docs/vendors.md, "weekly10")."""

from __future__ import annotations

from typing import Final

from syncengine.adapters.rest.auth import LoginToken
from syncengine.adapters.rest.paging import Linked
from syncengine.adapters.vendors.declare import Fields, Resource, reads, vendor, writes
from syncengine.model.resource import ResourceSpec

_SIZE: Final = 500
"""Rows asked for in one page; a vendor that gives fewer says so in ``next``."""


def _resource(name: str, path: str, fields: Fields) -> Resource:
    """All resources have the same routes, and rows whose id the client chooses."""
    return Resource(
        ResourceSpec(
            name=name,
            fields={**writes("string", "api_id"), **fields},
            chosen_id="api_id",
            create=True,
            update=True,
            delete=True,
        ),
        path=path,
        item=f"{path}{{id}}/",
        id="api_id",
        paging=Linked(_SIZE),
    )


USERS: Final = _resource(
    "users",
    "/users/",
    {
        **writes("string", "first_name", "last_name", required=True),
        **writes("email", "email"),
        **writes("boolean", "is_active"),
        **writes(
            "string", "language", "manager_api_id", "department_api_id",
            "department_2_api_id", "department_3_api_id", "department_4_api_id",
        ),
        **writes("list", "follower_api_ids"),
        **writes("object", "properties"),
    },
)  # fmt: skip

DEPARTMENTS: Final = _resource(
    "departments", "/departments/", writes("string", "name", required=True)
)

TRAINING_PACKAGES: Final = _resource(
    "training_packages",
    "/training/package/",
    {**writes("string", "name"), **writes("text", "description")},
)

TRAINING_RECORDS: Final = _resource(
    "training_records",
    "/training/record/",
    {
        **writes("string", "person_api_id", "package_api_id", required=True),
        **writes("datetime", "date_started", "date_completed"),
        **reads("string", "package_desc"),
        **reads("datetime", "date_assigned"),
    },
)

WEEKLY10: Final = vendor(
    "weekly10",
    (USERS, DEPARTMENTS, TRAINING_PACKAGES, TRAINING_RECORDS),
    credentials=("username", "password"),
    health="/departments/",
    login=LoginToken,
    options={"token_scheme": "word before the token in the Authorization header; Token"},
)
