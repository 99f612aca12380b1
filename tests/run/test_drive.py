"""A drive on the real store: what is written when, what overlaps, and who may go on."""

import asyncio
import time
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from run_bench import PATIENCE_S, Bench, until
from run_cases import FIND, accept, action, ref, step, value

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import CallContext, Limits
from executor.check.certificate import Options
from executor.dispatch.local import LocalDispatcher
from executor.run import events as e
from executor.run.keys import idempotency_key
from executor.store import drives, journal
from executor.store.errors import FencedError

pytestmark = pytest.mark.timeout(60)


def once(*answers: Outcome | Exception) -> Any:
    """These answers, one after the other."""
    left = list(answers)

    async def handler(_: CallContext) -> Outcome:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def held(until_set: asyncio.Event, answer: Outcome | None = None) -> Any:
    """An answer that waits."""

    async def handler(_: CallContext) -> Outcome:
        await until_set.wait()
        return answer or Applied({"id": 1})

    return handler


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


async def test_the_key_follows_from_the_run_the_place_and_the_arguments(bench: Bench) -> None:
    due, _ = await bench.drive(accept(step("a", "keyed", value(1, "x"))))
    (row,) = await bench.attempts(due)

    expected = idempotency_key(b"secret", "main", due.id, "a", "", "shop.keyed", row.args_hash)
    assert row.key == expected
    assert len(row.key) == 32


async def test_a_call_has_its_action_s_time_by_a_clock_that_never_jumps(bench: Bench) -> None:
    slow = action("shop.slow", timeout_s=7.0)
    before = time.monotonic()
    await bench.drive(accept(step("a", "shop.slow"), more=(slow,)))
    after = time.monotonic()
    (context,) = bench.service.contexts["a"]

    assert before + 7.0 <= context.deadline <= after + 7.0
    assert context.send_before <= context.deadline


async def test_who_was_taken_over_writes_nothing_more(bench: Bench) -> None:
    answer, again = asyncio.Event(), asyncio.Event()
    due = await bench.add(accept(step("a", "blind")))
    bench.service.handlers["a"] = held(answer, Applied({"id": "late"}))
    first = bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    second = bench.start(due, machine=bench.new_machine())
    await second
    between = await bench.types(due)
    answer.set()
    await first
    again.set()

    assert await bench.types(due) == between
    assert (await bench.attempts(due))[0].state == "uncertain"
    assert (await bench.row(due)).waiting_for == "reconcile"
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
    woken = await bench.store.read(partial(drives.due, now=time.time()))
    await bench.start(due)

    assert (row.status, row.waiting_for, row.wake_at) == ("waiting", "approval", gate.expires_at)
    assert tasks == 1
    assert woken == [due]
    assert (await bench.row(due)).status == "succeeded"
    assert (await bench.attempts(due))[0].approval == gate.id
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
        if due in await bench.store.read(partial(drives.due, now=time.time())):
            await bench.start(due)
        return (await bench.row(due)).status

    statuses = [await race(turns) for turns in range(0, 40, 2)]

    assert set(statuses) == {"succeeded"}


async def test_a_cancel_that_was_taken_up_is_never_overtaken_by_the_end_of_the_run(
    bench: Bench,
) -> None:
    plan = accept(step("a", "blind"))

    async def race(turns: int) -> tuple[bool, str]:
        due = await bench.add(plan)
        drive = bench.start(due)
        await until(lambda: f"{due.id} ends" in ended, "the call has ended")
        for _ in range(turns):
            await asyncio.sleep(0)
        try:
            await bench.cancel(due)
            taken_up = True
        except AssertionError:  # it was too late
            taken_up = False
        await drive
        return taken_up, (await bench.row(due)).status

    ended: list[str] = []

    async def a(context: CallContext) -> Outcome:
        ended.append(f"{context.run} ends")
        return Applied({})

    bench.service.handlers["a"] = a
    outcomes = {await race(turns) for turns in range(0, 60, 4)}

    assert outcomes <= {(True, "cancelled"), (False, "succeeded")}


async def test_runs_share_the_rate_of_a_connection(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=0.15))
    plan = accept(step("a", "shop.slow"), more=(slow,))
    dues = [await bench.add(plan) for _ in range(3)]
    await asyncio.gather(*(bench.start(due) for due in dues))
    times = sorted([(await bench.attempts(due))[0].started_at for due in dues])

    assert all(later - earlier >= 0.149 for earlier, later in pairwise(times))


async def test_a_list_asks_a_connection_without_permits_once_and_not_for_every_item(
    bench: Bench,
) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=0.1))
    plan = accept(
        step("a", "shop.slow", ref("each", "x"), each="input/list"), more=(slow,), list=[1, 2, 3]
    )
    due, row = await bench.drive(plan)
    times = [each.started_at for each in await bench.attempts(due)]

    assert row.status == "succeeded"
    assert times[-1] - times[0] >= 0.199


