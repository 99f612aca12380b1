"""Really driven: the way back, a cancel that undoes, and calls that a service finishes later."""

import asyncio
import time
from functools import partial
from typing import Any

import pytest
from run_bench import PATIENCE_S, Bench, once
from run_cases import accept, action, step, value
from undo_cases import ACTIONS, BACK, undoable

from connectors.connector import Applied, Outcome, Pending
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import CallContext
from executor.check.certificate import Options
from executor.store import stops
from executor.store.stops import StopRow
from executor.trace import render_trace, trace

UNDO = "shop.keyed_by_keyed"
STATUS = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
SLOW = action("shop.slow", "blind", status=STATUS | {"output_at": "file"})


async def _refused(_: CallContext) -> Outcome:
    raise Refused("no", kind=Kind.INVALID)


async def test_what_was_done_is_taken_back_and_the_trace_tells_it(bench: Bench) -> None:
    bench.service.handlers["z"] = _refused
    plan = accept(
        step("a", UNDO), step("b", UNDO, after=["a"]), step("z", "blind", after=["b"]),
        options=BACK, more=ACTIONS,
    )  # fmt: skip
    due, row = await bench.drive(plan)
    end = await bench.finished(due)
    told = render_trace(trace(plan, row, await bench.events(due)))
    keys = {name: found[0].idempotency_key for name, found in bench.service.contexts.items()}

    assert (row.status, end.undone, end.standing) == ("undone", ["a", "b"], [])
    assert bench.service.log[-4:] == [
        "undo/b begins", "undo/b ends", "undo/a begins", "undo/a ends",
    ]  # fmt: skip
    assert len({keys["a"], keys["undo/a"]}) == 2
    assert "undo by shop.take_keyed: undone" in told
    assert "applied, then undone" in told


async def test_a_cancel_that_undoes_waits_for_the_write_cuts_off_the_read_and_takes_back(
    bench: Bench,
) -> None:
    began, answer = asyncio.Event(), asyncio.Event()

    async def slow_write(_: CallContext) -> Outcome:
        began.set()
        await answer.wait()
        return Applied({"id": 1})

    async def endless(_: CallContext) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    bench.service.handlers |= {"w": slow_write, "r": endless}
    plan = accept(step("w", UNDO), step("r", "read"), options=Options(), more=ACTIONS)
    due = await bench.add(plan)
    drive = bench.start(due)
    await asyncio.wait_for(began.wait(), PATIENCE_S)
    while "r begins" not in bench.service.log:
        await asyncio.sleep(0)
    await bench.cancel(due, "undo")
    while "r ends" not in bench.service.log:
        await asyncio.sleep(0.001)
    was_waited_for = "w ends" not in bench.service.log
    answer.set()
    await asyncio.wait_for(drive, PATIENCE_S)
    end = await bench.finished(due)

    assert was_waited_for
    assert (end.status, end.code, end.undone) == ("undone", "cancelled", ["w"])


async def test_a_call_that_the_service_finishes_later_is_asked_about_until_it_is_done(
    bench: Bench,
) -> None:
    states = iter(["working", "ready"])

    async def pending(_: CallContext) -> Outcome:
        return Pending("job-7")

    async def look(_: CallContext) -> Outcome:
        found: Any = {"state": next(states), "file": {"name": "report"}}
        return Applied(found)

    bench.service.handlers |= {"a": pending, "find": look}
    due, row = await bench.drive(accept(step("a", "shop.slow", value(1, "x")), more=(SLOW,)))
    state = [each.data for each in await bench.events(due) if each.type == "step.done"]

    assert row.status == "succeeded"
    assert state[0]["result"] == {"name": "report"}
    assert (bench.service.calls("a"), bench.service.calls("find")) == (1, 2)


async def test_a_run_that_is_put_aside_on_its_way_back_says_what_nobody_knows(bench: Bench) -> None:
    async def broken(_: CallContext) -> Outcome:
        raise KeyError("not what a connector may raise")

    bench.service.handlers |= {"z": _refused, "undo/a[1]": broken}
    plan = accept(
        step("a", UNDO, each="input/list"), step("b", UNDO, after=["a"]),
        step("z", "blind", after=["b"]), options=BACK, more=ACTIONS, list=[0, 1, 2],
    )  # fmt: skip
    due = await bench.add(plan)
    with pytest.raises(KeyError) as told:
        await bench.start(due)
    await bench.machine.put_aside(due, "me", told.value)
    end = await bench.finished(due)

    assert end.uncertain == ["a[1]"]  # the call of its undo was under way
    assert (end.standing, end.undone) == (["a[0]"], ["a[2]", "b"])


async def test_a_stop_keeps_the_search_for_an_undo_and_the_undo_does_not_end_in_doubt(
    bench: Bench,
) -> None:
    stop = StopRow("main", "stop_a", "shop", "operator", "to look", time.time())

    async def lost(_: CallContext) -> Outcome:
        await bench.store.write(partial(stops.add, row=stop))
        raise Uncertain("no answer", kind=Kind.TIMEOUT)

    bench.service.handlers |= {"z": _refused, "undo/a": lost, "find": once(Applied({"id": 1}))}
    brief = undoable("keyed", "lookup", name="shop.at_once", undo={"deadline_s": 0.2})
    plan = accept(
        step("a", "at_once"), step("z", "blind", after=["a"]), options=BACK, more=(*ACTIONS, brief)
    )
    due, waits = await bench.drive(plan)
    await asyncio.sleep(0.3)
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    still = await bench.row(due)
    sought = bench.service.calls("find")
    lift = partial(stops.lift, tenant="main", stop="stop_a", by="ann", reason="over")
    woken = await bench.store.write(partial(lift, now=time.time()))
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    end = await bench.finished(due)

    assert [(each.status, each.waiting_for, each.wake_at) for each in (waits, still)] == [
        ("waiting", "stop", None),
        ("waiting", "stop", None),
    ]
    assert (sought, woken, bench.service.calls("find")) == (0, [due], 1)
    assert (end.status, end.undone, end.uncertain) == ("undone", ["a"], [])
