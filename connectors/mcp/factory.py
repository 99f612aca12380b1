"""A connection to an MCP server from its settings."""

import re
import shutil
from pathlib import Path

from pydantic import Field

from connectors.connector import Connector
from connectors.document import read_overlay
from connectors.errors import ConfigurationError
from connectors.factories import (
    ConnectionSettings,
    Given,
    Options,
    base_url_of,
    options_of,
    secret_of,
)
from connectors.mcp.connector import McpConnector
from connectors.mcp.overlay import McpOverlay
from connectors.mcp.process import Command
from connectors.mcp.reach import Address, Local


class _Options(Options):
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    directory: str | None = None
    memory_mb: int = Field(default=0, ge=0)
    overlay: str | None = None
    trust_annotations: bool = False


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one server, local or remote; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    overlay = McpOverlay()
    if options.overlay is not None:
        overlay = read_overlay(settings.base_dir / options.overlay, McpOverlay)
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


def _local(settings: ConnectionSettings, options: _Options, given: Given) -> Local:
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
    settings: ConnectionSettings, options: _Options, overlay: McpOverlay, given: Given
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
        url=base_url_of(settings),
        transport=given.transport,
        hide=given.hide,
        credential=overlay.credential,
        secret=secret_of(settings, given) if settings.credential else None,
    )
