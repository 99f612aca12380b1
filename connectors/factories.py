"""From `[connections.NAME]` to a connector: what a factory is handed and how it reads options."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.connector import Connector
from connectors.errors import ConfigurationError
from connectors.http import Transport
from connectors.shelf import Shelf
from connectors.source import Pins
from connectors.spec import JsonObject
from connectors.url import AddressError, read_address


@dataclass(frozen=True)
class ConnectionSettings:
    """One `[connections.NAME]` of the operator's file; `options` are the connector's own."""

    name: str
    connector: str
    base_url: str = ""
    credential: str | None = None
    options: JsonObject = field(default_factory=dict)
    base_dir: Path = Path()
    allow_hosts: tuple[str, ...] = ()


async def _nobody_told(reference: str) -> str:
    raise ConfigurationError(f"nobody here knows {reference}")


@dataclass(frozen=True)
class Given:
    """What a connector is handed: the way out, and what stands for a secret on it."""

    transport: Transport
    secret_of: Callable[[str], str]  # its stand-in: for headers and addresses of requests alone
    shelf: Shelf | None = None  # where it may keep what takes long to ask for
    reveal: Callable[[str], Awaitable[str]] = _nobody_told  # the secret: for programs it starts
    hide: Callable[[bytes], bytes] = bytes  # takes every known secret out of what came
    pins: Pins | None = None  # what an operator accepted of a server
    changed: Callable[[], None] = lambda: None  # said where a source has changed what it offers
    callback: Callable[[str], str | None] = lambda _: None  # by tenant: where a browser comes back


Factory = Callable[[ConnectionSettings, Given], Connector]


class Options(BaseModel):
    """A connector's own options; subclass it and read it with `options_of`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Options = TypeVar("_Options", bound=Options)


def options_of(settings: ConnectionSettings, model: type[_Options]) -> _Options:
    """The options as a model; raises `ConfigurationError` for one that it does not know."""
    try:
        return model.model_validate(settings.options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(model.model_fields)) or "none"
        raise ConfigurationError(
            f"connections.{settings.name}.{where}: {first['msg']}; "
            f"the options of {settings.connector} are: {known}"
        ) from error


def base_url_of(settings: ConnectionSettings) -> str:
    """The service's address; raises `ConfigurationError`."""
    return url_of(settings, "base_url", settings.base_url)


def url_of(settings: ConnectionSettings, member: str, text: str) -> str:
    """An address below which paths are called; raises `ConfigurationError`."""
    where = f"connections.{settings.name}.{member}"
    if not text:
        raise ConfigurationError(f"{where}: it is missing")
    try:
        address = read_address(text)
    except AddressError as error:
        raise ConfigurationError(f"{where}: {text!r}: {error}") from error
    if "?" in address.target or "#" in text:
        raise ConfigurationError(f"{where}: {text!r} has more than a path")
    return text.rstrip("/")


def secret_of(settings: ConnectionSettings, given: Given) -> Callable[[], str]:
    """Stands for the secret until a request leaves: only a run that needs it waits for one."""
    reference = settings.credential
    if reference is None:
        raise ConfigurationError(
            f'connections.{settings.name}: credential is missing; for example "env:NAME"'
        )
    try:
        stand_in = given.secret_of(reference)
    except ConfigurationError as error:
        raise ConfigurationError(f"connections.{settings.name}.credential: {error}") from error
    return lambda: stand_in
