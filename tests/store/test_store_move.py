"""A file that is moved to a server: all of it or nothing, and never two that go on."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Double, Integer, Table, func, insert, select, text

from executor.store import facts, stops
from executor.store.backup import copy
from executor.store.beside import read_beside, write_beside
from executor.store.errors import (
    MovedError,
    NotEmptyError,
    OtherSchemaError,
    StoreError,
    StoreLockedError,
)
from executor.store.migrate import migrate
from executor.store.move import TABLES, move_to_server, place_of, undo, undo_alone
from executor.store.store import Store, backend_of, database_path
from executor.store.tables import events, keys, limits, metadata
from executor.store.tables import facts as noted

HERE = Path(__file__).parent
TEXTS = ("", "\\N", "\\.", "tab\t line\n\r\\", "naïve 😀 \x7f", '{"a":"b\\u0000"}', "x" * 70_000)
NUMBERS = (0, -1, 2**31 - 1)
DOUBLES = (0.1, 1 / 3, 1764168649.123457, float("inf"), 5e-324)
ROWS = 7
Held = dict[str, list[str]]


def _value(column: Column[object], n: int) -> object:
    """A value of this column, which may be anything that its type can be."""
    refers = next(iter(column.foreign_keys), None)
    if column.primary_key or column.unique or refers is not None:
        name = column.name if refers is None else refers.column.name
        return n if isinstance(column.type, Integer) else f"{name} {n}"
    if column.nullable and n == 0:
        return None
    values = {Integer: NUMBERS, Double: DOUBLES}.get(type(column.type), TEXTS)
    return values[n % len(values)]


def _fill(url: str, tables: Sequence[Table] = TABLES) -> None:
    """A file of this version, with rows in every table that the code declares."""
    engine = backend_of(url).engine(writer=True)
    with engine.connect() as c:
        migrate(c)
        for table in tables:
            rows = [{each.name: _value(each, n) for each in table.c} for n in range(ROWS)]
            c.execute(insert(table), rows)
        c.commit()
    engine.dispose()


def _held(url: str) -> Held:
    """All that a database holds, but for what says that it was moved."""
    engine = backend_of(url).engine(writer=False)
    with engine.connect() as c:
        found = {each.name: sorted(str(tuple(row)) for row in c.execute(select(each)))
                 for each in metadata.sorted_tables}  # fmt: skip
    engine.dispose()
    found["facts"] = [each for each in found["facts"] if not each.startswith("('moved-")]
    return found


def _rows(url: str, table: Table) -> int:
    engine = backend_of(url).engine(writer=False)
    with engine.connect() as c:
        found: int = c.execute(select(func.count()).select_from(table)).scalar_one()
    engine.dispose()
    return found


def _run(url: str, *statements: str) -> None:
    engine = backend_of(url).engine(writer=True)
    with engine.connect() as c:
        for each in statements:
            c.execute(text(each))
        c.commit()
    engine.dispose()


def test_every_row_of_every_table_that_the_code_declares_is_on_the_server_as_it_was(
    file_url: str, server_url: str
) -> None:
    _fill(file_url)
    before, told = _held(file_url), dict[str, int]()
    moved = move_to_server(file_url, server_url, told.__setitem__)

    assert {*moved.rows} == {*told} == {*metadata.tables}
    assert all(count == ROWS + (name == "facts") for name, count in moved.rows.items())
    assert moved.rows == told
    assert _held(server_url) == before == _held(file_url)


def test_no_table_counts_up_by_itself_so_none_has_to_be_told_where_to_go_on(
    server_url: str,
) -> None:
    counting = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema ="
        " 'public' AND (is_identity = 'YES' OR column_default LIKE 'nextval%')"
    )

    assert read_beside(server_url, lambda c: c.execute(counting).all()) == []


async def test_a_file_that_was_moved_is_refused_whoever_asks_for_it(
    file_url: str, server_url: str
) -> None:
    await (await Store.open(file_url)).close()
    move_to_server(file_url, server_url)

    with pytest.raises(MovedError, match="goes on there"):
        await Store.open(file_url)
    with pytest.raises(MovedError):
        write_beside(file_url, lambda c, now: None)
    with pytest.raises(MovedError):
        read_beside(file_url, lambda c: None)
    file = database_path(file_url)
    assert file is not None
    with pytest.raises(MovedError):  # a copy would be of what goes on elsewhere
        copy(file, file.with_name("copy.db"))
    assert not file.with_name("copy.db").exists()
    with pytest.raises(MovedError):
        move_to_server(file_url, "postgresql://lamgate@db.internal/another")
    again = move_to_server(file_url, server_url)
    assert again.was_before
    assert again.rows == {each.name: _rows(server_url, each) for each in TABLES}


@pytest.mark.parametrize("tables", [1, len(TABLES), len(TABLES) + 1])
def test_a_move_that_was_killed_leaves_all_or_nothing_and_is_made_by_the_same_words(
    file_url: str, server_url: str, tables: int
) -> None:
    _fill(file_url)
    before, empty = _held(file_url), _held(server_url)
    process = [sys.executable, str(HERE / "moving_process.py"), file_url, server_url, str(tables)]
    ended = subprocess.run(
        process, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])}, capture_output=True
    )
    assert ended.returncode == -9, ended.stderr.decode()
    left = _held(server_url)
    with pytest.raises(MovedError, match="cut off"):
        asyncio.run(Store.open(file_url))
    again = move_to_server(file_url, server_url)

    assert left == (before if tables > len(TABLES) else empty)
    assert again.was_before == (tables > len(TABLES))
    assert _held(server_url) == before == _held(file_url)


async def test_what_the_server_does_not_take_leaves_the_file_in_use_and_the_server_empty(
    file_url: str, server_url: str
) -> None:
    _fill(file_url)
    _run(file_url, "UPDATE limits SET quota_left = 3000000000")
    empty = _held(server_url)
    with pytest.raises(StoreError, match="3000000000"):
        move_to_server(file_url, server_url)
    before = _held(file_url)
    _run(file_url, "UPDATE limits SET quota_left = 3")

    assert _held(server_url) == empty
    assert read_beside(file_url, _quotas) == {3}
    assert {*before} == {*_held(file_url)}


def _quotas(c: Connection) -> set[int | None]:
    return {*c.execute(select(limits.c.quota_left)).scalars()}


async def test_only_a_file_of_this_version_that_nobody_uses_is_moved_and_only_to_an_empty_database(
    file_url: str, server_url: str, tmp_path: Path
) -> None:
    store = await Store.open(file_url)
    with pytest.raises(StoreLockedError):
        move_to_server(file_url, server_url)
    await store.close()
    with pytest.raises(StoreError, match="no database"):
        move_to_server(f"sqlite:///{tmp_path / 'none.db'}", server_url)
    with pytest.raises(StoreError, match="moved to a server"):
        move_to_server(file_url, f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(StoreError, match="only what a file holds"):
        move_to_server(server_url, server_url)
    _fill(file_url, [keys])
    _run(server_url, "INSERT INTO facts VALUES ('secret', 'of another')")
    with pytest.raises(NotEmptyError, match=r"facts: 1 rows"):
        move_to_server(file_url, server_url)
    _run(file_url, "CREATE TABLE forgotten (name TEXT)")
    with pytest.raises(OtherSchemaError, match="forgotten"):
        move_to_server(file_url, server_url)
    _run(file_url, "DROP TABLE forgotten")
    await (await Store.open(file_url)).close()

    assert not (tmp_path / "none.db").exists()


async def test_a_move_is_taken_back_exactly_as_long_as_nothing_happened_on_the_server(
    file_url: str, server_url: str
) -> None:
    _fill(file_url)
    with pytest.raises(StoreError, match="was not moved"):
        undo(file_url, server_url)
    before, empty = _held(file_url), _held(server_url)
    move_to_server(file_url, server_url)
    with pytest.raises(MovedError, match="was moved to"):
        undo(file_url, server_url.rpartition("/")[0] + "/postgres")
    undone = undo(file_url, server_url)
    left = _held(server_url)
    await (await Store.open(file_url)).close()
    move_to_server(file_url, server_url)
    store = await Store.open(server_url)
    await store.write(lambda c: facts.note(c, "said", "since"))
    await store.close()
    with pytest.raises(MovedError, match="work has gone on"):
        undo(file_url, server_url)

    assert undone == place_of(server_url)
    assert left == empty
    with pytest.raises(MovedError):
        await Store.open(file_url)
    assert _held(file_url) == before


async def test_a_file_that_goes_on_without_its_server_does_so_with_every_call_stopped(
    file_url: str, server_url: str
) -> None:
    await (await Store.open(file_url)).close()
    move_to_server(file_url, server_url)
    row = stops.StopRow(stops.ALL, "stop_1", stops.ALL, "somebody", "the server is lost", 0.0)
    undo_alone(file_url, lambda c, now: void(stops.add(c, row)))
    store = await Store.open(file_url)
    standing = await store.read(lambda c: stops.listed(c, "main"))
    await store.close()

    assert [each.id for each in standing] == ["stop_1"]


def void(_: object) -> None:
    """Of what is done, not what it gives back."""


async def test_no_wait_gets_longer_where_the_servers_clock_is_behind_the_files(
    file_url: str, server_url: str
) -> None:
    await (await Store.open(file_url)).close()
    ahead = time.time() + 7200
    engine = backend_of(file_url).engine(writer=True)
    with engine.begin() as c:
        c.execute(
            insert(events).values(
                tenant="main", subject="run_1", seq=1, at=ahead, type="run.started", v=1, data="{}"
            )
        )
    engine.dispose()
    move_to_server(file_url, server_url)
    store = await Store.open(server_url)
    told = store.clock()
    await store.close()

    assert ahead <= told < ahead + 60


def test_one_database_has_one_name_whoever_asks_for_it() -> None:
    assert (
        place_of("postgresql://a:secret@db.internal/lamgate")
        == place_of("postgresql+psycopg://b@db.internal:5432/lamgate?sslmode=require")
        == "postgresql://db.internal:5432/lamgate"
    )
    assert place_of("postgresql:///lamgate?host=/run/pg") == "postgresql:///run/pg:5432/lamgate"
    assert noted.name in {each.name for each in TABLES}
