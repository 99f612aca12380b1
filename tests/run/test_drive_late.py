"""Who lost a run tells how a call of its own ended, which nobody else knows, and nothing else."""

import asyncio
import time
from functools import partial
from typing import Any

import pytest
from run_bench import PATIENCE_S, Bench, held, once, until
from run_cases import accept, action, ref, step

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.spec import CallContext, Limits
from executor.check.admit import Accepted
from executor.run import events as e
from executor.store import blobs, ready
from executor.store.drives import Due
from executor.trace import render_trace, trace

pytestmark = pytest.mark.timeout(60)
End = Outcome | ConnectorError


class Overtaken:
    """A run that another drive took over while a call of the first one was under way."""

    def __init__(self, bench: Bench, due: Due, first: "asyncio.Task[None]") -> None:
        self.bench = bench
        self.due = due
        self.first = self.second = first
        self.answer: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    async def tell(self, end: End) -> None:
        """The call of the first drive ends, and so does that drive."""
        self.answer.set_result(end)
        await asyncio.wait_for(self.first, PATIENCE_S)

    async def drive(self) -> None:
        """Whoever looks for what is due finds the run, and drives it."""
        assert self.due in await self.bench.store.read(partial(ready.due, now=time.time()))
        await asyncio.wait_for(self.bench.start(self.due), PATIENCE_S)

    async def ends(self) -> list[tuple[str, bool]]:
        """How the calls of the run ended, and whether that was told late."""
        return [(str(each.data["state"]), each.data["late"] is True)
                for each in await self.bench.events(self.due)
                if each.type == "attempt.ended"]  # fmt: skip


async def overtaken(bench: Bench, plan: Accepted, *later: End, waits: bool = True) -> Overtaken:
    """The second drive ends where it has to wait; calls after the first are answered so."""
    due, left = await bench.add(plan), list(later)

    async def a(context: CallContext) -> Outcome:
        end = await found.answer if context.attempt == 1 else left.pop(0)
        if isinstance(end, ConnectorError):
            raise end
        return end

    bench.service.handlers["a"] = a
    first = bench.start(due)
    found = Overtaken(bench, due, first)
    await until(lambda: bench.service.calls("a"), "the call was begun")
    found.second = bench.start(due, machine=bench.new_machine())
    if waits:
        await asyncio.wait_for(found.second, PATIENCE_S)
    return found


async def test_an_answer_settles_the_call_that_nobody_else_could_tell_of(bench: Bench) -> None:
    plan = accept(step("a", "blind"), step("b", "read", ref("a/id", "x")), answer=[ref("a", "a")])
    run = await overtaken(bench, plan)
    before = await bench.row(run.due)
    await run.tell(Applied({"id": "late"}, request_id="abc"))
    told = await bench.events(run.due)
    begun_by_the_first = bench.service.calls("b")
    await run.drive()
    row = await bench.row(run.due)

    assert (before.status, before.waiting_for) == ("waiting", "reconcile")
    assert await run.ends() == [("uncertain", False), ("applied", True), ("applied", False)]
    assert (told[-1].type, told[-1].data["request_id"]) == ("attempt.ended", "abc")
    assert begun_by_the_first == 0
    assert (row.status, row.result) == ("succeeded", {"a": {"id": "late"}})
    assert (await bench.attempts(run.due))[0].state == "applied"
    assert bench.service.calls("a") == 1


async def test_a_no_that_comes_late_fails_the_step_without_effect(bench: Bench) -> None:
    run = await overtaken(bench, accept(step("a", "blind")))
    await run.tell(Refused("no such order", kind=Kind.INVALID, status=422))
    await run.drive()
    finished, row = await bench.finished(run.due), await bench.row(run.due)

    assert (row.status, row.code) == ("failed", "invalid")
    assert (finished.standing, finished.uncertain) == ([], [])
    assert bench.service.calls("a") == 1


async def test_what_never_left_is_called_again_without_asking_anybody(bench: Bench) -> None:
    run = await overtaken(bench, accept(step("a", "blind")), Applied({"id": 2}))
    await run.tell(Unavailable("too late to send", sent=False))
    await run.drive()

    assert (await bench.row(run.due)).status == "succeeded"
    assert await run.ends() == [("uncertain", False), ("not_sent", True), ("applied", False)]
    assert (await bench.finished(run.due)).standing == ["a"]


async def test_that_nothing_is_known_is_not_told(bench: Bench) -> None:
    run = await overtaken(bench, accept(step("a", "blind")))
    before = await bench.types(run.due)
    await run.tell(Uncertain("no answer in time", kind=Kind.TIMEOUT))

    assert await bench.types(run.due) == before
    assert (await bench.row(run.due)).waiting_for == "reconcile"


