"""The calls and look-ups of one drive that are under way, and when those that were held may begin.

A call whose connection has no place left waits for one, and then is decided on once more: what
was right when it began to wait (no failure yet, an approval, a policy) may not be right any more.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf

from executor.run.bell import Bell
from executor.run.slots import Slot, Slots
from executor.run.state import Place, RunState
from executor.run.verdicts import Held
from executor.store.errors import StorePausedError
from executor.store.permits import Blocked
from executor.store.tables import NORMAL

AGAIN_S = 0.5  # after an intent that could not be written
Work = Coroutine[object, object, Blocked | float | None]


@dataclass(frozen=True)
class _Flight:
    """One task: a look-up or a call, or what waits for a place for one."""

    task: "asyncio.Task[Blocked | Slot | float | None]"
    connection: str
    n: int  # of the attempt; 0: it is a search
    acts: bool  # it may have an effect
    has_place: bool  # else it waits for one
    changes: int  # how often something had changed when it began


class Flights:
    """What is under way, by place."""

    def __init__(
        self,
        slots: Slots,
        tenant: str,
        clock: Callable[[], float],
        bell: Bell,
        rank: int = NORMAL,
    ) -> None:
        self._bell = bell
        self._slots = slots
        self._tenant = tenant
        self._rank = rank
        self._clock = clock
        self._flights: dict[Place, _Flight] = {}
        self._changes = 0
        self._reserved: dict[Place, tuple[str, Slot]] = {}  # with its connection
        self.not_before: dict[Place | str, Held] = {}
        self.look_again: dict[Place, float] = {}

    @property
    def places(self) -> frozenset[Place]:
        """Where something is under way."""
        return frozenset(self._flights)

    def are_among(self, attempts: Mapping[Place, int]) -> bool:
        """Whether one of these is under way."""
        return any(attempts.get(place) == each.n for place, each in self._flights.items())

    def are_behind(self, state: RunState) -> bool:
        """Whether the end of a call is in the journal, and its task is about to say so."""
        if self._flights.keys() <= state.under_way.keys():
            return False
        lasts = ((each.n, state.last(place)) for place, each in self._flights.items())
        return any(last and last.intent.n == n and last.ended is not None for n, last in lasts)

    def begin(
        self,
        place: Place,
        connection: str,
        most: int | None,
        work: Callable[[], Work],
        *,
        n: int = 0,
        acts: bool = False,
    ) -> None:
        """Begin at once, or wait for one of the `most` places of the connection's calls.

        `n` is the number of the attempt; a search has none.
        """
        slot = self._reserved_at(place, connection) or self._slots.take(connection, most)
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Blocked | Slot | float | None]
        if slot is None:
            task = loop.create_task(self._slots.wait(connection, most, self._tenant, self._rank))
        else:
            task = loop.create_task(work())
            if n:
                self.look_again.pop(place, None)  # another attempt, another search
        task.add_done_callback(partial(self._ended, slot))
        has_place = slot is not None
        self._flights[place] = _Flight(task, connection, n, acts, has_place, self._changes)

    def _reserved_at(self, place: Place, connection: str) -> Slot | None:
        """What was kept for this place, given back where it is of another connection."""
        of, slot = self._reserved.pop(place, (connection, None))
        if slot is None or of == connection:
            return slot
        slot.release()
        return None

    def _ended(self, slot: Slot | None, _: object) -> None:
        if slot is not None:
            slot.release()
        self._bell.stir()

    async def land(
        self, until: float | None, is_coming: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until one has ended, the bell rings, or a time has come; False if none has ended.

        Also where one has, but the bell has rung: then there is something to read. One whose end
        `is_coming` need not have been written.
        """
        while True:
            left = None if until is None else max(0.005, until - self._clock())
            has_rung = await self._bell.wait(left)
            has_ended = self.take_in()
            if has_ended or has_rung or is_coming():
                return not has_rung
            if until is not None and self._clock() >= until:
                return False

    def take_in(self) -> bool:
        """Note what has become of those that have ended; False if none has."""
        ended = [(place, each) for place, each in self._flights.items() if each.task.done()]
        for place, flight in ended:
            del self._flights[place]
            self._landed(place, flight)
        return bool(ended)

    def _landed(self, place: Place, flight: _Flight) -> None:
        """Note when what did not come about may be tried again."""
        if not flight.n:
            self.look_again.pop(place, None)
        else:
            self.not_before.pop(place, None)
        try:
            match flight.task.result():
                case Slot() as slot:
                    self._reserved[place] = (flight.connection, slot)
                case Blocked(reason="service" | "stop") if flight.changes != self._changes:
                    pass  # what stood in its way may be gone since: it asks once more
                case Blocked(reason="rate_limit" | "service" | "stop" as reason, retry_at=at):
                    # One that asks in vain is enough: the others of the connection wait too.
                    self.not_before[flight.connection] = Held(inf if at is None else at, reason)
                case None | Blocked(reason="news"):
                    pass
                case Blocked():
                    self.not_before[place] = Held(self._clock() + AGAIN_S)
                case float() as again_at:
                    self.look_again[place] = again_at
        except (StorePausedError, asyncio.CancelledError):
            # The intent could not be written, so nothing was sent; or the journal tells.
            if not flight.n:
                self.look_again[place] = self._clock() + AGAIN_S
            else:
                self.not_before[place] = Held(self._clock() + AGAIN_S)

    def ask_again(self) -> None:
        """Something has changed: what was stopped, or waits for its service, may ask once more."""
        self._changes += 1
        for at, held in [*self.not_before.items()]:
            if held.reason != "rate_limit":
                del self.not_before[at]

    async def abort(self, place: Place) -> None:
        """Cut one off; what it was is in the journal, or never began."""
        flight = self._flights.pop(place)
        flight.task.cancel()
        (result,) = await asyncio.gather(flight.task, return_exceptions=True)
        if isinstance(result, Slot):
            result.release()

    async def stop_waiting(self) -> None:
        """Keep no place, and wait for none, while nothing can be begun."""
        for place, flight in [*self._flights.items()]:
            if not flight.has_place:
                await self.abort(place)
        self.leave_reserved()

    def leave_reserved(self) -> None:
        """Give back the places of calls that are not wanted any more."""
        for _, slot in self._reserved.values():
            slot.release()
        self._reserved.clear()

    async def settle(self) -> None:
        """Let everything end that is under way: what is cut off would be uncertain.

        What waits for a place has not begun, and may wait for one that is kept here.
        """
        await self.stop_waiting()
        tasks = [flight.task for flight in self._flights.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def see_out(self) -> None:
        """Let writes end that are under way, once the run is another's: nobody else learns how."""
        for place, flight in [*self._flights.items()]:
            if not flight.acts:
                await self.abort(place)
        await self.settle()

    async def drop(self) -> None:
        """Cut off what is still under way; its attempt stays open in the journal."""
        tasks = [flight.task for flight in self._flights.values()]
        if still_open := [task for task in tasks if task.cancel()]:
            await asyncio.wait(still_open)
        for task in tasks:
            if not task.cancelled() and isinstance(slot := task.exception() or task.result(), Slot):
                slot.release()
        self._flights.clear()
        self.leave_reserved()
