"""INSERT ... ON CONFLICT, which both databases spell alike and SQLAlchemy has one of each for."""

from collections.abc import Callable, Mapping

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert
_INSERT: Mapping[str, Callable[[Table], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_into(dialect: str, table: Table) -> Insert:
    """An insert that may say what it does where the row is there already."""
    return _INSERT[dialect](table)