async def test_an_answer_that_cannot_be_used_leaves_a_person_only_to_find_it(bench: Bench) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan)
    await run.tell(Unreadable("not JSON"))
    await run.drive()
    row = await bench.row(run.due)
    found = trace(plan, row, await bench.events(run.due))

    assert row.waiting_for == "reconcile"
    assert (await bench.attempts(run.due))[0].state == "applied_unreadable"
    assert found.next.startswith("it was taken")


async def test_a_call_that_was_accepted_is_asked_about_from_then_on(bench: Bench) -> None:
    status = {
        "action": "shop.find", "by": "handle", "state_at": "state", "done": ["done"],
        "output_at": "output",
    }  # fmt: skip
    slow = action("shop.slow", "blind", status=status)
    bench.service.handlers["find"] = once(Applied({"state": "done", "output": {"id": 7}}))
    plan = accept(step("a", "shop.slow"), more=(slow,), answer=[ref("a/id", "id")])
    run = await overtaken(bench, plan)
    await run.tell(Pending("task 7"))
    await run.drive()

    assert (await bench.row(run.due)).result == {"id": 7}


async def test_a_read_of_a_drive_that_lost_its_run_is_cut_off_and_its_writes_are_not(
    bench: Bench,
) -> None:
    never, answer = asyncio.Event(), asyncio.Event()
    bench.service.handlers |= {"a": held(answer), "b": held(answer), "c": held(never)}
    due = await bench.add(accept(step("a", "blind"), step("b", "blind"), step("c")))
    first = bench.start(due)
    await until(lambda: len(bench.service.log) == 3, "all three calls were begun")
    bench.service.handlers["c"] = once(Applied({}))
    await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
    answer.set()
    await asyncio.wait_for(first, PATIENCE_S)
    rows = {(each.step, each.n): each.state for each in await bench.attempts(due)}

    assert rows == {
        ("a", 1): "applied", ("b", 1): "applied", ("c", 1): "uncertain", ("c", 2): "applied",
    }  # fmt: skip


async def test_what_was_given_up_is_told_as_done_by_whoever_did_it(bench: Bench) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan)
    gave_up = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="abandoned", by="operator", reason="nobody can tell"
    )
    await bench.tell(run.due, gave_up)
    await run.drive()
    ended = await bench.row(run.due)
    await run.tell(Applied({"id": 1}))
    told = trace(plan, await bench.row(run.due), await bench.events(run.due))

    assert (ended.status, ended.code) == ("failed", "abandoned")
    assert (told.steps[0].effect, told.next) == ("applied", "nothing more; these effects stand: a")
    assert "operator had given it up (nobody can tell)" in told.steps[0].attempts[0].told
    assert not any("look at the service" in each for each in told.notes)


@pytest.mark.parametrize(
    ("said", "end", "is_otherwise"),
    [
        ("absent", Refused("no", kind=Kind.INVALID), False),
        ("applied", Applied({"id": 1}), False),
        ("applied", Refused("no", kind=Kind.INVALID), True),
        ("abandoned", Unavailable("too late to send", sent=False), True),
    ],
)
async def test_what_was_found_out_meanwhile_stays_and_what_contradicts_it_is_shown(
    bench: Bench, said: Any, end: End, is_otherwise: bool
) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan, Applied({"id": 2}))
    found = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution=said, by="operator", reason="looked"
    )
    await bench.tell(run.due, found)
    states = [each.state for each in await bench.attempts(run.due)]
    await run.tell(end)
    row, events = await bench.row(run.due), await bench.events(run.due)
    told = trace(plan, row, events)
    (first, *_) = told.steps[0].attempts

    assert [each.state for each in await bench.attempts(run.due)] == states
    assert first.state == f"resolved_{said}"
    assert "whoever made it told later" in first.told
    assert any("look at the service" in each for each in told.notes) is is_otherwise
    assert ("operator had said" in render_trace(told)) is is_otherwise
    assert (events[-1].type, events[-1].data["late"]) == ("attempt.ended", True)


@pytest.mark.parametrize("end", [Applied({"id": 1}), Unreadable("not JSON")])
async def test_a_no_that_was_wrong_is_overruled_while_nothing_was_called_again(
    bench: Bench, end: End
) -> None:
    plan = accept(step("a", "blind"), answer=[ref("a/id", "id")])
    run = await overtaken(bench, plan)
    absent = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="absent", by="operator", reason="looked"
    )
    await bench.tell(run.due, absent)
    await run.tell(end)
    told = trace(plan, await bench.row(run.due), await bench.events(run.due))
    await run.drive()
    row, (attempt,) = await bench.row(run.due), await bench.attempts(run.due)

    assert bench.service.calls("a") == 1
    assert attempt.state == ("applied" if isinstance(end, Applied) else "applied_unreadable")
    assert row.status == ("succeeded" if isinstance(end, Applied) else "waiting")
    assert "operator had said: it had not happened (looked)" in told.steps[0].attempts[0].told
    assert any("operator had said absent" in each for each in told.notes)


