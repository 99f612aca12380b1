"""The operator's file of statements: what is said to the database, and what each is to the world.

A statement is text of the operator's alone. A plan gives values, which are bound where the text
says `:name`; nothing of a plan ever becomes text of a statement.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from sqlalchemy import BindParameter, TextClause, bindparam, text

from connectors.builtin.sql.values import Argument, Value
from connectors.document import read_document
from connectors.errors import ConfigurationError
from connectors.flaws import first_told
from connectors.looked_up import SETTLES_S
from connectors.manifest import within
from connectors.spec import ActionSpec, Effect, JsonObject, Sink

KEY = "lamgate_key"
"""The name under which a write may say our idempotency key, so that it can be looked up."""

CURSOR = "lamgate_rows"

_READS = ("SELECT", "WITH", "VALUES")
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "WITH", "SELECT")
_DERIVED = ("name", "input_schema", "output_schema", "sinks", "idempotency", "status")
_AFFECTED: JsonObject = {"affected": {"type": "integer", "minimum": 0}}

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Table = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$", max_length=100)]


class Statement(BaseModel):
    """One statement; members that are not named here are those of the action's manifest.

    `gives` is what comes back where there are columns: `one` row, `maybe` one (or null), or
    `many`. A write that touches another number of rows than `affects` says is taken back.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    description: str = Field(min_length=1)
    sql: str = Field(min_length=1)
    effect: Effect
    arguments: dict[Name, Argument] = {}
    columns: dict[str, Value] = {}
    gives: Literal["one", "maybe", "many"] = "many"
    most_rows: int = Field(default=100, ge=1, le=10_000)
    affects: Literal["one", "some", "any"] = "one"

    @model_validator(mode="after")
    def _is_one_statement_that_says_what_it_is(self) -> Self:
        begins = self.sql.split(maxsplit=1)[0].upper() if self.sql.strip() else ""
        known = _WRITES if self.is_write else _READS
        if begins not in known:
            raise ValueError(f"sql: this effect begins with one of {', '.join(known)}")
        if ";" in self.sql:
            raise ValueError("sql: one statement only, without `;`: a text with one is an argument")
        if not self.is_write and not self.columns:
            raise ValueError("columns: a read says what comes back")
        if derived := sorted(self.manifest.keys() & {*_DERIVED}):
            raise ValueError(f"{derived[0]}: this follows from the statement")
        self._check_names()
        return self

    def _check_names(self) -> None:
        said = set(text(self.sql).compile().params)
        unknown = sorted(said - self.arguments.keys() - {KEY})
        if unknown:
            raise ValueError(f"sql: :{unknown[0]} is no argument; a colon is written \\:")
        if unused := sorted(self.arguments.keys() - said):
            raise ValueError(f"arguments: the statement does not say :{unused[0]}")
        if KEY in self.arguments:
            raise ValueError(f"arguments: {KEY} is our key, which no plan gives")
        if KEY in said and not self.is_write:
            raise ValueError(f"sql: :{KEY} is for a write; a look-up takes it as an argument")
        if self.effect is Effect.LOOKUP and KEY not in said:
            raise ValueError(f"sql: what is looked up has to carry :{KEY}")

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.effect is not Effect.READ

    @property
    def most(self) -> int:
        """How many rows are passed on."""
        return self.most_rows if self.gives == "many" else 1

    @property
    def manifest(self) -> JsonObject:
        """What the file says beside the statement: members of `ActionSpec`."""
        return dict(self.model_extra or {})

    @cached_property
    def clause(self) -> TextClause:
        """The statement with its places for values."""
        return self._after("")

    @cached_property
    def cursor(self) -> TextClause:
        """The same as the query of a cursor, from which rows are fetched."""
        return self._after(f"DECLARE {CURSOR} NO SCROLL CURSOR FOR ")

    def _after(self, before: str) -> TextClause:
        places: list[BindParameter[object]] = [
            bindparam(name, expanding=True) for name, each in self.arguments.items() if each.many
        ]
        return text(before + self.sql).bindparams(*places)

    @property
    def carries_key(self) -> bool:
        """Whether our key is one of its values."""
        return KEY in self.clause.compile().params

    @property
    def input_schema(self) -> JsonObject:
        """What a plan gives."""
        needed: list[JsonValue] = [
            name for name, each in self.arguments.items() if not each.optional
        ]
        return _closed({name: each.schema_of_all for name, each in self.arguments.items()}, needed)

    @property
    def output_schema(self) -> JsonObject:
        """What comes back: rows, or how many were touched."""
        if not self.columns:
            return _closed(_AFFECTED)
        row = _closed({name: each.schema_of_one for name, each in self.columns.items()})
        match self.gives:
            case "one":
                return row
            case "maybe":
                return {"anyOf": [row, {"type": "null"}]}
            case "many":
                rows: JsonObject = {"type": "array", "items": row, "maxItems": self.most_rows}
                return _closed({"rows": rows, "has_more": {"type": "boolean"}})


class Statements(BaseModel):
    """The whole file; `receipts` names a table that writes leave their keys in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    receipts: Table | None = None
    keep_s: float = Field(default=30 * 86400.0, gt=0)
    statements: dict[Name, Statement] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_table_for_keys(self) -> Self:
        for name, each in self.statements.items():
            if each.effect is Effect.KEYED and self.receipts is None:
                raise ValueError(f"{name}: a keyed write needs `receipts`, a table for its keys")
        return self

    def actions(self, connection: str) -> tuple[ActionSpec, ...]:
        """Each statement as an action; raises `ConfigurationError`."""
        return tuple(self._action(connection, name, each) for name, each in self.statements.items())

    def _action(self, connection: str, name: str, said: Statement) -> ActionSpec:
        sinks: JsonObject = {
            f"{argument}/*" if each.many else argument: each.sink
            for argument, each in said.arguments.items()
            if each.sink is not Sink.PLAIN
        }
        found_out: JsonObject = {}
        if said.effect is Effect.KEYED:
            found_out["idempotency"] = {"in": "connector", "name": KEY, "window_s": self.keep_s}
        if said.effect is Effect.LOOKUP:
            found_out["settle_s"] = SETTLES_S
        # A plan is bound to the action's digest: another statement has to be another action.
        version = hashlib.sha256(said.model_dump_json().encode()).hexdigest()[:12]
        try:
            return ActionSpec.model_validate(
                {
                    "name": f"{connection}.{name}",
                    "description": f"{said.description} [statement {version}]",
                    "effect": said.effect,
                    "input_schema": said.input_schema,
                    "output_schema": said.output_schema,
                    "sinks": sinks,
                    **found_out,
                    **within(connection, said.manifest),
                }
            )
        except ValidationError as error:
            told = f"connections.{connection}: statements.{name}: {first_told(error)}"
            raise ConfigurationError(told) from error


def load_statements(path: Path) -> Statements:
    """Read a file of statements, YAML or JSON; raises `ConfigurationError`."""
    try:
        return Statements.model_validate(read_document(path.read_bytes(), f"statements {path}"))
    except OSError as error:
        raise ConfigurationError(f"statements {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigurationError(f"statements {path}: {first_told(error)}") from error


def _closed(properties: JsonObject, required: list[JsonValue] | None = None) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties] if required is None else required,
        "additionalProperties": False,
    }
