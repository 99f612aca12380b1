"""A payment provider that counts in decimals: upper-case currencies, other words, other errors."""

import secrets
import sqlite3
from decimal import Decimal
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

HALF_DAY_S = 12 * 3600.0
TOKEN = "shop-decimal-key"
SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, value TEXT, currency TEXT, refunded TEXT);
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, payment TEXT, value TEXT, currency TEXT);
"""
SEEDED = {
    "pay_1042": "82.50",
    "pay_1043": "103.90",
    "pay_1044": "48.90",
    "pay_1045": "27.50",
    "pay_1046": "82.50",
}
VALUE = r"^[0-9]+\.[0-9]{2}$"


class NewPayment(BaseModel):
    value: str = Field(pattern=VALUE)
    currencyCode: str = Field(pattern="^[A-Z]{3}$")  # noqa: N815 - the provider's spelling
    instrument: str


class NewRefund(BaseModel):
    value: str = Field(pattern=VALUE)
    currencyCode: str = Field(pattern="^[A-Z]{3}$")  # noqa: N815 - the provider's spelling
    note: str = ""


def problem(status: int, code: str, text: str) -> JSONResponse:
    trace = f"trace-{secrets.token_hex(6)}"
    return answer(status, {"errorCode": code, "errorText": text, "traceId": trace}, X_Trace=trace)


def payment_of(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "paymentId": row["id"],
        "value": row["value"],
        "currencyCode": row["currency"],
        "refundedValue": row["refunded"],
        "state": "SETTLED",
    }


def build(database: Database, faults: list[Fault]) -> FastAPI:
    app = FastAPI(title="Decimal Payments", version="1.0.0")
    add_controls(app, database, faults)
    with database as c:
        for payment, value in SEEDED.items():
            c.execute(
                "INSERT OR IGNORE INTO payments VALUES (?, ?, 'EUR', '0.00')", (payment, value)
            )

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "4000", str(error.errors()[0]["msg"]))

    def signed(token: str | None) -> JSONResponse | None:
        return None if token == TOKEN else problem(403, "4030", "unknown key")

    def once(key: str | None, sent: object, effect: Any) -> JSONResponse:
        try:
            status, body, replayed = database.once(key, sent, HALF_DAY_S, effect)
        except KeyReusedError:
            return problem(409, "4090", "the request key was used for something else")
        marks = {"X_Replayed": "1"} if replayed else {}
        trace = f"trace-{secrets.token_hex(6)}"
        return answer(200 if replayed and status == 201 else status, body, X_Trace=trace, **marks)

    @app.post("/payments", operation_id="createPayment")
    def create_payment(
        body: NewPayment,
        x_api_key: Annotated[str | None, Header()] = None,
        x_request_key: Annotated[str | None, Header()] = None,
    ) -> JSONResponse:
        """Take a payment."""
        if refused := signed(x_api_key):
            return refused
        if body.instrument == "tok_declined":
            return problem(422, "4020", "the instrument was declined")

        def effect(c: sqlite3.Connection) -> tuple[int, dict[str, Any]]:
            payment = f"P-{secrets.token_hex(8)}"
            c.execute(
                "INSERT INTO payments VALUES (?, ?, ?, '0.00')",
                (payment, body.value, body.currencyCode),
            )
            write_ledger(c, "charge", x_request_key, {"id": payment, **body.model_dump()})
            row = c.execute("SELECT * FROM payments WHERE id = ?", (payment,)).fetchone()
            return 201, payment_of(row)

        return once(x_request_key, body.model_dump(), effect)

    @app.get("/payments/{payment}", operation_id="getPayment")
    def get_payment(
        payment: str, x_api_key: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Read a payment."""
        if refused := signed(x_api_key):
            return refused
        with database as c:
            row = c.execute("SELECT * FROM payments WHERE id = ?", (payment,)).fetchone()
        return (
            problem(404, "4040", "no such payment") if row is None else answer(200, payment_of(row))
        )

    @app.post("/payments/{payment}/refunds", operation_id="createRefund")
    def create_refund(
        payment: str,
        body: NewRefund,
        x_api_key: Annotated[str | None, Header()] = None,
        x_request_key: Annotated[str | None, Header()] = None,
    ) -> JSONResponse:
        """Give money back."""
        if refused := signed(x_api_key):
            return refused

        def effect(c: sqlite3.Connection) -> tuple[int, dict[str, Any]]:
            row = c.execute("SELECT * FROM payments WHERE id = ?", (payment,)).fetchone()
            trace = f"trace-{secrets.token_hex(6)}"
            if row is None:
                return 404, {"errorCode": "4040", "errorText": "no such payment", "traceId": trace}
            left = Decimal(row["value"]) - Decimal(row["refunded"])
            if Decimal(body.value) > left:
                text = f"only {left} can be given back"
                return 422, {"errorCode": "4007", "errorText": text, "traceId": trace}
            refund = f"R-{secrets.token_hex(8)}"
            c.execute(
                "UPDATE payments SET refunded = ? WHERE id = ?",
                (str(Decimal(row["refunded"]) + Decimal(body.value)), payment),
            )
            c.execute(
                "INSERT INTO refunds VALUES (?, ?, ?, ?)",
                (refund, payment, body.value, body.currencyCode),
            )
            told = {"id": refund, "payment": payment, **body.model_dump()}
            write_ledger(c, "refund", x_request_key, told)
            return 201, {
                "refundId": refund,
                "paymentId": payment,
                "value": body.value,
                "currencyCode": body.currencyCode,
                "state": "SETTLED",
            }

        return once(x_request_key, {"payment": payment, **body.model_dump()}, effect)

    @app.get("/payments/{payment}/refunds/{refund}", operation_id="getRefund")
    def get_refund(
        payment: str, refund: str, x_api_key: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Read a refund."""
        if refused := signed(x_api_key):
            return refused
        with database as c:
            row = c.execute(
                "SELECT * FROM refunds WHERE id = ? AND payment = ?", (refund, payment)
            ).fetchone()
        if row is None:
            return problem(404, "4040", "no such refund")
        body = {
            "refundId": refund,
            "paymentId": payment,
            "value": row["value"],
            "currencyCode": row["currency"],
            "state": "SETTLED",
        }
        return answer(200, body)

    return app


if __name__ == "__main__":
    options = arguments("A payment provider that counts in decimals.").parse_args()
    spoiled: list[Fault] = []
    serve(build(Database(options.data, SCHEMA), spoiled), spoiled, options.port)
