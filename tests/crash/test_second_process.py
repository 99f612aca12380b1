"""However often a second process wants a file on which runs are driven, it is refused."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from run_bench import Bench
from run_cases import accept, step

from benchmarks.faults import PROPERTY, Told
from connectors.connector import Applied, Outcome
from connectors.spec import CallContext
from executor.dispatch.local import LocalDispatcher
from executor.store.store import Store

SCRIPT = Path(__file__).with_name("second_process.py")
ATTEMPTS = int(os.environ.get("LAMGATE_SECOND_PROCESSES", "12"))
STEPS = ("a", "b", "c")


@pytest.mark.timeout(600)
async def test_a_second_process_never_gets_at_a_file_while_its_runs_are_driven(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    url = f"sqlite:///{tmp_path / 'lamgate.db'}"
    store = await Store.open(url)
    bench = Bench(store)

    calling: list[float] = []

    async def slow(_: CallContext) -> Outcome:
        await asyncio.sleep(0.02)
        calling.append(time.monotonic())  # a moment at which a call is under way
        return Applied({"id": 1})

    bench.service.handlers = dict.fromkeys(STEPS, slow)
    plan = accept(step("a", "blind"), step("b", "blind", after=["a"]), step("c", "keyed"))
    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", bench.machine.drive, bench.machine.put_aside)
    await dispatcher.start()
    seconds = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), url, str(ATTEMPTS), stdout=asyncio.subprocess.PIPE
    )
    telling = asyncio.create_task(seconds.communicate())
    runs = []
    while not telling.done():
        runs.append(await bench.add(plan))
        dispatcher.submit(runs[-1])
        while not telling.done() and (await bench.row(runs[-1])).status != "succeeded":
            await asyncio.sleep(0.02)
    told, _ = await telling
    while (await bench.row(runs[-1])).status != "succeeded":
        await asyncio.sleep(0.02)
    rows = [await bench.row(each) for each in runs]
    calls = [bench.service.calls(each) for each in STEPS]
    await dispatcher.stop()
    await bench.close()
    await store.close()
    ended, tries = (json.loads(told)[name] for name in ("ends", "tries"))
    amid = sum(any(began < at < over for at in calling) for began, over in tries)
    record_property(
        PROPERTY,
        Told(
            fault="second process while runs are driven",
            database="file",
            trials=ATTEMPTS,
            twice=sum(max(0, count - len(runs)) for count in calls),
            lost=sum(row.status != "succeeded" for row in rows),
            notes={
                "second processes that got in": ended["got in"],
                "times that several tried at once": len(tries),
                "of them while a call was under way": amid,
                "runs driven": len(runs),
            },
        ).model_dump_json(),
    )

    assert amid > 0
    assert ended == {"refused": ATTEMPTS, "got in": 0}
    assert calls == [len(runs)] * len(STEPS)
    assert {(row.status, row.recoveries) for row in rows} == {("succeeded", 0)}
