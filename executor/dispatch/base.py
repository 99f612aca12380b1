"""What a dispatcher is: it decides when and where something is driven, and knows nothing of it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from executor.store.drives import DriveKind, Due, note_stuck
from executor.store.errors import NewerSchemaError, StoreError, StorePausedError
from executor.store.store import Store
from executor.store.tables import STUCK

AGAIN_S = (0.5, 30.0)  # after a failed drive: the first pause, doubled each time, and the longest
PAUSED_S = (0.5, 2.0)  # the same while the store takes nothing: it may be back at any moment
WAKES_AGAIN_S = 0.05  # between two pieces of what is to be woken, for everybody else
MOST_ASKING = 64  # wakes that are seen to at once; the others are found with all that is due
MOST_CRASHES = 3  # of processes that died while they were driving it, one after the other
MOST_FAILURES = 3  # of a drive that breaks; a store that takes nothing is asked for ever
_log = logging.getLogger("lamgate.dispatch")

Drive = Callable[[Due, str], Awaitable[None]]
"""Advance one request or run until it ends or has to wait; the text is the driver's id."""


Park = Callable[[Due, str, Exception], Awaitable[None]]
"""Take out of the way what breaks its drive again and again, and say so where people look."""


Halt = Callable[[], None]
"""Have every drive begin nothing new and end where it can be taken up again."""


LookBack = Callable[[], Awaitable[None]]
"""Look whether the database still holds what was seen of all that was driven here."""


class CrashLoopError(Exception):
    """Processes died one after the other while they were driving the same thing."""


async def in_pieces(store: Store, give: Callable[[Connection], int]) -> None:
    """Give something back in as many transactions as it takes, for everybody else's writes."""
    while await store.write(give):
        pass


def pause_after(failures: int, error: Exception) -> float:
    """For how long a drive is left alone that has failed so often, this time with `error`."""
    shortest, longest = PAUSED_S if isinstance(error, StorePausedError) else AGAIN_S
    return min(longest, shortest * 2.0 ** min(failures - 1, 16))


def too_many_deaths() -> CrashLoopError:
    """Why something is put aside that is driven no more."""
    return CrashLoopError(f"{MOST_CRASHES} processes in a row died while they were driving it")


async def put_aside(
    store: Store, park: Park, what: Due, driver: str, error: Exception
) -> Exception | None:
    """Put it aside and say so; what keeps it from that is told and returned: it is tried again."""
    if isinstance(error, NewerSchemaError):  # it can be driven, by a version that knows more
        await tell_stuck(store, what, error)
        return error
    try:
        await park(what, driver, error)
    except StorePausedError as trouble:
        _log.warning("%s %s cannot be put aside now: %s", what.kind, what.id, trouble)
        return trouble
    except Exception as trouble:  # noqa: BLE001 - it is not to be forgotten for that
        await tell_stuck(store, what, trouble)
        return trouble
    _log.error("%s %s is put aside: %s", what.kind, what.id, error)
    return None


async def tell_stuck(store: Store, what: Due, trouble: Exception) -> None:
    """Say, in the log and on its row, that it can neither be driven nor put aside."""
    told = "%s: %s %s cannot be driven and could not be put aside: it is tried again"
    _log.error(told, STUCK, what.kind, what.id, exc_info=trouble)
    with contextlib.suppress(StoreError):  # then only the log says so
        await store.write(partial(note_stuck, due=what))


def no_halt() -> None:
    """For drives that are short enough to be waited for."""


async def no_look_back() -> None:
    """For what does no harm where it is done once more."""


class Dispatcher(Protocol):
    """Calls the registered drives; it never retries a write."""

    outdated: asyncio.Event
    """Set once a newer version has begun on this database: this process has to end."""

    def lease_ends(self) -> float:
        """Until when this process may begin effects, as a reading of `time.monotonic()`."""

    def register(
        self,
        kind: DriveKind,
        drive: Drive,
        park: Park,
        halt: Halt = no_halt,
        look_back: LookBack = no_look_back,
    ) -> None:
        """Say who drives what, what becomes of it where driving breaks, and how it is halted.

        Also who looks back where a server has taken over that may lack something.
        """

    def submit(self, due: Due) -> None:
        """Ask for a drive soon; asking twice is harmless, and very many at once are not all heard.

        Of those the rest is found as everything is that is due.
        """

    async def start(self) -> None:
        """Take up everything that was left behind, then go on."""

    async def stop(self) -> None:
        """Begin nothing new and let what is being driven come to a place where it can stop.

        Stopping what has stopped is harmless.
        """
