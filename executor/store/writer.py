"""The one writer: a thread that commits many writes together, each in a savepoint of its own.

It drains what is queued into one transaction, so that hundreds of writes share one fsync, and
a failing write fails alone. A write is durable when its future resolves.

What can go wrong                          What follows
-----------------------------------------  ---------------------------------------------------
a write raises                             its savepoint is undone; the others go on
no room, at a write or at the commit       SQLite keeps nothing of the batch; each of its
                                           writes is tried once more alone
the commit fails for another reason        every write of the batch fails
the caller is cancelled before its turn    the write is not begun
the caller is cancelled later              the write ends as if nobody had left
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from executor.store.errors import StoreError
from executor.store.sqlite import is_full, store_error

T = TypeVar("T")
BATCH = 128


@dataclass(frozen=True, eq=False)
class _Write:
    work: Callable[[Connection], object]
    done: "Future[object]"


@dataclass(frozen=True)
class _Failed:
    error: Exception


class _Undone(Exception):
    """The database has rolled the whole transaction back by itself."""


class Writer:
    """Takes writes from any thread; `stop` ends it once everything queued is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Queue a write; `work` may be run twice, so it acts on the database alone."""
        done: Future[T] = Future()
        # The queue holds writes of every result type; the future keeps this one's.
        self._queue.put(_Write(work, done))  # type: ignore[arg-type]  # see the line above
        return done

    def stop(self) -> None:
        """Write what is queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            batch, goes_on = self._next()
            self._write([each for each in batch if each.done.set_running_or_notify_cancel()])
        self._hang_up()

    def _next(self) -> tuple[list[_Write], bool]:
        """What is queued now, at least one; False once nothing more will come."""
        batch: list[_Write] = []
        while not batch or (len(batch) < BATCH and not self._queue.empty()):
            write = self._queue.get()
            if write is None:
                return batch, False
            batch.append(write)
        return batch, True

    def _write(self, batch: list[_Write]) -> None:
        if not batch:
            return
        try:
            results = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, the writer must live on
            self._hang_up()
            cause = error.__cause__ if isinstance(error, _Undone) and error.__cause__ else error
            if len(batch) > 1 and (isinstance(error, _Undone) or is_full(cause)):
                for write in batch:
                    self._write([write])
                return
            results = [_Failed(_as_ours(cause))] * len(batch)
        for write, result in zip(batch, results, strict=True):
            if isinstance(result, _Failed):
                write.done.set_exception(result.error)
            else:
                write.done.set_result(result)

    def _commit(self, batch: list[_Write]) -> list[object]:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            return [_in_savepoint(self._connection, write.work) for write in batch]

    def _hang_up(self) -> None:
        """Drop the connection with whatever is still open on it; the next write opens another."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _in_savepoint(connection: Connection, work: Callable[[Connection], object]) -> object:
    try:
        savepoint = connection.begin_nested()
        try:
            result = work(connection)
            savepoint.commit()
        except Exception as error:
            if _is_undone(connection):
                raise _Undone from error
            savepoint.rollback()
            raise
    except _Undone:
        raise
    except DBAPIError as error:
        return _Failed(store_error(error))
    except Exception as error:  # noqa: BLE001 - handed to whoever asked for the write
        return _Failed(error)
    return result


def _is_undone(connection: Connection) -> bool:
    raw = connection.connection.dbapi_connection
    return getattr(raw, "in_transaction", True) is False


def _as_ours(error: BaseException) -> Exception:
    if isinstance(error, DBAPIError):
        return store_error(error)
    return StoreError(f"the write could not be committed: {error!r}")
