"""The migrations make exactly the tables that the code knows, and a newer schema is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from servers import Server
from sqlalchemy import Connection, Engine, insert, inspect
from sqlalchemy.engine import make_url
from store_cases import NOW, RUN, TENANT

from executor.store import facts, plans, runs, tables, upgrade
from executor.store.errors import NewerSchemaError, OtherSchemaError
from executor.store.migrate import JOURNAL, SCHEMA, require_newest
from executor.store.sqlite import sqlite_path
from executor.store.store import Store, backend_of
from executor.store.tables import metadata


def _shape(engine: Engine) -> dict[str, object]:
    found = inspect(engine)
    return {
        table: {
            "columns": [
                (column["name"], column["nullable"])
                for column in sorted(found.get_columns(table), key=lambda each: each["name"])
            ],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (
                    each["name"] or "",
                    tuple(each["column_names"]),
                    bool(each["unique"]),
                    _where(each.get("dialect_options", {})),
                )
                for each in found.get_indexes(table)
            ),
            "unique": sorted(
                tuple(each["column_names"]) for each in found.get_unique_constraints(table)
            ),
            "foreign": sorted(
                (tuple(each["constrained_columns"]), each["referred_table"])
                for each in found.get_foreign_keys(table)
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _where(options: Mapping[str, object]) -> str:
    """Which rows an index has, if it has not all of them."""
    found = (str(said) for name, said in options.items() if name.endswith("_where"))
    return next(found, "")


async def test_the_migrations_make_the_tables_of_the_code_in_a_file(
    file_store: Store, file_url: str, tmp_path: Path
) -> None:
    assert _shapes(file_url, f"sqlite:///{tmp_path / 'declared.db'}")


async def test_the_migrations_make_the_tables_of_the_code_on_a_server(
    empty_url: str, postgres: Server
) -> None:
    await (await Store.open(empty_url)).close()

    assert _shapes(empty_url, postgres.new_database())


@pytest.mark.parametrize("place", ["file_url", "empty_url"])
@pytest.mark.parametrize("schema", ["0001", "0002", "0003", "0004", "0005"])
async def test_a_database_of_a_schema_before_is_brought_here_with_what_it_holds(
    request: pytest.FixtureRequest, schema: str, place: str
) -> None:
    url = request.getfixturevalue(place)
    backend = backend_of(url)
    engine = backend.engine(writer=True)
    with engine.connect() as before, backend.migrating(before):
        upgrade.upgrade(before, schema)
        before.rollback()
        with before.begin():
            _add_run_as_then(before)
    engine.dispose()
    store = await Store.open(url)

    assert await store.read(_version) == SCHEMA == "0006"
    assert await store.read(lambda c: runs.get(c, TENANT, RUN.id)) is not None
    await store.close()


def _add_run_as_then(c: Connection) -> None:
    plans.add(c, plans.PlanRow(TENANT, "pln_a", "sha256:0", "asker", None, {"language": 1}, NOW))
    said = {"plan": "pln_a", "requester": "asker", "status": "queued"}
    at = {"created_at": NOW, "updated_at": NOW}
    c.execute(insert(tables.runs).values(tenant=TENANT, id=RUN.id, **said, **at))


def test_the_newest_schema_is_what_the_last_migration_makes() -> None:
    assert upgrade.newest() == SCHEMA


def _shapes(migrated_url: str, declared_url: str) -> bool:
    migrated, declared = (
        backend_of(url).engine(writer=True) for url in (migrated_url, declared_url)
    )
    metadata.create_all(declared)
    shapes = _shape(migrated), _shape(declared)
    migrated.dispose()
    declared.dispose()
    assert shapes[0] == shapes[1]
    return bool(shapes[0])


def test_every_table_of_a_tenant_has_the_tenant_first_in_its_key() -> None:
    first = {table.name: next(iter(table.primary_key)).name for table in metadata.sorted_tables}
    of_no_tenant = {name for name, column in first.items() if column != "tenant"}

    assert of_no_tenant == {"facts", "pins", "workers"}


async def test_opening_again_changes_nothing(store: Store, url: str) -> None:
    version = await store.read(_version)
    await store.close()
    again = await Store.open(url)

    assert await again.read(_version) == version
    await again.close()


async def test_a_newer_schema_is_refused_and_not_touched(store: Store, url: str) -> None:
    await store.write(
        lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num='9999'").close()
    )
    before = await store.read(_facts)
    await store.close()

    with pytest.raises(NewerSchemaError, match="9999"):
        await Store.open(url)
    assert _looked_at(url) == before


async def test_a_newer_journal_is_refused_and_not_touched(store: Store, url: str) -> None:
    await store.write(lambda c: facts.note(c, "journal", str(JOURNAL + 1)))
    before = await store.read(_facts)
    await store.close()

    with pytest.raises(NewerSchemaError, match=f"version {JOURNAL + 1}, this is {JOURNAL}"):
        await Store.open(url)
    assert _looked_at(url) == before


async def test_the_journal_of_the_version_before_is_gone_on_with(store: Store, url: str) -> None:
    await store.write(lambda c: facts.note(c, "journal", str(JOURNAL - 1)))
    await store.close()
    again = await Store.open(url)

    assert await again.read(lambda c: facts.fact(c, "journal")) == str(JOURNAL)
    await again.close()


async def test_an_older_journal_than_that_is_refused(store: Store, url: str) -> None:
    await store.write(lambda c: facts.note(c, "journal", str(JOURNAL - 2)))
    await store.close()

    with pytest.raises(OtherSchemaError, match="run the version in between first"):
        await Store.open(url)


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ("ALTER TABLE runs RENAME COLUMN large TO big", "runs.big, runs.large"),
        ("ALTER TABLE attempts ADD COLUMN mood TEXT", "attempts.mood"),
        ("DROP TABLE pins", "pins.accepted_by"),
    ],
)
async def test_tables_that_are_not_what_their_number_says_are_refused_in_a_file(
    change: str, differ: str, file_url: str
) -> None:
    assert differ in await _refused(file_url, change)


async def test_tables_that_are_not_what_their_number_says_are_refused_on_a_server(
    empty_url: str,
) -> None:
    change = "ALTER TABLE runs RENAME COLUMN large TO big"

    assert "runs.big, runs.large" in await _refused(empty_url, change)


async def _refused(url: str, change: str) -> str:
    """What is said of a database that was changed like this, and is not touched."""
    store = await Store.open(url)
    await store.write(lambda c: c.exec_driver_sql(change).close())
    before = await store.read(_facts)
    await store.close()
    with pytest.raises(OtherSchemaError, match="never released") as refused:
        await Store.open(url)
    assert _looked_at(url) == before
    engine = backend_of(url).engine(writer=False)
    with engine.connect() as beside, pytest.raises(OtherSchemaError, match="never released"):
        require_newest(beside)  # as whoever writes beside a gateway does
    engine.dispose()
    return str(refused.value)


async def test_a_refused_file_is_not_touched(file_store: Store, file_url: str) -> None:
    await file_store.write(lambda c: facts.note(c, "journal", str(JOURNAL + 1)))
    await file_store.close()
    path = sqlite_path(make_url(file_url))
    before = path.read_bytes()

    with pytest.raises(NewerSchemaError):
        await Store.open(file_url)
    assert path.read_bytes() == before


def _facts(c: Connection) -> list[tuple[str, ...]]:
    rows = c.exec_driver_sql("SELECT name, value FROM facts ORDER BY name").all()
    return [(_version(c),), *((str(name), str(value)) for name, value in rows)]


def _looked_at(url: str) -> list[tuple[str, ...]]:
    engine = backend_of(url).engine(writer=False)
    with engine.connect() as connection:
        found = _facts(connection)
    engine.dispose()
    return found


async def test_every_commit_is_synced_to_a_write_ahead_log_of_a_file(file_store: Store) -> None:
    def pragmas(c: Connection) -> list[object]:
        return [
            c.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert await file_store.write(pragmas) == ["wal", 2, 1]  # 2 is FULL


async def test_a_commit_on_a_server_is_durable_and_nothing_waits_for_ever(
    server_store: Store,
) -> None:
    def said(c: Connection) -> list[object]:
        return [
            c.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "synchronous_commit",
                "transaction_isolation",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]

    assert await server_store.write(said) == ["on", "read committed", "20s", "2s", "3s"]
    assert (await server_store.read(said))[1] == "repeatable read"


def _version(c: Connection) -> str:
    return str(c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
