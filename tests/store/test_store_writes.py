"""Writes share commits, fail alone, and are durable once they are acknowledged."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError
from store_cases import NOW

from executor.store.errors import StoreClosedError, StoreError
from executor.store.store import Store
from executor.store.tables import events
from executor.store.writer import Fresh

Work = Callable[[Connection], None]
CHILD = Path(__file__).with_name("writing_process.py")


def _put(c: Connection, subject: str, seq: int, data: str = "{}") -> int:
    row = {"tenant": "main", "subject": subject, "seq": seq, "at": NOW, "type": "t", "v": 1}
    c.execute(insert(events).values(**row, data=data))
    return seq


def _count(c: Connection) -> int:
    return c.execute(select(func.count()).select_from(events)).scalar_one()


async def test_two_hundred_writers_at_once_are_all_kept(store: Store) -> None:
    written = await asyncio.gather(
        *(store.write(lambda c, n=n: _put(c, f"s{n}", n)) for n in range(200))
    )

    assert written == list(range(200))
    assert await store.read(_count) == 200


async def _transactions(store: Store, kind: Callable[[Work], Work]) -> list[object]:
    """Those of a hundred writes that are queued together."""
    gate = threading.Event()
    transactions: list[object] = []  # kept, so that no two of them have one id

    def first(_: Connection) -> None:
        gate.wait(20)

    def note(c: Connection) -> None:
        transactions.append(c.get_transaction())

    blocking = asyncio.ensure_future(store.write(first))
    waiting = [asyncio.ensure_future(store.write(kind(note))) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(blocking, *waiting)

    assert len(transactions) == 100
    return transactions


async def test_writes_that_are_queued_together_share_a_transaction(store: Store) -> None:
    transactions = await _transactions(store, Fresh)

    # At most two: the writer may have taken some of them along with the first.
    assert len({id(each) for each in transactions}) <= 2


async def test_beside_other_processes_a_write_that_may_wait_for_rows_shares_none(
    server_store: Store,
) -> None:
    transactions = await _transactions(server_store, lambda write: write)

    assert len({id(each) for each in transactions}) == 100


async def test_a_write_sees_what_the_writes_before_it_did(store: Store) -> None:
    counted = await asyncio.gather(
        *(store.write(lambda c, n=n: (_put(c, "s", n), _count(c))[1]) for n in range(50))
    )

    assert counted == list(range(1, 51))


async def test_one_failing_write_fails_alone(store: Store) -> None:
    def half(c: Connection) -> None:
        _put(c, "half", 1)
        raise LookupError("changed my mind")

    results = await asyncio.gather(
        store.write(lambda c: _put(c, "a", 1)),
        store.write(half),
        store.write(lambda c: _put(c, "a", 1)),  # the same key again
        store.write(lambda c: _put(c, "b", 1)),
        return_exceptions=True,
    )

    assert [type(each) for each in results] == [int, LookupError, StoreError, int]
    assert isinstance(results[2], StoreError)
    assert isinstance(results[2].__cause__, IntegrityError)
    assert await store.read(_count) == 2


async def test_a_caller_that_is_cancelled_does_not_stop_the_writer(store: Store) -> None:
    entered, gate = threading.Event(), threading.Event()

    def slow(c: Connection) -> None:
        entered.set()
        gate.wait(20)
        _put(c, "slow", 1)

    running = asyncio.ensure_future(store.write(slow))
    await asyncio.to_thread(entered.wait, 20)
    queued = asyncio.ensure_future(store.write(lambda c: _put(c, "queued", 1)))
    await asyncio.sleep(0)
    running.cancel()
    queued.cancel()
    await asyncio.gather(running, queued, return_exceptions=True)
    gate.set()
    await store.write(lambda c: _put(c, "after", 1))

    found = await store.read(lambda c: set(c.execute(select(events.c.subject)).scalars()))
    assert found == {"slow", "after"}  # what had begun was kept, what had not was not begun


async def test_who_leaves_while_others_of_the_batch_are_written_is_not_begun(
    server_store: Store,
) -> None:
    busy, entered, gate = threading.Event(), threading.Event(), threading.Event()

    def slow(c: Connection) -> None:
        entered.set()
        gate.wait(20)

    first = asyncio.ensure_future(server_store.write(lambda _: busy.wait(20)))
    await asyncio.sleep(0)
    running = asyncio.ensure_future(server_store.write(slow))
    queued = asyncio.ensure_future(server_store.write(lambda c: _put(c, "queued", 1)))
    await asyncio.sleep(0)
    busy.set()
    await asyncio.to_thread(entered.wait, 20)
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    gate.set()
    await asyncio.gather(first, running)

    assert await server_store.read(_count) == 0


async def test_a_write_that_breaks_the_transaction_leaves_the_writer_alive(store: Store) -> None:
    def hang_up(c: Connection) -> None:
        raw = c.connection.dbapi_connection
        assert raw is not None
        raw.close()

    with pytest.raises(StoreError):
        await store.write(hang_up)
    await store.write(lambda c: _put(c, "a", 1))

    assert await store.read(_count) == 1


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?i)read-?only"):
        await store.read(lambda c: _put(c, "a", 1))

    assert await store.read(_count) == 0


async def test_everything_queued_is_written_before_the_store_closes(url: str) -> None:
    store = await Store.open(url)
    writes = [
        asyncio.ensure_future(store.write(lambda c, n=n: _put(c, "s", n))) for n in range(300)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)

    again = await Store.open(url)
    assert await again.read(_count) == 300
    await again.close()


async def test_a_closed_store_says_so(url: str) -> None:
    store = await Store.open(url)
    await store.close()
    await store.close()

    with pytest.raises(StoreClosedError):
        await store.write(_count)
    with pytest.raises(StoreClosedError):
        await store.read(_count)


def _write_until_killed(database: Path, at_least: int) -> set[int]:
    """The numbers that the process said were durable before it was killed."""
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(database)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = {int(child.stdout.readline()) for _ in range(at_least)}
    child.send_signal(signal.SIGKILL)
    acknowledged |= {int(line) for line in child.stdout if line.endswith("\n")}
    child.stdout.close()
    assert child.wait(20) == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("at_least", [1, 200, 777])
async def test_killing_a_writing_process_loses_nothing_that_was_acknowledged(
    tmp_path: Path, at_least: int
) -> None:
    database = tmp_path / "lamgate.db"
    acknowledged = await asyncio.to_thread(_write_until_killed, database, at_least)
    store = await Store.open(f"sqlite:///{database}")
    kept = await store.read(lambda c: set(c.execute(select(events.c.seq)).scalars()))
    whole = await store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar_one())
    await store.close()

    assert len(acknowledged) >= at_least
    assert acknowledged <= kept
    assert whole == "ok"
