"""PostgreSQL as the store uses it: how it is opened, and what its errors mean to us.

Many processes write at once. What SQLite's one writer gives for nothing is had here by locks:
whoever writes about a run or request holds its row until the commit (`drives.hold`), and a
write that another process was faster than looks again.

A process that is stopped in the middle of a transaction would hold its rows for ever, so the
server ends such a session after a while; what it had written is gone then, as after a crash. It
knows no such limit for one that fell silent between two statements which it sends without waiting
for answers (a pipeline, as `executemany` is), and forgets it where one asked for answers and said
no more: those are ended by whoever looks after everything.
"""

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, Table, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from executor.store.clock import Moment, moment
from executor.store.errors import StoreError, StoreFullError, StoreUnavailableError
from executor.store.facts import CLOCK, fact

if TYPE_CHECKING:
    import psycopg

CONNECT_S = 2  # the least that libpq knows
# A connection whose other end is gone without a word is known to be lost after some seconds.
LOSSES = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
STATEMENT_S, LOCK_S, IDLE_S = 20, 2, 3
ANSWERS_S = 5.0
NAME = "lamgate"  # of our sessions, for whoever looks at the server
# Of a transaction that copies for hours: the server notices by itself that its other end is gone.
_MOVING = {
    "application_name": f"{NAME} moving",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}
_MIGRATION = 0x1A3_6A7E  # the number of our advisory lock
_SILENT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND application_name = :name"
    " AND (state = 'active' OR state LIKE 'idle in transaction%') AND wait_event = 'ClientRead'"
    " AND state_change < clock_timestamp() - make_interval(secs => :silent_s)"
)
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
_FULL = ("53100",)  # disk_full; its transaction is gone
_CLASH = ("40001", "40P01", "55P03")  # serialization_failure, deadlock_detected, lock_not_available
_TAKEN = ("23505",)  # unique_violation
# connection exceptions, operator interventions, resources: they pass by themselves
_PASSING = ("08", "57", "53", "40", "55", "25P")
_NO_ROOM = (
    "the disk of the database is full: nothing of this was kept. Free some space; "
    "work goes on by itself."
)
_GONE = "the database does not answer; work goes on by itself once it does"


class PostgresDatabase:
    """One database on a server, used by any number of processes."""

    is_shared = True
    answers_within_s: float | None = ANSWERS_S

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    def take(self) -> None:
        """Look whether the driver is installed; raises `StoreError`."""
        try:
            import psycopg  # noqa: F401 - an extra, and dear to import
        except ImportError as error:
            raise StoreError(
                "PostgreSQL needs the package psycopg: install lamgate[distributed]"
            ) from error

    def engine(self, *, writer: bool) -> Engine:
        """Make an engine; what readers see in one transaction is one moment."""
        options = {
            "statement_timeout": f"{STATEMENT_S}s",
            "lock_timeout": f"{LOCK_S}s",
            "idle_in_transaction_session_timeout": f"{IDLE_S}s",
            "synchronous_commit": "on",
            "default_transaction_read_only": "off" if writer else "on",
            "timezone": "UTC",
        }
        said = " ".join(f"-c {name}={value}" for name, value in options.items())
        return create_engine(
            self._url,
            poolclass=NullPool if writer else QueuePool,
            isolation_level="READ COMMITTED" if writer else "REPEATABLE READ",
            connect_args={
                "options": said,
                "application_name": NAME,
                **LOSSES,
            },
        )

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """Hold an advisory lock, so that of processes that start together one migrates."""
        with self.engine(writer=True).connect() as holder, holder.begin():
            # It says nothing while others migrate, and is not silent for that.
            holder.execute(text(f"SET LOCAL application_name = '{NAME} migrating'"))
            holder.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            holder.execute(text("SET LOCAL lock_timeout = 0"))
            holder.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION})
            yield

    def error(self, error: DBAPIError) -> StoreError:
        """What the database said, for the person who must act; its own words are the cause."""
        state = _state(error)
        ours: StoreError
        if state in _FULL:
            ours = StoreFullError(_NO_ROOM)
        elif _is_gone(error):
            ours = StoreUnavailableError(_GONE, said=str(error.orig).strip())
        elif state.startswith(_PASSING):
            ours = StoreUnavailableError(f"the database is busy: {_words(error)}")
        else:
            ours = StoreError(f"PostgreSQL: {_words(error)}")
        ours.__cause__ = error
        return ours

    def has_undone(self, connection: Connection, error: Exception) -> bool:
        """Whether the session is lost, or others hold what this transaction needs."""
        return isinstance(error, DBAPIError) and (_is_gone(error) or self.may_repeat(error))

    def is_gone(self, error: BaseException) -> bool:
        """Whether there is no session any more, or none could be had."""
        return _is_gone(error)

    def may_repeat(self, error: BaseException) -> bool:
        """Whether it clashed with another process, or there was no room."""
        return _state(error) in (*_CLASH, *_FULL)

    def has_collided(self, error: BaseException) -> bool:
        """Whether another process has written what this one was about to."""
        return _state(error) in _TAKEN

    def break_off(self, connection: Connection) -> None:
        """Close the socket under it: a half that is lost sends no word of its own."""
        import psycopg

        # It may be answered, or closed, at this very moment.
        with suppress(OSError, SQLAlchemyError, psycopg.Error):
            raw = connection.connection.dbapi_connection
            if isinstance(raw, psycopg.Connection):
                with socket.socket(fileno=os.dup(raw.fileno())) as half:
                    half.shutdown(socket.SHUT_RDWR)

    def now(self, connection: Connection) -> Moment:
        """By the server's clock, which goes on where it was set back."""
        server = text("SELECT extract(epoch FROM clock_timestamp())::float8")
        found = float(connection.execute(server).scalar_one())
        return moment(found, fact(connection, CLOCK))

    def up_since(self, connection: Connection) -> float:
        """By its own word; a standby that has taken over was started at another time."""
        started = text("SELECT extract(epoch FROM pg_postmaster_start_time())::float8")
        return float(connection.execute(started).scalar_one())

    def publish_address(self, address: str, *, is_passing: bool = False) -> None:
        """There is nothing to find it by: several gateways may serve one database."""

    def release(self) -> None:
        """Nothing is held."""


