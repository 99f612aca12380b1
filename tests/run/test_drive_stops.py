"""A stop is lifted, or credentials come, while a run waits for more: it goes on where it can."""

import asyncio
import time
from functools import partial

import pytest
from run_bench import Bench, held, once, until
from run_cases import accept, action, step

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import CallContext
from executor.check.certificate import Options
from executor.store import ready, stops, waking
from executor.store.drives import Due
from executor.store.stops import StopRow

pytestmark = pytest.mark.timeout(60)
STOPPED = action("other.read")
GOES_ON = Options(on_uncertain="continue")


async def _uncertain(_: CallContext) -> Outcome:
    raise Uncertain("no answer", kind=Kind.TIMEOUT)


_NO_CREDENTIALS = Refused("who are you", kind=Kind.AUTH, status=401)


async def _no_credentials(_: CallContext) -> Outcome:
    raise _NO_CREDENTIALS


async def _bring_credentials(bench: Bench, due: Due) -> list[Due]:
    wake = partial(waking.wake_waiting, waiting_for="credentials", now=time.time(), tenant="main")
    woken = await bench.store.write(wake)
    bench.machine.ring(due.id)
    return woken


@pytest.mark.parametrize("waits_for", ["approval", "reconcile", "credentials"])
async def test_what_was_stopped_goes_on_though_the_run_waits_for_something_else_too(
    bench: Bench, waits_for: str
) -> None:
    row = StopRow("main", "stp_a", "other", "operator", "to look", time.time())
    await bench.store.write(partial(stops.add, row=row))
    bench.service.handlers["a"] = _uncertain if waits_for == "reconcile" else _no_credentials
    waiting = step("a", "asked_blind" if waits_for == "approval" else "blind")
    plan = accept(waiting, step("r", "other.read"), options=GOES_ON, more=(STOPPED,))
    due, stood = await bench.drive(plan)
    lift = partial(stops.lift, tenant="main", stop="stp_a", by="ann", reason="over")
    woken = await bench.store.write(partial(lift, now=time.time()))
    found = await bench.store.read(partial(ready.due, now=time.time() + 1))
    await bench.start(due)

    assert (stood.waiting_for, bench.service.calls("r")) == (waits_for, 1)
    assert woken == found == [due]


async def test_new_credentials_are_tried_though_the_run_waits_for_a_person_too(
    bench: Bench,
) -> None:
    bench.service.handlers |= {"a": _uncertain, "r": once(_NO_CREDENTIALS, Applied({}))}
    plan = accept(step("a", "blind"), step("r"), options=GOES_ON)
    due, stood = await bench.drive(plan)
    woken = await _bring_credentials(bench, due)
    await bench.start(due)

    assert (stood.waiting_for, woken, bench.service.calls("r")) == ("reconcile", [due], 2)


async def test_new_credentials_are_tried_at_once_by_a_drive_that_was_refused_for_the_old_ones(
    bench: Bench,
) -> None:
    answers = asyncio.Event()
    bench.service.handlers |= {"b": held(answers), "r": once(_NO_CREDENTIALS, Applied({}))}
    due = await bench.add(accept(step("b", "blind"), step("r")))
    driven = bench.start(due)
    await until(lambda: "r ends" in bench.service.log, "it was refused")
    await _bring_credentials(bench, due)
    await until(lambda: bench.service.calls("r") == 2, "it was called once more")
    answers.set()
    await driven

    assert (await bench.row(due)).status == "succeeded"


async def test_so_they_are_after_a_call_that_was_under_way_with_the_old_ones_when_they_came(
    bench: Bench,
) -> None:
    comes, refuses = asyncio.Event(), asyncio.Event()

    async def old_ones(_: CallContext) -> Outcome:
        if bench.service.calls("r") > 1:
            return Applied({})
        comes.set()
        await refuses.wait()
        raise _NO_CREDENTIALS

    bench.service.handlers["r"] = old_ones
    due = await bench.add(accept(step("r")))
    driven = bench.start(due)
    await comes.wait()
    await _bring_credentials(bench, due)
    refuses.set()
    await driven

    assert bench.service.calls("r") == 2
    assert (await bench.row(due)).status == "succeeded"
