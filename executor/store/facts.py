"""What is true of a whole database: which journal it holds, and what must be one everywhere."""

from sqlalchemy import Connection, delete, insert, select, update

from executor.store.tables import facts

CLOCK = "clock"  # since when the database's clock is behind the time, and by how much
SECRET = "secret"  # noqa: S105 - a name: of a check value, which tells nothing of it
MOVED_TO = "moved-to"  # of a file: the server on which it goes on
DELETED = "deleted"  # until when what has ended was deleted
MOVED_FROM = "moved-from"  # of a server: the move by which it came to hold what it holds


def fact(c: Connection, name: str) -> str | None:
    """A fact, or None if it was never noted."""
    return c.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def note(c: Connection, name: str, value: str) -> None:
    """Note a fact, or what is true of it now."""
    changed = c.execute(update(facts).where(facts.c.name == name).values(value=value))
    if changed.rowcount == 0:
        c.execute(insert(facts).values(name=name, value=value))


def settled(c: Connection, name: str, value: str) -> str:
    """Note a fact unless it was noted before; returns what holds."""
    found = fact(c, name)
    if found is None:
        c.execute(insert(facts).values(name=name, value=value))
    return value if found is None else found


def forget(c: Connection, name: str) -> None:
    """What was noted is true no more."""
    c.execute(delete(facts).where(facts.c.name == name))
