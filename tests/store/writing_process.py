"""Writes with many writers at once and prints the number of each write that is durable."""

import asyncio
import itertools
import sys
from functools import partial

from sqlalchemy import Connection, insert

from executor.store.store import Store
from executor.store.tables import events


def _put(c: Connection, number: int) -> None:
    row = {"tenant": "main", "subject": "s", "seq": number, "at": 0.0, "type": "t", "v": 1}
    c.execute(insert(events).values(**row, data="{}"))


async def _writer(store: Store, numbers: "itertools.count[int]") -> None:
    while True:
        number = next(numbers)
        await store.write(partial(_put, number=number))
        print(number, flush=True)


async def _main(database: str) -> None:
    store = await Store.open(f"sqlite:///{database}")
    numbers = itertools.count()
    await asyncio.gather(*(_writer(store, numbers) for _ in range(20)))


asyncio.run(_main(sys.argv[1]))
