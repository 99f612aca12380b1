"""A process that falls silent amid what it says keeps others from its rows for seconds at most."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from store_cases import NOW, TENANT, add_run

from executor.store import drives, workers
from executor.store.drives import Due
from executor.store.postgres import IDLE_S, NAME, end_silent
from executor.store.store import Store

RUN = Due("run", TENANT, "run_a")
HOLD = b"UPDATE runs SET priority = priority"
PATIENT = text("SET LOCAL lock_timeout = '30s'")  # whoever waits for a row waits out a slow machine


def claim(c: Connection) -> drives.Claim | None:
    """Claims the run, however long its row is held."""
    c.execute(PATIENT)
    return drives.claim(c, RUN, "heir", NOW)


@pytest.fixture(params=["amid statements", "after a transaction's statements"])
async def silent(
    request: pytest.FixtureRequest, server_store: Store, server_url: str
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Amid a pipeline, as a process that was stopped there: it holds a row, and says no more.

    What it said may have been answered, and it begun to say something: then the server's own limit
    for transactions in which nothing is said does not run any more, though it calls it idle.
    """
    await server_store.write(partial(add_run, run=RUN.id))
    address = make_url(server_url).set(drivername="postgresql")
    connection = await psycopg.AsyncConnection.connect(
        address.render_as_string(hide_password=False), application_name=NAME
    )
    await connection.execute("SELECT 1")
    raw = connection.pgconn
    raw.enter_pipeline_mode()
    raw.send_query_params(HOLD, None)
    if request.param == "after a transaction's statements":
        raw.pipeline_sync()
        raw.flush()
        await asyncio.sleep(0.1)  # by then it is answered
    raw.send_flush_request()
    raw.flush()
    while raw.is_busy():  # until the server has the row
        await asyncio.sleep(0.005)
        raw.consume_input()
    yield connection
    raw.finish()


async def test_its_session_is_ended_once_it_said_nothing_for_a_while_and_no_sooner(
    silent: psycopg.AsyncConnection, server_store: Store
) -> None:
    claiming = asyncio.create_task(server_store.write(claim))
    await asyncio.sleep(0.2)
    early = await server_store.read(end_silent)
    ended = await server_store.write_at_once(partial(end_silent, silent_s=0.1))
    claimed = await claiming

    assert early == 0
    assert ended == 1
    assert claimed is not None


async def test_others_keep_their_leases_while_they_wait_for_a_row_of_it(
    silent: psycopg.AsyncConnection, server_store: Store
) -> None:
    claiming = asyncio.create_task(server_store.write(claim))
    await asyncio.sleep(0.1)
    renew = partial(workers.renew, worker="heir", place="here:1", lease_s=4.0, now=NOW)
    await server_store.write_at_once(renew)
    is_held = not claiming.done()
    await server_store.write_at_once(partial(end_silent, silent_s=0.05))
    claimed = await claiming

    assert is_held
    assert claimed is not None


async def test_whoever_looks_after_everything_waits_for_no_row_and_hands_back_all_others(
    server_store: Store, server_url: str
) -> None:
    free = Due("run", TENANT, "run_b")
    renew = partial(workers.renew, worker="dead", place="here:1", lease_s=4.0, now=NOW)
    await server_store.write(renew)
    for each in (RUN, free):
        await server_store.write(partial(add_run, run=each.id))
        await server_store.write(partial(drives.claim, due=each, driver="dead", now=NOW))
    address = make_url(server_url).set(drivername="postgresql")
    said = address.render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(said) as holder:
        await holder.execute("UPDATE runs SET priority = priority WHERE id = 'run_a'")
        await holder.execute("UPDATE workers SET place = place")
        begun = time.monotonic()
        first = await server_store.write_at_once(partial(workers.watch, now=NOW + 9))
        await server_store.write_at_once(partial(workers.bury, worker="dead", now=NOW + 9))
        seconds = time.monotonic() - begun
    second = await server_store.write_at_once(partial(workers.watch, now=NOW + 9))

    assert seconds < 1  # a lock is waited for longer
    assert first is not None
    assert (list(first.dead), list(first.due)) == (["dead"], [free])
    assert second is not None
    assert {*second.due} == {RUN, free}


async def test_whoever_looks_after_everything_ends_what_is_silent(
    silent: psycopg.AsyncConnection, server_store: Store
) -> None:
    await asyncio.sleep(IDLE_S)
    seen = await server_store.write_at_once(partial(workers.watch, now=time.time()))
    claimed = await server_store.write(partial(drives.claim, due=RUN, driver="heir", now=NOW))

    assert seen is not None
    assert claimed is not None
