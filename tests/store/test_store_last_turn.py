"""What an event loop asks for in its last turn is written, and stops nobody else's writes."""

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection, insert, select
from store_cases import NOW

from executor.store.store import Store
from executor.store.tables import events


def _put(subject: str) -> Callable[[Connection], None]:
    row = {"tenant": "main", "subject": subject, "seq": 1, "at": NOW, "type": "t", "v": 1}

    def put(c: Connection) -> None:
        c.execute(insert(events).values(**row, data="{}"))

    return put


def _subjects(c: Connection) -> set[str]:
    return set(c.execute(select(events.c.subject)).scalars())


def _ask_and_end(store: Store, subject: str) -> None:
    """Ask for a write in an event loop that takes no other turn."""
    loop = asyncio.new_event_loop()
    asked: list[asyncio.Future[None]] = []

    def last() -> None:
        asked.append(store.submit(_put(subject)))
        loop.stop()

    loop.call_soon(last)
    loop.run_forever()
    loop.close()
    assert not asked[0].done()


def test_what_a_loop_asks_for_in_its_last_turn_is_written_before_the_store_closes(
    file_url: str,
) -> None:
    store = asyncio.run(Store.open(file_url))
    _ask_and_end(store, "last")
    asyncio.run(store.close())

    async def kept() -> set[str]:
        again = await Store.open(file_url)
        found = await again.read(_subjects)
        await again.close()
        return found

    assert asyncio.run(kept()) == {"last"}


def test_a_loop_that_ended_at_once_keeps_no_other_from_writing(file_url: str) -> None:
    store = asyncio.run(Store.open(file_url))
    _ask_and_end(store, "last")

    async def another() -> set[str]:
        async with asyncio.timeout(20):
            await store.write(_put("next"))
        return await store.read(_subjects)

    assert "next" in asyncio.run(another())
    asyncio.run(store.close())
