"""A connection whose tools are on offer once an operator accepted them, and that operator."""

from dataclasses import dataclass, field

from connectors.catalog import Catalog
from connectors.registry import Registry
from connectors.source import Pin, Review
from connectors.spec import ActionSpec


@dataclass
class Pins:
    """An operator's memory, of one connection."""

    pinned: Pin | None = None

    async def __call__(self, _: str) -> Pin | None:
        return self.pinned


@dataclass
class Reviewed:
    """One connection, as an operator and as a plan see it."""

    registry: Registry
    pins: Pins
    connection: str = "tools"
    catalog: Catalog = field(default_factory=lambda: Catalog(()))

    def review(self) -> Review:
        found = self.registry.review(self.connection)
        assert found is not None
        return found

    async def accept(self) -> None:
        """Accept what there is."""
        self.pins.pinned = Pin(self.review().definitions, 1000.0)
        await self.look()

    async def look(self) -> None:
        """Ask again, as the gateway does now and then."""
        await self.registry.ask_again(lambda _: None)
        self.catalog = self.registry.catalog

    def action(self, name: str) -> ActionSpec:
        found = self.catalog.get(f"{self.connection}.{name}")
        assert found is not None, sorted(each.name for each in self.catalog)
        return found
