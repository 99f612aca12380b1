"""From `[connections.NAME]` to a connector: what a factory is handed, and the built-in ones."""

import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.builtin.smtp import SmtpConnector
from connectors.connector import Connector
from connectors.errors import ConfigurationError
from connectors.http import Transport
from connectors.mcp.connector import McpConnector
from connectors.mcp.overlay import McpOverlay, load_mcp_overlay
from connectors.mcp.process import Command
from connectors.mcp.reach import Address, Local
from connectors.openapi import OpenApiConnector, Overlay, Source, load_overlay
from connectors.shelf import Shelf
from connectors.source import Pins
from connectors.spec import JsonObject
from connectors.unified.payments import PaymentsConnector, Vendor
from connectors.unified.payments_decimal import Decimals
from connectors.unified.payments_minor import MinorUnits
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


def _base_url(settings: ConnectionSettings) -> str:
    return _url(settings, "base_url", settings.base_url)


def _url(settings: ConnectionSettings, member: str, text: str) -> str:
    """An address below which paths are called; raises `ConfigurationError`."""
    where = f"connections.{settings.name}.{member}"
    try:
        address = read_address(text)
    except AddressError as error:
        raise ConfigurationError(f"{where}: {text!r}: {error}") from error
    if "?" in address.target or "#" in text:
        raise ConfigurationError(f"{where}: {text!r} has more than a path")
    return text.rstrip("/")


def _secret(settings: ConnectionSettings, given: Given) -> Callable[[], str]:
    """Stands for the secret until a request leaves: only a run that needs it waits for one."""
    reference = settings.credential
    if reference is None:
        raise ConfigurationError(
            f'connections.{settings.name}: credential is missing; for example "env:NAME"'
        )
    stand_in = given.secret_of(reference)
    return lambda: stand_in


class _OpenApiOptions(Options):
    document: str = "/openapi.json"
    overlay: str | None = None


def _openapi(settings: ConnectionSettings, given: Given) -> Connector:
    options = options_of(settings, _OpenApiOptions)
    base_url = _base_url(settings)
    overlay = load_overlay(settings.base_dir / options.overlay) if options.overlay else Overlay()
    if overlay.credential is not None and settings.credential is None:
        raise ConfigurationError(
            f"connections.{settings.name}: the overlay says how a credential travels, but there is "
            f'none; give one, for example credential = "env:NAME"'
        )
    return OpenApiConnector(
        settings.name,
        base_url,
        given.transport,
        document=Source(options.document, base_url, settings.base_dir),
        overlay=overlay,
        secret=_secret(settings, given) if settings.credential else None,
        shelf=given.shelf,
    )


def _payments(name: str, vendor: Callable[[Callable[[], str]], Vendor]) -> Factory:
    def build_payments(settings: ConnectionSettings, given: Given) -> Connector:
        options_of(settings, Options)  # it has none
        return PaymentsConnector(
            name,
            settings.name,
            _base_url(settings),
            given.transport,
            vendor(_secret(settings, given)),
        )

    return build_payments


class _SmtpOptions(Options):
    server: str = Field(pattern=r"^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")
    sender: str = Field(pattern=r"^[!-;=?-~]+@[A-Za-z0-9.-]+$")
    mailbox_url: str | None = None
    domain: str = Field(default="lamgate.invalid", pattern=r"^[A-Za-z0-9.-]+$")


def _smtp(settings: ConnectionSettings, given: Given) -> Connector:
    options = options_of(settings, _SmtpOptions)
    if settings.credential is not None:
        raise ConfigurationError(
            f"connections.{settings.name}.credential: smtp does not sign in to a server yet"
        )
    host, _, port = options.server.rpartition(":")
    mailbox = options.mailbox_url
    return SmtpConnector(
        settings.name,
        host.strip("[]"),
        int(port),
        options.sender,
        given.transport,
        mailbox_url=None if mailbox is None else _url(settings, "mailbox_url", mailbox),
        domain=options.domain,
    )


class _McpOptions(Options):
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    directory: str | None = None
    memory_mb: int = Field(default=0, ge=0)
    overlay: str | None = None
    trust_annotations: bool = False


def _mcp(settings: ConnectionSettings, given: Given) -> Connector:
    options = options_of(settings, _McpOptions)
    overlay = McpOverlay()
    if options.overlay is not None:
        overlay = load_mcp_overlay(settings.base_dir / options.overlay)
    is_local = bool(options.command)
    return McpConnector(
        settings.name,
        _local(settings, options, given)
        if is_local
        else _remote(settings, options, overlay, given),
        overlay=overlay,
        trusts=options.trust_annotations,
        pins=given.pins,
        changed=given.changed,
    )


def _local(settings: ConnectionSettings, options: _McpOptions, given: Given) -> Local:
    """A server that is started here; raises `ConfigurationError`."""
    where = f"connections.{settings.name}"
    if settings.base_url or settings.credential is not None:
        raise ConfigurationError(
            f"{where}.command: a local server has neither base_url nor credential; its secrets are "
            f'said as secrets = {{NAME = "env:NAME"}}'
        )
    names = [*options.env, *options.secrets]
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or names.count(name) > 1:
            raise ConfigurationError(f"{where}: {name!r} cannot be in an environment, or is twice")
    program = settings.base_dir / options.command[0]
    if "/" not in options.command[0]:
        found = shutil.which(options.command[0])
        if found is None:
            raise ConfigurationError(f"{where}.command: there is no program {options.command[0]!r}")
        program = Path(found)
    own = options.directory
    return Local(
        Command(
            argv=(str(program.absolute()), *options.command[1:]),
            env=options.env,
            directory=None if own is None else (settings.base_dir / own).absolute(),
            memory_bytes=options.memory_mb * 1024 * 1024,
        ),
        secrets=options.secrets,
        reveal=given.reveal,
        hide=given.hide,
    )


def _remote(
    settings: ConnectionSettings, options: _McpOptions, overlay: McpOverlay, given: Given
) -> Address:
    """A server at an address; raises `ConfigurationError`."""
    if options.env or options.secrets or options.directory or options.memory_mb:
        raise ConfigurationError(
            f"connections.{settings.name}: env, secrets, directory and memory_mb are for a server "
            f"that is started here: say command"
        )
    if overlay.credential is not None and settings.credential is None:
        raise ConfigurationError(
            f"connections.{settings.name}: the overlay says how a credential travels, but there is "
            f'none; give one, for example credential = "env:NAME"'
        )
    return Address(
        url=_base_url(settings),
        transport=given.transport,
        hide=given.hide,
        credential=overlay.credential,
        secret=_secret(settings, given) if settings.credential else None,
    )


BUILT_IN: dict[str, Factory] = {
    "openapi": _openapi,
    "payments-minor": _payments("payments-minor", MinorUnits),
    "payments-decimal": _payments("payments-decimal", Decimals),
    "smtp": _smtp,
    "mcp": _mcp,
}
