"""Bells between processes: whose journal has grown, or who is woken, is told to all at once.

NOTIFY and LISTEN of PostgreSQL, over connections of their own, a few rings in one. A ring may be
lost with its connection, so it says nothing that is not in a table: whoever missed it looks a
little later, and after a lost connection everybody is told to look.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from executor.store.drives import Due
from executor.store.postgres import address_of
from executor.store.trouble import Trouble

CHANNEL = "lamgate"
TOGETHER_S = 0.02
AGAIN_S = 0.5
_MOST = 50  # in one message, which holds less than 8,000 bytes
_MANY = 1_000  # that are to be told together: then others are told to look at everything
_log = logging.getLogger("lamgate.store")

Heard = Callable[[Due | None], None]
"""Somebody else has something new about this, or perhaps about everything."""


@dataclass(frozen=True)
class Bells:
    """The bells of one process; `me` is its name among all of them."""

    url: str
    me: str
    heard: Heard
    _waiting: dict[Due, None] = field(default_factory=dict)
    _any: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, due: Due) -> None:
        """Ring for all other processes, soon."""
        self._waiting[due] = None
        self._any.set()

    async def listen(self) -> None:
        """Hear what others ring, for ever."""
        trouble = Trouble(_log, "bells of other processes are not heard")
        while True:
            try:
                async with _connected(self.url) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    trouble.is_over()
                    self.heard(None)  # what was rung while nobody listened
                    async for each in connection.notifies():
                        self._hear(each.payload)
            except psycopg.Error as error:
                trouble.goes_on(error)
            await asyncio.sleep(AGAIN_S)

    async def ring(self) -> None:
        """Tell others what is to be told, for ever."""
        trouble = Trouble(_log, "other processes are not told")
        while True:
            try:
                async with _connected(self.url) as connection:
                    await connection.execute("SET synchronous_commit = off")
                    trouble.is_over()
                    while True:
                        await self._any.wait()
                        await asyncio.sleep(TOGETHER_S)
                        await connection.execute(
                            "SELECT pg_notify(%s, %s)", (CHANNEL, self._message())
                        )
            except psycopg.Error as error:
                trouble.goes_on(error)
            await asyncio.sleep(AGAIN_S)

    def _message(self) -> str:
        if len(self._waiting) > _MANY:
            self._waiting.clear()
            self._any.clear()
            return json.dumps([self.me, None])
        told = list(self._waiting)[:_MOST]
        for each in told:
            del self._waiting[each]
        if not self._waiting:
            self._any.clear()
        return json.dumps([self.me, [[each.kind, each.tenant, each.id] for each in told]])

    def _hear(self, message: str) -> None:
        with contextlib.suppress(ValueError, TypeError):  # it was not one of ours
            who, told = json.loads(message)
            if who == self.me:
                return
            if told is None:
                self.heard(None)
                return
            for kind, tenant, name in told:
                if kind in ("request", "run"):
                    self.heard(Due(kind, str(tenant), str(name)))


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["psycopg.AsyncConnection[tuple[object, ...]]"]:
    connection = await psycopg.AsyncConnection.connect(
        address_of(url), autocommit=True, application_name="lamgate-bells"
    )
    async with connection:
        yield connection