async def test_retry_after_holds_every_run_s_calls_on_that_connection(bench: Bench) -> None:
    plan = accept(step("a"))
    first, second = await bench.add(plan), await bench.add(plan)
    asked = Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=0.3, sent=True)
    bench.service.handlers["a"] = once(asked, Applied({}), Applied({}))
    drive = bench.start(first)
    await until(lambda: "a ends" in bench.service.log, "the service has said no")
    while (refused := (await bench.attempts(first))[0]).state == "intent":
        await asyncio.sleep(0.005)
    await asyncio.gather(drive, bench.start(second))
    began = [(await bench.attempts(due))[-1].started_at for due in (first, second)]

    assert refused.ended_at is not None
    assert min(began) >= refused.ended_at + 0.29


async def test_calls_of_a_connection_wait_for_a_place_across_runs(bench: Bench) -> None:
    narrow = action("shop.narrow", limits=Limits(rate=1000, burst=1000, concurrency=2))
    plan = accept(
        step("a", "shop.narrow", ref("each", "x"), each="input/list"), more=(narrow,),
        list=[1, 2, 3],
    )  # fmt: skip
    active = most = 0

    async def count(_: CallContext) -> Outcome:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.01)
        active -= 1
        return Applied({})

    bench.service.handlers = {f"a[{n}]": count for n in range(3)}
    dues = [await bench.add(plan) for _ in range(2)]
    await asyncio.gather(*(bench.start(due) for due in dues))

    assert [(await bench.row(due)).status for due in dues] == ["succeeded"] * 2
    assert most == 2


async def test_a_call_that_waits_for_a_place_is_not_made_once_the_run_has_failed(
    bench: Bench,
) -> None:
    narrow = action("shop.narrow", "blind", limits=Limits(rate=1000, burst=1000, concurrency=1))
    plan = accept(
        step("a", "shop.narrow", ref("each", "x"), each="input/list"), more=(narrow,),
        list=[1, 2, 3],
    )  # fmt: skip
    bench.service.handlers["a[0]"] = once(Refused("no", kind=Kind.INVALID))
    due, row = await bench.drive(plan)
    _, again = await bench.drive(accept(step("b", "shop.narrow"), more=(narrow,)))

    assert (row.status, row.code) == ("failed", "invalid")
    assert bench.service.log[:2] == ["a[0] begins", "a[0] ends"]
    assert [each.iteration for each in await bench.attempts(due)] == ["0"]
    assert again.status == "succeeded"  # and the place was given back


async def test_a_retry_is_made_in_time_although_another_call_is_under_way(bench: Bench) -> None:
    retried = asyncio.Event()

    async def a(context: CallContext) -> Outcome:
        if context.attempt == 1:
            raise Unavailable("no connection")
        retried.set()
        return Applied({})

    bench.service.handlers = {"a": a, "b": held(retried)}
    _, row = await bench.drive(accept(step("a"), step("b", "blind")))

    assert row.status == "succeeded"
    assert bench.service.calls("a") == 2


async def test_a_drive_hears_the_bell_while_a_call_is_under_way(bench: Bench) -> None:
    answer = asyncio.Event()
    plan = accept(step("a"), step("b", "asked_blind", after=[]), step("c", "read", after=["b"]))
    due = await bench.add(plan)
    bench.service.handlers = {"a": held(answer)}
    drive = bench.start(due)
    while not (gates := await bench.gates(due)):
        await asyncio.sleep(0.005)
    await bench.grant(due, gates[0].id)
    await until(lambda: bench.service.calls("c"), "c was called although a is under way")
    answer.set()
    await drive

    assert (await bench.row(due)).status == "succeeded"


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed"])
async def test_a_call_cut_off_by_a_shutdown_is_made_again_where_that_is_safe(
    bench: Bench, effect: str
) -> None:
    due = await _shut_down_in_the_middle(bench, effect)
    await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
    first, second = bench.service.contexts["a"]

    assert (await bench.row(due)).status == "succeeded"
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.idempotency_key == second.idempotency_key
    assert (await bench.row(due)).recoveries == 0


async def test_a_call_cut_off_by_a_shutdown_is_looked_up_where_one_can(bench: Bench) -> None:
    due = await _shut_down_in_the_middle(bench, "lookup")
    bench.service.handlers["find"] = once(Applied({"id": "found"}))
    await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
    finished = await bench.finished(due)

    assert (finished.status, finished.standing, finished.uncertain) == ("succeeded", ["a"], [])
    assert bench.service.calls("a") == 1


