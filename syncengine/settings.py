"""The environment as one frozen value, read once at the edge of a process."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
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
from syncengine.model.secret import webhook_secret
from syncengine.model.spelling import odd

PREFIX = "SYNCENGINE_"
FLOWER_USER = "syncengine"
"""Who logs in to Flower, unless the environment names others."""

_DATABASES = re.compile(r"(sqlite|postgresql(\+psycopg)?)://")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::\d{1,5})?", re.ASCII)
_BROKERS = re.compile(r"embedded(:\d{1,5})?$|(rediss?|redis\+socket|amqps?)://")


def _keys(text: object) -> object:
    """``"a, b"`` -> ``("a", "b")``."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else text


def _host(text: str) -> str:
    """``sync.example.com`` of ``Sync.example.com:8080``; empty where there is no name."""
    found = _HOST.fullmatch(text)
    return (found[1] or found[2]).lower() if found else ""


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class Settings(BaseModel):
    """What the environment says; each field is the variable ``SYNCENGINE_<FIELD>``.

    ``broker_url``: ``embedded``, ``embedded:<number>``, ``redis://`` or ``amqp://``. ``broker_prefix``: with
    which all names on the broker begin, instead of the word of the database. ``encryption_keys``: newest first.
    ``metrics_token``: with which ``/metrics`` is asked for. ``hosts``: names, besides those of this machine's loopback,
    under which the web side and Flower are reached. ``flower_url``, ``web_url``: where people find Flower and
    the console. ``author``: who works at
    a terminal. ``secrets_dir``: a folder whose files are variables, named as the variable. ``trust_project``: run the
    project's Python modules even where other accounts could have written them. ``lease``, ``request_timeout``,
    ``sweep`` are seconds; ``batch`` is the most links or operations that one task takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    project: Path = Path("mappings")
    author: str = Field("", max_length=60)
    database_url: str = Field("sqlite:///syncengine.db", repr=False)
    broker_url: str = Field("embedded", repr=False)
    broker_prefix: str = Field("", pattern=r"^[\w.:-]*$")
    encryption_keys: Annotated[tuple[str, ...], BeforeValidator(_keys)] = Field((), repr=False)
    log_format: Literal["console", "json"] = "console"
    webhook_secret: str | None = Field(None, repr=False)
    metrics_token: str | None = Field(None, repr=False, min_length=16)
    hosts: Annotated[tuple[str, ...], BeforeValidator(_keys)] = ()
    flower_url: str = Field("", pattern=r"^(https?://\S+)?$")
    web_url: str = Field("", pattern=r"^(https?://\S+)?$")
    secrets_dir: Path | None = None
    trust_project: bool = False
    show_sensitive: bool = False
    lease: float = Field(20, gt=0)
    request_timeout: float = Field(10, gt=0)
    sweep: float = Field(5, gt=0, le=30)
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
                "write embedded, embedded:NUMBER, redis://HOST:PORT/0 or amqp://HOST/VHOST"
            )
        return url

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_host(f"[{name}]:1" if name.count(":") > 1 else f"{name}:1") for name in hosts):
            raise ValueError("write names or addresses without port and scheme, apart by commas")
        return tuple(name.lower() for name in hosts)

    def is_named(self, host: str, own: str) -> bool:
        """Whether a request that names this ``Host`` means us: by a name that we were told, by one of loopback, or by
        our ``own`` address on which it came."""
        name = _host(host)
        return bool(name) and (name in (*self.hosts, own, "localhost") or _is_loopback(name))

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, secret: str | None) -> str | None:
        if secret is not None:
            webhook_secret(secret)
        return secret


def _one_line(name: str, value: str) -> str:
    """A value as it is read: keys may stand on lines of their own."""
    return " ".join(value.split()) if name == f"{PREFIX}ENCRYPTION_KEYS" else value


def read_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All variables: the environment, and below it the files of ``SYNCENGINE_SECRETS_DIR``. Empty ones count as
    unset. Raises ConfigInvalid if that folder cannot be read, and names each of our own that has a character which
    nobody can have meant."""
    folder = environment.get(f"{PREFIX}SECRETS_DIR")
    secrets: dict[str, str] = {}
    if folder:
        try:
            files = [path for path in Path(folder).iterdir() if path.is_file()]
            texts = {path.name: path.read_text("utf-8", "surrogateescape") for path in files}
            secrets = {name: text.rstrip("\r\n") for name, text in texts.items()}
        except OSError as error:
            raise ConfigInvalid(
                [f"{PREFIX}SECRETS_DIR: {folder} is not a readable folder of text files: {error}"]
            ) from None
    found = {name: value for name, value in {**secrets, **environment}.items() if value}
    faults = [
        f"{name}: it has {what}; remove it"
        for name in (PREFIX + field.upper() for field in Settings.model_fields)
        if name in found and (what := odd(_one_line(name, found[name])))
    ]
    if faults:
        raise ConfigInvalid(faults)
    return found


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


def draw_password() -> str:
    """A random one, to be typed."""
    return secrets.token_urlsafe(15)
