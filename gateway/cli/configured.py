"""What the operator's file has on offer, asked of the services themselves, without a gateway."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.catalog import Catalog
from gateway.cli.problem import CliError
from gateway.cli.reading import read_text

if TYPE_CHECKING:
    from gateway.settings import Settings


def catalog_of(settings: "Settings") -> Catalog:
    """Every action of the configured connections; whose are missing is a warning."""
    from connectors.credentials import Vault
    from connectors.opening import open_registry
    from gateway.offering import with_extract
    from gateway.pins import pins_beside
    from gateway.planners import extractor_of, models_of
    from gateway.wiring import connections, shelf_of

    vault = Vault()

    async def load() -> Catalog:
        ways = connections(settings)
        async with open_registry(ways, vault, shelf_of(settings), pins_beside(settings)) as offered:
            return with_extract(
                await offered.load(), extractor_of(settings, models_of(settings, vault))
            )

    return asyncio.run(load())


def policy_texts(folder: Path) -> dict[str, str]:
    """The Cedar texts of a folder, by file name."""
    if not folder.is_dir():
        raise CliError("unusable-input", "there is no such folder", str(folder))
    texts = {each.name: read_text(each) for each in sorted(folder.glob("*.cedar"))}
    if not texts:
        raise CliError("unusable-input", "this folder holds no *.cedar file", str(folder))
    return texts
