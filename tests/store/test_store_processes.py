"""Two processes' stores on one server: what one writer of a file gives for nothing holds too."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text
from store_cases import (
    APPROVER,
    NOW,
    RUN,
    TENANT,
    add_run,
    claimed,
    intent,
    new_run,
    question,
    take,
    tell,
    written,
)  # fmt: skip

from connectors.quota import Quota
from connectors.spec import Principal
from executor.breaker import FAILURES, PAUSE_S
from executor.store import (
    approvals,
    breakers,
    calls,
    drives,
    idempotency,
    journal,
    recovery,
    requests,
    rulings,
    stops,
    workers,
)
from executor.store.drives import Due
from executor.store.errors import NewerSchemaError, StoreUnavailableError
from executor.store.idempotency import Kept
from executor.store.journal import NewEvent
from executor.store.permits import Blocked, Told
from executor.store.stops import StopRow
from executor.store.store import Store

SECOND = Principal("second", TENANT, frozenset({"approver"}))


@pytest.fixture
async def other(server_store: Store, server_url: str) -> AsyncIterator[Store]:
    """The store of another process."""
    opened = await Store.open(server_url)
    yield opened
    await opened.close()


async def test_of_two_processes_that_claim_at_once_one_drives(
    server_store: Store, other: Store
) -> None:
    for number in range(10):
        run = drives.Due("run", TENANT, f"run_{number}")
        await server_store.write(partial(add_run, run=run.id))
        claims = await asyncio.gather(
            *(
                store.write(partial(drives.claim, due=run, driver=driver, now=NOW))
                for store, driver in ((server_store, "one"), (other, "two"))
            )
        )

        assert len([each for each in claims if each]) == 1


async def test_events_of_two_processes_at_once_have_no_gap_and_no_double(
    server_store: Store, other: Store
) -> None:
    await server_store.write(add_run)
    told = [NewEvent("note", {})]
    await asyncio.gather(
        *(
            store.write(partial(journal.append, tenant=TENANT, subject=RUN.id, new=told, now=NOW))
            for store in (server_store, other) * 20
        )
    )
    events = await server_store.read(lambda c: journal.read(c, TENANT, RUN.id))

    assert [each.seq for each in events] == list(range(1, 41))


async def test_the_same_idempotency_key_at_two_processes_is_kept_once(
    server_store: Store, other: Store
) -> None:
    def once(c: Connection, who: str) -> str:
        kept = idempotency.find(c, APPROVER, "/v1/requests", "key", NOW)
        if kept is not None:
            return kept.answer
        answer = Kept("sha256:body", 202, who)
        idempotency.keep(c, APPROVER, "/v1/requests", "key", answer, NOW)
        return who

    answers = await asyncio.gather(
        *(
            store.write(partial(once, who=f"{n}"))
            for n, store in enumerate((server_store, other) * 8)
        )
    )

    assert len(set(answers)) == 1


async def test_an_answer_that_two_processes_bring_is_taken_once(
    server_store: Store, other: Store
) -> None:
    def ask(c: Connection) -> None:
        requests.create(
            c, request="req_a", principal=APPROVER, text="words", inputs={}, model=None,
            start="auto", now=NOW,
        )  # fmt: skip
        c.execute(text("UPDATE requests SET status = 'needs_answer'"))

    await server_store.write(ask)
    taken = await asyncio.gather(
        *(
            store.write(
                partial(
                    requests.answer, tenant=TENANT, request="req_a", answers={"remedy": who},
                    now=NOW,
                )
            )
            for store, who in ((server_store, "refund"), (other, "replace"))
        )
    )  # fmt: skip

    assert sorted(taken) == [False, True]


async def test_writes_that_wait_for_each_other_crosswise_are_both_made(
    server_store: Store, other: Store
) -> None:
    for name in ("run_a", "run_b"):
        await server_store.write(partial(add_run, run=name))
    first, second = (drives.Due("run", TENANT, name) for name in ("run_a", "run_b"))

    def both(c: Connection, mine: drives.Due, theirs: drives.Due) -> None:
        drives.wake(c, mine, NOW)
        c.execute(text("SELECT pg_sleep(0.2)"))
        drives.wake(c, theirs, NOW)

    await asyncio.gather(
        server_store.write(partial(both, mine=first, theirs=second)),
        other.write(partial(both, mine=second, theirs=first)),
    )
    found = await server_store.read(
        lambda c: c.execute(text("SELECT wake_seq FROM runs")).scalars().all()
    )

    assert found == [2, 2]


async def test_a_connection_that_was_ended_while_idle_is_no_failure(
    server_store: Store, other: Store
) -> None:
    await server_store.write(add_run)
    await server_store.read(lambda c: drives.due(c, NOW))
    await other.write(
        lambda c: c.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        ).all()
    )

    assert await server_store.read(lambda c: drives.due(c, NOW)) == [RUN]
    assert await server_store.write(new_run_b) == 1


async def test_what_is_being_read_while_others_are_cut_off_lets_go_of_its_connection_too(
    server_store: Store, other: Store
) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(c: Connection) -> int:
        backend = c.execute(text("SELECT pg_backend_pid()")).scalar_one()
        began.set()
        goes_on.wait(10)
        return int(backend)

    # Two readers' connections: one is in use, the other one is kept for later and is cut off.
    reading = asyncio.create_task(server_store.read(slow))
    await asyncio.to_thread(began.wait, 10)
    kept = await server_store.read(lambda c: c.execute(text("SELECT pg_backend_pid()")).scalar())
    await other.write(
        lambda c: c.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": kept}).all()
    )
    await server_store.read(lambda c: drives.due(c, NOW))
    goes_on.set()
    in_use = await reading
    await server_store.close()

    def left(c: Connection) -> int:
        there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        return int(c.execute(there, {"pid": in_use}).scalar_one())

    assert kept != in_use
    async with asyncio.timeout(20):  # the server takes its time to let go of one that was closed
        while await other.read(left):
            await asyncio.sleep(0.02)


def new_run_b(c: Connection) -> int:
    return new_run(c, "run_b").epoch


async def test_a_session_that_is_ended_in_mid_write_keeps_nothing_and_the_write_is_made_again(
    server_store: Store,
) -> None:
    tries = 0

    def broken_once(c: Connection) -> int:
        nonlocal tries
        tries += 1
        claim = new_run(c)
        if tries == 1:
            c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return claim.epoch

    assert await server_store.write(broken_once) == 1
    assert tries == 2


async def test_a_write_that_is_always_cut_off_says_that_the_database_is_unavailable(
    server_store: Store,
) -> None:
    def broken(c: Connection) -> None:
        c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StoreUnavailableError):
        await server_store.write(broken)
    assert await server_store.write(new_run_b) == 1


async def test_a_dead_worker_is_seen_by_one_of_the_living_and_what_it_drove_is_handed_back(
    server_store: Store, other: Store
) -> None:
    await server_store.write(lambda c: workers.renew(c, "dead", "here:1", 4.0, NOW))
    await server_store.write(lambda c: workers.renew(c, "alive", "here:2", 9.0, NOW))
    await server_store.write(add_run)
    claim = await server_store.write(lambda c: drives.claim(c, RUN, "dead", NOW))
    seen = await other.write(lambda c: workers.watch(c, NOW + 5))

    assert claim is not None
    assert seen is not None
    assert (list(seen.dead), list(seen.due)) == (["dead"], [RUN])
    assert await other.read(lambda c: drives.standing(c, claim)) is None
    await other.write(lambda c: workers.bury(c, "dead", NOW + 5))
    assert await other.read(lambda c: workers.living(c, NOW + 5)) == ["alive"]


async def test_a_lease_is_not_renewed_once_a_newer_version_has_begun(server_store: Store) -> None:
    await server_store.write(
        lambda c: c.execute(text("UPDATE facts SET value = '99' WHERE name = 'journal'"))
    )

    with pytest.raises(NewerSchemaError, match="version 99"):
        await server_store.write(lambda c: workers.renew(c, "me", "here:1", 4.0, NOW))


async def test_two_approvers_at_two_processes_make_a_quorum(
    server_store: Store, other: Store
) -> None:
    await server_store.write(new_run)
    await server_store.write(lambda c: approvals.create(c, question(quorum=2)))
    ruled = await asyncio.gather(
        *(
            store.write(
                partial(
                    rulings.decide, tenant=TENANT, approval="apr_a", by=by,
                    decision="approve", reason="checked", now=NOW,
                )
            )
            for store, by in ((server_store, APPROVER), (other, SECOND))
        )
    )  # fmt: skip

    assert sorted(ruled) == ["counted", "granted"]


T = TypeVar("T")
STOP = StopRow(TENANT, "stp_a", stops.ALL, "operator", "something is wrong", NOW)
RUN_C = drives.Due("run", TENANT, "run_c")
FAILED = Told("payments", "down", NOW)


@asynccontextmanager
async def in_mid_write(
    store: Store, work: Callable[[Connection], T]
) -> AsyncIterator["asyncio.Task[T]"]:
    """Inside, the work is done and not committed; its result is there afterwards."""
    is_done, may_end = threading.Event(), threading.Event()

    def held(c: Connection) -> T:
        found = work(c)
        is_done.set()
        may_end.wait(2.5)
        return found

    writing = asyncio.create_task(store.write(held))
    await asyncio.to_thread(is_done.wait, 10)
    try:
        yield writing
    finally:
        may_end.set()
        await writing


async def soon(task: "asyncio.Task[T]") -> bool:
    """Whether it ends while others are still in the middle of a write."""
    await asyncio.wait([task], timeout=0.5)
    return task.done()


async def test_a_stop_waits_for_the_intents_that_other_processes_are_just_writing(
    server_store: Store, other: Store
) -> None:
    claim = await server_store.write(new_run)

    def begin(c: Connection, step: str = "refund") -> Blocked | float:
        return written(c, claim, calls.record_intent, intent(step=step), NOW)

    async with in_mid_write(other, begin):
        stopping = asyncio.create_task(server_store.write(partial(stops.add, row=STOP)))
        went_ahead = await soon(stopping)

    assert not went_ahead
    assert await stopping == 1  # the call that is under way is counted
    assert await other.write(partial(begin, step="other")) == Blocked("stop")


async def test_no_run_goes_to_wait_for_a_stop_that_is_just_being_lifted(
    server_store: Store, other: Store
) -> None:
    await server_store.write(add_run)
    await server_store.write(partial(stops.add, row=STOP))

    def claim_and_begin(c: Connection) -> Blocked | float:
        return written(c, claimed(c), calls.record_intent, intent(), NOW)

    lift = partial(
        stops.lift, tenant=TENANT, stop=STOP.id, by="operator", reason="all is well", now=NOW
    )
    async with in_mid_write(server_store, lift):
        beginning = asyncio.create_task(other.write(claim_and_begin))
        await soon(beginning)

    assert isinstance(await beginning, float)


async def test_the_first_failures_that_two_processes_tell_at_once_are_both_counted(
    server_store: Store, other: Store
) -> None:
    failing = partial(tell, what=FAILED, now=NOW)
    async with in_mid_write(other, failing):
        telling = asyncio.create_task(server_store.write(failing))
        await soon(telling)
    await telling
    found = await server_store.read(lambda c: breakers.listed(c, TENANT))

    assert found["payments"].failures == 2


async def test_of_two_processes_that_would_try_a_service_again_one_does(
    server_store: Store, other: Store
) -> None:
    for number in range(FAILURES):
        what = Told("payments", "down", NOW + number / 100)
        await server_store.write(partial(tell, what=what, now=NOW))
    again = NOW + PAUSE_S
    trying = partial(take, connection="payments", allowed=None, now=again, trial_s=30.0)
    async with in_mid_write(other, trying):
        second = asyncio.create_task(server_store.write(trying))
        await soon(second)

    assert await second == Blocked("service", again + 30.0)


async def test_the_last_call_of_a_quota_is_begun_by_one_of_two_processes(
    server_store: Store, other: Store
) -> None:
    told = Told("payments", "answered", NOW, quota=Quota(1, 60.0))
    await server_store.write(partial(tell, what=told, now=NOW))
    taking = partial(take, connection="payments", allowed=None, now=NOW + 1, trial_s=1)
    async with in_mid_write(other, taking):
        beginning = asyncio.create_task(server_store.write(taking))
        await soon(beginning)

    assert await beginning == Blocked("rate_limit", NOW + 60)


async def test_who_finds_a_service_well_again_waits_for_no_other_run(
    server_store: Store, other: Store
) -> None:
    await server_store.write(new_run)
    held = await server_store.write(lambda c: new_run(c, "run_b"))
    waits = await server_store.write(lambda c: new_run(c, "run_c"))
    for number in range(20):
        what = Told("payments", "down", NOW + number / 100)
        await server_store.write(partial(tell, what=what, now=NOW))
    await server_store.write(
        partial(
            drives.end_drive, claim=waits, status="waiting", now=NOW, waiting_for="service",
            wake_at=NOW + 60,
        )
    )  # fmt: skip
    opened = (await server_store.read(lambda c: breakers.listed(c, TENANT)))["payments"]
    async with in_mid_write(other, partial(drives.hold, claim=held)):
        at = opened.until + 2
        well = Told("payments", "answered", at)
        taking = partial(take, connection="payments", allowed=None, now=at, trial_s=1)
        assert await server_store.write(taking) is None
        telling = asyncio.create_task(server_store.write(partial(tell, what=well, now=at)))
        went_ahead = await soon(telling)
    await telling
    after = (await server_store.read(lambda c: breakers.listed(c, TENANT)))["payments"]

    assert (opened.state, after.state) == ("open", "closed")
    assert went_ahead
    assert RUN_C in await server_store.read(partial(drives.due, now=at))


async def test_what_nobody_known_drives_is_handed_back_too(
    server_store: Store, other: Store
) -> None:
    await server_store.write(add_run)
    await server_store.write(lambda c: drives.claim(c, RUN, "buried", NOW))
    seen = await other.write(lambda c: workers.watch(c, NOW))

    assert seen is not None
    assert (list(seen.dead), list(seen.due)) == (["buried"], [RUN])


async def test_a_process_that_was_only_cut_off_takes_the_deaths_of_its_drives_back(
    server_store: Store, other: Store
) -> None:
    def crashes(c: Connection) -> int:
        return recovery.crashes_of(c, RUN)

    await server_store.write(add_run)
    known = [await server_store.write(lambda c: workers.renew(c, "me", "here:1", 4.0, NOW))]
    await server_store.write(lambda c: drives.claim(c, RUN, "me", NOW))
    known += [await server_store.write(lambda c: workers.renew(c, "me", "here:1", 4.0, NOW + 1))]
    await other.write(lambda c: workers.watch(c, NOW + 9))
    counted = await other.read(crashes)
    known += [await server_store.write(lambda c: workers.renew(c, "me", "here:1", 4.0, NOW + 9))]
    await server_store.write(lambda c: recovery.forgive(c, [RUN]))
    await server_store.write(lambda c: recovery.forgive(c, [RUN]))

    assert known == [False, True, False]
    assert (counted, await other.read(crashes)) == (1, 0)


async def test_who_lifts_a_stop_and_who_drives_do_not_wait_for_each_other_crosswise(
    server_store: Store, other: Store
) -> None:
    claim = await other.write(new_run)
    await server_store.write(partial(stops.add, row=STOP))
    holds, lifting = threading.Event(), threading.Event()

    def drive(c: Connection) -> Blocked | None:
        drives.hold(c, claim)
        holds.set()
        assert lifting.wait(10.0)
        time.sleep(0.3)  # until it waits for this transaction, whatever for
        return take(c, "shop", None, NOW, 5.0)

    driving = asyncio.create_task(other.write(drive))
    await asyncio.to_thread(holds.wait)
    tries = 0

    def lift(c: Connection) -> list[Due] | None:
        nonlocal tries
        tries += 1
        lifting.set()
        return stops.lift(c, TENANT, STOP.id, "operator", "all is well", NOW)

    woken, blocked = await asyncio.gather(server_store.write(lift), driving)

    assert tries == 1  # the server had nothing to break off
    assert blocked == Blocked("stop")
    assert [due.id for due in woken or ()] == [claim.id]
