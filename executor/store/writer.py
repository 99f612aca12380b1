"""The one writer: a thread that commits many writes together, so that they share one fsync.

It drains what is queued into one transaction. Nearly always none of it fails. Where one does, the
transaction is undone and made once more with a savepoint around each write, so that a failing
write fails alone. A write is durable when its future resolves.

What can go wrong                          What follows
-----------------------------------------  ---------------------------------------------------
a write raises                             all is undone, and made again in savepoints
a write raises in its savepoint            its savepoint is undone; the others go on
another process was faster with a key      its savepoint is undone, and it looks once more
no room, or a clash with other processes   nothing of the batch is kept; each of its writes is
                                           tried again alone
the connection is lost before the commit   the batch is written once more over a new one
the commit fails for another reason        every write of the batch fails
the caller is cancelled before its turn    the write is not begun
the caller is cancelled later              the write ends as if nobody had left

Writes of one kind that find themselves in one batch are made together where their kind can do that
(`Joint`): what a hundred drives write is then a few statements, and takes its rows in the order of
their ids. On a database that other processes write, too, every other write has a transaction of its
own, unless all of it is new: two processes that hold some rows each and wait for others would wait
for each other.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from executor.store.backend import Backend
from executor.store.errors import StoreError

T = TypeVar("T")
Item = TypeVar("Item")
Together = Callable[[Connection, Sequence[Item]], Sequence[T]]
"""Makes many writes of one kind; what it gives back is in their order."""

BATCH = 128  # so many are written without looking for more
TRIES = 5  # of a write alone that clashes with other processes


class Stage(IntEnum):
    """Which joint writes are made first: every process takes what they share in one order."""

    ENDS = 0
    CLAIMS = 1
    TURNS = 2
    JOBS = 3


@dataclass(frozen=True)
class Joint(Generic[Item, T]):
    """A write that is made together with the others of its kind in a batch, or by itself.

    It may have been made and not be kept: `undone` is told so, before anything else is written.
    """

    together: Together[Item, T]
    item: Item
    stage: Stage
    undone: Callable[[], None] = lambda: None

    def __call__(self, c: Connection) -> T:
        """Make it by itself."""
        return self.together(c, (self.item,))[0]


@dataclass(frozen=True)
class Fresh(Generic[T]):
    """A write of rows that nobody else knows of yet: it waits for nobody, and shares a commit."""

    work: Callable[[Connection], T]

    def __call__(self, c: Connection) -> T:
        """Make it."""
        return self.work(c)


@dataclass(frozen=True, eq=False)
class _Write:
    work: Callable[[Connection], object]
    done: "asyncio.Future[object]"
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True)
class _Failed:
    error: Exception


class _Undone(Exception):
    """The whole transaction is lost, and with it every write of the batch."""


class Writer:
    """Takes writes from any event loop; `stop` ends it once everything queued is written."""

    def __init__(self, engine: Engine, backend: Backend) -> None:
        self._engine = engine
        self._backend = backend
        self._tries = TRIES if backend.is_shared else 1  # alone, a full disk stays full
        self._connection: Connection | None = None
        self._since: float | None = None  # the batch under way was begun
        self.answered_at = 0.0  # a reading of the monotonic clock
        self._queue: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        # What was asked for in this turn of an event loop, by the loop: there may be several.
        self._asked: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """Queue a write; `work` may be run twice, so it acts on the database alone.

        All that is asked for in one turn is queued together: else the thread would begin with one.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if loop not in self._asked:
            self._asked[loop] = []
            loop.call_soon(self._pass_on, loop)
        # The queue holds writes of every result type; the future keeps this one's.
        self._asked[loop].append(_Write(work, done, loop))  # type: ignore[arg-type]  # see above
        return done

    def _pass_on(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = self._asked.pop(loop, [])
        for at in range(0, len(asked), BATCH):
            self._queue.put(asked[at : at + BATCH])

    def stop(self) -> None:
        """Write what is queued, then end; what a loop asked for in its last turn is, too."""
        for loop in [*self._asked]:
            self._pass_on(loop)
        self._queue.put(None)
        self._thread.join()

    def break_off(self, begun_before: float) -> None:
        """Give up the connection of a batch that was begun so long ago, from another thread."""
        since, connection = self._since, self._connection
        if since is not None and since < begun_before and connection is not None:
            self._backend.break_off(connection)

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            batch, goes_on = self._next()
            for some in self._transactions(batch):
                self._write([each for each in some if not each.done.cancelled()])
        self._hang_up()

    def _transactions(self, batch: list[_Write]) -> Iterator[list[_Write]]:
        """What is committed together: beside other processes only what takes rows in one order."""
        if not self._backend.is_shared:
            yield batch
            return
        yield from ([each] for each in batch if not isinstance(each.work, Joint | Fresh))
        yield [each for each in batch if isinstance(each.work, Joint | Fresh)]

    def _next(self) -> tuple[list[_Write], bool]:
        """What is queued now, at least one; False once nothing more will come."""
        batch: list[_Write] = []
        while not batch or (len(batch) < BATCH and not self._queue.empty()):
            asked = self._queue.get()
            if asked is None:
                return batch, False
            batch += asked
        return batch, True

    def _write(self, batch: list[_Write], tries: int = 1) -> None:
        if not batch:
            return
        try:
            results = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, the writer must live on
            _undo(batch)
            self._hang_up()
            is_undone = isinstance(error, _Undone)
            cause = error.__cause__ if is_undone and error.__cause__ else error
            if is_undone and self._backend.is_gone(cause) and tries == 1:
                self._write(batch, 2)
                return
            if self._backend.may_repeat(cause) and (len(batch) > 1 or tries < self._tries):
                for write in batch:
                    self._write([write], tries + 1 if len(batch) == 1 else 1)
                return
            results = [_Failed(self._as_ours(cause))] * len(batch)
        ended = [*zip(batch, results, strict=True)]
        for loop in {write.loop for write in batch}:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_end, [each for each in ended if each[0].loop is loop])

    def _commit(self, batch: list[_Write]) -> list[object]:
        if self._connection is None:
            self._connection = self._engine.connect()
        self._since = time.monotonic()
        try:
            results = self._together(self._connection, batch)
            if results is None:
                with self._connection.begin():
                    results = self._apart(self._connection, batch)
        finally:
            self._since = None
        self.answered_at = time.monotonic()
        return results

    def _together(self, connection: Connection, batch: list[_Write]) -> list[object] | None:
        """Write all of it, or keep nothing and return None where one of them raises."""
        with connection.begin() as transaction:
            try:
                return made(connection, [each.work for each in batch])
            except Exception as error:
                if self._backend.has_undone(connection, error):
                    raise _Undone from error
                transaction.rollback()
                _undo(batch)
                return None

    def _apart(self, connection: Connection, batch: list[_Write]) -> list[object]:
        """Each in a savepoint, and so is each kind, as long as none of it fails."""
        results: dict[int, object] = {}
        for numbers in _in_order([each.work for each in batch]):
            some = [batch[number] for number in numbers]
            results |= zip(numbers, self._kind_in_savepoint(connection, some), strict=True)
        return [results[number] for number in range(len(batch))]

    def _kind_in_savepoint(self, connection: Connection, kind: list[_Write]) -> list[object]:
        if len(kind) > 1:
            try:
                return self._try(connection, partial(made, works=[each.work for each in kind]))
            except _Undone:
                raise
            except Exception:  # noqa: BLE001 - whichever it is fails once more, alone
                _undo(kind)
        return [self._in_savepoint(connection, each) for each in kind]

    def _hang_up(self) -> None:
        """Drop the connection with whatever is still open on it; the next write opens another."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _in_savepoint(self, connection: Connection, write: _Write) -> object:
        is_again = False
        while True:
            try:
                return self._try(connection, write.work)
            except _Undone:
                raise
            except DBAPIError as error:
                _undo([write])
                if is_again or not self._backend.has_collided(error):
                    return _Failed(self._backend.error(error))
            except Exception as error:  # noqa: BLE001 - handed to whoever asked for the write
                _undo([write])
                return _Failed(error)
            is_again = True

    def _try(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            savepoint = connection.begin_nested()
            try:
                result = work(connection)
                savepoint.commit()
            except Exception as error:
                if self._backend.has_undone(connection, error):
                    raise _Undone from error
                savepoint.rollback()
                raise
        except DBAPIError as error:
            if self._backend.has_undone(connection, error):
                raise _Undone from error
            raise
        return result

    def _as_ours(self, error: BaseException) -> Exception:
        if isinstance(error, DBAPIError):
            return self._backend.error(error)
        return StoreError(f"the write could not be committed: {error!r}")


def made(c: Connection, works: Sequence[Callable[[Connection], object]]) -> list[object]:
    """Make all of them: first those that are made by themselves, then each kind together."""
    results: dict[int, object] = {}
    for numbers in _in_order(works):
        first = works[numbers[0]]
        if isinstance(first, Joint):
            joint = [each for number in numbers if isinstance(each := works[number], Joint)]
            items = [each.item for each in joint]
            results |= zip(numbers, first.together(c, items), strict=True)
        else:
            results[numbers[0]] = first(c)
    return [results[number] for number in range(len(works))]


def _in_order(works: Sequence[Callable[[Connection], object]]) -> list[list[int]]:
    """The numbers of works that are made together, in the order in which they are made."""
    alone: list[list[int]] = []
    kinds: dict[tuple[int, Together[object, object]], list[int]] = {}
    for number, work in enumerate(works):
        if isinstance(work, Joint):
            kinds.setdefault((work.stage, work.together), []).append(number)
        else:
            alone.append([number])
    return [*alone, *(kinds[kind] for kind in sorted(kinds, key=lambda each: each[0]))]


def _undo(batch: Sequence[_Write]) -> None:
    """Nothing of these is kept: who comes after them must not take them for written."""
    for each in batch:
        if isinstance(each.work, Joint):
            each.work.undone()


def _end(ended: list[tuple[_Write, object]]) -> None:
    """Tell those who wait for a write, in their own event loop, what became of it."""
    for write, result in ended:
        if write.done.done():
            continue  # who asked has left
        if isinstance(result, _Failed):
            write.done.set_exception(result.error)
        else:
            write.done.set_result(result)
