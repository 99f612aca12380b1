"""A payment provider that counts in decimals: upper-case currencies, other words, other errors."""

import sqlite3
from decimal import Decimal
from typing import Annotated, Literal

from database import Answer, Database, JsonObject, write_ledger
from fastapi import Depends, FastAPI, Header, Response
from fastapi.security import APIKeyHeader
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

HALF_DAY_S = 12 * 3600.0
TOKEN = "shop-decimal-key"
TABLES = """
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, payment TEXT NOT NULL, body TEXT NOT NULL);
"""
SEEDED = {
    "pay_1042": "82.50",
    "pay_1043": "103.90",
    "pay_1044": "48.90",
    "pay_1045": "27.50",
    "pay_1046": "82.50",
}
DECLINED = "tok_declined"


class ErrorBody(BaseModel):
    """Every refusal and every failure."""

    errorCode: str = Field(examples=["4007"])  # noqa: N815 - the provider's spelling
    errorText: str  # noqa: N815 - the provider's spelling
    traceId: str  # noqa: N815 - the provider's spelling


STYLE = Style(
    body=lambda refusal, request_id: {
        "errorCode": refusal.code,
        "errorText": refusal.message,
        "traceId": request_id,
    },
    request_id_header="X-Trace",
    codes={
        0: "4001",
        404: "4040",
        405: "4050",
        422: "4000",
        429: "4290",
        500: "5000",
        503: "5030",
    },
    invalid=422,
    key_reused=(409, "4090"),
)


class Closed(BaseModel):
    """What callers send: nothing that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Value = Annotated[str, Field(pattern=r"^[0-9]{1,7}\.[0-9]{2}$", examples=["18.50"])]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]


class NewPayment(Closed):
    value: Value
    currencyCode: Currency  # noqa: N815 - the provider's spelling
    instrument: str = Field(min_length=1, max_length=200)


class Payment(BaseModel):
    paymentId: str  # noqa: N815 - the provider's spelling
    value: str
    currencyCode: str  # noqa: N815 - the provider's spelling
    refundedValue: str  # noqa: N815 - the provider's spelling
    state: Literal["SETTLED", "OPEN", "DECLINED"]


class NewRefund(Closed):
    value: Value
    currencyCode: Currency  # noqa: N815 - the provider's spelling
    note: str = Field("", max_length=500)


class Refund(BaseModel):
    refundId: str  # noqa: N815 - the provider's spelling
    paymentId: str  # noqa: N815 - the provider's spelling
    value: str
    currencyCode: str  # noqa: N815 - the provider's spelling
    note: str
    state: Literal["SETTLED", "OPEN", "DECLINED"]


Key = Annotated[
    str | None,
    Header(
        alias="X-Request-Key",
        min_length=1,
        max_length=100,
        description="The same key within 12 hours applies nothing more; the answer is 200, not 201.",
    ),
]
REPLAYED = {
    "description": "`1` if nothing was applied, because the key was known",
    "schema": {"type": "string"},
}
Given = Annotated[str | None, Depends(APIKeyHeader(name="X-Api-Key", auto_error=False))]


def _signed(given: Given) -> None:
    if given != TOKEN:
        raise Refusal(403, "4030", "unknown key")


class Payments:
    """The business: each operation is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_payment(self, body: NewPayment, response: Response, key: Key = None) -> Payment:
        """Take a payment."""

        def effect(c: sqlite3.Connection) -> Payment:
            _above_nothing(body.value)
            if body.instrument == DECLINED:
                raise Refusal(422, "4020", "the instrument was declined")
            payment = Payment(
                paymentId=new_id("P"),
                value=body.value,
                currencyCode=body.currencyCode,
                refundedValue="0.00",
                state="SETTLED",
            )
            c.execute("INSERT INTO payments VALUES (?, ?)", _row(payment))
            write_ledger(c, "charge", key, {"id": payment.paymentId, **body.model_dump()})
            return payment

        sent: JsonObject = {"operation": "create_payment", **body.model_dump()}
        done, is_replay = self._database.once(key, sent, HALF_DAY_S, effect, Payment)
        return _marked(done, response, is_replay)

    def get_payment(self, payment: str) -> Payment:
        """Read a payment."""
        with self._database.transaction() as c:
            return _payment(c, payment)

    def create_refund(
        self, payment: str, body: NewRefund, response: Response, key: Key = None
    ) -> Refund:
        """Give money back."""

        def effect(c: sqlite3.Connection) -> Refund:
            _above_nothing(body.value)
            paid = _payment(c, payment)
            if body.currencyCode != paid.currencyCode:
                raise Refusal(422, "4008", f"the payment was made in {paid.currencyCode}")
            refunded = Decimal(paid.refundedValue) + Decimal(body.value)
            if refunded > Decimal(paid.value):
                left = Decimal(paid.value) - Decimal(paid.refundedValue)
                raise Refusal(422, "4007", f"only {left} can be given back")
            refund = Refund(
                refundId=new_id("R"), paymentId=payment, state="SETTLED", **body.model_dump()
            )
            now = paid.model_copy(update={"refundedValue": str(refunded)})
            c.execute("INSERT OR REPLACE INTO payments VALUES (?, ?)", _row(now))
            row = (refund.refundId, payment, refund.model_dump_json())
            c.execute("INSERT INTO refunds VALUES (?, ?, ?)", row)
            told: JsonObject = {"id": refund.refundId, "payment": payment, **body.model_dump()}
            write_ledger(c, "refund", key, told)
            return refund

        sent: JsonObject = {"operation": "create_refund", "payment": payment, **body.model_dump()}
        done, is_replay = self._database.once(key, sent, HALF_DAY_S, effect, Refund)
        return _marked(done, response, is_replay)

    def get_refund(self, payment: str, refund: str) -> Refund:
        """Read a refund."""
        with self._database.transaction() as c:
            row = c.execute(
                "SELECT body FROM refunds WHERE id = ? AND payment = ?", (refund, payment)
            ).fetchone()
        if row is None:
            raise Refusal(404, "4040", f"no refund {refund} of payment {payment}")
        return Refund.model_validate_json(row["body"])


