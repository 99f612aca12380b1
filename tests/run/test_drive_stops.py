"""A stop is lifted, or credentials come, while a run waits for more: it goes on where it can."""

import time
from functools import partial

import pytest
from run_bench import Bench, once
from run_cases import accept, action, step

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import CallContext
from executor.check.certificate import Options
from executor.store import ready, stops, waking
from executor.store.stops import StopRow

pytestmark = pytest.mark.timeout(60)
STOPPED = action("other.read")
GOES_ON = Options(on_uncertain="continue")


async def _uncertain(_: CallContext) -> Outcome:
    raise Uncertain("no answer", kind=Kind.TIMEOUT)


_NO_CREDENTIALS = Refused("who are you", kind=Kind.AUTH, status=401)


async def _no_credentials(_: CallContext) -> Outcome:
    raise _NO_CREDENTIALS


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
    woken = await bench.store.write(
        lambda c: waking.wake_waiting(c, "credentials", time.time(), "main")
    )
    await bench.start(due)

    assert (stood.waiting_for, woken, bench.service.calls("r")) == ("reconcile", [due], 2)
