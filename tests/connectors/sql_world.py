"""A stock of things in a real database: its tables, its statements, and ways to disturb both."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector_cases import Outside, end_of, listening
from lossy_way import Way
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from connectors.builtin.sql.connector import SqlConnector
from connectors.builtin.sql.database import database_at
from connectors.builtin.sql.statements import load_statements
from connectors.connector import Outcome
from connectors.errors import ConnectorError
from connectors.spec import JsonObject

TABLES = """
CREATE TABLE shelves (
    sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL CHECK (on_hand >= 0), price {decimal},
    counted {date}, seen {moment}, note {json}, is_open {flag}, weight {double}, tag {uuid});
CREATE TABLE moves (
    id {identity} PRIMARY KEY, reference TEXT UNIQUE,
    sku TEXT NOT NULL REFERENCES shelves (sku), quantity INTEGER NOT NULL);
CREATE TABLE lamgate_receipts (
    key TEXT PRIMARY KEY, arguments TEXT NOT NULL, output TEXT,
    at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO shelves (sku, on_hand) VALUES ('BOWL', 10), ('CUP', 5), ('POT', 0)
"""
TYPES = {
    "sqlite": {
        "decimal": "TEXT",
        "date": "TEXT",
        "moment": "TEXT",
        "json": "TEXT",
        "flag": "INTEGER",
        "double": "REAL",
        "uuid": "TEXT",
        "identity": "INTEGER",
    },
    "postgresql": {
        "decimal": "NUMERIC(20, 4)",
        "date": "DATE",
        "moment": "TIMESTAMPTZ",
        "json": "JSONB",
        "flag": "BOOLEAN",
        "double": "DOUBLE PRECISION",
        "uuid": "UUID",
        "identity": "INTEGER GENERATED ALWAYS AS IDENTITY",
    },
}
FILE = """
version: 1
receipts: lamgate_receipts
statements:
  shelf_get:
    description: Read how many pieces of an article are on its shelf.
    sql: SELECT sku, on_hand FROM shelves WHERE sku = :sku
    effect: read
    arguments:
      sku: {type: text, description: the article's number, most: 40, sink: resource_id}
    columns: {sku: text, on_hand: integer}
    gives: one
  shelf_find:
    description: Read a shelf with all that is known of it; null if there is none.
    sql: >
      SELECT sku, price, counted, seen, note, is_open, weight, tag FROM shelves WHERE sku = :sku
    effect: read
    arguments: {sku: text}
    columns:
      sku: text
      price: {type: decimal, nullable: true}
      counted: {type: date, nullable: true}
      seen: {type: datetime, nullable: true}
      note: {type: json, nullable: true}
      is_open: {type: boolean, nullable: true}
      weight: {type: number, nullable: true}
      tag: {type: uuid, nullable: true}
    gives: maybe
  shelf_list:
    description: List the shelves of some articles.
    sql: SELECT sku FROM shelves WHERE sku IN :skus ORDER BY sku
    effect: read
    arguments: {skus: {type: text, many: true}}
    columns: {sku: text}
    most_rows: 2
  shelf_set:
    description: Write what is known of a shelf.
    sql: >
      UPDATE shelves SET price = :price, counted = :counted, seen = :seen, note = :note,
      is_open = :is_open, weight = :weight, tag = :tag WHERE sku = :sku
    effect: idempotent
    arguments:
      sku: text
      price: {type: decimal, optional: true}
      counted: {type: date, optional: true}
      seen: {type: datetime, optional: true}
      note: {type: json, optional: true}
      is_open: {type: boolean, optional: true}
      weight: {type: number, optional: true}
      tag: {type: uuid, optional: true}
    approval: null
  shelf_take:
    description: Take pieces off a shelf.
    sql: UPDATE shelves SET on_hand = on_hand - :pieces WHERE sku = :sku
    effect: keyed
    arguments: {sku: text, pieces: integer}
  shelf_empty:
    description: Take everything off the shelves of an article, or of every article.
    sql: UPDATE shelves SET on_hand = 0 WHERE sku LIKE :like
    effect: idempotent
    arguments: {like: text}
  move_make:
    description: Note that pieces of an article moved.
    sql: >
      INSERT INTO moves (reference, sku, quantity) VALUES (:lamgate_key, :sku, :quantity)
      RETURNING id, sku, quantity
    effect: keyed
    arguments: {sku: text, quantity: integer}
    columns: {id: integer, sku: text, quantity: integer}
    gives: one
    undo: {action: move_drop, args: [{ref: result/id, to: id}]}
    approval: null
  move_drop:
    description: Forget a move.
    sql: DELETE FROM moves WHERE id = :id
    effect: idempotent
    arguments: {id: integer}
    affects: any
  move_note:
    description: Note that pieces of an article moved, to be looked up.
    sql: >
      INSERT INTO moves (reference, sku, quantity) VALUES (:lamgate_key, :sku, :quantity)
      RETURNING id, sku, quantity
    effect: lookup
    lookup: {action: move_find, by: reference}
    approval: null
    arguments: {sku: text, quantity: integer}
    columns: {id: integer, sku: text, quantity: integer}
    gives: one
  move_find:
    description: Find a move by the reference that it was made under.
    sql: SELECT id, sku, quantity FROM moves WHERE reference = :reference
    effect: read
    arguments: {reference: text}
    columns: {id: integer, sku: text, quantity: integer}
    gives: maybe
  move_blindly:
    description: Note that pieces of an article moved, under a reference of one's own.
    sql: INSERT INTO moves (reference, sku, quantity) VALUES (:reference, :sku, :quantity)
    effect: blind
    arguments: {reference: {type: text, optional: true}, sku: text, quantity: integer}
  shelf_wrong:
    description: Give another column than was announced.
    sql: UPDATE shelves SET on_hand = on_hand + 1 WHERE sku = 'BOWL' RETURNING sku, on_hand
    effect: blind
    columns: {sku: text, on_hand: date}
    gives: one
  shelf_gone:
    description: Read a table that is not there.
    sql: SELECT x FROM nowhere
    effect: read
    columns: {x: integer}
"""


@dataclass
class Stock:
    """One database with a stock in it, and the connector over it as an operator configures it."""

    url: str
    folder: Path
    outside: Outside
    opened: list[SqlConnector] = field(default_factory=list)

    def connector(
        self, url: str = "", file: str = FILE, allow: tuple[str, ...] | None = None
    ) -> SqlConnector:
        """A fresh connector on the connection `stock`."""
        where = make_url(url or self.url)
        statements = self.folder / "statements.yaml"
        statements.write_text(file, encoding="utf-8")
        transport = self.outside.to(*((f"{where.host}:{where.port}",) if allow is None else allow))
        address = where.render_as_string(hide_password=False)
        database = database_at("connections.stock", address, self.folder, transport, _nobody)
        self.opened.append(SqlConnector("stock", database, load_statements(statements)))
        return self.opened[-1]

    async def close(self) -> None:
        """Close what was opened."""
        while self.opened:
            await self.opened.pop().aclose()
        await self.outside.close()

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database itself."""
        with self.begun() as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def moves(self) -> int:
        """How many moves there are."""
        return len(self.ask("SELECT id FROM moves"))

    def on_hand(self, sku: str = "BOWL") -> object:
        """How many pieces are there."""
        return self.ask(f"SELECT on_hand FROM shelves WHERE sku = '{sku}'")[0][0]

    @contextmanager
    def begun(self) -> Iterator[Connection]:
        """A transaction beside the connector's own, committed at the end."""
        engine = create_engine(driven(self.url))
        try:
            with engine.connect() as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Nobody else reads or writes a shelf meanwhile."""
        if self.url.startswith("sqlite"):
            raw = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            with contextlib.closing(raw):
                raw.execute("BEGIN EXCLUSIVE")
                yield
        else:
            with self.begun() as connection:
                connection.execute(text("LOCK TABLE shelves IN ACCESS EXCLUSIVE MODE"))
                yield


async def _nobody() -> None:
    return None


def driven(url: str) -> str:
    """The address as SQLAlchemy knows its driver."""
    return url.replace("postgresql://", "postgresql+psycopg://")


def fill(url: str) -> None:
    """Make the tables anew."""
    kinds = TYPES[url.partition(":")[0]]
    statements = TABLES.format(**kinds).split(";")
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
            raw.executescript(";".join(statements))
            raw.commit()
        return
    engine = create_engine(driven(url))
    with engine.begin() as connection:
        for each in ("DROP TABLE IF EXISTS moves, shelves, lamgate_receipts", *statements):
            connection.execute(text(each))
    engine.dispose()


async def call(
    connector: SqlConnector,
    name: str,
    arguments: JsonObject,
    *,
    key: str = "K" * 32,
    seconds: float = 10.0,
) -> Outcome | ConnectorError:
    """How one call of a statement ends."""
    actions = {each.name: each for each in await connector.actions()}
    return await end_of(connector, actions[f"stock.{name}"], arguments, key=key, seconds=seconds)


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[tuple[Way, str]]:
    """A way to a server, and its address on it."""
    address = make_url(url)
    way = Way(address.port or 5432)
    async with listening(way.serve) as port:
        yield way, address.set(port=port).render_as_string(hide_password=False)
