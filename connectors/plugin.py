"""What an installed distribution offers under `lamgate.connectors`, and whether it fits.

A plugin says which version of the connector protocol it was written for: of `connectors.spec`,
`connector`, `errors`, `native`, `api` and `factories`. This version and the one before it work; a
newer one is refused by name, before anything of it is called, and so is an older one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

from connectors.built_in import BUILT_IN, built_in
from connectors.connector import Connector
from connectors.document import read_overlay
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Factory, Given
from connectors.overlay import SourceOverlay

PROTOCOL = 1
ENTRY_POINTS = "lamgate.connectors"
_OVERLAY = "overlay"
_NAME = re.compile(r"[a-z0-9_]{1,30}")


@dataclass(frozen=True)
class Plugin:
    """What an entry point names: a factory, and the protocol that it was written for."""

    connect: Factory
    protocol: int


def protocol_flaw(said: int, speaks: int = PROTOCOL) -> str | None:
    """Why a plugin for one version of the protocol does not work with another; None if it does."""
    oldest = max(1, speaks - 1)
    if oldest <= said <= speaks:
        return None
    todo = "upgrade lamgate" if said > speaks else "upgrade the plugin"
    known = f"{speaks}" if oldest == speaks else f"{oldest} and {speaks}"
    return f"it was written for version {said} of the connector protocol, known: {known}; {todo}"


def factory_of(settings: ConnectionSettings, speaks: int = PROTOCOL) -> Factory:
    """The factory that a connection names; a plugin is loaded only if it is used."""
    if not _NAME.fullmatch(settings.name):
        raise ConfigurationError(
            f"connections.{settings.name}: a name has 1 to 30 of a-z, 0-9 and _"
        )
    if settings.connector in BUILT_IN:
        return built_in(settings.connector)
    plugins = entry_points(group=ENTRY_POINTS)
    found = [each for each in plugins if each.name == settings.connector]
    if len(found) == 1:
        return _without_overlay(_loaded(found[0], f"connections.{settings.name}", speaks).connect)
    known = ", ".join(sorted({*BUILT_IN, *plugins.names}))
    what = "there are two plugins called" if found else "there is no connector"
    raise ConfigurationError(
        f"connections.{settings.name}: {what} {settings.connector!r}; known: {known}"
    )


def overlay_of(settings: ConnectionSettings) -> SourceOverlay | None:
    """The operator's overlay on a plugin; the built-in connectors read their own."""
    said = settings.options.get(_OVERLAY)
    if settings.connector in BUILT_IN or said is None:
        return None
    if not isinstance(said, str):
        raise ConfigurationError(f"connections.{settings.name}.overlay: this is no file's name")
    return read_overlay(settings.base_dir / said, SourceOverlay)


def _loaded(entry: EntryPoint, where: str, speaks: int) -> Plugin:
    try:
        plugin = entry.load()
    except Exception as error:
        raise ConfigurationError(
            f"{where}: the plugin {entry.value} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(plugin, Plugin):
        raise ConfigurationError(
            f"{where}: {entry.value} is no plugin; write "
            f"plugin = Plugin(connect, protocol={speaks}) and name that"
        )
    flaw = protocol_flaw(plugin.protocol, speaks)
    if flaw is not None:
        raise ConfigurationError(f"{where}: the plugin {entry.value}: {flaw}")
    return plugin


def _without_overlay(connect: Factory) -> Callable[[ConnectionSettings, Given], Connector]:
    """The overlay is read around the plugin: it never hears of it."""

    def build(settings: ConnectionSettings, given: Given) -> Connector:
        own = {name: each for name, each in settings.options.items() if name != _OVERLAY}
        return connect(replace(settings, options=own), given)

    return build
