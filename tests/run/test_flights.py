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

    flights.begin(PLACE, "shop", None, work, n=1)
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


async def test_what_waits_for_a_place_is_not_waited_for_when_a_drive_breaks() -> None:
    slots, goes_on = Slots(), asyncio.Event()
    flights = Flights(slots, "main", lambda: 0.0, Bell())

    async def work() -> None:
        await goes_on.wait()

    for name in ("a", "b", "c"):
        flights.begin((name, ""), "shop", 1, work, n=1)
    goes_on.set()
    while ("b", "") in flights.places:
        await flights.land(None)  # the place is kept for b by then, and c waits behind it
    async with asyncio.timeout(5.0):
        await flights.settle()
        await flights.drop()

    assert slots.take("shop", 1) is not None


async def test_who_can_begin_nothing_neither_keeps_nor_waits_for_a_place() -> None:
    slots = Slots()
    mine, other = (Flights(slots, tenant, lambda: 0.0, Bell()) for tenant in ("main", "other"))
    done = asyncio.Event()

    async def work() -> None:
        await done.wait()

    mine.begin(PLACE, "shop", 1, work, n=1)
    for place in (("b", ""), ("c", "")):
        mine.begin(place, "shop", 1, work, n=1)
    await asyncio.sleep(0)
    other.begin(PLACE, "shop", 1, work, n=1)
    done.set()
    assert await mine.land(None)  # and one that waited has the place now
    await mine.stop_waiting()
    assert await asyncio.wait_for(other.land(None), 1.0)

    assert mine.places == frozenset()
    assert other.places == frozenset()  # it was told of its place, and is decided on once more


async def test_a_place_that_a_search_was_given_is_no_place_for_a_call_of_another_service() -> None:
    slots = Slots()
    flights, other = (Flights(slots, tenant, lambda: 0.0, Bell()) for tenant in ("main", "other"))
    goes_on, begun = asyncio.Event(), list[str]()

    async def work() -> None:
        await goes_on.wait()

    async def call() -> None:
        begun.append("call")

    other.begin(("x", ""), "ledger", 1, work, n=1)
    other.begin(("y", ""), "shop", 1, work, n=1)
    flights.begin(PLACE, "ledger", 1, work)  # it waits for its place
    await other.abort(("x", ""))
    assert await flights.land(None)  # and was given it; by now somebody has told the answer
    flights.begin(PLACE, "shop", 1, call, n=1)
    await asyncio.sleep(0.01)
    is_free = slots.take("ledger", 1) is not None
    await flights.drop()
    await other.drop()

    assert begun == []
    assert is_free


async def test_calls_that_wait_no_more_cost_their_tenant_no_turn() -> None:
    slots, goes_on, begun = Slots(), asyncio.Event(), list[str]()

    async def call(tenant: str) -> None:
        slot = await slots.wait("shop", 1, tenant)
        begun.append(tenant)
        await goes_on.wait()
        slot.release()

    tenants = ("main", *["other"] * 6, *["main"] * 3)
    calls = [asyncio.create_task(call(tenant)) for tenant in tenants]
    await asyncio.sleep(0)
    for given_up in calls[1:6]:
        given_up.cancel()
    goes_on.set()  # so the first place is free while they are still to hear of it
    await asyncio.wait(calls)

    assert begun == ["main", "other", "main", "main", "main"]


async def test_a_place_that_is_left_while_who_waits_for_it_is_cut_off_is_nobody_s() -> None:
    slots = Slots()
    taken = slots.take("shop", 1)
    assert taken is not None
    waiting = asyncio.create_task(slots.wait("shop", 1, "main"))
    await asyncio.sleep(0)
    waiting.cancel()
    taken.release()
    await asyncio.wait([waiting])

    assert slots.take("shop", 1) is not None
