"""Every connection of the operator's file, built with a way out of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from connectors.connector import Connector
from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.overlay import SourceOverlay
from connectors.plugin import factory_of, overlay_of
from connectors.registry import Registry
from connectors.shelf import Shelf
from connectors.source import Pins

Returns = Callable[[str, str], str | None]
"""Asked with a connection and a tenant: where a browser comes back to from a page that connects."""


@asynccontextmanager
async def open_registry(
    settings: Sequence[ConnectionSettings],
    vault: Vault,
    shelf: Shelf | None = None,
    pins: Pins | None = None,
    returns: Returns | None = None,
) -> AsyncIterator[Registry]:
    """Every connection with a way out of its own, which reaches what it was allowed and no other.

    Raises `ConfigurationError`; the connectors and the ways out are closed at the end.
    """
    ways = {each.name: Transport(frozenset(each.allow_hosts)) for each in settings}
    try:
        registry = build(settings, vault, lambda each: ways[each.name], shelf, pins, returns)
        try:
            yield registry
        finally:
            await registry.aclose()
    finally:
        for way in ways.values():
            await way.aclose()


def build(
    settings: Sequence[ConnectionSettings],
    vault: Vault,
    transport_of: Callable[[ConnectionSettings], Transport],
    shelf: Shelf | None = None,
    pins: Pins | None = None,
    returns: Returns | None = None,
) -> Registry:
    """Build every connection; raises `ConfigurationError`."""
    changed = asyncio.Event()
    connectors: dict[str, Connector] = {}
    overlays: dict[str, SourceOverlay] = {}
    for each in settings:
        if each.name == "fn":
            raise ConfigurationError("connections.fn: `fn` is the plan language's own name")
        if each.name in connectors:
            raise ConfigurationError(f"connections.{each.name} is there twice")
        given = Given(
            transport_of(each).carrying(vault),
            vault.stand_in,
            shelf,
            reveal=vault.reveal,
            hide=vault.redactor.hide_bytes,
            pins=pins,
            changed=changed.set,
            callback=partial(returns, each.name) if returns else lambda _: None,
        )
        connectors[each.name] = factory_of(each)(each, given)
        if (overlay := overlay_of(each)) is not None:
            overlays[each.name] = overlay
    return Registry(connectors, vault, overlays, changed)
