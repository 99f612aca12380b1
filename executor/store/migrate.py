"""Brings a database to the schema of this version, and refuses a newer one or a strange one.

Two numbers say what a database holds: the revision of its tables, and the version of its
journal, that is of the events and what they mean. Both only grow. This version reads the journal
that it writes and the one before it; the first process of a newer version raises the number,
and from then on those of the older one end in good order (`dispatch/distributed.py`).

An older schema that has a number is migrated. Tables that are not what their number says were made
by a version that was never released: nobody knows the way from them, so nothing is touched.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from executor.store import facts
from executor.store.errors import MovedError, NewerSchemaError, OtherSchemaError, StoreError
from executor.store.tables import metadata

JOURNAL = 1  # raise it with a change that the version before cannot read
_NAME = "journal"


def migrate(connection: Connection, journal: int = JOURNAL) -> None:
    """Upgrade to the newest known schema.

    Raises `NewerSchemaError`, `OtherSchemaError` or `MovedError`, and then touches nothing.
    """
    config = _config()
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current == scripts.get_current_head():
        _require_tables(connection, current)
    if current is not None and current in known:
        require_readable(connection, journal)
        require_here(connection)
    connection.rollback()
    if current is not None and current not in known:
        raise NewerSchemaError(
            f"the database has schema {current}, which this version does not know; "
            "run the version that wrote it, or a newer one"
        )
    command.upgrade(config, "head")
    facts.note(connection, _NAME, str(journal))
    connection.commit()


def require_readable(c: Connection, journal: int = JOURNAL) -> None:
    """Raise unless this version can go on from what the journal holds."""
    found = int(facts.fact(c, _NAME) or journal)
    if found > journal:
        raise NewerSchemaError(
            f"the journal is of version {found}, this is {journal}; run the version that wrote "
            "it, or a newer one"
        )
    if found < journal - 1:
        raise OtherSchemaError(
            f"the journal is of version {found}, and this version reads {journal - 1} and "
            f"{journal}: run the version in between first"
        )


def require_here(c: Connection) -> None:
    """Raise unless what the database holds goes on here; a file may have been moved to a server."""
    if (told := facts.fact(c, facts.MOVED_TO)) is not None:
        move = json.loads(told)
        begun = datetime.fromtimestamp(move["at"], UTC)
        raise MovedError(
            f"what this file holds was moved to {move['to']} ({begun:%Y-%m-%d %H:%M}Z) and goes on "
            "there, or is to go on there once `lamgate move`, which was cut off, is said again"
        )


def require_newest(connection: Connection) -> None:
    """Raise `StoreError` unless the schema is that of this version; changes nothing."""
    current = MigrationContext.configure(connection).get_current_revision()
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if current is None or current != newest:
        connection.rollback()
        raise StoreError(f"the database has schema {current}, and this version {newest}")
    _require_tables(connection, current)
    connection.rollback()


def _require_tables(connection: Connection, revision: str) -> None:
    """Raise unless the tables have the columns that a schema of this number has."""
    wanted = {(table.name, column.name) for table in metadata.sorted_tables for column in table.c}
    ours = {table for table, _ in wanted}
    tables = inspect(connection).get_multi_columns().items()
    found = {(name, str(each["name"])) for (_, name), columns in tables for each in columns}
    differ = sorted(f"{table}.{column}" for table, column in wanted ^ found if table in ours)
    if differ:
        connection.rollback()
        raise OtherSchemaError(
            f"the database says that it has schema {revision}, and its tables are others "
            f"({', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''}): a version that was "
            "never released has made it. Go on with that version, or name a new database"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
