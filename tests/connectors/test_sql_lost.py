"""Connections that are lost on a real server: only a commit without an answer leaves a doubt."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from lossy_way import Cut, Way
from sql_world import Stock, call, way_to
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from connectors.builtin.sql.connector import SqlConnector
from connectors.builtin.sql.turn import Turn
from connectors.connector import Applied
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import JsonObject

MOVE: JsonObject = {"sku": "BOWL", "quantity": 3}


@asynccontextmanager
async def disturbed(stock: Stock, cut: Cut) -> AsyncIterator[tuple[SqlConnector, Way]]:
    """The connector over a way on which the next commit goes wrong."""
    async with way_to(stock.url) as (way, url):
        connector = stock.connector(url)
        await call(connector, "shelf_get", {"sku": "BOWL"})  # what a first connection asks for
        way.cut = cut
        yield connector, way


@pytest.mark.parametrize(("cut", "moves"), [("before", 0), ("after", 1), ("silent", 1)])
@pytest.mark.parametrize("operation", ["move_make", "move_blindly"])
async def test_a_commit_without_an_answer_is_uncertain_whether_it_arrived_or_not(
    served_stock: Stock, operation: str, cut: Cut, moves: int
) -> None:
    async with disturbed(served_stock, cut) as (connector, way):
        found = await call(connector, operation, MOVE, seconds=0.7)

    assert isinstance(found, Uncertain)
    assert way.cuts == 1
    assert served_stock.moves() == moves


@pytest.mark.parametrize(("cut", "replayed"), [("before", False), ("after", True)])
async def test_a_keyed_write_whose_answer_was_lost_is_made_once_by_asking_again(
    served_stock: Stock, cut: Cut, replayed: bool
) -> None:
    async with disturbed(served_stock, cut) as (connector, _):
        first = await call(connector, "move_make", MOVE, key="LOST")
        second = await call(connector, "move_make", MOVE, key="LOST")

    assert isinstance(first, Uncertain)
    assert isinstance(second, Applied)
    assert second.replayed is replayed
    assert served_stock.moves() == 1


@pytest.mark.parametrize(("cut", "is_there"), [("before", False), ("after", True)])
async def test_a_look_up_tells_whether_a_commit_without_an_answer_arrived(
    served_stock: Stock, cut: Cut, is_there: bool
) -> None:
    async with disturbed(served_stock, cut) as (connector, _):
        await call(connector, "move_note", MOVE, key="LOST")
        found = await call(connector, "move_find", {"reference": "LOST"})

    assert isinstance(found, Applied)
    assert (found.output is not None) is is_there


async def test_a_commit_that_the_database_refuses_has_kept_nothing_and_leaves_no_doubt(
    served_stock: Stock,
) -> None:
    served_stock.ask("ALTER TABLE moves DROP CONSTRAINT moves_sku_fkey")
    served_stock.ask(
        "ALTER TABLE moves ADD FOREIGN KEY (sku) REFERENCES shelves (sku)"
        " DEFERRABLE INITIALLY DEFERRED"
    )
    end = await call(served_stock.connector(), "move_make", {"sku": "NONE", "quantity": 1})

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code) == (Kind.CONFLICT, "23503")
    assert served_stock.moves() == 0
    assert served_stock.ask("SELECT * FROM lamgate_receipts") == []


async def test_a_connection_that_is_lost_before_the_commit_has_kept_nothing(
    served_stock: Stock,
) -> None:
    connector = served_stock.connector()
    async with served_stock.locked():
        asked = asyncio.create_task(call(connector, "shelf_take", {"sku": "BOWL", "pieces": 1}))
        await waiting(served_stock)
        served_stock.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'lamgate'"
        )
        end = await asked

    assert isinstance(end, Unavailable)
    assert end.sent
    assert served_stock.on_hand() == 10


async def waiting(stock: Stock) -> None:
    """Wait until somebody waits for a lock."""
    until = time.monotonic() + 10
    while not stock.ask("SELECT 1 FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def test_an_idle_connection_that_the_server_closed_is_not_used(served_stock: Stock) -> None:
    connector = served_stock.connector()
    await call(connector, "shelf_get", {"sku": "BOWL"})
    served_stock.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lamgate'"
    )
    end = await call(connector, "move_make", MOVE)

    assert isinstance(end, Applied)


async def test_what_a_stopped_process_had_begun_is_taken_back_by_the_server(
    served_stock: Stock,
) -> None:
    database = served_stock.connector()._database
    await database.ready()

    def stop_in_the_middle() -> None:
        now = time.monotonic()
        turn = Turn(now + 0.3, now + 0.3, is_write=True)
        with database.transaction(turn, is_write=True) as connection:
            connection.execute(text("UPDATE shelves SET on_hand = 0"))
            time.sleep(0.6)  # as a process that is stopped, and does not look at any clock
            connection.commit()

    with pytest.raises(DBAPIError, match=r"idle|terminat|clos"):
        await asyncio.to_thread(stop_in_the_middle)
    assert served_stock.on_hand() == 10


async def test_a_server_that_is_not_there_was_sent_nothing(served_stock: Stock) -> None:
    async with way_to(served_stock.url) as (_, url):
        pass
    end = await call(served_stock.connector(url), "move_make", MOVE)

    assert isinstance(end, Unavailable)
    assert not end.sent


async def test_an_address_that_the_operator_did_not_allow_is_not_connected_to(
    served_stock: Stock,
) -> None:
    elsewhere = served_stock.url.replace("127.0.0.1", "127.0.0.2")
    end = await call(served_stock.connector(elsewhere, allow=()), "move_make", MOVE)

    assert isinstance(end, Refused)
    assert "allow_hosts" in end.message


async def test_a_role_that_is_not_let_in_is_a_credential_that_is_wrong(served_stock: Stock) -> None:
    connector = served_stock.connector(served_stock.url.replace("lamgate@", "nobody@"))
    end = await call(connector, "move_make", MOVE)

    assert isinstance(end, Refused)
    assert end.kind is Kind.AUTH


async def test_what_the_role_may_not_do_is_told_as_such(served_stock: Stock) -> None:
    role = f"lamgate_reader_{os.getpid()}"
    served_stock.ask(f"CREATE ROLE {role} LOGIN")
    connector = served_stock.connector(served_stock.url.replace("lamgate@", f"{role}@"))
    end = await call(connector, "shelf_get", {"sku": "BOWL"})
    await connector.aclose()
    served_stock.ask(f"DROP ROLE {role}")

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code) == (Kind.AUTH, "42501")
