"""What was decided while the store took nothing is decided anew, if a call has ended since."""

import asyncio
import threading

import pytest
from run_bench import Bench, Handler, held, until
from run_cases import accept, step

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import CallContext
from executor.run import drive
from executor.store.drives import Due

pytestmark = pytest.mark.timeout(60)


def _answered(answers: asyncio.Event, with_: Outcome | Exception) -> Handler:
    async def handler(_: CallContext) -> Outcome:
        await answers.wait()
        if isinstance(with_, Exception):
            raise with_
        return with_

    return handler


async def _decided_while_the_store_takes_nothing(
    bench: Bench, ends_with: Outcome | Exception, lasts_s: float
) -> Due:
    """`b` is to begin, once `c` was read; before it may, `a` ends that was under way."""
    read, answers, takes_again = asyncio.Event(), asyncio.Event(), threading.Event()
    bench.service.handlers = {"a": _answered(answers, ends_with), "c": held(read)}
    due = await bench.add(accept(step("a", "blind"), step("c"), step("b", "blind", after=["c"])))
    driven = bench.start(due)
    await until(lambda: bench.service.calls("a") and bench.service.calls("c"), "both are called")
    busy = asyncio.ensure_future(bench.store.write(lambda _: takes_again.wait(10)))
    await asyncio.sleep(0.05)
    read.set()
    await until(lambda: "c ends" in bench.service.log, "it was read")
    await asyncio.sleep(0.05)
    answers.set()
    await until(lambda: "a ends" in bench.service.log, "the call has ended")
    await asyncio.sleep(lasts_s)
    takes_again.set()
    await asyncio.gather(busy, driven)
    return due


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Uncertain("no answer", kind=Kind.TIMEOUT), "waiting"),
        (Refused("no", kind=Kind.INVALID), "failed"),
    ],
)
async def test_what_has_to_wait_for_a_doubt_or_a_failure_that_came_meanwhile_does_not_begin(
    bench: Bench, answer: Exception, status: str
) -> None:
    due = await _decided_while_the_store_takes_nothing(bench, answer, drive.DECIDED_FOR_S)

    assert (await bench.row(due)).status == status
    assert bench.service.calls("b") == 0


async def test_what_nothing_stands_in_the_way_of_begins_once_the_store_takes_it(
    bench: Bench,
) -> None:
    due = await _decided_while_the_store_takes_nothing(bench, Applied({}), drive.DECIDED_FOR_S)

    assert (await bench.row(due)).status == "succeeded"
    assert bench.service.calls("b") == 1
