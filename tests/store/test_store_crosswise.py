"""Two processes that need the same rows take them in one order, so neither has to be broken off."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection, text
from store_cases import NOW, RUN, TENANT, Asked, add_run, intent, new_run
from test_store_processes_permits import STOP, in_mid_write, soon

from connectors.spec import Limits
from executor.breaker import FAILURES
from executor.store import breakers, calls, drives, runs, stops, waking
from executor.store.drives import Claim, Due, LetGo
from executor.store.journal import Seen
from executor.store.open_journal import OpenJournal, Turn, written
from executor.store.permits import Need, Told, need_of, need_to_tell
from executor.store.store import Store
from executor.store.writer import Joint, Stage

RATE = Limits.model_validate({"rate": 100, "per_s": 1, "burst": 10})
UNTIL_IT_WAITS_S = 0.3
BOTH = ("bank", "shop")


class Meeting:
    """Each of two waits until the other has come as far, or waits for it."""

    def __init__(self) -> None:
        self.tries = 0

    def wait(self) -> None:
        self.tries += 1
        time.sleep(UNTIL_IT_WAITS_S)


async def both(
    first: Store,
    second: Store,
    write: Callable[[Claim, tuple[str, ...], Meeting], list[Asked[object]]],
) -> int:
    """Two runs write at two processes, each about two connections in another order.

    Returns how often they had to be made.
    """
    meeting = Meeting()
    writes = []
    for store, run, order in ((first, "run_a", BOTH), (second, "run_b", BOTH[::-1])):
        claim = await store.write(partial(new_run, run=run))
        works = tuple(write(claim, order, meeting))
        turn = Turn(claim, works, Seen)
        writes.append(store.write(Joint(written, turn, Stage.TURNS)))
    await asyncio.gather(*writes)
    return meeting.tries


async def test_permits_of_several_connections(server_store: Store, other: Store) -> None:
    def begins(_: Claim, order: tuple[str, ...], meeting: Meeting) -> list[Asked[object]]:
        def begin(journal: OpenJournal, connection: str) -> object:
            asked = intent(step=connection, limits=RATE)._replace(connection=connection)
            began = calls.record_intent(journal, asked, NOW)
            if connection == order[0]:
                meeting.wait()
            return began

        return [Asked(partial(begin, connection=each), needs=need_of(each, RATE)) for each in order]

    assert await both(server_store, other, begins) == 2


async def test_failures_of_several_services(server_store: Store, other: Store) -> None:
    def tells(_: Claim, order: tuple[str, ...], meeting: Meeting) -> list[Asked[object]]:
        def tell(journal: OpenJournal, told: Told) -> None:
            journal.permits.tell(told, NOW)
            if told.connection == order[0]:
                meeting.wait()

        told = [Told(each, "down", NOW, hold_until=NOW + 1) for each in order]
        return [Asked(partial(tell, told=each), needs=need_to_tell(each)) for each in told]

    assert await both(server_store, other, tells) == 2
    found = await server_store.read(partial(breakers.listed, tenant=TENANT))
    assert {name: each.failures for name, each in found.items()} == {"bank": 2, "shop": 2}
    assert FAILURES > 2


@pytest.mark.parametrize("step", [1, -1])
async def test_claims_of_several_runs(step: int, server_store: Store, other: Store) -> None:
    dues = [Due("run", TENANT, name) for name in ("run_a", "run_b")]
    for due in dues:
        await other.write(partial(add_run, run=due.id))
    order, holds, tries = dues[::step], threading.Event(), 0

    def hold(c: Connection) -> None:
        nonlocal tries
        tries += 1
        assert drives.hold_row(c, dues[0])
        holds.set()
        time.sleep(UNTIL_IT_WAITS_S)
        assert drives.hold_row(c, dues[1])

    holding = asyncio.create_task(other.write(hold))
    await asyncio.to_thread(holds.wait)

    def claim(c: Connection) -> list[Claim | None]:
        nonlocal tries
        tries += 1
        for plan in ("hashjoin", "mergejoin", "seqscan"):  # row by row, as they are asked for
            c.execute(text(f"SET LOCAL enable_{plan} = off"))
        return drives.claims(c, [drives.Asked(due, "me", NOW) for due in order])

    found = await server_store.write(claim)
    await holding

    assert tries == 2  # one each
    assert [claim is not None for claim in found] == [True, True]


async def test_who_lifts_a_stop_waits_for_no_run_that_others_write_about(
    server_store: Store, other: Store
) -> None:
    claim = await other.write(new_run)
    await server_store.write(partial(stops.add, row=STOP))
    wake = partial(waking.wake, due=Due("run", TENANT, claim.id), now=NOW)
    async with in_mid_write(other, wake):
        lifting = asyncio.create_task(server_store.write(lift))
        went_ahead = await soon(lifting)

    assert went_ahead
    assert await lifting == []


async def test_a_run_that_is_just_going_to_wait_for_a_stop_is_woken_by_who_lifts_it(
    server_store: Store, other: Store
) -> None:
    claim = await other.write(new_run)
    await server_store.write(partial(stops.add, row=STOP))
    ends = [LetGo(claim, "stop", None, NOW)]
    async with in_mid_write(other, lambda c: drives.let_go(c, ends)) as letting_go:
        lifting = asyncio.create_task(server_store.write(lift))
        went_ahead = await soon(lifting)

    assert not went_ahead
    assert await letting_go == [True]
    assert await lifting == [Due("run", TENANT, claim.id)]


def _cancel(c: Connection) -> object:
    return runs.request_cancel(c, TENANT, RUN.id, "stop", NOW)


def _wake_what_lacks_credentials(c: Connection) -> object:
    return waking.wake_waiting(c, "credentials", NOW, TENANT)


@pytest.mark.parametrize(
    ("work", "waiting_for"), [(_cancel, "stop"), (_wake_what_lacks_credentials, "credentials")]
)
async def test_a_run_that_was_written_about_in_vain_is_woken_by_who_lifts_its_stop(
    server_store: Store, other: Store, work: Callable[[Connection], object], waiting_for: str
) -> None:
    claim = await other.write(new_run)
    ends = [LetGo(claim, waiting_for, None, NOW)]
    await other.write(lambda c: drives.let_go(c, ends))
    await server_store.write(partial(stops.add, row=STOP))
    holds, may_fail = threading.Event(), threading.Event()

    def fail(c: Connection) -> None:
        assert work(c)
        holds.set()
        may_fail.wait(2.5)
        raise LookupError

    failing = asyncio.create_task(other.write(fail))
    await asyncio.to_thread(holds.wait, 10)
    lifting = asyncio.create_task(server_store.write(lift))
    await soon(lifting)
    may_fail.set()
    with pytest.raises(LookupError):
        await failing

    assert await lifting == [RUN]


async def test_of_two_who_lift_a_stop_at_once_one_does(server_store: Store, other: Store) -> None:
    await server_store.write(partial(stops.add, row=STOP))
    meeting = Meeting()

    def look_and_lift(c: Connection) -> bool:
        found = stops.standing(c, TENANT, STOP.id)
        meeting.wait()
        return found is not None and lift(c) is not None

    lifted = await asyncio.gather(*(each.write(look_and_lift) for each in (server_store, other)))

    assert sorted(lifted) == [False, True]
    assert meeting.tries == 2


def lift(c: Connection) -> list[Due] | None:
    """All is well."""
    return stops.lift(c, TENANT, STOP.id, "operator", "all is well", NOW)


async def test_what_is_needed_is_said_by_what_is_asked_and_told() -> None:
    assert need_of("shop", None) == Need("shop")
    assert need_of("shop", RATE) == Need("shop", limit=True)
    assert need_to_tell(Told("shop", "answered", NOW)) == Need("shop")
    assert need_to_tell(Told("shop", "down", NOW)) == Need("shop", breaker=True)
    held = Need("shop", limit=True, hold_until=NOW)
    assert need_to_tell(Told("shop", None, NOW, hold_until=NOW)) == held
