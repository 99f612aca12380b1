"""A drive on the real store: what is written when, what overlaps, and who may go on."""

import asyncio
import time
from functools import partial
from typing import Any

import pytest
from run_bench import Bench, held, until
from run_cases import accept, action, ref, step, value
from sqlalchemy import Connection, event

from connectors.connector import Applied, Outcome
from connectors.spec import CallContext
from executor.run import events as e
from executor.run.ledger import Ledger
from executor.run.perform import new_event
from executor.store import drives, journal, ready, runs
from executor.store.errors import FencedError

pytestmark = pytest.mark.timeout(60)


async def test_a_run_is_driven_to_its_end_and_its_result_is_kept(bench: Bench) -> None:
    plan = accept(
        step("a"), step("b", "blind", ref("a/id", "x")), answer=[ref("b/id", "id")]
    )  # fmt: skip
    due, row = await bench.drive(plan)

    assert (row.status, row.code, row.result) == ("succeeded", None, {"id": 1})
    assert await bench.types(due) == [
        "run.started",
        "intent.recorded", "attempt.ended", "step.done",
        "intent.recorded", "attempt.ended", "step.done",
        "run.finished",
    ]  # fmt: skip
    assert (await bench.finished(due)).standing == ["b"]


async def test_steps_begin_as_soon_as_their_inputs_are_there_whatever_else_is_under_way(
    bench: Bench,
) -> None:
    both, slow = asyncio.Event(), asyncio.Event()

    async def a(_: CallContext) -> Outcome:
        await both.wait()
        return Applied({"id": 1})

    async def b(_: CallContext) -> Outcome:
        both.set()  # a is waiting for b, so they overlap or neither ends
        await slow.wait()
        return Applied({})

    async def c(_: CallContext) -> Outcome:
        slow.set()  # b is waiting for c, which needs a alone
        return Applied({})

    bench.service.handlers = {"a": a, "b": b, "c": c}
    _, row = await bench.drive(accept(step("a"), step("b"), step("c", "read", ref("a/id", "x"))))

    assert row.status == "succeeded"
    assert bench.service.log.index("c begins") < bench.service.log.index("b ends")


async def test_the_intent_is_in_the_journal_before_the_call_and_the_outcome_after_it(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "keyed", value(1, "x"))))
    seen: list[Any] = []

    async def a(context: CallContext) -> Outcome:
        seen.append((await bench.events(due))[-1])
        seen.append((await bench.attempts(due))[-1])
        return Applied({})

    bench.service.handlers["a"] = a
    await bench.start(due)
    event, row = seen
    context = bench.service.contexts["a"][0]

    assert event.type == "intent.recorded"
    assert (row.state, row.key, row.n) == ("intent", context.idempotency_key, context.attempt)
    assert (await bench.attempts(due))[0].state == "applied"


async def test_what_follows_from_an_answer_is_written_in_the_transaction_of_the_answer(
    bench: Bench,
) -> None:
    commits: list[object] = []
    due = await bench.add(accept(step("a"), step("b", after=["a"]), step("c", after=["b"])))
    event.listen(bench.store._engine, "commit", commits.append)
    await bench.start(due)

    assert (await bench.finished(due)).status == "succeeded"
    # The claim; the start with an intent; two answers with an intent each; an answer with the end.
    assert len(commits) == 5


async def test_a_run_that_was_just_queued_is_claimed_with_its_first_intent(bench: Bench) -> None:
    commits: list[object] = []
    accepted = accept(step("a"))
    due = await bench.add(accepted)
    bench.machine.know(due.tenant, due.plan or "", accepted)
    event.listen(bench.store._engine, "commit", commits.append)
    await bench.start(due)

    assert (await bench.finished(due)).status == "succeeded"
    assert len(commits) == 2
    assert (await bench.row(due)).epoch == 1


async def test_a_run_that_was_touched_since_it_was_queued_is_claimed_as_it_stands(
    bench: Bench,
) -> None:
    accepted = accept(step("a"))
    due = await bench.add(accepted)
    bench.machine.know(due.tenant, due.plan or "", accepted)

    def cancel(c: Connection) -> None:
        asked = new_event(e.CancelRequested(by="requester", mode="stop"))
        runs.request_cancel(c, due.tenant, due.id, "stop", time.time())
        journal.append(c, due.tenant, due.id, [asked], time.time())

    await bench.store.write(cancel)
    await bench.start(due)

    assert (await bench.row(due)).status == "cancelled"
    assert bench.service.calls("a") == 0


async def test_who_comes_too_late_to_a_run_that_was_just_queued_leaves_it_alone(
    bench: Bench,
) -> None:
    accepted = accept(step("a"))
    due = await bench.add(accepted)
    for machine in (bench.machine, bench.new_machine()):
        machine.know(due.tenant, due.plan or "", accepted)
        await bench.start(due, machine=machine)

    assert (await bench.row(due)).status == "succeeded"
    assert bench.service.calls("a") == 1


