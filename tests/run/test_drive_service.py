"""A service that is down, and fairness among those that want its places."""

import asyncio
import time
from itertools import pairwise

import pytest
from run_bench import Bench, held, once, until
from run_cases import accept, action, ref, step
from sqlalchemy import Connection, select

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Unavailable
from connectors.spec import CallContext, Limits
from executor import breaker
from executor.run.slots import Slots
from executor.store import breakers, ready, tables
from executor.store.drives import Due, Priority

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open soon, and for a short while."""
    monkeypatch.setattr(breaker, "FAILURES", 2)
    monkeypatch.setattr(breaker, "PAUSE_S", 0.4)


async def state(bench: Bench) -> breaker.Breaker:
    return await bench.store.read(lambda c: breakers.read(c, "main", "shop"))


async def test_a_service_that_is_down_is_left_alone_by_every_run_until_one_call_is_answered(
    bench: Bench, quick: None
) -> None:
    plan = accept(step("a"))
    down = [Unavailable("no connection") for _ in range(2)]
    bench.service.handlers["a"] = once(*down, *(Applied({}) for _ in range(6)))
    dues = [await bench.add(plan) for _ in range(6)]
    first = bench.start(dues[0])
    await until(lambda: bench.service.calls("a") == 2, "two calls have failed")
    while (opened := await state(bench)).state == "closed":
        await asyncio.sleep(0.005)
    rest = [bench.start(due) for due in dues[1:]]
    await asyncio.gather(first, *rest)
    began = [(await bench.attempts(due))[-1].started_at for due in dues]

    assert opened.state == "open"
    assert "no connection" in opened.because
    assert min(began) >= opened.until
    assert {(await bench.row(due)).status for due in dues} == {"succeeded"}
    assert bench.service.calls("a") == 8  # no run spent a try on finding it down
    assert (await state(bench)).is_clean


async def test_a_run_that_waits_for_a_service_says_so_and_goes_on_once_it_answers(
    bench: Bench, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = asyncio.Event()
    down = [Unavailable("no connection") for _ in range(2)]
    due = await bench.add(accept(step("a", "read")))
    bench.service.handlers["a"] = once(*down, Applied({}))
    monkeypatch.setattr(breaker, "PAUSE_S", 3.0)  # too long to be waited for by a drive
    await bench.start(due)
    waiting = await bench.row(due)
    other = await bench.add(accept(step("b", "read")))
    bench.service.handlers["b"] = held(answer)
    await bench.store.write(
        lambda c: breakers.put(c, "main", "shop", breaker.Breaker("open", 2, time.time()))
    )
    trial = bench.start(other)
    await until(lambda: bench.service.calls("b"), "the trial has begun")
    answer.set()
    await trial
    found = await bench.store.read(lambda c: ready.due(c, time.time()))
    await bench.start(due)

    assert (waiting.status, waiting.waiting_for) == ("waiting", "service")
    assert found == [due]  # the answer has woken it, long before its pause is over
    assert (await bench.row(due)).status == "succeeded"


async def test_refusals_are_answers_and_open_nothing(bench: Bench, quick: None) -> None:
    for _ in range(3):
        bench.service.handlers["a"] = once(Refused("no", kind=Kind.INVALID, status=422))
        await bench.drive(accept(step("a")))

    assert (await state(bench)).is_clean


async def test_waiting_runs_are_told_to_come_one_after_the_other(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=10))
    plan = accept(step("a", "shop.slow"), more=(slow,))
    dues = [await bench.add(plan) for _ in range(4)]
    await asyncio.gather(*(bench.start(due) for due in dues))
    rows = [await bench.row(due) for due in dues]
    wakes = sorted(row.wake_at for row in rows if row.wake_at is not None)

    assert [row.waiting_for for row in rows if row.status == "waiting"] == ["rate_limit"] * 3
    assert all(later - earlier > 8 for earlier, later in pairwise(wakes))


async def test_of_runs_that_wait_for_a_rate_one_of_a_higher_priority_is_next(bench: Bench) -> None:
    slow = action("shop.slow", limits=Limits(rate=1, per_s=10))
    plan = accept(step("a", "shop.slow"), more=(slow,))
    for _ in range(3):
        await bench.start(await bench.add(plan, priority="low"))
    first, *_, last = await bench.store.read(wakes)
    await bench.start(high := await bench.add(plan, priority="high"))
    await bench.start(low := await bench.add(plan, priority="low"))
    high_at, low_at = (await bench.row(high)).wake_at, (await bench.row(low)).wake_at

    assert high_at == pytest.approx(first, abs=4)  # each adds a little by chance
    assert low_at == pytest.approx(last + 20, abs=4)


def wakes(c: Connection) -> list[float]:
    """When runs that wait are to be woken, the first one first."""
    found = select(tables.runs.c.wake_at).where(tables.runs.c.wake_at.is_not(None))
    return sorted(c.execute(found).scalars())


async def test_what_the_operator_says_of_a_connection_wins_over_the_manifest(
    bench: Bench,
) -> None:
    bench.limits = Limits(concurrency=1)
    active = most = 0

    async def count(_: CallContext) -> Outcome:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0)
        active -= 1
        return Applied({})

    plan = accept(step("a", "read", ref("each", "x"), each="input/list"), list=[1, 2, 3])
    bench.service.handlers = {f"a[{n}]": count for n in range(3)}
    _, row = await bench.drive(plan)

    assert row.status == "succeeded"
    assert most == 1


async def test_one_tenant_s_thousand_calls_do_not_keep_another_s_one_waiting() -> None:
    slots, order = Slots(), list[str]()
    first = slots.take("shop", 1)
    assert first is not None

    async def call(tenant: str) -> None:
        slot = await slots.wait("shop", 1, tenant)
        order.append(tenant)
        slot.release()

    calls = [asyncio.ensure_future(call("many")) for _ in range(1000)]
    await asyncio.sleep(0)
    calls.append(asyncio.ensure_future(call("one")))
    await asyncio.sleep(0)
    first.release()
    await asyncio.gather(*calls)

    assert order.index("one") <= 1


@pytest.mark.parametrize("knows", ["whoever queued them", "their rows"])
async def test_a_place_among_the_calls_goes_to_the_run_of_the_highest_priority(
    bench: Bench, knows: str
) -> None:
    bench.limits = Limits(concurrency=1)
    goes_on = asyncio.Event()
    bench.service.handlers["first"] = held(goes_on)
    bench.start(await bench.add(accept(step("first"))))
    await until(lambda: bench.service.calls("first"), "the first call is under way")
    names: list[Priority] = ["low", "normal", "high"]
    for name in names:
        due = await bench.add(accept(step(name)), priority=name)
        bench.start(due if knows == "whoever queued them" else Due("run", due.tenant, due.id))
    await until(lambda: waiting(bench) == len(names), "the others wait for its place")
    goes_on.set()
    await until(lambda: bench.service.calls("low"), "all are called")

    begun = [each for each in bench.service.log if each.endswith("begins")]
    assert begun == ["first begins", "high begins", "normal begins", "low begins"]


def waiting(bench: Bench) -> int:
    """How many calls wait for a place."""
    return len(bench.machine.slots._places["shop"].waiting)


async def test_a_call_that_stops_waiting_leaves_its_place_to_the_next() -> None:
    slots = Slots()
    first = slots.take("shop", 1)
    assert first is not None
    gone, told, stays = (asyncio.ensure_future(slots.wait("shop", 1, "main")) for _ in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    first.release()  # the place is handed over ...
    told.cancel()  # ... to one that is cancelled before it learns of it
    found = await stays
    found.release()
    found.release()

    assert slots.take("shop", 1) is not None
    assert slots.take("shop", 1) is None
