"""Orders and stock of a small shop."""

import json
import secrets
import sqlite3
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from service import (
    Database,
    Fault,
    KeyReusedError,
    add_controls,
    answer,
    arguments,
    serve,
    write_ledger,
)

DAY_S = 24 * 3600.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, on_hand INTEGER, damaged INTEGER);
CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY, order_id TEXT, text TEXT, reference TEXT);
"""


class Money(BaseModel):
    amount: str = Field(pattern=r"^[0-9]+\.[0-9]{2}$", examples=["18.50"])
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Customer(BaseModel):
    email: str = Field(json_schema_extra={"format": "email"})


class Line(BaseModel):
    sku: str
    name: str
    quantity: int
    price: Money


class Order(BaseModel):
    id: str
    status: str
    customer: Customer
    lines: list[Line]
    payment_id: str
    placed_at: str
    tags: list[str]


class Stock(BaseModel):
    sku: str
    on_hand: int
    damaged: int


class NewWriteOff(BaseModel):
    quantity: int = Field(ge=1)
    reason: str = Field(max_length=200)
    order_id: str


class WriteOff(BaseModel):
    id: str
    sku: str
    quantity: int
    on_hand: int


class NewNote(BaseModel):
    text: str = Field(max_length=1000)
    reference: str = ""


class Note(BaseModel):
    id: str
    order_id: str
    text: str
    reference: str


class NewStatus(BaseModel):
    status: str


class NewTag(BaseModel):
    tag: str


class Problem(BaseModel):
    code: str
    detail: str


def seed() -> list[dict[str, Any]]:
    """A handful of orders; each was paid with the payment of the same number."""
    goods = [
        ("MUG-BLUE", "mug", "18.50"),
        ("PLATE-SET", "plate set", "64.00"),
        ("TEAPOT", "teapot", "39.90"),
        ("BOWL", "bowl", "9.00"),
    ]
    orders = []
    for index, number in enumerate(range(1042, 1047)):
        chosen = [goods[index % 4], goods[(index + 1) % 4]]
        lines = [
            {
                "sku": sku,
                "name": name,
                "quantity": 1,
                "price": {"amount": price, "currency": "EUR"},
            }
            for sku, name, price in chosen
        ]
        orders.append(
            {
                "id": str(number),
                "status": "delivered" if index < 3 else "paid",
                "customer": {"email": f"customer-{number}@example.com"},
                "lines": lines,
                "payment_id": f"pay_{number}",
                "placed_at": f"2026-11-{10 + index:02}T09:30:00Z",
                "tags": [],
            }
        )
    return orders


def build(database: Database, faults: list[Fault]) -> FastAPI:
    app = FastAPI(title="Orders", version="1.0.0")
    add_controls(app, database, faults)
    with database as c:
        for order in seed():
            c.execute(
                "INSERT OR IGNORE INTO orders VALUES (?, ?)", (order["id"], json.dumps(order))
            )
        for sku in ("MUG-BLUE", "PLATE-SET", "TEAPOT", "BOWL"):
            c.execute("INSERT OR IGNORE INTO stock VALUES (?, 40, 0)", (sku,))
    missing: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}

    def no_order(order_id: str) -> JSONResponse:
        return answer(404, {"code": "ORDER_NOT_FOUND", "detail": f"there is no order {order_id}"})

    def find(c: sqlite3.Connection, order_id: str) -> dict[str, Any] | None:
        row = c.execute("SELECT body FROM orders WHERE id = ?", (order_id,)).fetchone()
        found: dict[str, Any] | None = json.loads(row["body"]) if row else None
        return found

    def save(c: sqlite3.Connection, order: dict[str, Any]) -> None:
        c.execute("UPDATE orders SET body = ? WHERE id = ?", (json.dumps(order), order["id"]))

    @app.get("/orders/{order_id}", operation_id="get_order", responses=missing)
    def get_order(order_id: str) -> Order:
        """Read one order with its lines and the customer's address."""
        with database as c:
            order = find(c, order_id)
        return no_order(order_id) if order is None else order  # type: ignore[return-value]

    @app.get("/orders", operation_id="list_orders")
    def list_orders(status: Annotated[str | None, Query()] = None) -> list[Order]:
        """List orders, all or those of one status."""
        with database as c:
            rows = c.execute("SELECT body FROM orders ORDER BY id").fetchall()
        orders = [Order(**json.loads(row["body"])) for row in rows]
        return [each for each in orders if status in (None, each.status)]

    @app.get("/stock/{sku}", operation_id="get_stock", responses=missing)
    def get_stock(sku: str) -> Stock:
        """Read how many pieces are there and how many were written off."""
        with database as c:
            row = c.execute("SELECT * FROM stock WHERE sku = ?", (sku,)).fetchone()
        if row is None:
            return answer(404, {"code": "SKU_NOT_FOUND", "detail": sku})  # type: ignore[return-value]
        return Stock(**dict(row))

    @app.post(
        "/stock/{sku}/write-offs",
        operation_id="create_write_off",
        status_code=201,
        responses={404: {"model": Problem}, 409: {"model": Problem}},
    )
    def create_write_off(
        sku: str,
        body: NewWriteOff,
        idempotency_key: Annotated[str | None, Header(description="kept for 24 hours")] = None,
    ) -> WriteOff:
        """Take damaged pieces out of stock."""

        def effect(c: sqlite3.Connection) -> tuple[int, dict[str, Any]]:
            row = c.execute("SELECT * FROM stock WHERE sku = ?", (sku,)).fetchone()
            if row is None:
                return 404, {"code": "SKU_NOT_FOUND", "detail": sku}
            if row["on_hand"] < body.quantity:
                return 409, {"code": "NOT_ENOUGH_STOCK", "detail": f"only {row['on_hand']} left"}
            c.execute(
                "UPDATE stock SET on_hand = on_hand - ?, damaged = damaged + ? WHERE sku = ?",
                (body.quantity, body.quantity, sku),
            )
            write_ledger(c, "write_off", idempotency_key, {"sku": sku, **body.model_dump()})
            done = {"sku": sku, "quantity": body.quantity}
            left = row["on_hand"] - body.quantity
            return 201, {"id": f"wo_{secrets.token_hex(6)}", **done, "on_hand": left}

        try:
            sent = {"sku": sku, **body.model_dump()}
            status, done, replayed = database.once(idempotency_key, sent, DAY_S, effect)
        except KeyReusedError:
            return answer(  # type: ignore[return-value]
                409, {"code": "KEY_REUSED", "detail": "this key came with another body"}
            )
        marks = {"Idempotent_Replayed": "true"} if replayed else {}
        return answer(status, done, **marks)  # type: ignore[return-value]

    @app.post(
        "/orders/{order_id}/notes",
        operation_id="create_note",
        status_code=201,
        responses=missing,
    )
    def create_note(order_id: str, body: NewNote) -> Note:
        """Add a note; `reference` is yours and can be searched for."""
        with database as c:
            if find(c, order_id) is None:
                return no_order(order_id)  # type: ignore[return-value]
            note = Note(id=f"note_{secrets.token_hex(6)}", order_id=order_id, **body.model_dump())
            c.execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?)",
                (note.id, order_id, note.text, note.reference),
            )
            write_ledger(c, "note", body.reference, note.model_dump(exclude={"id"}))
        return note

    @app.get("/notes", operation_id="find_notes")
    def find_notes(reference: str) -> list[Note]:
        """Find notes by your reference."""
        with database as c:
            rows = c.execute("SELECT * FROM notes WHERE reference = ?", (reference,)).fetchall()
        return [Note(**dict(row)) for row in rows]

    @app.put("/orders/{order_id}/status", operation_id="set_status", responses=missing)
    def set_status(order_id: str, body: NewStatus) -> Order:
        """Set the order's status; setting it twice changes nothing more."""
        with database as c:
            order = find(c, order_id)
            if order is None:
                return no_order(order_id)  # type: ignore[return-value]
            if order["status"] != body.status:
                order["status"] = body.status
                save(c, order)
                write_ledger(c, "status", None, {"order_id": order_id, "status": body.status})
        return Order(**order)

    @app.post("/orders/{order_id}/tags", operation_id="add_tag", status_code=201, responses=missing)
    def add_tag(order_id: str, body: NewTag) -> Order:
        """Add a tag; adding it twice adds it twice, and nobody can tell afterwards."""
        with database as c:
            order = find(c, order_id)
            if order is None:
                return no_order(order_id)  # type: ignore[return-value]
            order["tags"].append(body.tag)
            save(c, order)
            write_ledger(c, "tag", None, {"order_id": order_id, "tag": body.tag})
        return Order(**order)

    return app


if __name__ == "__main__":
    options = arguments("Orders and stock of a small shop.").parse_args()
    spoiled: list[Fault] = []
    serve(build(Database(options.data, SCHEMA), spoiled), spoiled, options.port)