async def test_a_no_that_was_wrong_is_overruled_also_where_the_run_has_ended(bench: Bench) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan)
    await bench.cancel(run.due)
    absent = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="absent", by="operator", reason="looked"
    )
    await bench.tell(run.due, absent)
    await run.drive()
    ended = await bench.row(run.due)
    before = trace(plan, ended, await bench.events(run.due)).steps[0].effect
    await run.tell(Applied({"id": 1}))
    row = await bench.row(run.due)
    after = trace(plan, row, await bench.events(run.due)).steps[0].effect

    assert (ended.status, row) == ("cancelled", ended)
    assert (before, after) == ("none, it had not happened", "applied")


async def test_a_person_s_no_was_acted_on_before_the_answer_came_and_both_are_told(
    bench: Bench,
) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan, Applied({"id": 2}))
    absent = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="absent", by="operator", reason="looked"
    )
    await bench.tell(run.due, absent)
    await run.drive()
    ended = await bench.row(run.due)
    await run.tell(Applied({"id": 1}))
    row = await bench.row(run.due)
    told = trace(plan, row, await bench.events(run.due))

    assert ended.status == "succeeded"
    assert row == ended
    assert [each.state for each in await bench.attempts(run.due)] == ["resolved_absent", "applied"]
    assert any("operator had said absent" in each for each in told.notes)


async def test_a_repetition_under_the_same_key_is_no_second_effect_whatever_becomes_of_it(
    bench: Bench,
) -> None:
    lost = Uncertain("no answer", kind=Kind.TIMEOUT)
    again = asyncio.Event()
    run = await overtaken(
        bench, accept(step("a", "keyed"), answer=[ref("a/id", "id")]), waits=False
    )
    first_handler = bench.service.handlers["a"]

    async def a(context: CallContext) -> Outcome:
        if context.attempt == 1:
            return await first_handler(context)
        await again.wait()
        raise lost

    bench.service.handlers["a"] = a
    await until(lambda: bench.service.calls("a") == 2, "it was repeated")
    await run.tell(Applied({"id": "first"}))
    again.set()
    await asyncio.wait_for(run.second, PATIENCE_S)
    row = await bench.row(run.due)
    states = [each.state for each in await bench.attempts(run.due)]
    finished = await bench.finished(run.due)

    assert (row.status, row.result) == ("succeeded", {"id": "first"})
    assert states == ["applied", "resolved_applied"]
    assert (finished.standing, finished.uncertain) == (["a"], [])


async def test_a_run_that_was_cancelled_meanwhile_is_over_and_still_learns_what_happened(
    bench: Bench,
) -> None:
    plan = accept(step("a", "blind"))
    run = await overtaken(bench, plan)
    await bench.cancel(run.due)
    await run.drive()
    ended = await bench.row(run.due)
    await run.tell(Applied({"id": 1}))
    row = await bench.row(run.due)
    told = trace(plan, row, await bench.events(run.due))

    assert (ended.status, (await bench.attempts(run.due))[0].state) == ("cancelled", "applied")
    assert row == ended
    assert told.steps[0].effect == "applied"


async def test_a_large_answer_that_comes_late_is_whole_for_whoever_goes_on(bench: Bench) -> None:
    plan = accept(step("a", "blind"), step("b", "read", ref("a/text", "x")))
    run = await overtaken(bench, plan)
    await run.tell(Applied({"text": "x" * (2 * blobs.LARGE)}))
    (event,) = (each for each in await bench.events(run.due) if each.data.get("late"))
    seen: list[int] = []
    real = bench.service.call

    async def call(what: Any, arguments: Any, context: CallContext) -> Outcome:
        seen.append(len(str(arguments.get("x", ""))))
        return await real(what, arguments, context)

    bench.service.call = call  # type: ignore[method-assign]  # to look at what it is given
    bench.machine = bench.new_machine()
    await run.drive()

    assert event.large["output"].bytes > 2 * blobs.LARGE
    assert (await bench.row(run.due)).status == "succeeded"
    assert seen == [2 * blobs.LARGE]


LATER = Unavailable("later", kind=Kind.RATE_LIMITED, retry_after_s=100.0, sent=True, status=429)
MAYBE = Uncertain("not now", kind=Kind.UNAVAILABLE, retry_after_s=100.0, status=503)


