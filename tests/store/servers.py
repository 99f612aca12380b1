"""A real PostgreSQL server for tests: its own data, its own port, gone when they end.

`LAMGATE_TEST_POSTGRES` names one that runs already instead, with the right to create databases.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

VARIABLE = "LAMGATE_TEST_POSTGRES"
OURS = "schemaname NOT IN ('pg_catalog', 'information_schema')"
ACCOUNT = "postgres"  # a server refuses to run as root


@dataclass(frozen=True)
class Server:
    """A running server; `folder` holds its data where it is ours to stop and start."""

    url: str
    folder: Path | None = None
    port: int = 0

    def new_database(self) -> str:
        """An empty database; returns its address."""
        name = f"lamgate_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database, whoever still uses it."""
        self.sql(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        """Say something to the server itself."""
        engine = create_engine(
            make_url(self.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            "-c fsync=off -c max_connections=200 -c shared_buffers=32MB"
        )
        self._ctl("start", "-w", "-t", "60", "-l", str(self._data / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it at once, as a machine that fails does."""
        self._ctl("stop", "-m", "immediate", "-w")

    @property
    def _data(self) -> Path:
        assert self.folder is not None, "this server is not ours"
        return self.folder / "data"

    def _ctl(self, *words: str) -> None:
        program = find("pg_ctl")
        assert program is not None
        run([program, "-D", str(self._data), *words])


class Cleared:
    """A migrated database that is emptied for each test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with self._engine.connect() as c:
            found = c.execute(text(f"SELECT schemaname, tablename FROM pg_tables WHERE {OURS}"))
            self._tables = [f'"{schema}"."{name}"' for schema, name in found]
            kept = {name: c.execute(text(f"SELECT * FROM {name}")).all() for name in self._tables}
        self._kept = {name: rows for name, rows in kept.items() if rows}

    def clear(self) -> str:
        """Have it hold what it held at first; returns its address."""
        with self._engine.begin() as c:
            c.execute(text(f"TRUNCATE {', '.join(self._tables)}"))
            for name, rows in self._kept.items():
                for row in rows:
                    values = ", ".join(f":{field}" for field in row._fields)
                    c.execute(text(f"INSERT INTO {name} VALUES ({values})"), row._asdict())
        self._engine.dispose()
        return self.url


def find(program: str) -> str | None:
    """A program of the server: of Debian's newest package, or on the path."""
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    return str(packaged[0]) if packaged else shutil.which(program)


def missing() -> str | None:
    """Why there is no server here, or None."""
    if os.environ.get(VARIABLE):
        return None
    if find("initdb") is None or find("pg_ctl") is None:
        return f"no PostgreSQL is installed here, and {VARIABLE} names none"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            return f"a PostgreSQL server refuses root, and there is no account {ACCOUNT}"
        if shutil.which("runuser") is None:
            return "a PostgreSQL server refuses root, and there is no runuser"
    return None


def run(command: list[str]) -> None:
    """Run a program of the server, which refuses root."""
    as_account = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
    # Its output goes to a file: a server keeps a pipe open for as long as it lives.
    with tempfile.TemporaryFile() as told:
        done = subprocess.run(
            [*as_account, *command], stdin=subprocess.DEVNULL, stdout=told, stderr=told, cwd="/"
        )
        told.seek(0)
        assert done.returncode == 0, told.read().decode(errors="replace")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server for as long as the tests need it."""
    given = os.environ.get(VARIABLE)
    if given:
        yield Server(given)
        return
    # Outside of the tests' own folders, which no other account may enter.
    folder = Path(tempfile.mkdtemp(prefix="lamgate-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT)
        initdb = find("initdb")
        assert initdb is not None
        run([initdb, "-D", str(folder / "data"), "-U", "lamgate", "-A", "trust", "--no-sync",
             "--locale=C.UTF-8", "-E", "UTF8"])  # fmt: skip
        started = _started(folder)
        try:
            yield started
        finally:
            with contextlib.suppress(AssertionError):  # a test has stopped it
                started.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path) -> Server:
    """Start on a port that is free: another may take it first."""
    for last in (False, False, True):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        found = Server(f"postgresql://lamgate@127.0.0.1:{port}/postgres", folder, port)
        try:
            found.start()
        except AssertionError:
            if last:
                raise
            time.sleep(0.2)
        else:
            return found
    raise AssertionError("unreachable")
