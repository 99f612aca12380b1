"""What was accepted of servers, as connectors are told it: by a store, or beside a gateway."""

import asyncio
from functools import partial

from sqlalchemy import Connection

from connectors.errors import Unreachable
from connectors.source import Pin, Pins
from executor.store import pins
from executor.store.beside import read_beside
from executor.store.errors import StoreError
from executor.store.store import Store
from gateway.settings import Settings


def pins_of(store: Store) -> Pins:
    """The pins in a store that is open."""

    async def pinned(connection: str) -> Pin | None:
        try:
            return await store.read(partial(_pin, connection=connection))
        except StoreError as error:  # nothing is wrong with the server: it is asked again
            raise Unreachable(
                f"what was accepted of {connection} cannot be read: {error}"
            ) from error

    return pinned


def pins_beside(settings: Settings) -> Pins:
    """The pins in a database that somebody else may be using; none where there is no database."""

    async def pinned(connection: str) -> Pin | None:
        work = partial(_pin, connection=connection)
        return await asyncio.to_thread(read_beside, settings.database_url, work)

    return pinned


def _pin(c: Connection, connection: str) -> Pin | None:
    row = pins.newest(c, connection)
    if row is None:
        return None
    found = {name: each for name, each in row.definitions.items() if isinstance(each, dict)}
    return Pin(found, row.at)