async def test_a_call_cut_off_by_a_shutdown_waits_for_a_person_where_nobody_can_tell(
    bench: Bench,
) -> None:
    due = await _shut_down_in_the_middle(bench, "blind")
    await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
    row = await bench.row(due)

    assert (row.status, row.waiting_for, row.wake_at) == ("waiting", "reconcile", None)
    assert bench.service.calls("a") == 1


async def _shut_down_in_the_middle(bench: Bench, effect: str) -> Any:
    dispatcher = LocalDispatcher(bench.store, drain_s=0.01)
    dispatcher.register("run", bench.machine.drive, bench.machine.put_aside)
    due = await bench.add(accept(step("a", effect)))
    bench.service.handlers["a"] = held(asyncio.Event())
    await dispatcher.start()
    await until(lambda: bench.service.calls("a"), "the call was begun")
    await dispatcher.stop()
    bench.service.handlers.clear()
    return due


async def test_a_shutdown_lets_calls_end_and_begins_no_other(bench: Bench) -> None:
    answer = asyncio.Event()
    dispatcher = LocalDispatcher(bench.store)
    machine = bench.machine
    dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
    due = await bench.add(accept(step("a", "blind"), step("b", "blind", after=["a"])))
    bench.service.handlers["a"] = held(answer)
    await dispatcher.start()
    await until(lambda: bench.service.calls("a"), "the call was begun")
    stopping = asyncio.ensure_future(dispatcher.stop())
    await until(machine.halted.is_set, "the machine was halted")
    answer.set()
    await stopping
    between = (await bench.row(due)).status, (await bench.types(due))[-1]
    await bench.start(due, machine=bench.new_machine())

    assert between == ("queued", "step.done")  # what has ended is in the journal
    assert [(each.step, each.n) for each in await bench.attempts(due)] == [("a", 1), ("b", 1)]
    assert (await bench.row(due)).status == "succeeded"
    assert (await bench.row(due)).recoveries == 0


async def test_a_run_that_breaks_its_drive_is_put_aside_with_what_it_did(bench: Bench) -> None:
    due = await bench.add(accept(step("a", "blind"), step("b", "blind")))

    async def broken(_: CallContext) -> Outcome:
        raise KeyError("not what a connector may raise")

    bench.service.handlers["b"] = broken
    with pytest.raises(KeyError) as told:
        await bench.start(due)
    await bench.machine.put_aside(due, "me", told.value)
    finished = await bench.finished(due)

    assert (await bench.row(due)).status == "quarantined"
    assert (finished.standing, finished.uncertain) == (["a"], ["b"])


async def test_a_run_that_somebody_else_drives_or_that_has_ended_is_left_alone(
    bench: Bench,
) -> None:
    due, _ = await bench.drive(accept(step("a")))
    before = await bench.types(due)
    await bench.start(due)

    assert await bench.types(due) == before
    assert bench.service.calls("a") == 1


async def test_a_cancelled_run_waits_for_its_call_and_begins_no_other(bench: Bench) -> None:
    answer = asyncio.Event()
    due = await bench.add(accept(step("a", "blind"), step("b", "blind", after=["a"])))
    bench.service.handlers["a"] = held(answer)
    drive = bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    await bench.cancel(due)
    running = await bench.row(due)
    answer.set()
    await drive
    finished = await bench.finished(due)

    assert running.status == "running"
    assert (finished.status, finished.standing) == ("cancelled", ["a"])
    assert bench.service.calls("b") == 0


async def test_a_run_cancelled_before_its_intent_makes_no_call(bench: Bench) -> None:
    due = await bench.add(accept(step("a", "blind")))
    await bench.cancel(due)
    await bench.start(due)

    assert (await bench.row(due)).status == "cancelled"
    assert bench.service.log == []


async def test_a_doubt_is_looked_up_until_the_service_knows(bench: Bench) -> None:
    bench.service.handlers = {
        "a": once(Uncertain("no answer", kind=Kind.TIMEOUT)),
        "find": once(
            Unavailable("slow down", retry_after_s=1.2, sent=True),
            Applied({"found": [{"id": 7}]}),
        ),
    }
    found = action("shop.orders", "lookup", settle_s=60.0, lookup=FIND | {"found_at": "found"})
    plan = accept(step("a", "shop.orders"), more=(found,), answer=[ref("a/id", "id")])
    begun = time.monotonic()
    due, row = await bench.drive(plan)
    resolved = [each.data for each in await bench.events(due) if each.type.startswith("reconcile")]

    assert (row.status, row.result) == ("succeeded", {"id": 7})
    assert [(each["resolution"], each["by"]) for each in resolved] == [("applied", "lookup")]
    assert time.monotonic() - begun >= 1.2  # Retry-After holds for searches too
    assert bench.service.contexts["find"][0].idempotency_key == (await bench.attempts(due))[0].key


