"""Orders and stock of a small shop."""

import sqlite3
from typing import Annotated

from database import Database, JsonObject, write_ledger
from fastapi import FastAPI, Header, Query, Response
from faults import Faults
from pydantic import BaseModel, ConfigDict, Field
from service import (
    Refusal,
    Style,
    arguments,
    documented,
    new_id,
    new_service,
    open_database,
    serve,
)

DAY_S = 24 * 3600.0
TABLES = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
 damaged INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, text TEXT NOT NULL,
 reference TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS notes_by_reference ON notes (reference);
"""
STYLE = Style(
    body=lambda refusal, _: {"code": refusal.code, "detail": refusal.message},
    request_id_header="X-Request-Id",
    codes={
        0: "REFUSED",
        404: "NOT_FOUND",
        422: "INVALID",
        429: "TOO_MANY_REQUESTS",
        500: "INTERNAL",
        503: "UNAVAILABLE",
    },
    invalid=422,
    key_reused=(409, "KEY_REUSED"),
)


class Closed(BaseModel):
    """What callers send: nothing that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Money(BaseModel):
    amount: str = Field(pattern=r"^[0-9]+\.[0-9]{2}$", examples=["18.50"])
    currency: str = Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])


class Customer(BaseModel):
    email: str = Field(json_schema_extra={"format": "email"})


class Line(BaseModel):
    sku: str
    name: str
    quantity: int
    price: Money = Field(description="the price of one piece")


class Order(BaseModel):
    id: str
    status: str
    customer: Customer
    lines: list[Line]
    payment_id: str = Field(description="the payment at the payment provider")
    placed_at: str = Field(json_schema_extra={"format": "date-time"})
    tags: list[str]


class Stock(BaseModel):
    sku: str
    on_hand: int
    damaged: int = Field(description="pieces written off so far")


class NewWriteOff(Closed):
    quantity: int = Field(ge=1, le=10_000, strict=True)
    reason: str = Field(min_length=1, max_length=200)
    order_id: str = Field(description="the order that the pieces belonged to")


class WriteOff(BaseModel):
    id: str
    sku: str
    quantity: int
    on_hand: int = Field(description="pieces that are left")


class NewNote(Closed):
    text: str = Field(min_length=1, max_length=1000)
    reference: str = Field("", max_length=200, description="yours, to find the note again")


class Note(BaseModel):
    id: str
    order_id: str
    text: str
    reference: str


class NewStatus(Closed):
    status: str = Field(min_length=1, max_length=40)


class NewTag(Closed):
    tag: str = Field(min_length=1, max_length=40)


class Problem(BaseModel):
    """Every refusal and every failure."""

    code: str = Field(examples=["ORDER_NOT_FOUND"])
    detail: str


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key within 24 hours applies nothing more and gets the same answer.",
    ),
]
REPLAYED = {
    "description": "`true` if nothing was applied, because the key was known",
    "schema": {"type": "string"},
}
Reference = Annotated[str, Query(min_length=1, max_length=200, description="your reference")]


class Orders:
    """The business: each operation is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_order(self, order_id: str) -> Order:
        """Read one order with its lines and the customer's address."""
        with self._database.transaction() as c:
            return _order(c, order_id)

    def list_orders(self, status: str | None = None) -> list[Order]:
        """List orders, all or those of one status."""
        with self._database.transaction() as c:
            rows = c.execute("SELECT body FROM orders ORDER BY id").fetchall()
        orders = [Order.model_validate_json(row["body"]) for row in rows]
        return [each for each in orders if status in (None, each.status)]

    def get_stock(self, sku: str) -> Stock:
        """Read how many pieces are there and how many were written off."""
        with self._database.transaction() as c:
            return _stock(c, sku)

    def create_write_off(
        self, sku: str, body: NewWriteOff, response: Response, key: Key = None
    ) -> WriteOff:
        """Take damaged pieces out of stock."""

        def effect(c: sqlite3.Connection) -> WriteOff:
            left = _stock(c, sku).on_hand - body.quantity
            _order(c, body.order_id)
            if left < 0:
                message = f"only {left + body.quantity} of {sku} are left"
                raise Refusal(409, "NOT_ENOUGH_STOCK", message)
            c.execute(
                "UPDATE stock SET on_hand = ?, damaged = damaged + ? WHERE sku = ?",
                (left, body.quantity, sku),
            )
            done = WriteOff(id=new_id("wo"), sku=sku, quantity=body.quantity, on_hand=left)
            write_ledger(c, "write_off", key, {"id": done.id, "sku": sku, **body.model_dump()})
            return done

        sent: JsonObject = {"operation": "create_write_off", "sku": sku, **body.model_dump()}
        done, is_replay = self._database.once(key, sent, DAY_S, effect, WriteOff)
        if is_replay:
            response.headers["Idempotent-Replayed"] = "true"
        return done

    def create_note(self, order_id: str, body: NewNote) -> Note:
        """Add a note; the same note twice is two notes, but `reference` can be searched."""
        note = Note(id=new_id("note"), order_id=order_id, **body.model_dump())
        with self._database.transaction() as c:
            _order(c, order_id)
            c.execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?)",
                (note.id, order_id, note.text, note.reference),
            )
            write_ledger(c, "note", note.reference or None, note.model_dump())
        return note

    def list_notes(self, order_id: str, reference: Reference | None = None) -> list[Note]:
        """List the notes of one order, all or those with your reference."""
        with self._database.transaction() as c:
            _order(c, order_id)
            rows = c.execute(
                "SELECT * FROM notes WHERE order_id = ? ORDER BY rowid", (order_id,)
            ).fetchall()
        notes = [Note.model_validate(dict(row)) for row in rows]
        return [each for each in notes if reference in (None, each.reference)]

    def find_notes(self, reference: Reference) -> list[Note]:
        """Find notes by your reference, over all orders."""
        with self._database.transaction() as c:
            rows = c.execute(
                "SELECT * FROM notes WHERE reference = ? ORDER BY rowid", (reference,)
            ).fetchall()
        return [Note.model_validate(dict(row)) for row in rows]

    def set_status(self, order_id: str, body: NewStatus) -> Order:
        """Set the order's status; setting it twice changes nothing more."""
        with self._database.transaction() as c:
            order = _order(c, order_id)
            if order.status == body.status:
                return order
            write_ledger(c, "status", None, {"order_id": order_id, "status": body.status})
            return _save(c, order.model_copy(update={"status": body.status}))

    def add_tag(self, order_id: str, body: NewTag) -> Order:
        """Add a tag; adding it twice adds it twice, and nobody can tell afterwards."""
        with self._database.transaction() as c:
            order = _order(c, order_id)
            write_ledger(c, "tag", None, {"order_id": order_id, "tag": body.tag})
            return _save(c, order.model_copy(update={"tags": [*order.tags, body.tag]}))


