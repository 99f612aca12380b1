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

from sqlalchemy import Connection, inspect, text

from executor.store import facts
from executor.store.errors import MovedError, NewerSchemaError, OtherSchemaError, StoreError
from executor.store.tables import metadata

SCHEMA = "0006"  # the newest revision of the tables
JOURNAL = 2  # raise it with a change that the version before cannot read
_NAME = "journal"


def migrate(connection: Connection, journal: int = JOURNAL) -> None:
    """Upgrade to the newest known schema.

    Raises `NewerSchemaError`, `OtherSchemaError` or `MovedError`, and then touches nothing.
    """
    current = _revision(connection)
    if current == SCHEMA:
        _require_tables(connection, current)
    elif current is not None:
        _require_known(connection, current)
    if current is not None:
        require_readable(connection, journal)
        require_here(connection)
    connection.rollback()
    if current != SCHEMA:
        from executor.store.upgrade import upgrade

        upgrade(connection)
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
        raise moved(told)


def moved(told: str) -> MovedError:
    """Why a file is not used that has the fact `MOVED_TO`."""
    move = json.loads(told)
    begun = datetime.fromtimestamp(move["at"], UTC)
    return MovedError(
        f"what this file holds was moved to {move['to']} ({begun:%Y-%m-%d %H:%M}Z) and goes on "
        "there, or is to go on there once `lamgate move`, which was cut off, is said again"
    )


def require_newest(connection: Connection) -> None:
    """Raise a `StoreError` unless the schema is that of this version; changes nothing."""
    current = _revision(connection)
    if current is None:
        connection.rollback()
        raise StoreError("the database holds nothing yet: no gateway has begun on it")
    if current != SCHEMA:
        _require_known(connection, current)
        connection.rollback()
        raise OtherSchemaError(
            f"the database has schema {current}, and this version {SCHEMA}: a gateway of this "
            "version takes it there when it starts"
        )
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


def _require_known(connection: Connection, revision: str) -> None:
    """Raise unless there is a way from here to the newest tables."""
    from executor.store.upgrade import is_known

    if not is_known(revision):
        connection.rollback()
        raise NewerSchemaError(
            f"the database has schema {revision}, which this version does not know; "
            "run the version that wrote it, or a newer one"
        )


def _revision(connection: Connection) -> str | None:
    """What the tables say that they are; of none, None."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    asked = text("SELECT version_num FROM alembic_version")
    found: str | None = connection.execute(asked).scalar_one_or_none()
    return found
