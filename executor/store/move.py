"""What a file holds is moved to a server's database, row for row, so that everything goes on there.

At each moment at most one of the two can be used. The order of the steps sees to that:

    1. the file is locked: no gateway has it, and none begins
    2. the server's tables are made, locked, and found to hold nothing
    3. the file is marked as moved: from this commit on it is refused, whoever asks for it
    4. all tables are copied, read back and compared, and committed, in one transaction

A process that dies before 3 has done nothing, and between 3 and 4 leaves a file that is refused
and a server that holds nothing: said again, it begins anew at 1. The server knows the mark of what
it holds, so after 4 the same words find that nothing is left to do. What fails before it is
committed takes the mark off again.

The tables are those that the code declares, all of them and as they are declared: there is no list
here that somebody could forget. Two facts alone are not copied: the mark, and what a file says of
its machine's clock. Where the server's clock is behind the file's, the server is told so, as where
a clock was set back (`clock.py`): no wait gets longer by it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Table, delete, func, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from executor.store import clock, facts, ids
from executor.store.alone import opened
from executor.store.backend import Backend
from executor.store.errors import (
    MovedError,
    NotEmptyError,
    OtherSchemaError,
    StoreError,
    StoreUnavailableError,
)
from executor.store.migrate import migrate, require_newest, require_readable
from executor.store.postgres import PostgresDatabase, copied_out, copy_in, take_whole
from executor.store.store import backend_of, database_path
from executor.store.tables import facts as noted
from executor.store.tables import metadata

TABLES: Sequence[Table] = metadata.sorted_tables  # what is referred to before what refers to it
_NOT_OURS = {"alembic_version"}
_OF_ANY = {"journal", facts.CLOCK}  # what is noted of a database that holds nothing
_OF_FILE = {facts.CLOCK, facts.MOVED_TO}
TOLD_EVERY = 20_000  # rows

Told = Callable[[str, int], None]
"""Hears how many rows of a table were copied by now."""


@dataclass(frozen=True)
class Moved:
    """What was copied: rows by table; `was_before` if an earlier move had done it."""

    to: str
    rows: Mapping[str, int]
    was_before: bool = False


class _Sum:
    """Counts rows, and sums their digests: the same for the same rows in any order."""

    def __init__(self) -> None:
        self.rows, self._digests = 0, 0

    def add(self, row: Sequence[object]) -> None:
        """One more."""
        digest = hashlib.sha256(repr(tuple(row)).encode()).digest()
        self.rows += 1
        self._digests = (self._digests + int.from_bytes(digest)) % (1 << 256)

    def is_of(self, other: "_Sum") -> bool:
        """Whether both saw the same rows."""
        return vars(self) == vars(other)


def move_to_server(file_url: str, server_url: str, told: Told = lambda *_: None) -> Moved:
    """Copy everything and have the file refused from then on; raises `StoreError`."""
    to = place_of(server_url)
    with _file(file_url) as file, _server_of(file, server_url) as (server, backend):
        mark, came = _mark_of(file), facts.fact(server, facts.MOVED_FROM)
        if came is not None and mark is not None and came == mark["id"]:
            rows = {each.name: _counted(server, each) for each in TABLES}
            return Moved(to, rows, was_before=True)
        _require_empty(server, to)
        now = backend_of(file_url).now(file).time
        _set_mark(file, mark := {"id": ids.new("mov"), "to": to, "at": now})
        try:
            rows = _copy(file, server, str(mark["id"]), told)
            _go_on_from(server, backend, now)
        except BaseException:
            with suppress(DBAPIError):  # the server keeps nothing that nobody has told it to
                server.rollback()
            _set_mark(file, None)
            raise
        _commit(server, to)
        return Moved(to, rows)


def undo(file_url: str, server_url: str) -> str:
    """Have the file go on where it stood, if nothing has happened on the server since.

    The server's tables are emptied. Returns where they are; raises `StoreError`.
    """
    to = place_of(server_url)
    with _file(file_url) as file, _server_of(file, server_url) as (server, _):
        mark = _required_mark(file)
        if facts.fact(server, facts.MOVED_FROM) == mark["id"]:
            _require_same(file, server, to)
            for table in reversed(TABLES):
                if table is not noted:
                    server.execute(delete(table))
            kept = noted.c.name.in_(_OF_ANY)
            server.execute(delete(noted).where(~kept))
            server.commit()
        _set_mark(file, None)
    return to


def undo_alone(file_url: str, then: Callable[[Connection, float], None]) -> str:
    """Have the file go on without the server that it was moved to, doing `then` in the same commit.

    Returns where it was moved to; raises `StoreError`.
    """
    with _file(file_url) as file:
        mark = _required_mark(file)
        now = backend_of(file_url).now(file).time
        file.rollback()
        with file.begin():
            facts.forget(file, facts.MOVED_TO)
            then(file, now)
    return str(mark["to"])


def place_of(server_url: str) -> str:
    """Which database an address means, without whose it is; raises `StoreError`."""
    if not isinstance(backend_of(server_url), PostgresDatabase):
        raise StoreError("what a file holds is moved to a server: say postgresql://user@host/name")
    url = make_url(server_url)
    host, port = url.host or _said(url, "host"), url.port or _said(url, "port") or 5432
    return f"postgresql://{host}:{port}/{url.database or ''}"


def _said(url: URL, name: str) -> str:
    found = url.query.get(name, "")
    return found if isinstance(found, str) else ",".join(found)


@contextmanager
def _file(url: str) -> Iterator[Connection]:
    """The file, which nobody else has meanwhile; what it holds is of this version."""
    if database_path(url) is None:
        raise StoreError("only what a file holds is moved")
    with opened(url) as (connection, _):
        require_newest(connection)
        require_readable(connection)
        if strange := _strange(connection):
            raise OtherSchemaError(
                f"the file has tables that this version does not know ({', '.join(strange)}), "
                "and would leave them behind: nothing is moved"
            )
        yield connection


@contextmanager
def _server_of(file: Connection, url: str) -> Iterator[tuple[Connection, Backend]]:
    """The server's database, whose tables nobody else has until the transaction ends."""
    mark = _mark_of(file)
    if mark is not None and mark["to"] != place_of(url):
        raise MovedError(f"this file was moved to {mark['to']}, or is being moved there")
    with opened(url) as (connection, backend):
        with backend.migrating(connection):
            migrate(connection)
        take_whole(connection, TABLES)
        yield connection, backend


