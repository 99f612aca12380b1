"""Tryton's REST interface: its addresses, how it writes decimals and dates, what its errors mean.

    GET  /DATABASE/rest/model/MODEL/ID?f=FIELD&f=...        read
    GET  /DATABASE/rest/model/MODEL?d=DOMAIN&f=...          search
    POST /DATABASE/rest/model/MODEL                         create
    PUT, DELETE /DATABASE/rest/model/MODEL/ID               write, delete
    POST /DATABASE/rest/model/MODEL/ID/ACTION               a button: the state machine moves

A domain and the context are JSON in URL-safe base64. Errors have four dialects: 400 is JSON with a
message; 401, 403 and 404 are HTML; 503 is a database that was busy, and nothing was kept then; a
500 may be anything, so of a write it leaves a doubt.
"""

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.api import Api
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, Effect, JsonObject
from connectors.unified.money import told_exactly
from connectors.unified.vendor import value_at

DIALECT = Dialect(message_at=("message",))
Told = Callable[[JsonValue], JsonValue]


@dataclass(frozen=True)
class Tryton:
    """One database of a Tryton server, and whose books are meant."""

    api: Api
    database: str
    company: int = 1
    _context: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "_context", self.context_of({}))

    def context_of(self, more: Mapping[str, JsonValue]) -> str:
        """The header that says the company, and what else a read depends on."""
        return _packed({"company": self.company, "companies": [self.company], **more})

    async def read(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        number: int,
        fields: Sequence[str],
        told: Told,
        **within: JsonValue,
    ) -> Outcome:
        """Read one record."""
        headers = {"x-tryton-context": self.context_of(within), "accept-language": "en"}
        where = self._path(model, str(number))
        query = {"f": fields}
        return await self.api.ask(
            as_read(spec), context, "GET", *where, query=query, headers=headers, mapped=told
        )

    async def search(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        domain: Sequence[JsonValue],
        fields: Sequence[str],
        told: Told,
        limit: int = 1,
        *,
        oldest: bool = False,
    ) -> Outcome:
        """Read the newest records of a domain, or the oldest."""
        query: dict[str, str | Sequence[str]] = {
            "d": _packed([*domain]),
            "o": _packed([["id", "ASC" if oldest else "DESC"]]),
            "s": str(limit),
            "f": fields,
        }
        return await self._ask(as_read(spec), context, "GET", model, query=query, mapped=told)

    async def create(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        values: JsonObject,
        fields: Sequence[str],
        told: Told,
    ) -> Outcome:
        """Make one record."""
        query = {"f": fields}
        return await self._ask(spec, context, "POST", model, query=query, body=values, mapped=told)

    async def write(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        number: int,
        values: JsonObject,
        fields: Sequence[str],
        told: Told,
    ) -> Outcome:
        """Change one record."""
        where, query = (model, str(number)), {"f": fields}
        return await self._ask(spec, context, "PUT", *where, query=query, body=values, mapped=told)

    async def push(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        number: int,
        button: str,
        fields: Sequence[str],
        told: Told,
    ) -> Outcome:
        """Push a button of one record."""
        where, query = (model, str(number), button), {"f": fields}
        return await self._ask(spec, context, "POST", *where, query=query, body={}, mapped=told)

    async def delete(
        self, spec: ActionSpec, context: CallContext, model: str, number: int
    ) -> Outcome:
        """Delete one record; where it is gone already it was deleted before."""
        told: JsonObject = {"id": str(number)}

        def deleted(_: HttpAnswer) -> JsonValue:
            return told

        try:
            return await self._ask(
                spec, context, "DELETE", model, str(number), body={}, content=deleted
            )
        except Refused as error:
            if error.kind is Kind.NOT_FOUND and context.attempt > 1:
                return Applied(told, replayed=True)
            raise

    async def _ask(
        self,
        spec: ActionSpec,
        context: CallContext,
        method: str,
        *path: str,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: JsonObject | None = None,
        mapped: Told = lambda body: body,
        content: Callable[[HttpAnswer], JsonValue] | None = None,
    ) -> Outcome:
        return await self.api.ask(
            spec,
            context,
            method,
            *self._path(*path),
            query=query,
            body=body,
            headers={"x-tryton-context": self._context, "accept-language": "en"},
            mapped=mapped,
            content=content,
        )

    def _path(self, *parts: str) -> tuple[str, ...]:
        return (self.database, "rest", "model", *parts)