async def asks_to_be_left_alone(bench: Bench) -> bool:
    """Whether another run waits for the service."""
    before = bench.service.calls("b")
    bench.limits = Limits(rate=1000, per_s=1.0)
    other, row = await bench.drive(accept(step("b")))
    assert (bench.service.calls("b") == before) is (await bench.attempts(other) == [])
    return (row.status, row.waiting_for) == ("waiting", "rate_limit")


@pytest.mark.parametrize(
    ("effect", "end"), [("blind", LATER), ("blind", MAYBE), ("read", LATER)],
    ids=["refused", "in-doubt", "read"],
)  # fmt: skip
async def test_when_a_service_wants_to_be_left_alone_is_kept_though_the_run_is_another_s(
    bench: Bench, effect: str, end: End
) -> None:
    run = await overtaken(bench, accept(step("a", effect)), Applied({"id": 2}))
    assert not await asks_to_be_left_alone(bench)
    await run.tell(end)

    assert await asks_to_be_left_alone(bench)


async def test_what_a_search_was_told_of_its_service_is_kept_though_the_run_is_another_s(
    bench: Bench,
) -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def find(_: CallContext) -> Outcome:
        if bench.service.calls("find") == 1:
            await answer
            raise LATER
        return Applied([{"id": 1}])

    bench.service.handlers["find"] = find
    bench.service.handlers["a"] = once(Uncertain("no answer", kind=Kind.TIMEOUT))
    due = await bench.add(accept(step("a", "lookup")))
    first = bench.start(due)
    await until(lambda: bench.service.calls("find") == 1, "it was searched for")
    await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
    assert (await bench.row(due)).status == "succeeded"
    answer.set_result(None)
    await asyncio.wait_for(first, PATIENCE_S)

    assert await asks_to_be_left_alone(bench)


async def test_a_process_that_is_told_to_end_tells_as_long_as_it_lives(bench: Bench) -> None:
    run = await overtaken(bench, accept(step("a", "blind")))
    bench.machine.halt()
    await run.tell(Applied({"id": 1}))

    assert await run.ends() == [("uncertain", False), ("applied", True)]


@pytest.mark.parametrize("again", ["later", "refused"])
async def test_a_late_yes_that_came_while_it_was_called_again_counts_if_that_had_no_effect(
    bench: Bench, again: str
) -> None:
    run = await overtaken(bench, accept(step("a", "blind")))
    first, under_way = bench.service.handlers["a"], asyncio.Event()

    async def a(context: CallContext) -> Outcome:
        if context.attempt == 1:
            answer: Outcome = await first(context)
            return answer
        await under_way.wait()
        if again == "refused":
            raise Refused("it is there already", kind=Kind.CONFLICT)
        limit = Kind.RATE_LIMITED
        raise Unavailable("later", kind=limit, retry_after_s=0.01, sent=True, status=429)

    bench.service.handlers["a"] = a
    no = e.ReconcileResolved(step="a", iteration="", n=1, resolution="absent", by="operator")
    await bench.tell(run.due, no)
    second = bench.start(run.due)
    await until(lambda: bench.service.calls("a") == 2, "it was called again")
    await run.tell(Applied({"id": "first"}))
    under_way.set()
    await asyncio.wait_for(second, PATIENCE_S)
    row, attempts = await bench.row(run.due), await bench.attempts(run.due)

    assert (row.status, bench.service.calls("a")) == ("succeeded", 2)
    assert [each.state for each in attempts] == ["applied", "refused"]


async def test_a_job_that_is_heard_of_late_and_has_failed_is_asked_about_once(bench: Bench) -> None:
    status = {"action": "shop.find", "by": "handle", "state_at": "state", "done": ["done"]}
    job = action("shop.job", "blind", status=status | {"failed": ["failed"]})
    limit = Kind.RATE_LIMITED
    later = Unavailable("later", kind=limit, retry_after_s=1.0, sent=True, status=429)
    run = await overtaken(bench, accept(step("a", "shop.job"), more=(job,)), later)
    bench.service.handlers["find"] = once(*(Applied({"state": "failed"}) for _ in range(3)))
    no = e.ReconcileResolved(step="a", iteration="", n=1, resolution="absent", by="operator")
    await bench.tell(run.due, no)
    second = bench.start(run.due)
    await until(lambda: bench.service.calls("a") == 2, "it was called again")
    await run.tell(Pending("task 1"))
    await asyncio.wait_for(second, PATIENCE_S)
    row = await bench.row(run.due)

    assert (row.status, bench.service.calls("find")) == ("failed", 1)
