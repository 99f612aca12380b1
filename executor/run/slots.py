"""How many calls of one connection are under way at once, in this process, and who is next.

A place that becomes free goes to the tenant whose turn it is, and there by the ranks of the runs
(`executor/turns.py`), so that one tenant's thousand calls do not keep another's one waiting.
"""

import asyncio
from dataclasses import dataclass, field

from executor.turns import Turns


@dataclass
class _Places:
    """The places of one connection."""

    taken: int = 0
    waiting: "Turns[asyncio.Future[None]]" = field(default_factory=Turns)


class Slot:
    """A place for one call; where nothing is limited there is always one."""

    def __init__(self, places: _Places | None = None) -> None:
        self._places = places

    def release(self) -> None:
        """Leave it to whose turn it is."""
        if self._places is None:
            return
        places, self._places = self._places, None
        following = places.waiting.next(lambda turn: not turn.done())  # one may just be cancelled
        if following is None:
            places.taken -= 1
        else:
            following.set_result(None)


class Slots:
    """A place for each call that may be under way, for connections that have a limit of them."""

    def __init__(self) -> None:
        self._places: dict[str, _Places] = {}

    def take(self, connection: str, most: int | None) -> Slot | None:
        """Take a place if one is free at once."""
        if most is None:
            return Slot()
        places = self._places.setdefault(connection, _Places())
        if places.taken >= most:
            return None
        places.taken += 1
        return Slot(places)

    async def wait(self, connection: str, most: int | None, tenant: str, rank: int = 0) -> Slot:
        """Wait until a place is handed over."""
        if (free := self.take(connection, most)) is not None:
            return free
        places = self._places[connection]
        turn = asyncio.get_running_loop().create_future()
        places.waiting.add(tenant, turn, rank)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                places.waiting.drop(tenant, turn)
            else:
                Slot(places).release()
            raise
        return Slot(places)
