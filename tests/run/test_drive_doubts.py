"""Calls that were cut off, cancelled or left in doubt: how a drive finds out, and who helps."""

import asyncio
import time
from typing import Any

import pytest
from run_bench import PATIENCE_S, Bench, held, once, until
from run_cases import FIND, accept, action, ref, step
from undo_cases import ACTIONS, BACK

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import CallContext, Limits
from executor.check.admit import SealBrokenError
from executor.check.certificate import Options
from executor.dispatch.local import LocalDispatcher
from executor.run import events as e

pytestmark = pytest.mark.timeout(60)


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


async def test_a_call_under_an_old_key_has_no_more_time_to_leave_than_the_key_is_good_for(
    bench: Bench,
) -> None:
    bench.service.handlers["a"] = once(Uncertain("no answer", kind=Kind.TIMEOUT), Applied({}))
    brief = {"in": "header", "name": "key", "window_s": 5}
    plan = accept(step("a", "shop.brief"), more=(action("shop.brief", "keyed", idempotency=brief),))
    due, row = await bench.drive(plan)
    first, again = bench.service.contexts["a"]
    began, _ = (each.started_at for each in await bench.attempts(due))

    assert row.status == "succeeded"
    assert first.send_before == first.deadline
    assert again.send_before < again.deadline
    assert again.send_before - time.monotonic() <= 4.0 - (time.time() - began) + 0.1


async def test_what_was_searched_for_in_vain_for_a_day_is_left_to_a_person(bench: Bench) -> None:
    passed = [time.time()]

    async def find(_: CallContext) -> Outcome:
        passed[0] += 25 * 3600.0
        return Applied([])

    bench.clock = lambda: passed[0]
    bench.machine = bench.new_machine()
    bench.service.handlers |= {"a": once(Unreadable("not JSON")), "find": find}
    _, row = await bench.drive(accept(step("a", "found_blind")))

    assert (row.status, row.waiting_for, row.wake_at) == ("waiting", "reconcile", None)
    assert bench.service.calls("find") == 1


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


async def test_a_drive_that_is_halted_waits_for_no_place_that_it_keeps_itself(bench: Bench) -> None:
    answer = asyncio.Event()
    due = await bench.add(accept(*(step(name, "blind") for name in "abc")))
    bench.limits = Limits(concurrency=1)
    bench.service.handlers["a"] = held(answer)
    drive = bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    bench.machine.halt()
    answer.set()
    await asyncio.wait_for(drive, PATIENCE_S)

    assert [(each.step, each.state) for each in await bench.attempts(due)] == [("a", "applied")]


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


async def test_of_a_run_that_is_put_aside_an_unusable_answer_does_not_tell_what_stands(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "blind"), step("b", "blind")))

    async def broken(_: CallContext) -> Outcome:
        raise KeyError("not what a connector may raise")

    bench.service.handlers |= {"a": once(Unreadable("not JSON")), "b": broken}
    with pytest.raises(KeyError) as told:
        await bench.start(due)
    await bench.machine.put_aside(due, "me", told.value)
    finished = await bench.finished(due)

    assert (finished.standing, finished.uncertain) == ([], ["a", "b"])


async def test_of_a_run_that_is_put_aside_what_is_undone_may_stand_besides(bench: Bench) -> None:
    lost, no = Uncertain("no answer", kind=Kind.TIMEOUT), Refused("no", kind=Kind.INVALID)
    plan = accept(
        step("b", "shop.keyed_by_keyed"), step("a", "shop.blind_by_keyed", after=["b"]),
        step("z", "blind", after=["a"]), options=BACK, more=ACTIONS,
    )  # fmt: skip
    bench.service.handlers |= {"a": once(lost, Applied({"id": 2})), "z": once(no)}
    due, _ = await bench.drive(plan)

    async def broken(_: CallContext) -> Outcome:
        late = e.AttemptEnded(
            step="a", iteration="", n=1, state="applied", output={"id": 1}, late=True
        )
        await bench.tell(due, late)
        raise KeyError("not what a connector may raise")

    bench.service.handlers["undo/b"] = broken
    absent = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="absent", by="operator", reason="looked"
    )
    await bench.tell(due, absent)
    with pytest.raises(KeyError) as told:
        await bench.start(due)
    await bench.machine.put_aside(due, "me", told.value)
    finished = await bench.finished(due)

    assert (finished.standing, finished.uncertain, finished.undone) == ([], ["a", "b"], ["a"])


async def test_a_plan_that_was_accepted_for_one_tenant_runs_for_no_other(bench: Bench) -> None:
    plan = accept(step("a", "blind"))
    moved, due = await bench.add(plan, tenant="other"), await bench.add(plan)
    with pytest.raises(SealBrokenError, match="another tenant"):
        await bench.start(moved)
    await bench.start(due)

    assert [context.run for context in bench.service.contexts["a"]] == [due.id]


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


async def test_a_service_is_asked_again_when_it_says_whichever_process_drives(bench: Bench) -> None:
    bench.service.handlers = {
        "a": once(Pending("job-7")),
        "find": once(Applied({"state": "working"}, retry_after_s=60.0)),
    }
    status = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
    plan = accept(step("a", "shop.slow"), more=(action("shop.slow", "blind", status=status),))
    due, before = await bench.drive(plan)
    bench.machine = bench.new_machine()
    await bench.start(due)
    after = await bench.row(due)

    assert bench.service.calls("find") == 1
    assert (after.waiting_for, after.wake_at) == ("callback", before.wake_at)


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


async def test_no_clear_answer_and_an_absence_that_is_not_settled_yet_mean_looking_again(
    bench: Bench,
) -> None:
    bench.service.handlers = {
        "a": once(Uncertain("no answer", kind=Kind.TIMEOUT), Applied({})),
        "find": once(Unreadable("not JSON"), Applied(None), Applied([])),
    }
    found = action("shop.orders", "lookup", settle_s=1.5, lookup=FIND)
    due, row = await bench.drive(accept(step("a", "shop.orders"), more=(found,)))
    first, second = await bench.attempts(due)

    assert row.status == "succeeded"
    assert bench.service.calls("find") == 3
    assert first.state == "resolved_absent"
    assert second.started_at >= first.started_at + 1.5


async def test_an_absence_counts_from_when_it_was_asked_for_not_from_when_it_was_heard(
    bench: Bench,
) -> None:
    searches = 0

    async def find(_: CallContext) -> Outcome:
        nonlocal searches
        searches += 1
        if searches == 1:
            await asyncio.sleep(0.6)  # the call might have come through meanwhile
        return Applied([])

    bench.service.handlers = {
        "a": once(Uncertain("no answer", kind=Kind.TIMEOUT), Applied({})),
        "find": find,
    }
    found = action("shop.orders", "lookup", settle_s=0.5, lookup=FIND)
    due, row = await bench.drive(accept(step("a", "shop.orders"), more=(found,)))

    assert row.status == "succeeded"
    assert searches == 2
    assert [each.state for each in await bench.attempts(due)] == ["resolved_absent", "applied"]


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
