"""Runs that a full disk has stopped go on by themselves, however long it was full."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from run_bench import until
from run_cases import accept, step
from small_disk import SmallBench, mounted, opened

from benchmarks.faults import PROPERTY, Told
from connectors.connector import Applied, Outcome
from connectors.spec import CallContext
from executor.dispatch.local import LocalDispatcher

ROUNDS = int(os.environ.get("LAMGATE_FULL_DISKS", "1"))
FULL_S = float(os.environ.get("LAMGATE_FULL_DISK_S", "1"))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SmallBench]:
    for disk in mounted(tmp_path / "disk"):
        async for found in opened(disk):
            yield found


@pytest.mark.parametrize("again", range(ROUNDS))
async def test_runs_that_a_full_disk_has_stopped_go_on_by_themselves_and_do_nothing_twice(
    again: int, bench: SmallBench, record_property: Callable[[str, object], None]
) -> None:
    async def slow(_: CallContext) -> Outcome:
        await asyncio.sleep(0.05)
        return Applied({"text": "y" * 3_000})

    steps = [f"s{number}" for number in range(6)]
    plan = [step(each, "blind", after=steps[max(0, n - 1) : n]) for n, each in enumerate(steps)]
    bench.service.handlers = dict.fromkeys(steps, slow)
    dispatcher = LocalDispatcher(bench.store)
    dispatcher.register("run", bench.machine.drive, bench.machine.put_aside)
    runs = [await bench.add(accept(*plan)) for _ in range(4)]
    await dispatcher.start()
    await until(lambda: len(bench.service.log) > 8, "all are under way")
    bench.fill()
    seen: list[int] = []
    await until(lambda: _stands_still(bench, seen), "nothing is begun any more")
    full_since, stood = time.monotonic(), [*bench.service.log]
    await asyncio.sleep(FULL_S)
    still, ended = [*bench.service.log], [(await bench.row(each)).has_ended for each in runs]
    bench.free()
    freed = time.monotonic()
    while {(await bench.row(each)).status for each in runs} != {"succeeded"}:
        assert time.monotonic() < freed + 30
        await asyncio.sleep(0.02)
    seconds = time.monotonic() - freed
    await dispatcher.stop()
    calls = [bench.service.calls(each) for each in steps]
    record_property(
        PROPERTY,
        Told(
            fault=f"disk full for {freed - full_since:.0f} s amid 4 runs",
            database="file",
            twice=sum(max(0, count - 4) for count in calls),
            lost=sum(max(0, 4 - count) for count in calls),
            seconds={"all finished after there was room again": seconds},
        ).model_dump_json(),
    )

    assert still == stood
    assert not all(ended)
    assert sum(each.endswith(" ends") for each in stood) < 24  # there was something to stop
    assert calls == [4] * 6


def _stands_still(bench: SmallBench, seen: list[int]) -> bool:
    """Whether no call was begun or answered for a while."""
    seen.append(len(bench.service.log))
    return len(seen) > 60 and len(set(seen[-60:])) == 1
