"""However often a second process wants a file on which runs are driven, it is refused."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from run_bench import Bench
from run_cases import accept, step
from second_process import AT_ONCE

from benchmarks.faults import PROPERTY, Told
from connectors.connector import Applied, Outcome
from connectors.spec import CallContext
from executor.dispatch.local import LocalDispatcher
from executor.store.store import Store

SCRIPT = Path(__file__).with_name("second_process.py")
ATTEMPTS = int(os.environ.get("LAMGATE_SECOND_PROCESSES", "12"))
STEPS = ("a", "b", "c")


class Seconds:
    """The process that tries to be the second one, several at once each time it is asked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.asked = 0
        self.told: list[tuple[float, float, list[str]]] = []

    @property
    def is_enough(self) -> bool:
        """Whether as many tries were asked for as were wanted."""
        return self.asked * AT_ONCE >= ATTEMPTS

    async def attempt(self, *, is_awaited: bool) -> None:
        """Have it try, unless it has tried enough; and wait until it has, if that is asked for."""
        if self.is_enough:
            return
        self.asked += 1
        mine = self.asked
        assert self.process.stdin is not None
        self.process.stdin.write(b"now\n")
        while is_awaited and len(self.told) < mine:
            await asyncio.sleep(0.005)

    async def listen(self) -> None:
        """Keep what it says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.told.append(json.loads(line))

    async def end(self) -> None:
        """Let it end after what it was asked for."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert await self.process.wait() == 0


@pytest.mark.timeout(600)
async def test_a_second_process_never_gets_at_a_file_while_its_runs_are_driven(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    url = f"sqlite:///{tmp_path / 'lamgate.db'}"
    store = await Store.open(url)
    bench = Bench(store)
    seconds = Seconds(
        await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), url, stdin=PIPE, stdout=PIPE
        )
    )
    listening = asyncio.create_task(seconds.listen())
    calls: list[tuple[float, float]] = []

    def tried_at(*, to_the_end: bool) -> Callable[[CallContext], object]:
        async def call(_: CallContext) -> Outcome:
            began = time.monotonic()
            await seconds.attempt(is_awaited=to_the_end)
            calls.append((began, time.monotonic()))
            return Applied({"id": 1})

        return call

    # Amid a call, and across its end, its commit and what comes next.
    bench.service.handlers = {each: tried_at(to_the_end=each == "b") for each in STEPS}
    plan = accept(step("a", "blind"), step("b", "blind", after=["a"]), step("c", "keyed"))
    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", bench.machine.drive, bench.machine.put_aside)
    await dispatcher.start()
    runs = []
    while not seconds.is_enough:
        runs.append(await bench.add(plan))
        dispatcher.submit(runs[-1])
        while (await bench.row(runs[-1])).status != "succeeded":
            await asyncio.sleep(0.02)
    await seconds.end()
    await listening
    rows = [await bench.row(each) for each in runs]
    made = [bench.service.calls(each) for each in STEPS]
    await dispatcher.stop()
    await bench.close()
    await store.close()
    ended = Counter(end for _, _, ends in seconds.told for end in ends)
    amid = sum(any(b <= began and over <= o for b, o in calls) for began, over, _ in seconds.told)
    record_property(
        PROPERTY,
        Told(
            fault="second process while runs are driven",
            database="file",
            trials=ended.total(),
            twice=sum(max(0, count - len(runs)) for count in made),
            lost=sum(row.status != "succeeded" for row in rows),
            notes={
                "second processes that got in": ended["got in"],
                "times that several tried at once": len(seconds.told),
                "of them while a call was under way": amid,
                "runs driven": len(runs),
            },
        ).model_dump_json(),
    )

    assert amid > 0
    assert ended == {"refused": seconds.asked * AT_ONCE}
    assert made == [len(runs)] * len(STEPS)
    assert {(row.status, row.recoveries) for row in rows} == {("succeeded", 0)}
