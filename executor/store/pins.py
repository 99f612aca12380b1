"""What operators accepted of servers that describe themselves: by connection, every time it was.

The newest row of a connection is its pin. An older one is never changed or deleted: who accepted
what, and when, stays.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from connectors.spec import JsonObject
from executor.store.tables import pins
from executor.store.text import to_object, to_text


@dataclass(frozen=True)
class PinRow:
    """One acceptance of a whole set of definitions."""

    connection: str
    digest: str
    definitions: JsonObject
    by: str
    at: float


def add(c: Connection, row: PinRow) -> None:
    """Pin it from this commit on."""
    newest = select(func.max(pins.c.n)).where(pins.c.connection == row.connection)
    n = c.execute(newest).scalar_one() or 0
    c.execute(
        insert(pins).values(
            connection=row.connection,
            n=n + 1,
            digest=row.digest,
            definitions=to_text(row.definitions),
            accepted_by=row.by,
            at=row.at,
        )
    )


def newest(c: Connection, connection: str) -> PinRow | None:
    """What was accepted last."""
    found = select(pins).where(pins.c.connection == connection).order_by(pins.c.n.desc()).limit(1)
    row = c.execute(found).one_or_none()
    if row is None:
        return None
    definitions = to_object(row.definitions)
    return PinRow(connection, row.digest, definitions, row.accepted_by, row.at)