def number_of(value: JsonValue) -> int:
    """The number behind an id; raises `Refused` for a text that is none."""
    text = str(value)
    if not text.isdecimal() or not text.isascii() or len(text) > 12:
        raise Refused(f"{text[:100]!r} is no id of a record", kind=Kind.INVALID)
    return int(text)


def as_decimal(text: JsonValue) -> JsonObject:
    """A decimal as Tryton reads it."""
    return {"__class__": "Decimal", "decimal": str(text)}


def as_day(text: JsonValue) -> JsonObject:
    """A date as Tryton reads it; raises `Refused` for a text that is none."""
    try:
        day = dt.date.fromisoformat(str(text))
    except ValueError as error:
        raise Refused(str(error), kind=Kind.INVALID) from error
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def as_bytes(text: JsonValue) -> JsonObject:
    """Bytes as Tryton reads them, of their base64."""
    return {"__class__": "bytes", "base64": str(text)}


def decimal(value: JsonValue) -> str | None:
    """The text of a decimal, or None; raises `TypeError` for anything else."""
    if value is None:
        return None
    found = value.get("decimal") if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise TypeError("expected a decimal")
    return found


def day(value: JsonValue) -> JsonValue:
    """A date as ISO 8601, or null."""
    return None if value is None else dt.date(*_parts(value, "year", "month", "day")).isoformat()


def moment(value: JsonValue) -> JsonValue:
    """A time, which Tryton has in UTC, as RFC 3339, or null."""
    if value is None:
        return None
    year, month, date, hour, minute, second, micro = _parts(
        value, "year", "month", "day", "hour", "minute", "second", "microsecond"
    )
    found = dt.datetime(year, month, date, hour, minute, second, micro, dt.UTC)
    return found.isoformat()


def money(raw: JsonValue, amount: str, currency: str = "currency/code") -> JsonValue:
    """The amount at one place in the currency at another, or null where there is none."""
    exact, code = decimal(value_at(raw, amount)), value_at(raw, currency)
    return None if exact is None or code is None else told_exactly(exact, str(code))


def number(value: JsonValue) -> JsonValue:
    """The id of a record that a field leads to, as text, or null."""
    found = value.get("id") if isinstance(value, dict) else value
    return None if found is None else str(found)


def numbers(value: JsonValue) -> JsonValue:
    """The ids of every record that a field leads to."""
    return [number(each) for each in value] if isinstance(value, list) else []


def referred(model: str) -> Callable[[JsonValue], JsonValue]:
    """The id behind `MODEL,ID` where it is of this model, else null."""

    def read(value: JsonValue) -> JsonValue:
        name, _, found = str(value or "").partition(",")
        return found if name == model and found else None

    return read


def rows(value: JsonValue) -> list[JsonObject]:
    """The records of a list; raises `TypeError` where it is none."""
    if not isinstance(value, list):
        raise TypeError("expected a list of records")
    return [each for each in value if isinstance(each, dict)]


def _parts(value: JsonValue, *names: str) -> list[int]:
    found = [value.get(name) if isinstance(value, dict) else None for name in names]
    if not all(isinstance(each, int) for each in found):
        raise TypeError(f"expected {', '.join(names)}")
    return [each for each in found if isinstance(each, int)]


def as_read(spec: ActionSpec) -> ActionSpec:
    """What a write asks before it writes has no effect that could be in doubt."""
    return spec if not spec.is_write else spec.model_copy(update={"effect": Effect.READ})


def _packed(value: JsonValue) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
