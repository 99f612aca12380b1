"""Rates, places, retries and long lists: when a drive begins a call, and when it does not."""

import asyncio
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from run_bench import Bench, held, once, until
from run_cases import accept, action, ref, step, value
from sqlalchemy import select

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Unavailable
from connectors.quota import Quota
from connectors.spec import CallContext, Limits
from executor.run.keys import idempotency_key
from executor.store import limits, tables
from executor.store.pace import FIRST_PER_S, Pace

pytestmark = pytest.mark.timeout(60)


async def test_the_key_follows_from_the_run_the_place_and_the_arguments(bench: Bench) -> None:
    due, _ = await bench.drive(accept(step("a", "keyed", value(1, "x"))))
    (row,) = await bench.attempts(due)

    expected = idempotency_key(b"secret", "main", due.id, "a", "", "shop.keyed", row.args_hash)
    assert row.key == expected
    assert len(row.key) == 32


async def test_runs_share_the_rate_of_a_connection(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=0.15))
    plan = accept(step("a", "shop.slow"), more=(slow,))
    dues = [await bench.add(plan) for _ in range(3)]
    await asyncio.gather(*(bench.start(due) for due in dues))
    times = sorted([(await bench.attempts(due))[0].started_at for due in dues])

    assert all(later - earlier >= 0.149 for earlier, later in pairwise(times))


async def test_calls_that_waited_for_a_busy_store_do_not_begin_together(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=0.4))
    plan = accept(
        step("early"),
        step("late"),
        step("a", "shop.slow", after=["early"]),
        step("b", "shop.slow", after=["late"]),
        more=(slow,),
    )
    freed, is_free = list[float](), threading.Event()

    def free() -> None:
        freed.append(time.time())
        is_free.set()

    async def busy(_: CallContext) -> Outcome:
        writes.append(asyncio.ensure_future(bench.store.write(lambda _: is_free.wait())))
        return Applied({})

    async def later(_: CallContext) -> Outcome:
        await asyncio.sleep(0.5)  # by then the rate would allow another call
        asyncio.get_running_loop().call_later(0.2, free)
        return Applied({})

    writes: list[asyncio.Future[bool]] = []
    bench.service.handlers |= {"early": busy, "late": later}
    due, _ = await bench.drive(plan)
    await asyncio.gather(*writes)

    rated = [each for each in await bench.attempts(due) if each.step in ("a", "b")]
    first, second = sorted(each.started_at for each in rated)
    assert freed[0] <= first
    assert second - first >= 0.399


async def test_a_run_that_is_woken_while_it_waits_for_a_rate_keeps_its_turn(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=3600))
    plan = accept(step("a", "shop.slow"), more=(slow,))
    rows = dict([await bench.drive(plan) for _ in range(3)])
    _, second, third = rows
    for _ in range(3):
        await bench.tell(second)
        await bench.start(second)
    woken, others = await bench.row(second), await bench.row(third)
    _, later = await bench.drive(plan)

    assert woken.wake_at == pytest.approx(rows[second].wake_at, abs=0.01)
    assert others.wake_at == rows[third].wake_at
    assert (later.wake_at or 0.0) - (others.wake_at or 0.0) == pytest.approx(3600, abs=2.5)


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
    said: list[float] = []

    async def handler(_: CallContext) -> Outcome:
        if said:
            return Applied({})
        said.append(time.time())
        raise Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=0.3, sent=True)

    plan = accept(step("a"))
    first, second = await bench.add(plan), await bench.add(plan)
    bench.service.handlers["a"] = handler
    drive = bench.start(first)
    await until(lambda: said, "the service has said no")
    while (await bench.attempts(first))[0].state == "intent":
        await asyncio.sleep(0.005)
    await asyncio.gather(drive, bench.start(second))
    began = [(await bench.attempts(due))[-1].started_at for due in (first, second)]

    assert min(began) >= said[0] + 0.3


