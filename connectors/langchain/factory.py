"""A connection to a package of LangChain tools from its settings."""

from pydantic import Field

from connectors.connector import Connector
from connectors.document import read_overlay
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.langchain.connector import Entry, LangChainConnector
from connectors.overlay import SourceOverlay
from connectors.spec import JsonObject


class _Options(Options):
    tools: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    given: JsonObject = {}
    secrets: dict[str, str] = {}
    overlay: str | None = None
    threads: int = Field(default=8, ge=1, le=1000)


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for the tools that the options name; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    if settings.base_url or settings.credential is not None:
        raise ConfigurationError(
            f"connections.{settings.name}: tools run here and have neither base_url nor "
            f'credential; their secrets are said as secrets = {{name = "env:NAME"}}'
        )
    overlay = SourceOverlay()
    if options.overlay is not None:
        overlay = read_overlay(settings.base_dir / options.overlay, SourceOverlay)
    return LangChainConnector(
        settings.name,
        Entry(options.tools, options.given, options.secrets, given.reveal),
        overlay=overlay,
        pins=given.pins,
        threads=options.threads,
    )
