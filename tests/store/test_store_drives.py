"""A row is driven by one at a time; who was taken over writes nothing; no wake is lost."""

import asyncio
import sqlite3
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection
from store_cases import (
    NOW,
    RUN,
    TENANT,
    add_run,
    claimed,
    intent,
    new_run,
    outcome,
    resolved,
    written,
)

from connectors.spec import Principal
from executor.store import calls, drives, ready, recovery, requests, runs, waking
from executor.store.calls import AttemptOutcome
from executor.store.drives import Due, LetGo
from executor.store.errors import FencedError, StoreError
from executor.store.open_journal import OpenJournal
from executor.store.store import Store


async def test_one_of_many_who_claim_at_once_gets_the_run(store: Store) -> None:
    await store.write(add_run)
    claims = await asyncio.gather(
        *(
            store.write(partial(drives.claim, due=RUN, driver=f"driver-{n}", now=NOW))
            for n in range(50)
        )
    )

    assert len([claim for claim in claims if claim is not None]) == 1


async def test_a_claim_looks_at_its_own_row_however_many_others_wait(file_store: Store) -> None:
    def steps_of_a_claim(c: Connection, run: str) -> int:
        raw, steps = c.connection.dbapi_connection, list[int]()
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(lambda: steps.append(1), 10)  # SQLite's own, ten by ten
        claimed(c, Due("run", TENANT, run))
        raw.set_progress_handler(None, 0)
        return len(steps)

    await file_store.write(add_run)
    alone = await file_store.write(partial(steps_of_a_claim, run="run_a"))
    for number in range(300):
        await file_store.write(partial(add_run, run=f"run_{number}"))

    assert await file_store.write(partial(steps_of_a_claim, run="run_7")) < 2 * alone


async def test_the_same_driver_may_claim_again_and_fences_its_earlier_drive(store: Store) -> None:
    first = await store.write(new_run)
    second = await store.write(claimed)

    assert second.epoch == first.epoch + 1
    assert await store.read(lambda c: drives.standing(c, first)) is None
    with pytest.raises(FencedError):
        await store.write(lambda c: drives.hold(c, first))


async def test_who_had_an_epoch_that_the_server_has_given_to_another_holds_nothing(
    store: Store,
) -> None:
    lost = replace(await store.write(new_run), driver="another")

    assert await store.read(lambda c: drives.standing(c, lost)) is None
    assert not await store.write(lambda c: drives.end_drive(c, lost, status="failed", now=NOW))
    with pytest.raises(FencedError):
        await store.write(lambda c: drives.hold(c, lost))


async def test_a_finished_run_cannot_be_claimed(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: drives.end_drive(c, claim, status="succeeded", now=NOW))

    assert await store.write(lambda c: drives.claim(c, RUN, "me", NOW)) is None


async def test_a_claim_reaches_no_run_of_another_tenant(store: Store) -> None:
    await store.write(add_run)
    other = Due("run", "other", RUN.id)

    assert await store.write(lambda c: drives.claim(c, other, "me", NOW)) is None


async def test_a_drive_cannot_let_go_past_something_that_arrived(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: waking.wake(c, RUN, NOW))
    let_go = await store.write(lambda c: drives.end_drive(c, claim, status="waiting", now=NOW))
    seen = await store.read(lambda c: drives.standing(c, claim))

    assert not let_go
    assert seen == (claim.wake_seq + 1, None)
    now_seen = replace(claim, wake_seq=claim.wake_seq + 1)
    assert await store.write(lambda c: drives.end_drive(c, now_seen, status="waiting", now=NOW))


async def test_a_drive_that_has_let_go_holds_nothing(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: drives.end_drive(c, claim, status="waiting", now=NOW))

    with pytest.raises(FencedError):
        await store.write(lambda c: drives.hold(c, claim))
    assert not await store.write(lambda c: drives.end_drive(c, claim, status="failed", now=NOW))


async def test_a_run_that_has_ended_stays_as_it_ended_though_somebody_learns_more_of_it(
    file_store: Store,
) -> None:
    claim = await file_store.write(new_run)
    await file_store.write(partial(drives.end_drive, claim=claim, status="cancelled", now=NOW + 1))
    ended = await file_store.read(partial(runs.get, tenant=TENANT, run=RUN.id))
    await file_store.write(partial(waking.wake, due=RUN, now=NOW + 60))

    assert ended is not None
    assert await file_store.read(partial(runs.get, tenant=TENANT, run=RUN.id)) == ended


