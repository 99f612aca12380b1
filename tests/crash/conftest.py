"""One shop and one process to fork from for all trials; the figures are told at the end."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import trials

from executor.store.store import Store

ROOT = Path(__file__).parents[2]
sys.path[:0] = [
    str(ROOT / "tests" / "store"),
    str(ROOT / "tests" / "run"),
]
import servers  # noqa: E402


@pytest.fixture(scope="module")
def crashes(shop: Any) -> Iterator[trials.Crashes]:
    """Trials in files, or on a server: `LAMGATE_CRASH_DATABASE` is its address, or `own`."""
    database = os.environ.get("LAMGATE_CRASH_DATABASE")
    if not database:
        with trials.crashes(shop, trials.in_a_file) as found:
            yield found
        return
    why = servers.missing() if database == "own" else None
    if why:
        pytest.skip(why)
    where = servers.server() if database == "own" else nullcontext(servers.Server(database))
    with where as server:
        database = servers.Cleared(asyncio.run(_prepared(server)))
        with trials.crashes(shop, lambda _: database.clear(), is_shared=True) as found:
            yield found


async def _prepared(server: servers.Server) -> str:
    """A database with all tables, the queue's too, that is emptied for each trial."""
    from executor.dispatch.dbos import DbosQueue

    async def nothing(_: object) -> None: ...

    url = server.new_database()
    await (await Store.open(url)).close()
    queue = DbosQueue(url, "nobody", 0)
    await queue.open(nothing)
    await queue.leave(0)
    return url