async def test_nothing_follows_from_an_answer_that_came_after_another_one_was_recorded(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "blind"), step("b", "blind", after=["a"])))

    async def a(context: CallContext) -> Outcome:
        told = e.AttemptEnded(step="a", iteration="", n=context.attempt, state="refused")
        await bench.store.write(
            lambda c: journal.append(c, "main", due.id, [new_event(told)], time.time())
        )  # without a word to the drive
        return Applied({"id": 1})

    bench.service.handlers["a"] = a
    await bench.start(due)

    assert (await bench.row(due)).status == "failed"
    assert await bench.types(due) == [
        "run.started", "intent.recorded", "attempt.ended", "step.failed", "run.finished",
    ]  # fmt: skip
    assert bench.service.calls("b") == 0


async def test_a_call_has_its_action_s_time_by_a_clock_that_never_jumps(bench: Bench) -> None:
    slow = action("shop.slow", timeout_s=7.0)
    before = time.monotonic()
    await bench.drive(accept(step("a", "shop.slow"), more=(slow,)))
    after = time.monotonic()
    (context,) = bench.service.contexts["a"]

    assert before + 7.0 <= context.deadline <= after + 7.0
    assert context.send_before <= context.deadline


async def test_who_was_taken_over_writes_no_more_than_how_its_own_call_ended(bench: Bench) -> None:
    answer = asyncio.Event()
    due = await bench.add(accept(step("a", "blind")))
    bench.service.handlers["a"] = held(answer, Applied({"id": "late"}))
    first = bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    second = bench.start(due, machine=bench.new_machine())
    await second
    between = await bench.types(due)
    answer.set()
    await first

    assert await bench.types(due) == [*between, "attempt.ended"]
    assert (await bench.attempts(due))[0].state == "applied"
    assert (await bench.row(due)).waiting_for == "reconcile"  # until it is driven again
    assert bench.service.calls("a") == 1


async def test_an_old_claim_is_refused_by_every_write(bench: Bench) -> None:
    due = await bench.add(accept(step("a")))
    old = await bench.store.write(partial(drives.claim, due=due, driver="me", now=1.0))
    assert old is not None
    await bench.store.write(partial(drives.claim, due=due, driver="me", now=2.0))
    event = journal.NewEvent("step.done", {"step": "a", "result": None})

    with pytest.raises(FencedError):
        await bench.store.write(
            lambda c: journal.append(c, "main", due.id, [event], 3.0, claim=old)
        )


async def test_a_run_that_waits_for_a_person_holds_nothing(bench: Bench) -> None:
    due, row = await bench.drive(accept(step("a", "asked_blind")))
    tasks = len(asyncio.all_tasks())
    (gate,) = await bench.gates(due)
    await bench.grant(due, gate.id)
    woken = await bench.store.read(partial(ready.due, now=time.time()))
    await bench.start(due)

    assert (row.status, row.waiting_for, row.wake_at) == ("waiting", "approval", gate.expires_at)
    assert tasks == 1
    assert woken == [due]
    assert (await bench.row(due)).status == "succeeded"
    assert (await bench.attempts(due))[0].approvals == (gate.id,)
    types = await bench.types(due)
    assert types[:3] == ["run.started", "gate.opened", "wait.started"]
    assert types[3:5] == ["approval.granted", "wait.ended"]


async def test_a_run_that_is_driven_again_is_not_told_to_wait_any_more(bench: Bench) -> None:
    answer = asyncio.Event()
    due, row = await bench.drive(accept(step("a", "asked_blind")))
    bench.service.handlers["a"] = held(answer)
    (gate,) = await bench.gates(due)
    await bench.grant(due, gate.id)
    drive = bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    running = await bench.row(due)
    answer.set()
    await drive

    assert row.waiting_for == "approval"
    assert (running.status, running.waiting_for) == ("running", None)


async def test_no_wake_is_lost_however_it_falls_together_with_the_end_of_a_drive(
    bench: Bench,
) -> None:
    plan = accept(step("a", "asked_blind"))

    async def race(turns: int) -> str:
        due = await bench.add(plan)
        drive = bench.start(due)
        while not (gates := await bench.gates(due)):
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await bench.grant(due, gates[0].id)
        await drive
        if due in await bench.store.read(partial(ready.due, now=time.time())):
            await bench.start(due)
        return (await bench.row(due)).status

    statuses = [await race(turns) for turns in range(0, 40, 2)]

    assert set(statuses) == {"succeeded"}


async def test_a_run_that_somebody_else_drives_or_that_has_ended_is_left_alone(
    bench: Bench,
) -> None:
    due, _ = await bench.drive(accept(step("a")))
    before = await bench.types(due)
    await bench.start(due)

    assert await bench.types(due) == before
    assert bench.service.calls("a") == 1


async def test_a_yes_in_the_last_moment_is_not_overtaken_by_the_end_of_the_question(
    bench: Bench,
) -> None:
    due, _ = await bench.drive(accept(step("a", "asked_blind")))
    (gate,) = await bench.gates(due)
    claim = await bench.store.write(
        partial(drives.claim, due=due, driver="me", now=gate.created_at)
    )
    assert claim is not None
    ledger = Ledger(bench.store, claim, lambda: gate.expires_at, *[lambda: None] * 3)
    await ledger.read(with_plan=False)
    await bench.grant(due, gate.id)
    late = ledger.append([e.ApprovalExpired(approval=gate.id)])
    await late.done
    (found,) = ledger.state.gates["a", ""]

    assert late.results == [False]
    assert (await bench.types(due))[-1] == "approval.granted"
    assert found.is_granted
