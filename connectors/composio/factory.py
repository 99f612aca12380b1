"""A connection to Composio from its settings."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from connectors.composio.accounts import Accounts
from connectors.composio.connector import ComposioConnector
from connectors.composio.core import Core
from connectors.composio.rest import Rest
from connectors.composio.wire import Wire
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
from connectors.overlay import SourceOverlay
from connectors.tools.offer import Terms
from connectors.tools.toolbox import Toolbox

_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _version(text: str) -> str:
    """A version, or "" for none."""
    if text.lower() == "latest":
        raise ValueError("latest is whatever is newest when a tool is executed: pin a version")
    if text and not _PINNED.fullmatch(text):
        raise ValueError("this is no version")
    return text


Toolkit = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Version = Annotated[str, AfterValidator(_version)]
Id = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class ComposioOptions(Options):
    """What both interfaces are told."""

    user_id: Id
    toolkits: dict[Toolkit, Version] = Field(min_length=1)
    accounts: dict[Toolkit, Id] = {}
    auth_configs: dict[Toolkit, Id] = {}
    overlay: str | None = None


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector over v3.1; raises `ConfigurationError`."""
    options = options_of(settings, ComposioOptions)
    wire = Rest(base_url_of(settings), given.transport, secret_of(settings, given))
    return _over(wire, settings, options, given)


class _CoreOptions(ComposioOptions):
    python: str  # of the environment that has composio-core


def connect_core(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector over the package composio-core; raises `ConfigurationError`."""
    options = options_of(settings, _CoreOptions)
    # Not resolved: an environment's interpreter is a link, and what it is called makes it that.
    python = (settings.base_dir / options.python).absolute()
    if not python.is_file():
        raise ConfigurationError(f"connections.{settings.name}.python: there is no {python}")
    wire = Core(python, base_url_of(settings), given.transport, secret_of(settings, given))
    return _over(wire, settings, options, given)


def _over(
    wire: Wire, settings: ConnectionSettings, options: ComposioOptions, given: Given
) -> Connector:
    """The same connector over any interface; raises `ConfigurationError`."""
    for member, said in (("accounts", options.accounts), ("auth_configs", options.auth_configs)):
        for toolkit in said:
            if toolkit not in options.toolkits:
                raise ConfigurationError(
                    f"connections.{settings.name}.{member}.{toolkit}: toolkits has no {toolkit}"
                )
    overlay = SourceOverlay()
    if options.overlay is not None:
        overlay = read_overlay(settings.base_dir / options.overlay, SourceOverlay)
    return ComposioConnector(
        wire,
        Toolbox(Terms(settings.name, overlay, None), given.pins),
        Accounts(wire, settings.name, options.accounts, options.auth_configs, given.callback),
        options.toolkits,
        options.user_id,
    )
