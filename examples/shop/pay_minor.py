"""A payment provider that counts in minor units: integers, lower-case currencies, one error body."""

import sqlite3
import time
from typing import Annotated, Literal

from database import Answer, Database, JsonObject, write_ledger
from fastapi import Depends, FastAPI, Header, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
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
TOKEN = "sk_shop_minor"
TABLES = """
CREATE TABLE IF NOT EXISTS charges (id TEXT PRIMARY KEY, amount INTEGER NOT NULL,
 amount_refunded INTEGER NOT NULL CHECK (amount_refunded <= amount), body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
SEEDED = {"pay_1042": 8250, "pay_1043": 10390, "pay_1044": 4890, "pay_1045": 2750, "pay_1046": 8250}
PLACED_AT = 1_794_216_600  # when the first of these orders was placed
DECLINED = "tok_declined"
TYPES = {401: "authentication_error", 402: "card_error", 429: "rate_limit_error"}


class Error(BaseModel):
    type: str = Field(examples=["invalid_request_error"])
    code: str = Field(examples=["resource_missing"])
    message: str


class ErrorBody(BaseModel):
    """Every refusal and every failure."""

    error: Error


def _error(refusal: Refusal, _: str) -> JsonObject:
    usual = "api_error" if refusal.status >= 500 else "invalid_request_error"
    kind = TYPES.get(refusal.status, usual)
    if refusal.code == "idempotency_key_in_use":
        kind = "idempotency_error"
    error = Error(type=kind, code=refusal.code, message=refusal.message)
    return {"error": error.model_dump()}


STYLE = Style(
    body=_error,
    request_id_header="Request-Id",
    codes={
        0: "request_refused",
        400: "parameter_invalid",
        404: "resource_missing",
        429: "rate_limit",
        500: "api_failed",
        503: "api_unavailable",
    },
    invalid=400,
    key_reused=(400, "idempotency_key_in_use"),
)


class Closed(BaseModel):
    """What callers send: nothing that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Amount = Annotated[
    int, Field(ge=1, le=99_999_999, strict=True, description="in minor units: 1850 is 18.50")
]
Currency = Annotated[str, Field(pattern="^[a-z]{3}$", examples=["eur"])]


class NewCharge(Closed):
    amount: Amount
    currency: Currency
    source: str = Field(min_length=1, max_length=200, description="a token of a card")
    metadata: dict[str, str] = {}


class Charge(BaseModel):
    id: str
    object: Literal["charge"] = "charge"
    amount: int
    amount_refunded: int
    currency: str
    status: Literal["succeeded", "pending", "failed"]
    source: str
    metadata: dict[str, str]
    created: int = Field(description="seconds since 1970")


class NewRefund(Closed):
    charge: str = Field(max_length=200)
    amount: Amount
    reason: str = Field("", max_length=500)


class Refund(BaseModel):
    id: str
    object: Literal["refund"] = "refund"
    charge: str
    amount: int
    currency: str
    reason: str
    status: Literal["succeeded", "pending", "failed"]
    created: int = Field(description="seconds since 1970")


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
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def _signed(given: Given) -> None:
    if given is None or given.credentials != TOKEN:
        raise Refusal(401, "api_key_invalid", "No such API key")