def _order(c: sqlite3.Connection, order_id: str) -> Order:
    row = c.execute("SELECT body FROM orders WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        raise Refusal(404, "ORDER_NOT_FOUND", f"there is no order {order_id}")
    return Order.model_validate_json(row["body"])


def _save(c: sqlite3.Connection, order: Order) -> Order:
    c.execute("UPDATE orders SET body = ? WHERE id = ?", (order.model_dump_json(), order.id))
    return order


def _stock(c: sqlite3.Connection, sku: str) -> Stock:
    row = c.execute("SELECT * FROM stock WHERE sku = ?", (sku,)).fetchone()
    if row is None:
        raise Refusal(404, "SKU_NOT_FOUND", f"there is no article {sku}")
    return Stock.model_validate(dict(row))


def seed(database: Database) -> None:
    """Put a handful of orders there, at the first start only."""
    goods = (
        ("MUG-BLUE", "mug", "18.50"),
        ("PLATE-SET", "plate set", "64.00"),
        ("TEAPOT", "teapot", "39.90"),
        ("BOWL", "bowl", "9.00"),
    )
    with database.transaction() as c:
        for index, number in enumerate(range(1042, 1047)):
            lines = [
                Line(sku=sku, name=name, quantity=1, price=Money(amount=price, currency="EUR"))
                for sku, name, price in (goods[index % 4], goods[(index + 1) % 4])
            ]
            order = Order(
                id=str(number),
                status="delivered" if index < 3 else "paid",
                customer=Customer(email=f"customer-{number}@example.com"),
                lines=lines,
                payment_id=f"pay_{number}",
                placed_at=f"2026-11-{10 + index:02}T09:30:00Z",
                tags=[],
            )
            row = (order.id, order.model_dump_json())
            c.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", row)
        for sku, _, _ in goods:
            c.execute("INSERT OR IGNORE INTO stock VALUES (?, 40, 0)", (sku,))


def build(database: Database, faults: Faults) -> FastAPI:
    """Build the service over its database."""
    app = new_service("Orders", "Orders and stock of a small shop.", STYLE, database, faults)
    orders = Orders(database)
    order = documented(Problem, {404: "No such order", 422: "Cannot be read"})
    article = documented(Problem, {404: "No such article", 422: "Cannot be read"})
    any_order = documented(Problem, {422: "Cannot be read"})
    write_off = documented(
        Problem,
        {
            404: "No such article or order",
            409: "Too few are left, or the key was used for something else",
            422: "Cannot be read",
        },
    )
    write_off[201] = {"headers": {"Idempotent-Replayed": REPLAYED}}
    app.get("/orders/{order_id}", responses=order)(orders.get_order)
    app.get("/orders", responses=any_order)(orders.list_orders)
    app.get("/stock/{sku}", responses=article)(orders.get_stock)
    app.post("/stock/{sku}/write-offs", status_code=201, responses=write_off)(
        orders.create_write_off
    )
    app.post("/orders/{order_id}/notes", status_code=201, responses=order)(orders.create_note)
    app.get("/orders/{order_id}/notes", responses=order)(orders.list_notes)
    app.get("/notes", responses=any_order)(orders.find_notes)
    app.put("/orders/{order_id}/status", responses=order)(orders.set_status)
    app.post("/orders/{order_id}/tags", status_code=201, responses=order)(orders.add_tag)
    return app


if __name__ == "__main__":
    options = arguments("Orders and stock of a small shop.").parse_args()
    store = open_database(options, TABLES)
    seed(store)
    ordered = Faults()
    serve(build(store, ordered), STYLE, ordered, options)
