"""What one drive writes: all that is asked for in one turn of the event loop, in one transaction.

The calls of a layer begin together, and often end together. Their intents need the same row held
and the same place in the journal, which are looked for once for all of them.

What ended can be decided on while it is being written (`coming`), and what follows from it is then
written in the same transaction, or in a later one. Each thing that follows asks inside its
transaction whether what it follows from `stands`; where it does not, nothing of it is written.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from executor.run import events as e
from executor.store.attempts import Place
from executor.store.errors import StoreError, WokenError
from executor.store.journal import Look
from executor.store.open_journal import OpenJournal, Work
from executor.store.permits import Need

T = TypeVar("T")


@dataclass(eq=False)
class Entry(Generic[T]):
    """One thing to write; it may be written twice where the first time was undone."""

    work: Callable[[OpenJournal], T]
    places: tuple[Place, ...]
    done: "asyncio.Future[None]"
    tells: e.AttemptEnded | None = None  # what the journal holds once it is written
    needs: Need | None = None
    results: list[T] = field(default_factory=list)

    def __call__(self, journal: OpenJournal) -> None:
        """Write it, and keep what it says."""
        self.results.append(self.work(journal))

    def forget(self) -> None:
        """It is not written after all: nothing that follows from it stands."""
        self.results.clear()


def stands(basis: Iterable[Entry[object]]) -> bool:
    """Whether all that something follows from is written; asked inside the transaction."""
    return all(each.results and each.results[0] for each in basis)


class Outbox:
    """`send` writes what it is given in one transaction; `see` is told what was found by then."""

    def __init__(
        self,
        send: "Callable[[tuple[Work, ...]], asyncio.Future[Look]]",
        see: Callable[[Look], None],
        on_coming: Callable[[], None],
    ) -> None:
        self._send = send
        self._see = see
        self._on_coming = on_coming
        self._waiting: list[Entry[object]] = []
        self._going: asyncio.Handle | None = None
        self._sending = 0
        self.coming: list[Entry[object]] = []  # calls that have ended, and are being written
        self.told = 0  # how many calls have ended by now, be it that they are not written yet
        self.unkept: dict[Place, int] = {}  # attempts that have ended: that is to be written again

    async def write(
        self,
        work: Callable[[OpenJournal], T],
        *places: Place,
        tells: e.AttemptEnded | None = None,
        needs: Need | None = None,
    ) -> T:
        """Return what it returns, once that is durable; one that nobody waits for is not sent.

        `places` are those whose attempts it looks at: they are read for all that is sent together.
        """
        entry = self.post(work, *places, tells=tells, needs=needs)
        await entry.done
        return entry.results[0]

    def post(
        self,
        work: Callable[[OpenJournal], T],
        *places: Place,
        tells: e.AttemptEnded | None = None,
        needs: Need | None = None,
    ) -> Entry[T]:
        """Ask for a write; `done` says when it is durable."""
        loop = asyncio.get_running_loop()
        entry = Entry(work, places, loop.create_future(), tells, needs)
        if tells is not None:
            told_before = self.unkept.pop((tells.step, tells.iteration), None)
            self.told += told_before != tells.n
            self.coming.append(entry)  # type: ignore[arg-type]  # entries of every type together
            self._on_coming()  # before it is sent: so what follows may go with it
        if not self._waiting:
            self._going = loop.call_soon(self._go)
        self._waiting.append(entry)  # type: ignore[arg-type]  # see above
        return entry

    def hold(self) -> None:
        """Send after the calls that have just begun have asked for their intents."""
        if self._waiting and self._going is not None:
            self._going.cancel()
            self._going = asyncio.get_running_loop().call_soon(self._go)

    def close(self) -> None:
        """Let go of whoever this writes for, once nothing is asked for any more.

        They hold each other, and with them all that was read: the collector finds that much later.
        """
        if not (self._waiting or self._sending):
            del self._send, self._see

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._is_over([each for each in waiting if each.done.cancelled()])
        self._send_these([each for each in waiting if not each.done.cancelled()])

    def _send_these(self, entries: list[Entry[object]]) -> None:
        if not entries:
            return
        try:
            sent = self._send(tuple(entries))
        except StoreError as error:  # it is closed
            self._is_over(entries)
            _end(entries, error)
        else:
            self._sending += 1
            sent.add_done_callback(partial(self._sent, entries))

    def _sent(self, entries: list[Entry[object]], sent: "asyncio.Future[Look]") -> None:
        """They were sent together; where one is at fault, and not the store, each goes by itself.

        Where the store fails they may all have been kept, so nothing is sent again.
        """
        self._sending -= 1
        self._is_over(entries)
        if sent.cancelled():
            for each in entries:
                each.done.cancel()
            return
        error = sent.exception()
        if error is None:
            try:
                self._see(sent.result())
            except Exception as flaw:  # noqa: BLE001 - it is written; whoever asked has to know
                error = flaw
        elif len(entries) > 1 and (
            not isinstance(error, StoreError) or isinstance(error, WokenError)
        ):
            for each in entries:
                self._send_these([each])
            return
        if error is not None:
            told = (each.tells for each in entries if each.tells is not None)
            self.unkept |= {(each.step, each.iteration): each.n for each in told}
        _end(entries, error)

    def _is_over(self, entries: list[Entry[object]]) -> None:
        """They are in the journal, or will not be: nothing more is decided on them ahead."""
        self.coming = [each for each in self.coming if each not in entries]


def _end(entries: list[Entry[object]], error: BaseException | None) -> None:
    # First those of calls: what a drive does next can wait until they are on their way.
    for each in sorted(entries, key=lambda each: not each.places):
        if each.done.done():
            continue  # whoever asked has left
        if error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(error)
