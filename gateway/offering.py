"""What is on offer at one moment, with everything that depends on it; made anew when that changes.

Whoever begins something takes the offering of now and keeps it to the end: a connection that
answers meanwhile changes nothing of it.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.registry import Registry
from executor.check.cedar import Policy, PolicyError
from executor.check.cedar_validation import require_valid
from executor.check.expand import Playbooks
from executor.check.offered import with_playbooks
from gateway.admission import Admission
from gateway.meanwhile import meanwhile
from planner.extract import Extractor

_log = logging.getLogger("lamgate.catalog")


@dataclass(frozen=True)
class Offering:
    """One frozen catalogue, the same with the playbooks for whoever writes plans, and admission."""

    catalog: Catalog
    offered: Catalog
    admission: Admission


class Offerings:
    """The offering of now."""

    def __init__(
        self,
        catalog_of: Callable[[], Catalog],
        extractor: Extractor | None,
        playbooks: Playbooks,
        admission_over: Callable[[Catalog], Admission],
    ) -> None:
        self._catalog_of = catalog_of
        self._extractor = extractor
        self._playbooks = playbooks
        self._admission_over = admission_over
        self._known: tuple[Catalog, Offering] | None = None

    def now(self) -> Offering:
        """The same one as long as the connections offer the same."""
        found = self._catalog_of()
        if self._known is None or self._known[0] is not found:
            self._known = (found, self._over(with_extract(found, self._extractor)))
        return self._known[1]

    def _over(self, catalog: Catalog) -> Offering:
        offered = with_playbooks(catalog, self._playbooks)
        return Offering(catalog, offered, self._admission_over(catalog))


def with_extract(catalog: Catalog, extractor: Extractor | None) -> Catalog:
    """The catalogue of all connections, and `fn.extract` while it is on."""
    return catalog if extractor is None else Catalog([*catalog, extractor.action])


def fits(policy: Policy) -> Callable[[Catalog], None]:
    """Whether policies fit a catalogue; it raises `ConfigurationError` where they do not."""

    def check(catalog: Catalog) -> None:
        try:
            require_valid(policy, catalog)
        except PolicyError as error:
            raise ConfigurationError(f"the policies do not fit what it offers: {error}") from error

    return check


@asynccontextmanager
async def asking(registry: Registry, policy: Policy, every_s: float) -> AsyncIterator[None]:
    """Meanwhile ask connections that did not answer or changed; policies have to fit them."""

    async def ask() -> None:
        while True:
            await registry.changed(every_s)
            try:
                await registry.ask_again(fits(policy))
            except Exception:  # noqa: BLE001 - whatever it was, it is told, and the next turn comes
                _log.exception("connections are asked again later")

    async with meanwhile(ask()):
        yield
