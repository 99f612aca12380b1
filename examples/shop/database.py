"""One SQLite file for each service: an effect, its key and its ledger row are one transaction."""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue

JsonObject = dict[str, JsonValue]
Answer = TypeVar("Answer", bound=BaseModel)

SHARED_TABLES = """
CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, reference TEXT,
 body TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,
 answer TEXT NOT NULL, at REAL NOT NULL);
"""


class KeyReused(Exception):
    """The idempotency key was used before, for something else."""


class Database:
    """One connection behind one lock, so that effects happen one after the other."""

    def __init__(self, path: str, tables: str) -> None:
        if path != ":memory:":
            Path(path).resolve().parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        # FULL: what was answered is on the disk, also when the power goes.
        self._connection.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {SHARED_TABLES} {tables}"
        )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything at the end, or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def once(
        self,
        key: str | None,
        sent: JsonValue,
        window_s: float,
        effect: Callable[[sqlite3.Connection], Answer],
        kind: type[Answer],
    ) -> tuple[Answer, bool]:
        """Apply an effect once for a key; returns the answer and whether it is a replay.

        A refusal, raised by `effect`, leaves the key free. Raises `KeyReused`.
        """
        if key is None:
            with self.transaction() as c:
                return effect(c), False
        text = json.dumps(sent, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        with self.transaction() as c:
            c.execute("DELETE FROM keys WHERE key = ? AND at <= ?", (key, time.time() - window_s))
            row = c.execute("SELECT * FROM keys WHERE key = ?", (key,)).fetchone()
            if row is None:
                answer = effect(c)
                c.execute(
                    "INSERT INTO keys VALUES (?, ?, ?, ?)",
                    (key, fingerprint, answer.model_dump_json(), time.time()),
                )
                return answer, False
            if row["fingerprint"] != fingerprint:
                raise KeyReused(key)
            return kind.model_validate_json(row["answer"]), True

    def ledger(self) -> list[JsonObject]:
        """Every effect that was applied, in order."""
        with self.transaction() as c:
            rows = c.execute("SELECT * FROM ledger ORDER BY id").fetchall()
        return [{**dict(row), "body": json.loads(row["body"])} for row in rows]


def write_ledger(c: sqlite3.Connection, kind: str, reference: str | None, body: JsonObject) -> None:
    """Note an effect, in the transaction that applies it."""
    c.execute(
        "INSERT INTO ledger (kind, reference, body, at) VALUES (?, ?, ?, ?)",
        (kind, reference, json.dumps(body, sort_keys=True), time.time()),
    )
