"""With no room left a write is refused as a whole, nothing is lost, and room heals it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from executor.store.errors import StoreFullError
from executor.store.store import Store
from executor.store.tables import events

CHILD = Path(__file__).with_name("full_disk_process.py")


def _put(c: Connection, number: int, size: int = 10) -> int:
    row = {"tenant": "main", "subject": "s", "seq": number, "at": 0.0, "type": "t", "v": 1}
    c.execute(insert(events).values(**row, data="x" * size))
    return number


def _numbers(c: Connection) -> list[int]:
    return list(c.execute(select(events.c.seq).order_by(events.c.seq)).scalars())


def _fill(disk: Path) -> Path:
    """Leave no room at all."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root; the file size limit is tested below")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_refuses_writes_and_loses_none_that_it_acknowledged(
    small_disk: Path,
) -> None:
    url = f"sqlite:///{small_disk / 'lamgate.db'}"
    store = await Store.open(url)
    kept = [await store.write(lambda c: _put(c, 1))]
    ballast = _fill(small_disk)

    with pytest.raises(StoreFullError, match="Free some space"):
        await store.write(lambda c: _put(c, 2, 500_000))
    assert await store.read(_numbers) == kept  # and reading goes on

    ballast.unlink()
    kept.append(await store.write(lambda c: _put(c, 3)))
    await store.close()
    again = await Store.open(url)
    assert await again.read(_numbers) == kept
    await again.close()


async def test_a_store_cannot_be_made_on_a_full_disk_and_says_why(small_disk: Path) -> None:
    _fill(small_disk)

    with pytest.raises(StoreFullError, match="Free some space"):
        await Store.open(f"sqlite:///{small_disk / 'lamgate.db'}")


async def test_a_write_that_does_not_fit_leaves_the_others_of_its_batch_alone(
    file_store: Store,
) -> None:
    gate = threading.Event()

    def bounded(c: Connection) -> None:
        gate.wait(20)
        pages = int(c.exec_driver_sql("PRAGMA page_count").scalar_one())
        c.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")

    def too_large(c: Connection) -> int:
        bounded(c)
        return _put(c, 2, 1_000_000)

    first = asyncio.ensure_future(file_store.write(lambda c: gate.wait(20)))
    batch = [
        asyncio.ensure_future(file_store.write(work))
        for work in (lambda c: _put(c, 1), too_large, lambda c: _put(c, 3))
    ]
    await asyncio.sleep(0)
    gate.set()
    await first
    results = await asyncio.gather(*batch, return_exceptions=True)

    assert [type(each) for each in results] == [int, StoreFullError, int]
    assert await file_store.read(_numbers) == [1, 3]


async def test_files_that_may_not_grow_are_a_full_disk_too(tmp_path: Path) -> None:
    database = tmp_path / "lamgate.db"
    command = [sys.executable, str(CHILD), str(database)]
    told = json.loads(await asyncio.to_thread(subprocess.check_output, command))

    assert told["kept"]
    assert len(told["refused"]) > 20
    assert told["after"] == list(range(2000, 2010))
    store = await Store.open(f"sqlite:///{database}")
    assert await store.read(_numbers) == told["kept"] + told["after"]
    await store.close()
