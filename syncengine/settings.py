"""The environment as one frozen value, read once at the edge of a process."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from syncengine.errors import ConfigInvalid

PREFIX = "SYNCENGINE_"

_DATABASES = re.compile(r"(sqlite|postgresql(\+psycopg)?)://")
_BROKERS = re.compile(r"embedded(:\d{1,5})?$|(rediss?|amqps?)://")


def _keys(text: object) -> object:
    """``"a, b"`` -> ``("a", "b")``."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else text


class Settings(BaseModel):
    """What the environment says; each field is the variable ``SYNCENGINE_<FIELD>``.

    ``broker_url``: ``embedded``, ``embedded:<port>``, ``redis://`` or ``amqp://``. ``broker_prefix`` keeps
    apart what shares a broker. ``encryption_keys``: newest first. ``secrets_dir``: a folder whose files are
    variables, named as the variable. ``lease``, ``request_timeout``, ``sweep`` are seconds; ``batch`` is the
    most links or operations that one task takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    project: Path = Path("mappings")
    database_url: str = Field("sqlite:///syncengine.db", repr=False)
    broker_url: str = Field("embedded", repr=False)
    broker_prefix: str = Field("", pattern=r"^[\w.:-]*$")
    encryption_keys: Annotated[tuple[str, ...], BeforeValidator(_keys)] = Field((), repr=False)
    log_format: Literal["console", "json"] = "console"
    webhook_secret: str | None = Field(None, repr=False)
    secrets_dir: Path | None = None
    lease: float = Field(20, gt=0)
    request_timeout: float = Field(10, gt=0)
    sweep: float = Field(5, gt=0)
    batch: int = Field(100, ge=1, le=1000)

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: str) -> str:
        if not _DATABASES.match(url):
            raise ValueError("write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return url

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, url: str) -> str:
        if not _BROKERS.match(url):
            raise ValueError(
                "write embedded, embedded:PORT, redis://HOST:PORT/0 or amqp://HOST/VHOST"
            )
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, secret: str | None) -> str | None:
        text = (secret or "").removeprefix("whsec_")
        try:
            known = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            known = b""
        if secret is not None and not known:
            raise ValueError("write whsec_ and random bytes in base64")
        return secret


def read_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All variables: the environment, and below it the files of ``SYNCENGINE_SECRETS_DIR``. Empty ones count as
    unset. Raises ConfigInvalid if that folder cannot be read."""
    folder = environment.get(f"{PREFIX}SECRETS_DIR")
    secrets: dict[str, str] = {}
    if folder:
        try:
            files = [path for path in Path(folder).iterdir() if path.is_file()]
            secrets = {path.name: path.read_text("utf-8").strip() for path in files}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigInvalid(
                [f"{PREFIX}SECRETS_DIR: {folder} is not a readable folder of text files: {error}"]
            ) from None
    return {name: value for name, value in {**secrets, **environment}.items() if value}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this environment. Raises ConfigInvalid that names every variable which is wrong, and never
    shows a value."""
    variables = read_variables(environment)
    given = {
        field: variables[PREFIX + field.upper()]
        for field in Settings.model_fields
        if PREFIX + field.upper() in variables
    }
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise ConfigInvalid(
            [
                f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors(include_input=False, include_url=False)
            ]
        ) from None
    if settings.request_timeout >= settings.lease:
        fault = (
            f"{PREFIX}REQUEST_TIMEOUT: {settings.request_timeout:g} s is not below {PREFIX}LEASE, "
            f"{settings.lease:g} s; a write is only sent while its lease outlasts the timeout"
        )
        raise ConfigInvalid([fault])
    return settings