@pytest.mark.parametrize("nothing", [Applied({}), Refused("none", kind=Kind.NOT_FOUND)])
async def test_what_is_absent_once_settled_is_called_again(bench: Bench, nothing: Any) -> None:
    bench.service.handlers = {
        "a": once(Uncertain("no answer", kind=Kind.TIMEOUT), Applied({"id": 2})),
        "find": once(nothing),
    }
    found = action("shop.orders", "lookup", settle_s=0.0, lookup=FIND | {"found_at": "0/id"})
    due, row = await bench.drive(accept(step("a", "shop.orders"), more=(found,)))
    states = [each.state for each in await bench.attempts(due)]

    assert row.status == "succeeded"
    assert states == ["resolved_absent", "applied"]


async def test_a_search_of_a_connection_with_a_rate_takes_a_permit_too(bench: Bench) -> None:
    rate = Limits(rate=1, per_s=0.3)
    more = (
        action("other.make", "lookup", lookup={"action": "other.find", "by": "ref"}, limits=rate),
        action("other.find", limits=rate),
    )
    times: list[float] = []

    async def a(_: CallContext) -> Outcome:
        times.append(time.time())
        if len(times) == 1:
            raise Uncertain("no answer", kind=Kind.TIMEOUT)
        return Applied({"id": 1})

    bench.service.handlers["a"] = a
    due, row = await bench.drive(accept(step("a", "other.make"), more=more))

    assert row.status == "succeeded"
    assert times[1] - (await bench.attempts(due))[0].started_at >= 0.299  # times[1] is the search


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Unreadable("not JSON"), "applied_unreadable"),
        (Pending("task-1"), "applied_pending"),
        (Uncertain("reset", kind=Kind.UNAVAILABLE), "uncertain"),
        (Unavailable("refused", sent=False), "not_sent"),
        (Unavailable("busy", sent=True), "refused"),
        (Refused("no", kind=Kind.INVALID, vendor_code="E7", request_id="q1"), "refused"),
    ],
)
async def test_what_a_connector_says_is_what_the_journal_keeps(
    bench: Bench, answer: Any, state: str
) -> None:
    bench.service.handlers["a"] = once(answer, Applied({}))
    due, _ = await bench.drive(accept(step("a", "blind")))
    (ended, *_) = [each.data for each in await bench.events(due) if each.type == "attempt.ended"]

    assert ended["state"] == state
    if isinstance(answer, Refused):
        assert isinstance(ended["failure"], dict)
        assert (ended["failure"]["vendor_code"], ended["request_id"]) == ("E7", "q1")


async def test_a_person_resolves_a_doubt_and_the_run_goes_on(bench: Bench) -> None:
    bench.service.handlers["a"] = once(Uncertain("no answer", kind=Kind.TIMEOUT))
    due, waiting = await bench.drive(accept(step("a", "blind"), step("b", after=["a"])))
    resolved = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="applied", by="operator", reason="seen"
    )
    await bench.tell(due, resolved)
    await bench.start(due)

    assert waiting.waiting_for == "reconcile"
    assert (await bench.row(due)).status == "succeeded"
    assert bench.service.calls("b") == 1


async def test_a_broken_promise_of_one_call_cuts_no_other_off(bench: Bench) -> None:
    answer = asyncio.Event()

    async def broken(_: CallContext) -> Outcome:
        answer.set()
        raise KeyError("not what a connector may raise")

    bench.service.handlers = {"a": broken, "b": held(answer)}
    due = await bench.add(accept(step("a"), step("b", "blind")))
    with pytest.raises(KeyError):
        await bench.start(due)
    states = {each.step: each.state for each in await bench.attempts(due)}

    assert states == {"a": "intent", "b": "applied"}


async def test_a_run_that_goes_on_beside_a_doubt_ends_only_when_it_is_settled(
    bench: Bench,
) -> None:
    bench.service.handlers["a"] = once(Uncertain("no answer", kind=Kind.TIMEOUT))
    plan = accept(
        step("a", "blind"), step("b", "blind"), options=Options(on_uncertain="continue")
    )  # fmt: skip
    due, row = await bench.drive(plan)

    assert (row.status, row.waiting_for) == ("waiting", "reconcile")
    assert bench.service.calls("b") == 1
    assert "run.finished" not in await bench.types(due)


async def test_a_long_list_is_driven_to_its_end(bench: Bench) -> None:
    plan = accept(step("a", "read", ref("each", "x"), each="input/list"), list=[*range(100)])
    due, row = await bench.drive(plan)

    assert row.status == "succeeded"
    assert [each.n for each in await bench.attempts(due)] == [1] * 100
