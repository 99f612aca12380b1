"""Writes until its files may not grow, then after they may again; tells what happened as JSON."""

import asyncio
import json
import resource
import sys

from sqlalchemy import Connection, insert

from executor.store.errors import StoreFullError
from executor.store.store import Store
from executor.store.tables import events

ROOM = 256 * 1024


def _put(c: Connection, number: int, data: str) -> None:
    row = {"tenant": "main", "subject": "s", "seq": number, "at": 0.0, "type": "t", "v": 1}
    c.execute(insert(events).values(**row, data=data))


def _limit(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


async def _write(store: Store, number: int, size: int = 4000) -> bool:
    try:
        await store.write(lambda c: _put(c, number, "x" * size))
    except StoreFullError:
        return False
    return True


async def _main(database: str) -> None:
    store = await Store.open(f"sqlite:///{database}")
    _limit(ROOM)
    kept, number = [], 0
    while await _write(store, number):
        kept.append(number)
        number += 1
    # A refusal may make some room, since the log is folded into the database: go on for a while.
    large = {n: await _write(store, n, 40_000) for n in range(1000, 1050)}
    kept += [n for n, written in large.items() if written]
    refused = [n for n, written in large.items() if not written]
    _limit(resource.RLIM_INFINITY)
    after = [n for n in range(2000, 2010) if await _write(store, n)]
    print(json.dumps({"kept": kept, "refused": refused, "after": after}))
    await store.close()


asyncio.run(_main(sys.argv[1]))
