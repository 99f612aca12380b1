"""What goes into a statement and what comes out of one: each type as JSON, and as a driver has it.

    type       JSON                          PostgreSQL         SQLite
    ────       ────                          ──────────         ──────
    text       string                        text, an enum      text
    integer    integer, within ±(2^53 - 1)   any integer        integer
    number     number                        double precision   real
    decimal    string, exact                 numeric            text, integer, real
    boolean    boolean                       boolean            0 or 1
    date       string, format date           date               text
    datetime   string, format date-time      timestamptz        text, in UTC
    uuid       string, format uuid           uuid               text
    json       anything                      json, jsonb        text

A time without a zone is one of UTC. What a driver gives and its column did not announce raises
`ValueError`: it is found before a write is committed.
"""

import datetime as dt
import json
import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from connectors.body import json_flaw, read_json
from connectors.spec import JsonObject, Sink

MOST_ITEMS = 1000
_LARGEST = 2**53 - 1
_MOST_DIGITS = 38


class Type(StrEnum):
    """What a value is, the same on every database."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    UUID = "uuid"
    JSON = "json"


_SCHEMAS: dict[Type, JsonObject] = {
    Type.TEXT: {"type": "string"},
    Type.INTEGER: {"type": "integer", "minimum": -_LARGEST, "maximum": _LARGEST},
    Type.NUMBER: {"type": "number"},
    Type.DECIMAL: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "maxLength": 80},
    Type.BOOLEAN: {"type": "boolean"},
    Type.DATE: {"type": "string", "format": "date"},
    Type.DATETIME: {"type": "string", "format": "date-time"},
    Type.UUID: {"type": "string", "format": "uuid"},
    Type.JSON: {},
}


class Value(BaseModel):
    """One argument or column; its type alone may be said as a word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Type
    description: str = ""
    one_of: tuple[str, ...] = Field(default=(), description="the texts that it may be")
    most: int | None = Field(default=None, ge=1, description="how long a text may be")
    nullable: bool = False

    @model_validator(mode="before")
    @classmethod
    def _may_be_a_word(cls, data: object) -> object:
        return {"type": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _is_bounded_as_a_text(self) -> Self:
        if (self.one_of or self.most) and self.type is not Type.TEXT:
            raise ValueError("one_of and most are for a text")
        return self

    @property
    def schema_of_one(self) -> JsonObject:
        """The JSON Schema of one such value."""
        found = dict(_SCHEMAS[self.type])
        if self.one_of:
            found["enum"] = [*self.one_of]
        if self.most:
            found["maxLength"] = self.most
        if self.nullable and found:
            found = {"anyOf": [found, {"type": "null"}]}
        return found | ({"description": self.description} if self.description else {})


class Argument(Value):
    """A value that a plan gives; left out, where it may be, it is NULL."""

    sink: Sink = Sink.PLAIN
    optional: bool = False
    many: bool = Field(default=False, description="a list of them, written `IN :name`")

    @property
    def schema_of_all(self) -> JsonObject:
        """The JSON Schema of what a plan gives."""
        if not self.many:
            return self.schema_of_one
        items: JsonObject = {"type": "array", "items": self.schema_of_one}
        items |= {"minItems": 1, "maxItems": MOST_ITEMS}
        return items | ({"description": self.description} if self.description else {})


def to_driver(kind: Type, value: JsonValue, *, typed: bool) -> object:
    """A value that fits its schema, as a driver takes it; raises `ValueError` for what none takes.

    `typed` is where it has more types than texts and numbers.
    """
    if value is None:
        return None
    match kind:
        case Type.JSON:
            return json.dumps(value)
        case Type.DECIMAL if typed:
            return Decimal(str(value))
        case Type.DATE if typed:
            return dt.date.fromisoformat(str(value))
        case Type.DATETIME:
            moment = _in_utc(dt.datetime.fromisoformat(str(value)))
            return moment if typed else moment.replace(tzinfo=None).isoformat(sep=" ")
        case Type.UUID if typed:
            return uuid.UUID(str(value))
        case Type.INTEGER if isinstance(value, float):
            return int(value)  # 2.0 is an integer to JSON Schema
        case Type.NUMBER if isinstance(value, int | float):
            return float(value)
        case _:
            if isinstance(value, str) and "\0" in value:
                raise ValueError("a text with a zero in it cannot be stored")
            return value


def from_driver(column: Value, cell: object, *, typed: bool) -> JsonValue:
    """What a driver gave, as JSON; raises `ValueError` for what the column did not announce."""
    if cell is None:
        if column.nullable:
            return None
        raise ValueError("there is no value, and the column is not said to be nullable")
    found = _read(column.type, cell, typed)
    if (flaw := json_flaw(found)) is not None:
        raise ValueError(flaw)
    if column.one_of and found not in column.one_of:
        raise ValueError("the text is none of those that were announced")
    if column.most is not None and isinstance(found, str) and len(found) > column.most:
        raise ValueError(f"the text is longer than {column.most}")
    return found


def _read(kind: Type, cell: object, typed: bool) -> JsonValue:
    match kind, cell:
        case Type.JSON, str() if not typed:
            return read_json(cell.encode())
        case Type.JSON, str() | int() | float() | list() | dict():
            try:
                return read_json(json.dumps(cell).encode())
            except TypeError as error:  # an array of what is no JSON
                raise ValueError(f"there is something in it that is no JSON: {error}") from error
        case Type.TEXT, str():
            return cell
        case Type.BOOLEAN, bool() | 0 | 1:
            return bool(cell)
        case ((Type.INTEGER | Type.NUMBER | Type.DECIMAL), (int() | float() | str() | Decimal())):
            return _number(kind, cell)
        case ((Type.DATE | Type.DATETIME), dt.date()):
            return _time(kind, cell)
        case Type.DATE, str() if not typed:
            return dt.date.fromisoformat(cell).isoformat()
        case Type.DATETIME, str() if not typed:
            return _time(kind, dt.datetime.fromisoformat(cell))
        case Type.UUID, uuid.UUID():
            return str(cell)
        case Type.UUID, str() if not typed:
            return str(uuid.UUID(cell))
    raise _another(kind, cell)


def _time(kind: Type, cell: dt.date) -> str:
    if isinstance(cell, dt.datetime) != (kind is Type.DATETIME):
        raise _another(kind, cell)
    return (_in_utc(cell) if isinstance(cell, dt.datetime) else cell).isoformat()


def _another(kind: Type, cell: object) -> ValueError:
    return ValueError(f"a {type(cell).__name__} is no {kind}; cast it in the statement")


def _number(kind: Type, cell: float | str | Decimal) -> JsonValue:
    """A number without loss: an integer within what JSON holds, a double, or an exact decimal."""
    if isinstance(cell, bool) or (isinstance(cell, str) and kind is not Type.DECIMAL):
        raise _another(kind, cell)
    try:
        exact = Decimal(str(cell))
    except ArithmeticError as error:
        raise ValueError("this is no decimal") from error
    if not exact.is_finite():
        raise ValueError("this is no number that is passed on")
    if kind is Type.NUMBER:
        if not isinstance(cell, float) and abs(exact) > _LARGEST:
            raise ValueError("a number beyond 2^53-1 would be another one; declare it a decimal")
        return float(exact)
    if max(abs(exact.adjusted()), len(exact.as_tuple().digits)) > _MOST_DIGITS:
        raise ValueError(f"a decimal of more than {_MOST_DIGITS} places is not passed on")
    if kind is Type.DECIMAL:
        return f"{exact:f}"
    if exact != int(exact) or abs(exact) > _LARGEST:
        raise ValueError("this is no integer that JSON holds; declare it a decimal")
    return int(exact)


def _in_utc(moment: dt.datetime) -> dt.datetime:
    """The same moment in UTC; without a zone it is one already. Raises `ValueError`."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC)
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is in no calendar of UTC") from error
