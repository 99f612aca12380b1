"""The migrations make exactly the tables that the code knows, and a newer schema is refused."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect

from executor.store.errors import NewerSchemaError
from executor.store.store import Store, database_path
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
                (each["name"] or "", tuple(each["column_names"]), bool(each["unique"]))
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


async def test_the_migrations_make_the_tables_of_the_code(
    store: Store, url: str, tmp_path: Path
) -> None:
    migrated, declared = create_engine(url), create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(declared)
    shapes = _shape(migrated), _shape(declared)
    migrated.dispose()
    declared.dispose()

    assert shapes[0] == shapes[1]


def test_every_table_has_the_tenant_first_in_its_key() -> None:
    first = {table.name: next(iter(table.primary_key)).name for table in metadata.sorted_tables}

    assert set(first.values()) == {"tenant"}


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
    await store.close()
    before = database_path(url).read_bytes()

    with pytest.raises(NewerSchemaError, match="9999"):
        await Store.open(url)
    assert database_path(url).read_bytes() == before


async def test_every_commit_is_synced_to_a_write_ahead_log(store: Store) -> None:
    def pragmas(c: Connection) -> list[object]:
        return [
            c.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert await store.write(pragmas) == ["wal", 2, 1]  # 2 is FULL


def _version(c: Connection) -> str:
    return str(c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
