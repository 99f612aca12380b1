"""What a person says of a call that was taken over while it may still come through."""

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.problems import ProblemError
from gateway.reconcile import resolve
from gateway.schemas import Reconcile

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from run_bench import PATIENCE_S, held, opened, until
from run_cases import accept, step


async def test_a_persons_no_counts_once_a_call_that_was_taken_over_must_have_come_through(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as bench:
        due = await bench.add(accept(step("a", "blind")))
        bench.service.handlers["a"] = held(asyncio.Event())
        drive = bench.start(due)
        await until(lambda: bench.service.calls("a"), "the call was begun")
        drive.cancel()  # as at the end of its process
        await asyncio.wait((drive,))
        bench.service.handlers.clear()
        await asyncio.wait_for(bench.start(due, machine=bench.new_machine()), PATIENCE_S)
        row, restored = await bench.row(due), bench.machine.restored
        said = Reconcile(step="a", resolution="send_again", reason="the shop does not show it")
        (intent,) = [each for each in await bench.events(due) if each.type == "intent.recorded"]
        through = intent.at + intent.data["timeout_s"]
        with pytest.raises(ProblemError) as told:
            await bench.store.write(lambda c: resolve(c, restored, row, "B", said, through - 0.01))
        await bench.store.write(lambda c: resolve(c, restored, row, "B", said, through))
        await asyncio.wait_for(bench.start(due), PATIENCE_S)

    assert (told.value.status, told.value.code) == (409, "too-early")
    assert bench.service.calls("a") == 2
