"""A write that happens once: its key stands in the database, in the transaction of the write.

    insert the key ──┬─ it is new ─▶ the write ─▶ note what it gave ─▶ commit
                     └─ it is there already, committed ─▶ what it gave then

Whoever comes with the same key while the first is still at it waits at the key for its end. The
table is the operator's:

    CREATE TABLE lamgate_receipts (
        key TEXT PRIMARY KEY, arguments TEXT NOT NULL, output TEXT,
        at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)
"""

import json
from collections.abc import Mapping

from pydantic import JsonValue
from sqlalchemy import Connection, text

from connectors.canonical import canonical, digest_of
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec


class Receipts:
    """The table of keys of one database."""

    def __init__(self, table: str) -> None:
        self._take = text(
            f"INSERT INTO {table} (key, arguments) VALUES (:key, :arguments)"  # noqa: S608 - a name
            " ON CONFLICT (key) DO NOTHING"
        )
        self._find = text(f"SELECT arguments, output FROM {table} WHERE key = :key")  # noqa: S608
        self._note = text(f"UPDATE {table} SET output = :output WHERE key = :key")  # noqa: S608

    def take(self, connection: Connection, key: str, said: str) -> tuple[JsonValue] | None:
        """Take the key, or return what was given under it; raises `Refused` for another call's."""
        if connection.execute(self._take, {"key": key, "arguments": said}).rowcount == 1:
            return None
        found = connection.execute(self._find, {"key": key}).one()
        if found.arguments != said:
            raise Refused("the key stands for another call", kind=Kind.CONFLICT)
        return (json.loads(found.output),)

    def note(self, connection: Connection, key: str, output: JsonValue) -> None:
        """Keep what the write gave beside its key."""
        connection.execute(self._note, {"key": key, "output": json.dumps(output)})


def said_by(action: ActionSpec, arguments: Mapping[str, JsonValue]) -> str:
    """What a key stands for: the action and its arguments."""
    return digest_of(canonical([action.name, dict(arguments)]))
