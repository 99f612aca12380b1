"""A payment provider that counts in minor units: integers, lower-case currencies, one error body."""

import secrets
import sqlite3
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
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
TOKEN = "Bearer sk_shop_minor"
SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (id TEXT PRIMARY KEY, amount INTEGER, currency TEXT, refunded INTEGER);
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, charge TEXT, amount INTEGER, currency TEXT, reason TEXT);
"""
SEEDED = {"pay_1042": 8250, "pay_1043": 10390, "pay_1044": 4890, "pay_1045": 2750, "pay_1046": 8250}


class NewCharge(BaseModel):
    amount: int = Field(ge=1)
    currency: str = Field(pattern="^[a-z]{3}$")
    source: str
    metadata: dict[str, str] = {}


class NewRefund(BaseModel):
    charge: str
    amount: int = Field(ge=1)
    reason: str = ""


def problem(status: int, kind: str, code: str, message: str) -> JSONResponse:
    body = {"error": {"type": kind, "code": code, "message": message}}
    return answer(status, body, Request_Id=f"rq_{secrets.token_hex(6)}")


def charge_of(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "object": "charge",
        "amount": row["amount"],
        "amount_refunded": row["refunded"],
        "currency": row["currency"],
        "status": "succeeded",
    }


def build(database: Database, faults: list[Fault]) -> FastAPI:
    app = FastAPI(title="Minor Units Payments", version="1.0.0")
    add_controls(app, database, faults)
    with database as c:
        for charge, amount in SEEDED.items():
            c.execute("INSERT OR IGNORE INTO charges VALUES (?, ?, 'eur', 0)", (charge, amount))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(400, "invalid_request_error", "parameter_invalid", str(error.errors()[0]))

    def signed(token: str | None) -> JSONResponse | None:
        if token == TOKEN:
            return None
        return problem(401, "authentication_error", "api_key_invalid", "No such API key")

    def replied(status: int, body: dict[str, Any], replayed: bool) -> JSONResponse:
        marks = {"Idempotent_Replayed": "true"} if replayed else {}
        return answer(status, body, Request_Id=f"rq_{secrets.token_hex(6)}", **marks)

    def once(key: str | None, sent: BaseModel, effect: Any) -> JSONResponse:
        try:
            return replied(*database.once(key, sent.model_dump(), DAY_S, effect))
        except KeyReusedError:
            message = "This key was used with other parameters"
            return problem(400, "idempotency_error", "idempotency_key_in_use", message)

    @app.post("/v1/charges", operation_id="create_charge")
    def create_charge(
        body: NewCharge,
        authorization: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> JSONResponse:
        """Charge a source."""
        if refused := signed(authorization):
            return refused
        if body.source == "tok_declined":
            return problem(402, "card_error", "card_declined", "The card was declined")

        def effect(c: sqlite3.Connection) -> tuple[int, dict[str, Any]]:
            charge = f"ch_{secrets.token_hex(8)}"
            c.execute(
                "INSERT INTO charges VALUES (?, ?, ?, 0)", (charge, body.amount, body.currency)
            )
            write_ledger(c, "charge", idempotency_key, {"id": charge, **body.model_dump()})
            row = c.execute("SELECT * FROM charges WHERE id = ?", (charge,)).fetchone()
            return 200, charge_of(row)

        return once(idempotency_key, body, effect)

    @app.get("/v1/charges/{charge}", operation_id="get_charge")
    def get_charge(
        charge: str, authorization: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Read a charge."""
        if refused := signed(authorization):
            return refused
        with database as c:
            row = c.execute("SELECT * FROM charges WHERE id = ?", (charge,)).fetchone()
        if row is None:
            return problem(404, "invalid_request_error", "resource_missing", f"No charge {charge}")
        return replied(200, charge_of(row), replayed=False)

    @app.post("/v1/refunds", operation_id="create_refund")
    def create_refund(
        body: NewRefund,
        authorization: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> JSONResponse:
        """Give back all or a part of a charge."""
        if refused := signed(authorization):
            return refused
        with database as c:
            row = c.execute("SELECT * FROM charges WHERE id = ?", (body.charge,)).fetchone()
        if row is None:
            message = f"No charge {body.charge}"
            return problem(404, "invalid_request_error", "resource_missing", message)

        def effect(c: sqlite3.Connection) -> tuple[int, dict[str, Any]]:
            row = c.execute("SELECT * FROM charges WHERE id = ?", (body.charge,)).fetchone()
            left = row["amount"] - row["refunded"]
            if body.amount > left:
                message = (
                    f"Refund amount ({body.amount}) is greater than unrefunded amount ({left})"
                )
                kind = "invalid_request_error"
                code = "refund_exceeds_charge"
                return 400, {"error": {"type": kind, "code": code, "message": message}}
            refund = f"re_{secrets.token_hex(8)}"
            c.execute(
                "UPDATE charges SET refunded = refunded + ? WHERE id = ?",
                (body.amount, body.charge),
            )
            c.execute(
                "INSERT INTO refunds VALUES (?, ?, ?, ?, ?)",
                (refund, body.charge, body.amount, row["currency"], body.reason),
            )
            write_ledger(c, "refund", idempotency_key, {"id": refund, **body.model_dump()})
            return 200, {
                "id": refund,
                "object": "refund",
                "charge": body.charge,
                "amount": body.amount,
                "currency": row["currency"],
                "status": "succeeded",
            }

        return once(idempotency_key, body, effect)

    @app.get("/v1/refunds/{refund}", operation_id="get_refund")
    def get_refund(
        refund: str, authorization: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Read a refund."""
        if refused := signed(authorization):
            return refused
        with database as c:
            row = c.execute("SELECT * FROM refunds WHERE id = ?", (refund,)).fetchone()
        if row is None:
            return problem(404, "invalid_request_error", "resource_missing", f"No refund {refund}")
        body = {**dict(row), "object": "refund", "status": "succeeded"}
        return replied(200, body, replayed=False)

    return app


if __name__ == "__main__":
    options = arguments("A payment provider that counts in minor units.").parse_args()
    spoiled: list[Fault] = []
    serve(build(Database(options.data, SCHEMA), spoiled), spoiled, options.port)