async def test_a_wake_makes_a_waiting_run_due_even_if_nobody_is_there_to_hear_it(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(
        lambda c: drives.end_drive(c, claim, status="waiting", waiting_for="approval", now=NOW)
    )
    before = await store.read(lambda c: ready.due(c, NOW + 1))
    await store.write(lambda c: waking.wake(c, RUN, NOW))

    assert before == []
    assert await store.read(lambda c: ready.due(c, NOW + 1)) == [RUN]


@pytest.mark.parametrize("left", [True, False])
async def test_new_credentials_wake_what_waits_for_a_person_unless_it_is_left_to_one(
    store: Store, left: bool
) -> None:
    claim = await store.write(new_run)
    end = LetGo(claim, "reconcile", None, NOW, left)
    assert await store.write(partial(drives.let_go, ends=[end])) == [True]
    wake = partial(waking.wake_waiting, waiting_for="credentials", now=NOW)
    woken = await store.write(wake), await store.write(partial(wake, tenant=TENANT))
    await store.write(claimed)

    assert woken == (([], []) if left else ([RUN], [RUN]))
    assert await store.write(wake) == [RUN]  # whoever drives it looks again, whatever it was


async def test_a_run_that_waits_for_a_time_is_due_then(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(
        lambda c: drives.end_drive(c, claim, status="waiting", wake_at=NOW + 60, now=NOW)
    )

    assert await store.read(lambda c: ready.due(c, NOW + 59)) == []
    assert await store.read(lambda c: ready.next_wake(c, NOW + 59)) == NOW + 60
    assert await store.read(lambda c: ready.due(c, NOW + 60)) == [RUN]
    assert await store.read(lambda c: ready.next_wake(c, NOW + 60)) is None


async def test_what_is_due_comes_oldest_first_and_without_what_is_driven(store: Store) -> None:
    for number, run in enumerate(("run_c", "run_b", "run_d")):
        await store.write(partial(add_run, run=run, now=NOW + number))
    await store.write(lambda c: claimed(c, Due("run", TENANT, "run_b")))
    await store.write(
        lambda c: requests.create(
            c, request="req_a", principal=Principal("requester", TENANT), text="words",
            inputs={}, model=None, start="auto", now=NOW + 0.5,
        )
    )  # fmt: skip
    found = await store.read(lambda c: [each.id for each in ready.due(c, NOW + 9)])

    assert found == ["run_c", "req_a", "run_d"]


async def test_what_a_dead_process_drove_is_handed_back_counted_and_fenced(store: Store) -> None:
    claim = await store.write(new_run)
    count = await store.write(lambda c: recovery.hand_back(c, NOW + 1))
    row = await store.read(lambda c: runs.get(c, TENANT, RUN.id))

    assert count == 1
    assert row is not None
    assert (row.status, row.recoveries) == ("queued", 1)
    assert await store.read(lambda c: drives.standing(c, claim)) is None
    assert await store.read(lambda c: ready.due(c, NOW + 1)) == [RUN]


async def test_a_driver_that_stops_in_order_leaves_its_runs_without_a_recovery(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: add_run(c, "run_b"))
    await store.write(lambda c: claimed(c, Due("run", TENANT, "run_b"), driver="another"))
    count = await store.write(lambda c: recovery.release(c, "me", NOW + 1))
    row = await store.read(lambda c: runs.get(c, TENANT, RUN.id))

    assert count == 1
    assert row is not None
    assert (row.status, row.recoveries) == ("queued", 0)
    assert await store.read(lambda c: drives.standing(c, claim)) is None


async def test_a_run_is_asked_to_cancel_once(store: Store) -> None:
    claim = await store.write(new_run)
    asked = [
        await store.write(lambda c: runs.request_cancel(c, TENANT, RUN.id, "stop", NOW))
        for _ in range(2)
    ]

    assert asked == [True, False]
    assert await store.read(lambda c: drives.standing(c, claim)) == (claim.wake_seq + 1, "stop")
    assert await store.read(lambda c: runs.cancel_mode(c, TENANT, RUN.id)) == "stop"


async def test_cancel_and_finish_race_and_one_of_them_wins(store: Store) -> None:
    outcomes = set()
    for number in range(20):
        run = Due("run", TENANT, f"run_{number}")
        claim = await store.write(partial(new_run, run=run.id))
        finish = partial(drives.end_drive, claim=claim, status="succeeded", now=NOW)
        cancel = partial(runs.request_cancel, tenant=TENANT, run=run.id, mode="stop", now=NOW)
        first, second = (finish, cancel) if number % 2 else (cancel, finish)
        outcomes.add(tuple(await asyncio.gather(store.write(first), store.write(second))))

    assert outcomes == {(True, False)}  # whichever came first


async def test_a_finished_run_cannot_be_cancelled(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: drives.end_drive(c, claim, status="failed", now=NOW))

    assert not await store.write(lambda c: runs.request_cancel(c, TENANT, RUN.id, "stop", NOW))


async def test_a_run_needs_a_plan_that_is_there(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        await store.write(
            lambda c: runs.create(
                c, tenant=TENANT, run="run_x", plan="pln_x", requester="r", now=NOW
            )
        )


async def test_runs_are_listed_newest_first_within_their_tenant(store: Store) -> None:
    for number in range(5):
        await store.write(partial(add_run, run=f"run_{number}", now=NOW + number))
    await store.write(partial(add_run, run="run_x", now=NOW + 9, tenant="other"))
    listed = await store.read(lambda c: runs.newest(c, TENANT, limit=3))

    assert [row.id for row in listed] == ["run_4", "run_3", "run_2"]
    assert await store.read(lambda c: runs.newest(c, TENANT, status="running")) == []
    assert await store.read(lambda c: runs.get(c, TENANT, "run_x")) is None


async def test_a_result_is_kept_as_it_was(store: Store) -> None:
    claim = await store.write(new_run)
    result = {"total": {"amount": "18.50", "currency": "EUR"}, "list": [1, None, "ü"]}
    end = partial(OpenJournal.end, status="succeeded", code=None, result=result, now=NOW)
    await store.write(lambda c: written(c, claim, end))
    row = await store.read(lambda c: runs.get(c, TENANT, RUN.id))

    assert row is not None
    assert row.result == result
    assert row.has_ended


async def test_a_call_that_ended_is_progress_and_what_was_found_out_of_an_old_one_is_not(
    store: Store,
) -> None:
    async def crashes() -> int:
        return await store.read(lambda c: recovery.crashes_of(c, RUN))

    first = await store.write(new_run)
    await store.write(lambda c: written(c, first, calls.record_intent, intent(), NOW))
    await store.write(lambda c: recovery.hand_back(c, NOW + 1))
    second = await store.write(claimed)
    found = AttemptOutcome("refund", "", 1, resolved("absent"))
    await store.write(lambda c: written(c, second, calls.record_outcome, found, NOW + 2))
    still = await crashes()
    await store.write(lambda c: written(c, second, calls.record_intent, intent(n=2), NOW + 3))
    made = outcome("applied", n=2, hold=("shop", NOW))
    await store.write(lambda c: written(c, second, calls.record_outcome, made, NOW + 4))

    assert (still, await crashes()) == (1, 0)


async def test_a_call_that_was_not_made_since_its_intent_may_be_lost_is_no_progress(
    store: Store,
) -> None:
    await store.write(new_run)
    await store.write(lambda c: recovery.hand_back(c, NOW + 1))
    second = await store.write(claimed)
    await store.write(lambda c: written(c, second, calls.record_intent, intent(), NOW + 2))
    none = outcome("not_sent")
    await store.write(lambda c: written(c, second, calls.record_outcome, none, NOW + 3))

    assert await store.read(lambda c: recovery.crashes_of(c, RUN)) == 1


@pytest.mark.parametrize("status", ["waiting", "succeeded"])
async def test_who_comes_to_wait_is_not_forgiven_the_processes_that_died_with_it(
    store: Store, status: str
) -> None:
    await store.write(new_run)
    await store.write(lambda c: recovery.hand_back(c, NOW + 1))
    claim = await store.write(claimed)
    await store.write(lambda c: drives.end_drive(c, claim, status=status, now=NOW + 2))
    found = await store.read(lambda c: recovery.crashes_of(c, RUN))

    assert found == (1 if status == "waiting" else 0)


@pytest.mark.parametrize("how", ["hand_back", "release"])
async def test_what_is_given_back_is_fenced_from_whoever_had_it_before_anybody_claims_it(
    store: Store, how: str
) -> None:
    claim = await store.write(new_run)
    if how == "release":
        await store.write(lambda c: recovery.release(c, "me", NOW))
    else:
        await store.write(lambda c: recovery.hand_back(c, NOW))

    with pytest.raises(FencedError):
        await store.write(lambda c: drives.hold(c, claim))
