"""An OpenAPI connection from its settings."""

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
from connectors.openapi.call import OpenApiConnector
from connectors.openapi.load import Source
from connectors.openapi.overlay import Overlay


class _Options(Options):
    document: str = "/openapi.json"
    overlay: str | None = None


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for the document that the options name; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    base_url = base_url_of(settings)
    overlay = Overlay()
    if options.overlay is not None:
        overlay = read_overlay(settings.base_dir / options.overlay, Overlay)
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
        secret=secret_of(settings, given) if settings.credential else None,
        shelf=given.shelf,
    )
