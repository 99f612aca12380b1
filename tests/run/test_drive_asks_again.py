"""When a drive asks again what became of a call is known to whoever drives the run after it."""

import time
from collections import Counter

import pytest
from run_bench import Bench
from run_cases import accept, action, step

from connectors.connector import Applied, Outcome, Pending
from connectors.spec import CallContext, Limits
from executor.check.certificate import Options
from executor.plan.model import Step
from executor.run import reconcile
from executor.store.drives import Due

pytestmark = pytest.mark.timeout(60)

RATE = Limits(rate=1, per_s=10)  # each permit takes longer than a drive waits
STATUS = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
GO_ON = Options(on_uncertain="continue")
SLOW = action("shop.slow", "blind", status=STATUS)


def _slow(name: str) -> Step:
    return step(name, "shop.slow")


async def _later(bench: Bench, due: Due, passed: list[float]) -> None:
    """Another process drives it once its time has come."""
    wake_at = (await bench.row(due)).wake_at
    assert wake_at is not None
    passed[0] += max(0.0, wake_at - bench.clock())
    await bench.start(due, machine=bench.new_machine())


@pytest.mark.parametrize("longest_pause_s", [reconcile.LOOK_AGAIN_MOST_S, 15.0])
async def test_of_several_that_wait_for_one_rate_each_is_asked_about_as_often_as_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, longest_pause_s: float
) -> None:
    async def accepted(context: CallContext) -> Outcome:
        return Pending(context.step)

    async def working(context: CallContext) -> Outcome:
        asked[context.step] += 1
        return Applied({"state": "working"})

    monkeypatch.setattr(reconcile, "LOOK_AGAIN_MOST_S", longest_pause_s)
    asked, passed = Counter[str](), [0.0]
    bench.limits = RATE
    bench.clock = lambda: time.time() + passed[0]
    bench.machine = bench.new_machine()
    bench.service.handlers = dict.fromkeys("abc", accepted) | {"find": working}
    due, _ = await bench.drive(
        accept(*(_slow(name) for name in "abc"), more=(SLOW,), options=GO_ON)
    )
    for _ in range(23):
        await _later(bench, due, passed)

    assert set(asked) == {"a", "b", "c"}
    assert max(asked.values()) <= 2 * min(asked.values())


async def test_what_was_asked_in_vain_is_asked_by_no_other_process_before_its_time(
    bench: Bench,
) -> None:
    async def accepted(_: CallContext) -> Outcome:
        return Pending("job")

    async def working(_: CallContext) -> Outcome:
        return Applied({"state": "working"})

    passed = [0.0]
    bench.clock = lambda: time.time() + passed[0]
    bench.machine = bench.new_machine()
    bench.service.handlers = {"a": accepted, "find": working}
    due, _ = await bench.drive(accept(_slow("a"), more=(SLOW,)))
    await _later(bench, due, passed)  # by now its pause is longer than a drive waits
    asked = bench.service.calls("find")
    for _ in range(3):
        await bench.start(due, machine=bench.new_machine())

    assert bench.service.calls("find") == asked
    await _later(bench, due, passed)
    assert bench.service.calls("find") > asked
