"""Two processes' stores on one server: what one writer of a file gives for nothing holds too."""

import asyncio
import threading
from functools import partial

import pytest
from sqlalchemy import Connection, text
from store_cases import (
    APPROVER,
    NOW,
    RUN,
    TENANT,
    add_run,
    new_run,
    question,
)  # fmt: skip

from connectors.spec import Principal
from executor.store import (
    approvals,
    drives,
    idempotency,
    journal,
    ready,
    recovery,
    requests,
    rulings,
    stops,
    waking,
    workers,
)
from executor.store.drives import LetGo
from executor.store.errors import StoreUnavailableError
from executor.store.idempotency import Kept
from executor.store.journal import NewEvent
from executor.store.stops import ALL, StopRow
from executor.store.store import Store

SECOND = Principal("second", TENANT, frozenset({"approver"}))


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

    def note(c: Connection) -> None:
        assert drives.hold_row(c, RUN)
        journal.append(c, TENANT, RUN.id, [NewEvent("note", {})], NOW)

    await asyncio.gather(*(store.write(note) for store in (server_store, other) * 20))
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
        waking.wake(c, mine, NOW)
        c.execute(text("SELECT pg_sleep(0.2)"))
        waking.wake(c, theirs, NOW)

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
    await server_store.read(lambda c: ready.due(c, NOW))
    await other.write(
        lambda c: c.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        ).all()
    )

    assert await server_store.read(lambda c: ready.due(c, NOW)) == [RUN]
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
    await server_store.read(lambda c: ready.due(c, NOW))
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

    assert known == [None, NOW + 4, NOW + 5]
    assert (counted, await other.read(crashes)) == (1, 0)


async def test_a_lift_wakes_what_is_forgiven_the_death_of_a_process_just_then(
    server_store: Store, other: Store
) -> None:
    """It was driven by a process that was cut off, and by another one that came to the stop."""
    row = StopRow(TENANT, "stp_a", ALL, "operator", "something is wrong", NOW)
    await server_store.write(lambda c: stops.add(c, row))
    await server_store.write(add_run)
    await server_store.write(lambda c: drives.claim(c, RUN, "cut-off", NOW))
    await server_store.write(lambda c: recovery.hand_back(c, NOW, driver="cut-off"))
    claim = await server_store.write(lambda c: drives.claim(c, RUN, "me", NOW))
    assert claim is not None
    await server_store.write(lambda c: drives.let_go(c, [LetGo(claim, "stop", None, NOW)]))
    lift = partial(stops.lift, tenant=TENANT, stop="stp_a", by="operator", reason="all is well")
    with other._backend.engine(writer=True).connect() as c, c.begin():
        recovery.forgive(c, [RUN])
        lifted = asyncio.create_task(server_store.write(partial(lift, now=NOW + 1)))
        await asyncio.sleep(0.3)
        assert not lifted.done()

    assert await lifted == [RUN]
    assert await server_store.read(lambda c: ready.due(c, NOW + 1)) == [RUN]
