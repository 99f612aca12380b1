"""On a full disk nothing is sent that is not in the journal, and no answer is lost."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from run_bench import until
from run_cases import accept, step, value
from small_disk import SmallBench, mounted, opened
from sqlalchemy import Connection, insert

from connectors.connector import Applied, Outcome
from connectors.spec import CallContext
from executor.run import events as e
from executor.run.ledger import Ledger
from executor.store import drives
from executor.store.errors import StoreFullError
from executor.store.tables import events

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk")


@pytest.fixture
async def bench(small_disk: Path) -> AsyncIterator[SmallBench]:
    async for found in opened(small_disk):
        yield found


LARGE = value("x" * 30_000, "x")  # so that no page has room for it


async def test_without_room_for_the_intent_nothing_is_sent_and_it_is_sent_later(
    bench: SmallBench,
) -> None:
    bench.fill_in_round, bench.free_in_round = 1, 5
    called_on_a_full_disk: list[bool] = []

    async def a(_: CallContext) -> Outcome:
        called_on_a_full_disk.append((bench.disk / "ballast").exists())
        return Applied({})

    bench.service.handlers["a"] = a
    due = await bench.add(accept(step("a", "blind", LARGE)))
    await bench.tell(due, e.RunStarted(plan="pln_1", digest="sha256:plan"))
    await bench.start(due)
    row = await bench.row(due)

    assert bench.rounds > 5
    assert called_on_a_full_disk == [False]
    assert row.status == "succeeded"
    assert [each.n for each in await bench.attempts(due)] == [1]


async def test_an_answer_is_kept_until_there_is_room_and_nothing_is_called_again(
    bench: SmallBench,
) -> None:
    async def a(_: CallContext) -> Outcome:
        bench.fill()
        return Applied({"text": "y" * 30_000})

    bench.service.handlers["a"] = a
    due = await bench.add(accept(step("a", "blind")))
    drive = bench.start(due)
    await until(lambda: "a ends" in bench.service.log, "the call has ended")
    for _ in range(3):
        with pytest.raises(StoreFullError):
            await bench.store.write(_large)
    waiting = not drive.done()
    bench.free()
    await drive
    finished = await bench.finished(due)

    assert waiting
    assert (finished.status, finished.standing, finished.uncertain) == ("succeeded", ["a"], [])
    assert bench.service.calls("a") == 1


async def test_a_full_disk_does_not_cut_a_call_off_that_is_under_way(bench: SmallBench) -> None:
    answer = asyncio.Event()

    async def a(_: CallContext) -> Outcome:
        await answer.wait()
        return Applied({"id": "a"})

    async def b(_: CallContext) -> Outcome:
        # Its outcome still fits; what follows from it does not.
        bench.fill_in_round = bench.rounds + 1
        return Applied({"text": "z" * 30_000})

    bench.service.handlers = {"a": a, "b": b}
    due = await bench.add(accept(step("a", "blind"), step("b")))
    drive = bench.start(due)
    await until(lambda: (bench.disk / "ballast").exists(), "the disk is full")
    full_at = bench.rounds
    await until(lambda: bench.rounds >= full_at + 2, "it was tried again")
    answer.set()
    await until(lambda: "a ends" in bench.service.log, "the call has ended")
    bench.free()
    await drive
    finished = await bench.finished(due)

    assert (finished.status, finished.standing, finished.uncertain) == ("succeeded", ["a"], [])
    assert bench.service.calls("a") == 1


async def test_a_drive_that_cannot_write_at_all_says_so_and_goes_on_later(
    bench: SmallBench,
) -> None:
    due = await bench.add(accept(step("a", "blind", LARGE)))
    bench.fill()
    with pytest.raises(StoreFullError):
        await bench.start(due)
    bench.free()
    await bench.start(due)

    assert (await bench.row(due)).status == "succeeded"
    assert bench.service.calls("a") == 1


async def test_what_follows_from_an_answer_is_not_written_where_the_answer_had_no_room(
    bench: SmallBench,
) -> None:
    due, now = await bench.add(accept(step("a", "blind"))), time.time()
    claim = await bench.store.write(lambda c: drives.claim(c, due, "me", now))
    assert claim is not None
    ledger = Ledger(bench.store, claim, time.time, _nothing, _nothing, _nothing)
    await ledger.append([e.RunStarted(plan="pln_1", digest="sha256:plan")]).done
    bench.fill()
    (bench.disk / "ballast").write_bytes(b"x" * ((bench.disk / "ballast").stat().st_size - 100_000))
    goes_on = threading.Event()
    busy = bench.store.submit(lambda c: goes_on.wait())
    answer = ledger.append([e.StepDone(step="a", result="y" * 500_000)])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    following = ledger.append([e.StepSkipped(step="b", because="a said so")], (answer,))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(StoreFullError):
        await answer.done
    await asyncio.gather(busy, following.done)

    assert await bench.types(due) == ["run.started"]


def _nothing() -> None:
    pass


def _large(c: Connection) -> None:
    row = {"tenant": "main", "subject": "s", "seq": 1, "at": 0.0, "type": "t", "v": 1}
    c.execute(insert(events).values(**row, data="x" * 300_000))
