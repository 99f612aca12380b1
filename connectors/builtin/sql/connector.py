"""Says the operator's statements to a database, each in one transaction, with a plan's values."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pydantic import JsonValue
from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connectors.body import MOST_BYTES, BodyError
from connectors.builtin.sql.database import Database
from connectors.builtin.sql.receipts import Receipts, said_by
from connectors.builtin.sql.statements import KEY, Statement, Statements
from connectors.builtin.sql.turn import Turn
from connectors.builtin.sql.values import from_driver, to_driver
from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Unavailable
from connectors.spec import ActionSpec, CallContext, Effect, JsonObject
from connectors.validate import check_arguments

_MOST_THREADS = 16


class SqlConnector:
    """One database and the statements that are said to it."""

    name = "sql"

    def __init__(self, connection: str, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements
        self._specs = {each.name: each for each in statements.actions(connection)}
        self._receipts = Receipts(statements.receipts) if statements.receipts else None
        # Threads of its own: a database that hangs keeps nobody else waiting.
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix=f"sql-{connection}")

    async def actions(self) -> Sequence[ActionSpec]:
        """Every statement of the file."""
        return tuple(self._specs.values())

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Say one statement in one transaction, once."""
        if action.name not in self._specs:
            raise Refused(f"there is no {action.name}", kind=Kind.NOT_FOUND)
        check_arguments(self._specs[action.name], arguments)
        said = self._statements.statements[action.name.partition(".")[2]]
        turn = Turn(context.deadline, context.send_before, is_write=said.is_write)
        try:
            async with asyncio.timeout(turn.left_s):
                turn.opens()
                await self._database.ready()
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._transacted, said, action, arguments, context, turn
                )
        except TimeoutError as error:
            raise turn.give_up() from error
        except asyncio.CancelledError:
            turn.give_up()
            raise

    async def aclose(self) -> None:
        """Close what is open, once the threads have let go of it: a given up call ends soon."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._database.close)

    def _transacted(
        self,
        said: Statement,
        action: ActionSpec,
        arguments: Mapping[str, JsonValue],
        context: CallContext,
        turn: Turn,
    ) -> Outcome:
        try:
            with self._database.transaction(turn, is_write=said.is_write) as connection:
                if said.effect is Effect.KEYED and self._receipts is not None:
                    key, what = context.idempotency_key, said_by(action, arguments)
                    before = self._receipts.take(connection, key, what)
                    if before is not None:
                        return Applied(before[0], replayed=True)
                    output = self._done(said, arguments, context, connection)
                    self._receipts.note(connection, key, output)
                else:
                    output = self._done(said, arguments, context, connection)
                if said.is_write:
                    turn.commits()
                    connection.commit()
                return Applied(output)
        except DBAPIError as error:
            raise self._database.meaning(error, turn) from error
        except PoolTimeoutError as error:
            raise Unavailable("every connection is in use") from error
        except ConnectorError:
            raise
        except Exception as error:
            # Of a driver's, too, and before the commit it says that there will be none.
            raise turn.silence(type(error).__name__, Kind.INTERNAL) from error

    def _done(
        self,
        said: Statement,
        arguments: Mapping[str, JsonValue],
        context: CallContext,
        connection: Connection,
    ) -> JsonValue:
        """Say it and read what came; raises `Refused`, and nothing is committed then."""
        typed = self._database.is_typed
        values = _values(said, arguments, typed=typed)
        if said.carries_key:
            values[KEY] = context.idempotency_key
        if said.is_write:
            result = connection.execute(said.clause, values)
        else:
            result = self._database.rows(connection, said, values, said.most + 1)
        if not said.columns:
            count = self._database.affected(connection, result)
            _check_affected(said, count)
            return {"affected": max(0, count)}
        found = _rows(said, result, typed=typed)
        result.close()
        if said.is_write:
            _check_affected(said, len(found))
        return _given(said, found)


def _values(
    said: Statement, arguments: Mapping[str, JsonValue], *, typed: bool
) -> dict[str, object]:
    """What is bound; raises `Refused` for what a schema allows and no database has."""
    found: dict[str, object] = {}
    for name, each in said.arguments.items():
        given = arguments.get(name)
        many = given if each.many and isinstance(given, list) else [given]
        try:
            values = [to_driver(each.type, item, typed=typed) for item in many]
        except ValueError as error:
            raise Refused(f"{name}: {error}", kind=Kind.INVALID) from error
        found[name] = values if each.many else values[0]
    return found


def _rows(said: Statement, result: CursorResult[tuple[object]], *, typed: bool) -> list[JsonObject]:
    """One row more than are passed on, as far as there are; raises `Refused`."""
    names = tuple(result.keys())
    if sorted(names) != sorted(said.columns):
        told = f"the columns are {', '.join(names)}, not {', '.join(said.columns)}"
        raise Refused(told, kind=Kind.INTERNAL)
    found: list[JsonObject] = []
    size = 0
    for row in islice(result, said.most + 1):
        told_row: JsonObject = {}
        for name, cell in zip(names, row, strict=True):
            try:
                told_row[name] = from_driver(said.columns[name], cell, typed=typed)
            except (ValueError, BodyError) as error:
                raise Refused(f"column {name}: {error}", kind=Kind.INTERNAL) from error
        found.append(told_row)
        size += len(json.dumps(told_row))
        if size > MOST_BYTES:
            raise Refused(f"the rows are more than {MOST_BYTES} bytes", kind=Kind.INTERNAL)
    return found


def _given(said: Statement, found: list[JsonObject]) -> JsonValue:
    if said.gives == "many":
        rows: list[JsonValue] = [*found[: said.most_rows]]
        return {"rows": rows, "has_more": len(found) > said.most_rows}
    if len(found) > 1:
        raise Refused("there is more than one such row", kind=Kind.CONFLICT)
    if not found and said.gives == "one":
        raise Refused("there is no such row", kind=Kind.NOT_FOUND)
    return found[0] if found else None


def _check_affected(said: Statement, count: int) -> None:
    """Raise `Refused` where a write touched another number of rows than its file says."""
    if count < 1 and said.affects != "any":
        raise Refused("there is no such row: nothing was changed", kind=Kind.NOT_FOUND)
    if count > 1 and said.affects == "one":
        told = f"it would change {count} rows, where one is meant: nothing was changed"
        raise Refused(told, kind=Kind.CONFLICT)
