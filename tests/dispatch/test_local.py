"""The local dispatcher: what breaks its drive is put aside where people see it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from connectors.spec import Principal
from executor.dispatch import base
from executor.dispatch.base import pause_after
from executor.dispatch.local import LocalDispatcher
from executor.run.quarantine import quarantine
from executor.store import attempts, drives, journal, plans, ready, requests, runs
from executor.store.attempts import Place
from executor.store.calls import AttemptOutcome, Intent, record_intent, record_outcome
from executor.store.drives import Claim, Due
from executor.store.errors import StoreFullError
from executor.store.journal import NewEvent, Seen
from executor.store.open_journal import OpenJournal, Turn, written
from executor.store.permits import Need
from executor.store.store import Store
from gateway.desk import Desk

TENANT = "main"
PATIENCE_S = 10.0
ASKER = Principal("requester-1", TENANT, frozenset({"requester"}))


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.02))
    monkeypatch.setattr(base, "PAUSED_S", (0.01, 0.02))
    opened = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    yield opened
    await opened.close()


def add_run(c: Connection, run: str) -> None:
    now = time.time()
    plan = f"pln_{run}"
    plans.add(c, plans.PlanRow(TENANT, plan, "sha256:0", ASKER.id, None, {"language": 1}, now))
    runs.create(c, tenant=TENANT, run=run, plan=plan, requester=ASKER.id, now=now)


async def until(store: Store, found: Callable[[Connection], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await store.read(found):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


def status_is(run: str, status: str) -> Callable[[Connection], bool]:
    def found(c: Connection) -> bool:
        row = runs.get(c, TENANT, run)
        return row is not None and row.status == status

    return found


async def nothing(due: Due, driver: str, error: Exception) -> None:
    raise AssertionError(f"{due} was to be driven, not put aside by {driver}: {error}")


@dataclass(frozen=True)
class _Work:
    work: Callable[[OpenJournal], object]
    places: tuple[Place, ...] = ()
    needs: Need | None = None

    def __call__(self, journal: OpenJournal) -> None:
        self.work(journal)


def _record(c: Connection, claim: Claim, work: Callable[[OpenJournal], object]) -> None:
    written(c, [Turn(claim, (_Work(work),), Seen)])


async def test_a_run_that_breaks_its_drive_is_quarantined_with_what_it_had_begun(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    async def breaks(due: Due, driver: str) -> None:
        nonlocal tries
        tries += 1
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=time.time()))
        assert claim is not None
        if tries == 1:
            for step, state in (("refund", "applied"), ("tag", "uncertain"), ("mail", None)):
                intent = Intent(
                    step, "", 1, "shop.act", "shop", "blind", "KEY", "h", {}, "d", None, (),
                    5.0, None,
                )  # fmt: skip
                await store.write(
                    partial(
                        _record,
                        claim=claim,
                        work=partial(record_intent, intent=intent, now=time.time()),
                    )
                )
                if state is not None:
                    data = {"step": step, "iteration": "", "n": 1, "state": state}
                    ended = AttemptOutcome(step, "", 1, NewEvent("attempt.ended", {**data}))
                    await store.write(
                        partial(
                            _record,
                            claim=claim,
                            work=partial(record_outcome, outcome=ended, now=time.time()),
                        )
                    )
        raise ZeroDivisionError("a mistake of ours")

    dispatcher = LocalDispatcher(store)
    dispatcher.register(
        "run", breaks, lambda due, driver, _: quarantine(store, due, driver, time.time())
    )
    await store.write(partial(add_run, run="run_a"))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, status_is("run_a", "quarantined"))
    await dispatcher.stop()
    last = (await store.read(lambda c: journal.read(c, TENANT, "run_a")))[-1]
    calls = await store.read(lambda c: attempts.read(c, TENANT, "run_a"))

    assert tries == base.MOST_FAILURES
    assert {row.step: row.state for row in calls} == {
        "refund": "applied", "tag": "uncertain", "mail": "uncertain"
    }  # fmt: skip  # so that somebody can say what became of it
    assert last.type == "run.finished"
    assert last.data["standing"] == ["refund"]
    assert last.data["uncertain"] == ["mail", "tag"]
    assert await store.read(partial(ready.due, now=time.time())) == []


async def test_a_broken_drive_does_not_stop_the_others(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def drive(due: Due, driver: str) -> None:
        if due.id == "run_bad":
            raise ZeroDivisionError
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=time.time()))
        assert claim is not None
        end = partial(drives.end_drive, claim=claim, status="succeeded", now=time.time())
        assert await store.write(end)

    dispatcher = LocalDispatcher(store)
    dispatcher.register(
        "run", drive, lambda due, driver, _: quarantine(store, due, driver, time.time())
    )
    for run in ("run_bad", "run_good"):
        await store.write(partial(add_run, run=run))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, status_is("run_good", "succeeded"))
        await until(store, status_is("run_bad", "quarantined"))
    await dispatcher.stop()


async def test_a_request_whose_planning_breaks_says_so_and_can_be_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, time.time, lambda _: None, lambda _: None, "playbooks", lambda *_: None)

    async def breaks(due: Due, driver: str) -> None:
        await desk.take(due, driver)
        raise ZeroDivisionError("secret detail")

    def status(c: Connection) -> str:
        row = requests.get(c, TENANT, "req_a")
        return row.status if row else ""

    dispatcher = LocalDispatcher(store)
    dispatcher.register("request", breaks, desk.planning_broke)
    dispatcher.register("run", breaks, nothing)
    await store.write(
        partial(
            requests.create,
            request="req_a",
            principal=ASKER,
            text="Do something.",
            inputs={},
            model=None,
            start="auto",
            now=time.time(),
        )
    )
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, lambda c: status(c) == "planner_unavailable")
    await dispatcher.stop()
    row = await store.read(lambda c: requests.get(c, TENANT, "req_a"))

    assert row is not None
    assert row.code == "internal"
    assert "secret detail" not in str(row.detail)
    assert "ZeroDivisionError" in str(row.detail["message"])
    assert await store.write(lambda c: requests.retry(c, TENANT, "req_a", time.time()))


async def test_a_store_that_was_away_is_not_held_against_a_drive(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [StoreFullError("full")] * 5 + [ZeroDivisionError()] * 2
    parked: list[Due] = []

    async def drive(due: Due, driver: str) -> None:
        if errors:
            raise errors.pop(0)
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=time.time()))
        assert claim is not None
        await store.write(
            partial(drives.end_drive, claim=claim, status="succeeded", now=time.time())
        )

    async def park(due: Due, driver: str, error: Exception) -> None:
        parked.append(due)

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, park)
    await store.write(partial(add_run, run="run_a"))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, status_is("run_a", "succeeded"))
    await dispatcher.stop()

    assert parked == []


def test_a_store_that_takes_nothing_is_asked_again_every_two_seconds_however_long_it_takes() -> (
    None
):
    full, broken = StoreFullError("full"), ZeroDivisionError()
    pauses = [pause_after(failures, full) for failures in (1, 2, 3, 1000)]

    assert pauses == [0.5, 1.0, 2.0, 2.0]
    assert [pause_after(failures, broken) for failures in (3, 1000)] == [2.0, 30.0]