def _strange(file: Connection) -> list[str]:
    """Tables that are in the file and not in the code."""
    known = {each.name for each in TABLES} | _NOT_OURS
    return sorted(set(inspect(file).get_table_names()) - known)


def _mark_of(file: Connection) -> dict[str, object] | None:
    told = facts.fact(file, facts.MOVED_TO)
    file.rollback()
    return None if told is None else dict(json.loads(told))


def _required_mark(file: Connection) -> dict[str, object]:
    mark = _mark_of(file)
    if mark is None:
        raise StoreError("this file was not moved: a gateway may use it")
    return mark


def _set_mark(file: Connection, mark: Mapping[str, object] | None) -> None:
    file.rollback()
    with file.begin():
        if mark is None:
            facts.forget(file, facts.MOVED_TO)
        else:
            facts.note(file, facts.MOVED_TO, json.dumps(mark))


def _require_empty(server: Connection, to: str) -> None:
    for table in TABLES:
        query = select(func.count()).select_from(table)
        if table is noted:
            query = query.where(noted.c.name.not_in(_OF_ANY))
        if found := server.execute(query).scalar_one():
            raise NotEmptyError(
                f"{to} is not empty ({table.name}: {found} rows): what a file holds is moved to a "
                "database in which no gateway has worked yet"
            )


def _copy(file: Connection, server: Connection, mark: str, told: Told) -> dict[str, int]:
    """Copy all tables as they are at one moment, and compare what the server has then."""
    copied: dict[str, int] = {}
    server.execute(delete(noted).where(noted.c.name.not_in({facts.CLOCK})))
    for table in TABLES:
        sent, kept = _Sum(), _Sum()
        copy_in(server, table, _counting(_rows(file, table), sent, partial(told, table.name)))
        for row in copied_out(server, table):
            if table is not noted or row[0] != facts.CLOCK:
                kept.add(row)
        if not sent.is_of(kept):
            raise StoreError(
                f"{table.name}: the server does not have what was sent to it ({kept.rows} rows of "
                f"{sent.rows}): nothing is moved"
            )
        copied[table.name] = sent.rows
        told(table.name, sent.rows)
    facts.note(server, facts.MOVED_FROM, mark)
    return copied


def _rows(file: Connection, table: Table) -> Iterator[Sequence[object]]:
    """The rows that are copied, one after the other: none is kept here."""
    query = select(table)
    if table is noted:
        query = query.where(table.c.name.not_in(_OF_FILE))
    try:
        yield from file.execute(query)
    except DBAPIError as error:
        raise backend_of(str(file.engine.url)).error(error) from error


def _counting(
    rows: Iterable[Sequence[object]], summed: _Sum, told: Callable[[int], None]
) -> Iterator[Sequence[object]]:
    for row in rows:
        summed.add(row)
        yield row
        if summed.rows % TOLD_EVERY == 0:
            told(summed.rows)


def _commit(server: Connection, to: str) -> None:
    try:
        server.commit()
    except DBAPIError as error:
        raise StoreUnavailableError(
            f"{to} did not say whether it has kept what it was sent; say the same again: if it "
            "has, nothing is left to do"
        ) from error


def _counted(c: Connection, table: Table) -> int:
    return c.execute(select(func.count()).select_from(table)).scalar_one()


def _require_same(file: Connection, server: Connection, to: str) -> None:
    """Raise unless the server holds what the file does, and nothing else."""
    for table in TABLES:
        here, there = _Sum(), _Sum()
        for row in _rows(file, table):
            here.add(row)
        for row in copied_out(server, table):
            if table is not noted or row[0] not in (facts.CLOCK, facts.MOVED_FROM):
                there.add(row)
        if not here.is_of(there):
            raise MovedError(
                f"work has gone on on {to} since the move ({table.name}): the file does not know "
                "of it, and would do it again"
            )


def _go_on_from(server: Connection, backend: Backend, now: float) -> None:
    """Have the server's time be no earlier than the file's was."""
    found = backend.now(server)
    if found.time < now:
        facts.note(server, facts.CLOCK, clock.note(found.server, now))
