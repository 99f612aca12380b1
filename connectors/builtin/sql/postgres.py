"""PostgreSQL as statements use it: checked addresses, a few kept connections, the server's clocks.

The server ends a statement at the deadline, and a session that has stood still in a transaction
until then: what a stopped process had begun is taken back.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from sqlalchemy import Connection, CursorResult, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from connectors.builtin.sql.errors import POSTGRES, meaning
from connectors.builtin.sql.statements import CURSOR, Statement
from connectors.builtin.sql.turn import Phase, Turn
from connectors.errors import ConfigurationError, ConnectorError, Kind, Refused, Unavailable
from connectors.http import NotAllowedError, NotSentError, Transport
from connectors.text import visible

MOST_CONNECTIONS = 16
_PORT = 5432
_TLS = ("sslmode", "sslrootcert")
_SESSION: Mapping[str, object] = {
    "prepare_threshold": None,
    "application_name": "lamgate",
    "options": "-c timezone=UTC -c synchronous_commit=on",
    "connect_timeout": 5,
    # A connection whose other end is gone without a word is known to be lost after some seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# Of a connection that is refused the driver tells no code.
_NOT_LET_IN = re.compile(r"password|authentication|pg_hba\.conf|role .* does not exist")
_NO_WORD = ("08", "40003", "57P", "58", "XX")  # of a commit
_BOUNDS = text(
    "SELECT set_config('statement_timeout', :left, true),"
    " set_config('idle_in_transaction_session_timeout', :left, true)"
)


class Postgres:
    """One database on a server."""

    is_typed = True

    def __init__(
        self,
        where: str,
        address: URL,
        transport: Transport,
        reveal: Callable[[], Awaitable[str | None]],
    ) -> None:
        if not address.host or not address.database or not address.username:
            raise ConfigurationError(f"{where}: write postgresql://user@host/database")
        self._host, self._port = address.host, address.port or _PORT
        said: dict[str, object] = {
            "host": self._host,
            "port": self._port,
            "user": address.username,
            "dbname": address.database,
            **tls_of(where, address),
            **_SESSION,
        }
        self._transport = transport
        self._reveal = reveal
        self._addresses = ""
        self._password: str | None = None
        try:
            self._engine = create_engine(
                "postgresql+psycopg://",
                connect_args=said,
                poolclass=QueuePool,
                pool_size=4,
                max_overflow=MOST_CONNECTIONS - 4,
                pool_pre_ping=True,
                pool_recycle=600,
            )
        except ImportError as error:
            told = f"{where}: PostgreSQL needs the package psycopg: install lamgate[distributed]"
            raise ConfigurationError(told) from error
        event.listen(self._engine, "do_connect", self._sign_in)

    async def ready(self) -> None:
        """Resolve and check the host's addresses, and fetch the password; raises."""
        try:
            found = await self._transport.addresses(self._host, self._port)
        except NotAllowedError as error:
            raise Refused(str(error), kind=Kind.INVALID) from error
        except NotSentError as error:
            raise Unavailable(str(error)) from error
        self._addresses = ",".join(map(str, found))
        self._password = await self._reveal()

    @contextmanager
    def transaction(self, turn: Turn, *, is_write: bool) -> Iterator[Connection]:
        """Open a transaction; a read cannot write, and each ends at the deadline."""
        turn.opens()
        with self._engine.connect() as plain:
            connection = plain.execution_options(postgresql_readonly=not is_write)
            turn.works(partial(_break_off, connection))
            try:
                left = {"left": f"{max(1, int(turn.left_s * 1000))}ms"}
                connection.execute(_BOUNDS, left)
                yield connection
            finally:
                turn.lets_go()

    def rows(
        self, connection: Connection, said: Statement, values: Mapping[str, object], most: int
    ) -> CursorResult[tuple[object]]:
        """Say a read as the query of a cursor, and fetch so many rows of it."""
        connection.execute(said.cursor, values)
        return connection.execute(text(f"FETCH FORWARD {most} FROM {CURSOR}"))

    def affected(self, connection: Connection, result: CursorResult[tuple[object]]) -> int:
        """How many rows a write has touched."""
        return result.rowcount

    def meaning(self, error: DBAPIError, turn: Turn) -> ConnectorError:
        """What an error means, by its SQLSTATE; its detail, which quotes values, is left out."""
        state: object = getattr(error.orig, "sqlstate", None)
        said: object = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        words = str(said or error.orig)
        if turn.phase is Phase.COMMITTING and not _is_a_no(error):
            return turn.silence(visible(words, 300), Kind.UNAVAILABLE)
        if state is None and turn.phase is Phase.CONNECTING and _NOT_LET_IN.search(words):
            return Refused(visible(words, 300), kind=Kind.AUTH)
        if state is None and not isinstance(error, OperationalError | InterfaceError):
            return Refused(f"the driver: {visible(words, 300)}", kind=Kind.INVALID)
        return meaning(str(state or ""), words, POSTGRES, turn)

    def close(self) -> None:
        """Close the kept connections."""
        self._engine.dispose()

    def _sign_in(self, *told: object) -> None:
        """Say where it is and the password, which may be others than last time."""
        options = told[-1]
        if isinstance(options, dict):
            # As many names as addresses, or none of them is tried.
            names = ",".join([self._host] * len(self._addresses.split(",")))
            options |= {"host": names, "hostaddr": self._addresses, "password": self._password}


def _is_a_no(error: DBAPIError) -> bool:
    """Whether an error that came for a commit says that it was taken back.

    An end of the session does not, for a panic may be of a log that is read again; nor does what a
    proxy or the driver itself says.
    """
    state: object = getattr(error.orig, "sqlstate", None)
    diag = getattr(error.orig, "diag", None)
    severity: object = getattr(diag, "severity_nonlocalized", None)
    return isinstance(state, str) and severity == "ERROR" and not state.startswith(_NO_WORD)


def _break_off(connection: Connection) -> None:
    """Close the socket under it, so that the thread that waits at it learns of no answer."""
    import psycopg

    # It may be answered, or closed, at this very moment.
    with suppress(OSError, SQLAlchemyError, psycopg.Error):
        raw = connection.connection.dbapi_connection
        if isinstance(raw, psycopg.Connection):
            with socket.socket(fileno=os.dup(raw.fileno())) as half:
                half.shutdown(socket.SHUT_RDWR)


def tls_of(where: str, address: URL) -> dict[str, str]:
    """How the connection is protected: checked, unless the address says otherwise."""
    unknown = sorted(address.query.keys() - {*_TLS})
    if unknown:
        raise ConfigurationError(f"{where}: {unknown[0]}: only {' and '.join(_TLS)} can be said")
    said = {name: str(value) for name, value in address.query.items()}
    if said or is_loopback(address.host or ""):
        return said
    return {"sslmode": "verify-full", "sslrootcert": "system"}


def is_loopback(host: str) -> bool:
    """Whether what is said to a host never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
