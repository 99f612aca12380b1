"""What is left to a person alone sleeps on, whatever else is woken; what may go on is woken."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from math import inf

import pytest
from run_bench import Bench, Handler, held, once, until
from run_cases import accept, action, policy, ref, step
from sqlalchemy import Connection, update

from connectors.connector import Applied, Outcome, Pending
from connectors.errors import Kind, Uncertain
from connectors.spec import CallContext
from executor.check.admit import Accepted
from executor.run import events as e
from executor.run import reconcile
from executor.store import drives, ready, stops, tables, waking
from executor.store.drives import Due
from executor.store.stops import StopRow

pytestmark = pytest.mark.timeout(60)
STATUS = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
SLOW = action("shop.slow", "blind", status=STATUS)
NEVER = 'forbid (principal, action == Action::"shop.idempotent", resource);'


async def _uncertain(_: CallContext) -> Outcome:
    raise Uncertain("no answer", kind=Kind.TIMEOUT)


def _credentials(c: Connection) -> list[Due]:
    """As each start of a gateway does, and whoever brings credentials."""
    return waking.wake_waiting(c, "credentials", time.time())


def _lift(c: Connection) -> list[Due] | None:
    row = StopRow("main", "stp_a", "other", "operator", "to look", time.time())
    stops.add(c, row)
    return stops.lift(c, "main", "stp_a", "ann", "over", time.time())


@pytest.mark.parametrize("wake", [_credentials, _lift])
async def test_a_run_that_is_left_to_a_person_sleeps_until_a_person_says_something(
    bench: Bench, wake: Callable[[Connection], list[Due] | None]
) -> None:
    bench.service.handlers["a"] = _uncertain
    due, stood = await bench.drive(accept(step("a", "blind")))
    woken = await bench.store.write(wake)
    told = e.ReconcileResolved(step="a", iteration="", n=1, resolution="absent", by="ann")
    bench.service.handlers["a"] = once(Applied({}))
    await bench.tell(due, told)
    wanted = await bench.store.read(partial(ready.due, now=time.time()))
    await bench.start(due)

    assert (stood.waiting_for, woken, wanted) == ("reconcile", [], [due])
    assert (await bench.row(due)).status == "succeeded"


@pytest.mark.parametrize("wake", [_credentials, _lift])
async def test_so_does_one_that_waits_for_an_approval_too_until_that_is_over(
    bench: Bench, wake: Callable[[Connection], list[Due] | None]
) -> None:
    bench.service.handlers["a"] = _uncertain
    plan = accept(step("a", "blind"), step("r"), step("b", "asked_keyed", ref("r/id", "id")))
    due, stood = await bench.drive(plan)
    woken = await bench.store.write(wake)
    kinds, expires_at = await bench.types(due), stood.wake_at or 0.0
    wanted = [await bench.store.read(partial(ready.due, now=now))
              for now in (time.time(), expires_at - 1, expires_at + 1)]  # fmt: skip

    assert "gate.opened" in kinds
    assert (stood.waiting_for, woken, wanted) == ("reconcile", [], [[], [], [due]])


async def test_a_run_that_another_version_let_go_of_is_woken(bench: Bench) -> None:
    bench.service.handlers["a"] = _uncertain
    due, _ = await bench.drive(accept(step("a", "blind")))
    unsaid = update(tables.runs).values(left_under=None)
    await bench.store.write(lambda c: c.execute(unsaid).close())

    assert await bench.store.write(_credentials) == [due]


async def test_a_run_is_not_left_any_more_once_it_was_driven_again(bench: Bench) -> None:
    bench.service.handlers["a"] = _uncertain
    due, _ = await bench.drive(accept(step("a", "blind")))
    claim = partial(drives.claim, due=due, driver="another version", now=time.time())
    found = await bench.store.write(claim)
    assert found is not None
    end = partial(drives.end_drive, claim=found, status="waiting", waiting_for="reconcile")
    await bench.store.write(partial(end, now=time.time()))

    assert await bench.store.write(_credentials) == [due]


@pytest.mark.parametrize(
    ("plan", "first"),
    [
        (accept(step("a", "lookup")), _uncertain),
        (accept(step("a", "shop.slow"), more=(SLOW,)), once(Pending("job-7"))),
    ],
)
async def test_what_was_asked_about_long_enough_is_asked_about_once_more_after_a_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, plan: Accepted, first: Handler
) -> None:
    monkeypatch.setattr(reconcile, "LOOK_FOR_S", -inf)
    gone = Uncertain("no answer", kind=Kind.TIMEOUT)
    bench.service.handlers |= {"a": first, "find": once(gone, Applied({"state": "ready"}))}
    due, stood = await bench.drive(plan)
    woken = await bench.store.write(_credentials)
    await bench.start(due, machine=bench.new_machine())

    assert (stood.waiting_for, stood.wake_at, woken) == ("reconcile", None, [due])
    assert bench.service.calls("find") == 2


async def test_so_it_is_once_a_drive_ends_that_was_woken_on_its_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LOOK_FOR_S", -inf)
    answers = asyncio.Event()
    gone = Uncertain("no answer", kind=Kind.TIMEOUT)
    bench.service.handlers = {
        "a": _uncertain, "b": held(answers), "find": once(gone, Applied([{"id": 1}])),
    }  # fmt: skip
    due = await bench.add(accept(step("a", "lookup"), step("b")))
    driven = bench.start(due)
    await until(lambda: "find ends" in bench.service.log, "it was searched for")
    woken = await bench.store.write(_credentials)
    bench.machine.ring(due.id)
    answers.set()
    await driven

    assert woken == [due]
    assert bench.service.calls("find") == 2
    assert (await bench.row(due)).status == "succeeded"


async def test_so_it_is_at_once_though_another_call_is_under_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LOOK_FOR_S", -inf)
    answers = asyncio.Event()
    gone = Uncertain("no answer", kind=Kind.TIMEOUT)
    bench.service.handlers = {
        "a": _uncertain, "b": held(answers), "find": once(gone, Applied([{"id": 1}])),
    }  # fmt: skip
    due = await bench.add(accept(step("a", "lookup"), step("b")))
    driven = bench.start(due)
    await until(lambda: "find ends" in bench.service.log, "it was searched for")
    await bench.store.write(_credentials)
    bench.machine.ring(due.id)
    await until(lambda: bench.service.calls("find") == 2, "it was searched for once more")
    answers.set()
    await driven

    assert (await bench.row(due)).status == "succeeded"


async def test_who_cancels_a_run_that_is_driven_is_told_what_a_fresh_look_finds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LOOK_FOR_S", -inf)
    answers = asyncio.Event()
    gone = Uncertain("no answer", kind=Kind.TIMEOUT)
    bench.service.handlers = {
        "a": _uncertain, "b": held(answers), "find": once(gone, Applied([{"id": 1}])),
    }  # fmt: skip
    due = await bench.add(accept(step("a", "lookup"), step("b", "blind")))
    driven = bench.start(due)
    await until(lambda: "find ends" in bench.service.log, "it was searched for")
    await bench.cancel(due)
    answers.set()
    await driven
    finished = await bench.finished(due)

    assert (finished.status, finished.uncertain) == ("cancelled", [])
    assert bench.service.calls("find") == 2


async def test_a_call_that_policy_was_against_is_made_again_after_a_start_with_another(
    bench: Bench,
) -> None:
    async def in_doubt(_: CallContext) -> Outcome:
        bench.policy = partial(policy, NEVER)
        raise Uncertain("no answer", kind=Kind.TIMEOUT)

    bench.service.handlers["a"] = in_doubt
    due, stood = await bench.drive(accept(step("a", "idempotent")))
    bench.service.handlers["a"] = once(Applied({}))
    bench.policy = policy
    woken = await bench.store.write(_credentials)
    await bench.start(due, machine=bench.new_machine())

    assert (stood.waiting_for, stood.wake_at, woken) == ("reconcile", None, [due])
    assert (await bench.row(due)).status == "succeeded"