async def test_those_that_wait_for_the_same_moment_come_a_little_later_and_never_earlier(
    bench: Bench,
) -> None:
    asked = Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=8, sent=True)
    bench.service.handlers["a"] = once(asked)
    await bench.drive(accept(step("a")))
    (told,) = (await bench.store.read(partial(limits.held, tenant="main", now=0.0))).values()
    rows = [(await bench.drive(accept(step("a"))))[1] for _ in range(8)]
    wakes = {row.wake_at for row in rows if row.wake_at is not None}

    assert {row.waiting_for for row in rows} == {"rate_limit"}
    assert bench.service.calls("a") == 1
    slowly = Pace(1 / FIRST_PER_S, since=told).after(told, len(rows))
    assert told <= min(wakes) < max(wakes) <= slowly + 0.8  # a tenth of the time


async def test_who_waited_for_a_busy_store_comes_later_by_a_tenth_of_what_is_left_of_the_time(
    bench: Bench,
) -> None:
    asked = Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=12, sent=True)
    begin, is_free = asyncio.Event(), threading.Event()
    bench.service.handlers |= {"a": once(asked), "early": held(begin)}
    plan = accept(
        step("early", "desk.early"), step("a", after=["early"]), more=(action("desk.early"),)
    )
    dues = [await bench.add(plan) for _ in range(12)]
    drives = [bench.start(due) for due in dues]
    await until(lambda: bench.service.calls("early") == len(dues), "all calls before are under way")
    await bench.drive(accept(step("a")))
    busy = asyncio.ensure_future(bench.store.write(lambda _: is_free.wait()))
    begin.set()
    await asyncio.sleep(4)  # what waits for the store is told nothing meanwhile
    freed = time.time()
    is_free.set()
    await asyncio.gather(busy, *drives)
    of = select(tables.reservations.c.run, tables.reservations.c.at)
    told = dict(await bench.store.read(lambda c: [(each.run, each.at) for each in c.execute(of)]))
    late = {due: ((await bench.row(due)).wake_at or 0.0) - told[due.id] for due in dues}

    assert bench.service.calls("a") == 1
    assert all(0 <= late[due] <= 0.1 * (told[due.id] - freed) for due in dues), late


async def test_a_connection_waits_before_it_is_refused_where_the_service_says_how_many_it_takes(
    bench: Bench,
) -> None:
    said = []

    async def handler(context: CallContext) -> Outcome:
        if not said:
            context.heard.quota = Quota(1, 0.4)
        said.append(time.monotonic())
        return Applied({})

    bench.service.handlers["a"] = handler
    dues = [await bench.add(accept(step("a"))) for _ in range(3)]
    for due in dues:
        await bench.start(due)

    assert [(await bench.row(due)).status for due in dues] == ["succeeded"] * 3
    assert said[1] - said[0] < 0.4
    assert said[2] - said[0] >= 0.39


async def test_calls_of_a_connection_wait_for_a_place_across_runs(bench: Bench) -> None:
    narrow = action("shop.narrow", limits=Limits(rate=1000, burst=1000, concurrency=2))
    plan = accept(
        step("a", "shop.narrow", ref("each", "x"), each="input/list"), more=(narrow,),
        list=[1, 2, 3],
    )  # fmt: skip
    active = most = 0
    both = asyncio.Event()

    async def count(_: CallContext) -> Outcome:
        nonlocal active, most
        active += 1
        most = max(most, active)
        if active == 2:
            both.set()
        await both.wait()  # the first one stays until a second one is there
        await asyncio.sleep(0)
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


async def test_a_long_list_is_driven_to_its_end(bench: Bench) -> None:
    plan = accept(step("a", "read", ref("each", "x"), each="input/list"), list=[*range(100)])
    due, row = await bench.drive(plan)

    assert row.status == "succeeded"
    assert [each.n for each in await bench.attempts(due)] == [1] * 100


async def test_a_process_whose_lease_has_just_ended_begins_no_call(bench: Bench) -> None:
    ended_at = time.monotonic()
    due = await bench.add(accept(step("a", "blind")))
    machine = replace(bench.machine, lease_ends=lambda: ended_at)

    await asyncio.wait([bench.start(due, machine=machine)], timeout=0.3)

    assert bench.service.log == []
    assert await bench.attempts(due) == []