def _above_nothing(value: str) -> None:
    if Decimal(value) == 0:
        raise Refusal(422, "4000", "value: must be more than 0.00")


def _marked(done: Answer, response: Response, is_replay: bool) -> Answer:
    if is_replay:
        response.status_code = 200
        response.headers["X-Replayed"] = "1"
    return done


def _payment(c: sqlite3.Connection, payment: str) -> Payment:
    row = c.execute("SELECT body FROM payments WHERE id = ?", (payment,)).fetchone()
    if row is None:
        raise Refusal(404, "4040", f"no payment {payment}")
    return Payment.model_validate_json(row["body"])


def _row(payment: Payment) -> tuple[str, str]:
    return payment.paymentId, payment.model_dump_json()


def seed(database: Database) -> None:
    """Put the payments of the shop's orders there, at the first start only."""
    with database.transaction() as c:
        for payment, value in SEEDED.items():
            paid = Payment(
                paymentId=payment,
                value=value,
                currencyCode="EUR",
                refundedValue="0.00",
                state="SETTLED",
            )
            c.execute("INSERT OR IGNORE INTO payments VALUES (?, ?)", _row(paid))


def build(database: Database, faults: Faults) -> FastAPI:
    """Build the service over its database."""
    text = "A payment provider that counts in decimals."
    app = new_service("Decimal Payments", text, STYLE, database, faults)
    payments = Payments(database)
    signed = [Depends(_signed)]
    refusals = {403: "Unknown key", 422: "Cannot be done or read"}
    read = documented(ErrorBody, {**refusals, 404: "No such thing"})
    reused = {409: "The request key was used for something else"}
    payment = documented(ErrorBody, {**refusals, **reused})
    refund = documented(ErrorBody, {**refusals, **reused, 404: "No such payment"})
    replay = {"description": "A replay", "headers": {"X-Replayed": REPLAYED}}
    payment[200] = {"model": Payment, **replay}
    refund[200] = {"model": Refund, **replay}
    app.post("/payments", status_code=201, dependencies=signed, responses=payment)(
        payments.create_payment
    )
    app.get("/payments/{payment}", dependencies=signed, responses=read)(payments.get_payment)
    app.post("/payments/{payment}/refunds", status_code=201, dependencies=signed, responses=refund)(
        payments.create_refund
    )
    app.get("/payments/{payment}/refunds/{refund}", dependencies=signed, responses=read)(
        payments.get_refund
    )
    return app


if __name__ == "__main__":
    options = arguments("A payment provider that counts in decimals.").parse_args()
    store = open_database(options, TABLES)
    seed(store)
    ordered = Faults()
    serve(build(store, ordered), STYLE, ordered, options)