class Payments:
    """The business: each operation is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_charge(self, body: NewCharge, response: Response, key: Key = None) -> Charge:
        """Charge a source."""

        def effect(c: sqlite3.Connection) -> Charge:
            if body.source == DECLINED:
                raise Refusal(402, "card_declined", "The card was declined")
            charge = Charge(
                id=new_id("ch"),
                amount_refunded=0,
                status="succeeded",
                created=int(time.time()),
                **body.model_dump(),
            )
            _insert(c, charge)
            write_ledger(c, "charge", key, {"id": charge.id, **body.model_dump()})
            return charge

        sent: JsonObject = {"operation": "create_charge", **body.model_dump()}
        done, is_replay = self._database.once(key, sent, DAY_S, effect, Charge)
        return _marked(done, response, is_replay)

    def get_charge(self, charge: str) -> Charge:
        """Read a charge."""
        with self._database.transaction() as c:
            return _charge(c, charge)

    def create_refund(self, body: NewRefund, response: Response, key: Key = None) -> Refund:
        """Give back all or a part of a charge."""

        def effect(c: sqlite3.Connection) -> Refund:
            charge = _charge(c, body.charge)
            left = charge.amount - charge.amount_refunded
            if body.amount > left:
                message = f"Refund amount {body.amount} is greater than unrefunded amount {left}"
                raise Refusal(400, "refund_exceeds_charge", message)
            refund = Refund(
                id=new_id("re"),
                currency=charge.currency,
                status="succeeded",
                created=int(time.time()),
                **body.model_dump(),
            )
            c.execute(
                "UPDATE charges SET amount_refunded = amount_refunded + ? WHERE id = ?",
                (body.amount, charge.id),
            )
            c.execute("INSERT INTO refunds VALUES (?, ?)", (refund.id, refund.model_dump_json()))
            write_ledger(c, "refund", key, {"id": refund.id, **body.model_dump()})
            return refund

        sent: JsonObject = {"operation": "create_refund", **body.model_dump()}
        done, is_replay = self._database.once(key, sent, DAY_S, effect, Refund)
        return _marked(done, response, is_replay)

    def get_refund(self, refund: str) -> Refund:
        """Read a refund."""
        with self._database.transaction() as c:
            row = c.execute("SELECT body FROM refunds WHERE id = ?", (refund,)).fetchone()
        if row is None:
            raise Refusal(404, "resource_missing", f"No such refund: {refund}")
        return Refund.model_validate_json(row["body"])


def _marked(done: Answer, response: Response, is_replay: bool) -> Answer:
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return done


def _charge(c: sqlite3.Connection, charge: str) -> Charge:
    row = c.execute("SELECT * FROM charges WHERE id = ?", (charge,)).fetchone()
    if row is None:
        raise Refusal(404, "resource_missing", f"No such charge: {charge}")
    found = Charge.model_validate_json(row["body"])
    return found.model_copy(update={"amount_refunded": row["amount_refunded"]})


def _insert(c: sqlite3.Connection, charge: Charge) -> None:
    c.execute(
        "INSERT OR IGNORE INTO charges VALUES (?, ?, 0, ?)",
        (charge.id, charge.amount, charge.model_dump_json()),
    )


def seed(database: Database) -> None:
    """Put the payments of the shop's orders there, at the first start only."""
    with database.transaction() as c:
        for charge, amount in SEEDED.items():
            _insert(
                c,
                Charge(
                    id=charge,
                    amount=amount,
                    amount_refunded=0,
                    currency="eur",
                    status="succeeded",
                    source="tok_card",
                    metadata={"order": charge.removeprefix("pay_")},
                    created=PLACED_AT,
                ),
            )


def build(database: Database, faults: Faults) -> FastAPI:
    """Build the service over its database."""
    text = "A payment provider that counts in minor units."
    app = new_service("Minor Units Payments", text, STYLE, database, faults)
    payments = Payments(database)
    signed = [Depends(_signed)]
    refusals = {400: "Cannot be done or read", 401: "No such API key"}
    read = documented(ErrorBody, {**refusals, 404: "No such thing"})
    charge = documented(ErrorBody, {**refusals, 402: "Declined"})
    refund = documented(ErrorBody, {**refusals, 404: "No such charge"})
    for each in (charge, refund):
        each[200] = {"headers": {"Idempotent-Replayed": REPLAYED}}
    app.post("/v1/charges", dependencies=signed, responses=charge)(payments.create_charge)
    app.get("/v1/charges/{charge}", dependencies=signed, responses=read)(payments.get_charge)
    app.post("/v1/refunds", dependencies=signed, responses=refund)(payments.create_refund)
    app.get("/v1/refunds/{refund}", dependencies=signed, responses=read)(payments.get_refund)
    return app


if __name__ == "__main__":
    options = arguments("A payment provider that counts in minor units.").parse_args()
    store = open_database(options, TABLES)
    seed(store)
    ordered = Faults()
    serve(build(store, ordered), STYLE, ordered, options)