def end_silent(c: Connection, silent_s: float = IDLE_S) -> int:
    """End the sessions that fell silent in the middle of what they were saying; returns how many.

    Their transactions are undone. A process that only was slow gets another session.
    """
    return len(c.execute(_SILENT, {"name": NAME, "silent_s": silent_s}).all())


def take_whole(c: Connection, tables: Iterable[Table]) -> None:
    """Have these tables to oneself until the end of a transaction that may take hours."""
    for name, value in _MOVING.items():
        c.execute(text(f"SET LOCAL {name} = '{value}'"))
    names = ", ".join(_spelled(c, each) for each in tables)
    c.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def others(c: Connection) -> int:
    """How many other sessions there are in this database."""
    return int(c.execute(_OTHERS).scalar_one())


def copy_in(c: Connection, table: Table, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as they come, without keeping them."""
    with _copying(c, table, "FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def copied_out(c: Connection, table: Table) -> Iterator[tuple[object, ...]]:
    """Read the rows of a table as they come, in no order."""
    with _copying(c, table, "TO STDOUT") as copy:
        copy.set_types([each.type.compile(c.dialect).lower() for each in table.c])
        yield from copy.rows()


def address_of(url: str) -> str:
    """The address for whoever opens connections without this store: losses are seen there too."""
    losses = {name: str(value) for name, value in LOSSES.items()}
    address = make_url(url).set(drivername="postgresql").update_query_dict(losses)
    return address.render_as_string(hide_password=False)


@contextmanager
def _copying(c: Connection, table: Table, which_way: str) -> Iterator["psycopg.Copy"]:
    """PostgreSQL's own copying, which only the driver can do."""
    import psycopg

    columns = ", ".join(_spelled(c, each) for each in table.c)
    statement = f"COPY {_spelled(c, table)} ({columns}) {which_way}"
    raw = c.connection.dbapi_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - said by who opened it
    try:
        with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            yield copy
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error) from error


def _spelled(c: Connection, named: Table | Column[object]) -> str:
    """A name as a statement has it."""
    return c.dialect.identifier_preparer.quote(named.name)


def _is_gone(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    state = _state(error)
    if error.connection_invalidated or state.startswith(("08", "57P")) or state == "25P03":
        return True
    return not state and type(error.orig).__name__ == "OperationalError"


def _state(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None) or ""


def _words(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
