"""Every statement that the store sends while a test runs, and how a database finds its rows.

What looks through a table that grows with every run is as good as any other in a test, and after a
year it holds everybody up. SQLite plans without a look at how much there is, so a file that holds
nothing tells how it would go about; a server is asked what it can do that reads no table whole.
"""

import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from executor.store.tables import metadata

ROOT = Path(__file__).parents[2]
GROWS = (
    "approvals", "attempts", "audits", "blob_uses", "blobs", "decisions", "deletions", "events",
    "idempotency", "plans", "requests", "reservations", "runs",
)  # fmt: skip
# Whoever sends what looks through one of them all the same, or sorts, and why that is no harm.
KNOWN = {
    "move._rows": "a move copies everything",
    "move.undo": "one that is taken back empties what it had filled",
    "sqlite.now": "the newest row alone, from the end of the table",
    "retention.delete_some": "any of what is being deleted",
    "attempts.read": "the attempts of one run are sorted",
    "rulings.said": "what was said of a page of approvals is sorted",
    "drives.hold_all": "the rows that are written about together are sorted",
    "ready._fresh": "where it is of very many groups, all that is fresh is sorted",
    "ready._woken": "where it is very much, all that was woken is sorted",
    "ready.passed_over": "what was woken of a tenant is sorted",
    "waking._found": "what waits is sorted once it may go on",
    "waking._wake_these": "the rows that are woken together are sorted",
    "recorded.answers": "the calls of two hundred runs are sorted",
    "credentials.audited": "what was done with one credential is sorted",
    "retention.may_go": "a dry run counts",
}
_PARTIAL = {
    str(index.name)
    for table in metadata.sorted_tables
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
_OURS = re.compile(rf"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b.*\b({'|'.join(GROWS)})\b", re.S)
_judged: set[str] = set()
Sent = dict[str, tuple[str, Any, str]]
"""Who sent a statement, with which values, and where a server has its tables, by the statement."""


@contextmanager
def noted() -> Iterator[Sent]:
    """What the store sends meanwhile that was not judged yet."""
    sent: Sent = {}

    def note(text: str, values: Any, place: str) -> None:
        if text not in sent and text not in _judged and _OURS.match(text):
            who = _sender()
            if who is not None:
                sent[text] = who, values, place

    def connect(dialect: Any, _: Any, words: Any, named: Any) -> Any:
        if dialect.name == "sqlite":
            return sqlite3.connect(*words, factory=_noting(note), **named)
        return None

    def connected(raw: Any, _: Any) -> None:
        if not isinstance(raw, sqlite3.Connection):
            raw.cursor_factory = _noting_on_a_server(note, raw.info.dsn)

    event.listen(Engine, "do_connect", connect)
    event.listen(Engine, "connect", connected)
    try:
        yield sent
    finally:
        event.remove(Engine, "do_connect", connect)
        event.remove(Engine, "connect", connected)


def judged(sent: Sent) -> list[str]:
    """What is wrong with these, each with its statement."""
    _judged.update(sent)
    return [
        f"{who}: {each}\n    {' '.join(text.split())}"
        for text, (who, values, place) in sent.items()
        if who not in KNOWN
        for each in (_on_a_server(text, values, place) if place else _in_a_file(text))
    ]


def _in_a_file(text: str) -> Iterator[str]:
    engine = create_engine("sqlite://")
    with engine.connect() as c:
        metadata.create_all(c)
        values = [None] * text.count("?")
        plan = [str(row[3]) for row in c.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (*values,))]
    engine.dispose()
    for each in plan:
        way = re.match(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?(.*)", each)
        if "TEMP B-TREE FOR ORDER" in each or "AUTOMATIC" in each:
            yield each
        elif way is None or way[2] not in GROWS:
            continue
        elif way[1] == "SCAN" and way[3] not in _PARTIAL:
            yield each
        elif way[4] == " (tenant=?)" and way[3] not in _PARTIAL and not _gives_all(text, way[2]):
            yield f"{each}, which is all that a tenant has"


def _gives_all(text: str, table: str) -> bool:
    """Whether it looks at no more of a tenant's rows than it gives, or at once at their order."""
    flat = " ".join(text.split())
    return re.search(rf"WHERE {table}\.tenant = \? ORDER BY", flat) is not None


def _on_a_server(text: str, values: Any, place: str) -> Iterator[str]:
    import psycopg

    with closing(psycopg.connect(place, autocommit=True)) as c:
        c.execute("SET enable_seqscan = off")
        found = c.execute(f"EXPLAIN (FORMAT JSON) {text}", values).fetchone()
    assert found is not None
    for node in _nodes(found[0][0]["Plan"]):
        table = node.get("Relation Name")
        if node["Node Type"] == "Seq Scan" and table in GROWS:
            yield f"Seq Scan on {table}"


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


def _sender() -> str | None:
    """The function of the store that sends it; None where a test does."""
    frame = sys._getframe(2)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(ROOT / "tests") and file != Path(__file__):
            return None
        if file.parent == ROOT / "executor" / "store" and file.stem != "statement":
            name = frame.f_code.co_name
            if not name.startswith("<"):
                return f"{file.stem}.{name}"
        frame = frame.f_back  # type: ignore[assignment]  # the last one has none
    return None


Note = Callable[[str, Any, str], None]


def _noting(note: Note) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def execute(self, text: str, *values: Any) -> Any:
            note(text, None, "")
            return super().execute(text, *values)

        def executemany(self, text: str, *rows: Any) -> Any:
            note(text, None, "")
            return super().executemany(text, *rows)

    class Noting(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    return Noting


def _noting_on_a_server(note: Note, place: str) -> Any:
    import psycopg

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, text: Any, values: Any = None, **how: Any) -> Any:
            note(str(text), values, place)
            return super().execute(text, values, **how)

        def executemany(self, text: Any, rows: Any, **how: Any) -> Any:
            rows = [*rows]
            with suppress(IndexError):
                note(str(text), rows[0], place)
            return super().executemany(text, rows, **how)

    return Cursor
