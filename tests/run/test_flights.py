"""What is told to a call that may not begin, and may be over by the time that it is heard."""

import asyncio
from math import inf

from executor.run.bell import Bell
from executor.run.flights import Flights
from executor.run.slots import Slots
from executor.run.verdicts import Held
from executor.store.permits import Blocked

PLACE = ("a", "")


async def landed(*, is_lifted_meanwhile: bool) -> Flights:
    """A call that is told of a stop, which may be lifted before it is heard."""
    flights, told = Flights(Slots(), "main", lambda: 0.0, Bell()), asyncio.Event()

    async def work() -> Blocked:
        await told.wait()
        return Blocked("stop")

    flights.begin(PLACE, "shop", None, work)
    if is_lifted_meanwhile:
        flights.ask_again()
    told.set()
    assert await flights.land(None)
    return flights


async def test_a_stop_holds_a_connection_until_somebody_lifts_it() -> None:
    flights = await landed(is_lifted_meanwhile=False)
    held = {**flights.not_before}
    flights.ask_again()

    assert held == {"shop": Held(inf, "stop")}
    assert flights.not_before == {}


async def test_a_stop_that_was_lifted_before_a_call_heard_of_it_holds_nothing() -> None:
    flights = await landed(is_lifted_meanwhile=True)

    assert flights.not_before == {}
    assert flights.places == frozenset()
