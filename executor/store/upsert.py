"""INSERT ... ON CONFLICT, which both databases spell alike and SQLAlchemy has one of each for."""

from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Insert = sqlite.Insert | postgresql.Insert


def insert_into(dialect: str, table: Table) -> "Insert":
    """An insert that may say what it does where the row is there already."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # dear to load, and for a file not needed

    return postgresql.insert(table)
