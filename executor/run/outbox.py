"""What one drive writes: all that is asked for in one turn of the event loop, in one transaction.

The calls of a layer begin together, and often end together. Their intents need the same row held
and the same place in the journal, which are looked for once for all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from executor.store.attempts import Place
from executor.store.errors import StoreError
from executor.store.journal import Look
from executor.store.open_journal import OpenJournal, Work

T = TypeVar("T")


@dataclass(eq=False)
class Entry(Generic[T]):
    """One thing to write; it may be written twice where the first time was undone."""

    work: Callable[[OpenJournal], T]
    places: tuple[Place, ...]
    done: "asyncio.Future[None]"
    results: list[T] = field(default_factory=list)

    def __call__(self, journal: OpenJournal) -> None:
        """Write it, and keep what it says."""
        self.results[:] = [self.work(journal)]


class Outbox:
    """`send` writes what it is given in one transaction; `see` is told what was found by then."""

    def __init__(
        self, send: Callable[[tuple[Work, ...]], Awaitable[Look]], see: Callable[[Look], None]
    ) -> None:
        self._send = send
        self._see = see
        self._waiting: list[Entry[object]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def write(self, work: Callable[[OpenJournal], T], *places: Place) -> T:
        """Return what it returns, once that is durable; one that nobody waits for is not sent.

        `places` are those whose attempts it looks at: they are read for all that is sent together.
        """
        loop = asyncio.get_running_loop()
        entry = Entry(work, places, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._go)
        self._waiting.append(entry)  # type: ignore[arg-type]  # entries of every type together
        await entry.done
        return entry.results[0]

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        if entries := [each for each in waiting if not each.done.cancelled()]:
            sending = asyncio.get_running_loop().create_task(self._sent(entries))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _sent(self, entries: list[Entry[object]]) -> None:
        """Send them together; where one is at fault, and not the store, each by itself.

        Where the store fails they may all have been kept, so nothing is sent again.
        """
        try:
            look = await self._send(tuple(entries))
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the write
            if len(entries) > 1 and not isinstance(error, StoreError):
                for each in entries:
                    await self._sent([each])
            else:
                _end(entries, error)
            return
        try:
            self._see(look)
        except Exception as error:  # noqa: BLE001 - it is written; whoever asked has to know
            _end(entries, error)
        else:
            _end(entries, None)


def _end(entries: list[Entry[object]], error: Exception | None) -> None:
    for each in entries:
        if each.done.done():
            continue  # whoever asked has left
        if error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(error)
