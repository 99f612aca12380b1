"""One process a database file, and whoever comes second learns who has it."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from executor.store.errors import StoreError, StoreLockedError
from executor.store.lock import address_in_lock
from executor.store.sqlite import sqlite_path
from executor.store.store import Store

HOLDER = """
import asyncio, os, sys
from executor.store.store import Store

async def main():
    store = await Store.open(sys.argv[1])
    store.publish_address("http://127.0.0.1:4711")
    print(os.getpid(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _hold(url: str) -> "tuple[subprocess.Popen[str], str]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


def _kill(holder: "subprocess.Popen[str]") -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(20)
    assert holder.stdout is not None
    holder.stdout.close()


async def test_a_second_process_is_refused_and_told_who_has_the_file(file_url: str) -> None:
    holder, pid = _hold(file_url)
    try:
        with pytest.raises(StoreLockedError) as refused:
            await Store.open(file_url)
        found = address_in_lock(sqlite_path(make_url(file_url)))
    finally:
        _kill(holder)

    assert f"process {pid}" in str(refused.value)
    assert "another database" in str(refused.value)
    assert found == "http://127.0.0.1:4711"


async def test_a_killed_process_leaves_no_lock_and_no_address(file_url: str) -> None:
    holder, _ = _hold(file_url)
    _kill(holder)

    assert address_in_lock(sqlite_path(make_url(file_url))) is None
    store = await Store.open(file_url)
    await store.close()


async def test_a_second_store_in_this_process_is_refused_until_the_first_is_closed(
    file_store: Store, file_url: str
) -> None:
    with pytest.raises(StoreLockedError):
        await Store.open(file_url)

    await file_store.close()
    again = await Store.open(file_url)
    await again.close()


async def test_a_link_to_the_file_does_not_go_around_the_lock(
    file_store: Store, file_url: str, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(sqlite_path(make_url(file_url)))

    with pytest.raises(StoreLockedError):
        await Store.open(f"sqlite:///{link}")


async def test_the_address_is_there_only_while_it_is_served(
    file_store: Store, file_url: str
) -> None:
    before = address_in_lock(sqlite_path(make_url(file_url)))
    file_store.publish_address("http://127.0.0.1:4711")
    during = address_in_lock(sqlite_path(make_url(file_url)))
    await file_store.close()

    assert (before, during) == (None, "http://127.0.0.1:4711")
    assert address_in_lock(sqlite_path(make_url(file_url))) is None


async def test_the_files_are_their_owners_alone(file_store: Store, file_url: str) -> None:
    await file_store.write(lambda c: c.exec_driver_sql("PRAGMA user_version=1").close())
    files = list(sqlite_path(make_url(file_url)).parent.iterdir())

    assert len(files) == 4  # the database, its log, its index, the lock
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize(
    "url",
    [
        "mysql://example.com/lamgate",
        "postgresql://u@h:none/d",
        "sqlite://",
        "sqlite:///:memory:",
        "lamgate.db",
    ],
)
async def test_what_is_no_database_of_ours_is_refused_by_name(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///path"):
        await Store.open(url)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(file_url: str) -> None:
    path = sqlite_path(make_url(file_url))
    path.write_text("a shopping list, which is no database, but longer than a header" * 20)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="not a database"):
        await Store.open(file_url)
    assert path.read_bytes() == before


async def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(f"sqlite:///{tmp_path / 'file' / 'lamgate.db'}")
