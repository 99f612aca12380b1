"""Finds actions by words: SQLite's FTS5 over names, descriptions and names of arguments.

The one file that knows FTS5. A catalogue is indexed once and asked by BM25: a rare word tells more
than a common one, a word of a short text more than one of a long text, and one of a name more than
one of a description. With a folder the index is kept there in a file, put in place whole, and used
again at the next start if it is of exactly this catalogue. It is a cache: one that cannot be read
is as good as not there, and where none can be written it is in memory, as for any database.

Words that more than a thousand actions and a tenth of all have tell next to nothing and cost most,
so they are left out where there are others, and of very many words the rarest are asked.
"""

import hashlib
import json
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary, finalize

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from planner.stems import stems

_log = logging.getLogger("lamgate.catalog")
FILE = "search.sqlite"
_FORMAT = 1  # of what is kept; another one is not read
_COMMON = 1000
_MOST_WORDS = 64
_TABLES = """
CREATE VIRTUAL TABLE actions USING fts5(
    name, description, arguments, content='', tokenize='ascii'
);
CREATE VIRTUAL TABLE words USING fts5vocab('actions', 'row');
CREATE TABLE about (digest TEXT NOT NULL, actions INTEGER NOT NULL);
"""
_ASK = """
SELECT rowid FROM actions WHERE actions MATCH ? ORDER BY bm25(actions, 2.0, 1.0, 0.5), rowid LIMIT ?
"""


@dataclass(frozen=True)
class _Index:
    """One catalogue, ready to be asked."""

    actions: tuple[ActionSpec, ...]
    database: sqlite3.Connection


class Search:
    """Indexes of the catalogues in use. It blocks; it may be asked by any thread."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._indexes: WeakKeyDictionary[Catalog, _Index] = WeakKeyDictionary()
        self._lock = Lock()

    def best(self, catalog: Catalog, texts: Iterable[str], limit: int) -> tuple[ActionSpec, ...]:
        """At most `limit` actions that have a word of these texts, best first, always the same."""
        asked = sorted(set(stems(" ".join(texts))))
        with self._lock:
            index = self._indexes.get(catalog)
            if index is None:
                index = self._open(catalog, self._folder)
            try:
                return tuple(_found(index, asked, limit))
            except (sqlite3.DatabaseError, IndexError) as error:
                _log.warning("the index of the actions is made anew: %s", error)
                return tuple(_found(self._open(catalog, None), asked, limit))

    def _open(self, catalog: Catalog, folder: Path | None) -> _Index:
        index = self._indexes[catalog] = _opened(catalog, folder)
        finalize(catalog, index.database.close)
        return index


def _found(index: _Index, asked: list[str], limit: int) -> Iterator[ActionSpec]:
    told = _telling(index, asked)
    if told:
        query = " OR ".join(f'"{word}"' for word in told)
        for (row,) in index.database.execute(_ASK, (query, limit)).fetchall():
            yield index.actions[row - 1]


def _telling(index: _Index, asked: list[str]) -> list[str]:
    """The words that some action has, the rarest first, without those that nearly all have."""
    counted = []
    for word in asked:
        row = index.database.execute("SELECT doc FROM words WHERE term = ?", (word,)).fetchone()
        if row is not None:
            counted.append((int(row[0]), word))
    counted.sort()
    most = max(_COMMON, len(index.actions) // 10)
    rare = [word for count, word in counted if count <= most]
    return (rare or [word for _, word in counted])[:_MOST_WORDS]


def _opened(catalog: Catalog, folder: Path | None) -> _Index:
    """The index of a catalogue: what is kept, or a new one."""
    actions = tuple(catalog)
    if folder is not None:
        digest = _digest(actions)
        try:
            kept = _kept(folder / FILE, digest, len(actions))
            if kept is None:
                _keep(folder, actions, digest)
                kept = _kept(folder / FILE, digest, len(actions))
            if kept is not None:
                return _Index(actions, kept)
        except (OSError, sqlite3.Error) as error:
            _log.warning("%s cannot be kept: %s", folder / FILE, error)
    database = sqlite3.connect(":memory:", check_same_thread=False)
    _fill(database, actions, "")
    return _Index(actions, database)


def _kept(file: Path, digest: str, count: int) -> sqlite3.Connection | None:
    """What is kept, if it is of exactly this catalogue."""
    if not file.is_file():
        return None
    # It is never written where it is: another one takes its place.
    address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    database = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        if database.execute("SELECT digest, actions FROM about").fetchall() == [(digest, count)]:
            return database
    except sqlite3.DatabaseError as error:
        _log.warning("%s cannot be read: %s", file, error)
    database.close()
    return None


def _keep(folder: Path, actions: tuple[ActionSpec, ...], digest: str) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = folder / f"{FILE}.{secrets.token_hex(4)}"
    try:
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(fresh)) as database:
            _fill(database, actions, digest)
        fresh.replace(folder / FILE)
    finally:
        fresh.unlink(missing_ok=True)


def _fill(database: sqlite3.Connection, actions: tuple[ActionSpec, ...], digest: str) -> None:
    database.executescript(_TABLES)
    rows = (
        (place, *(" ".join(stems(text)) for text in _texts(action)))
        for place, action in enumerate(actions, 1)
    )
    with database:
        database.executemany(
            "INSERT INTO actions (rowid, name, description, arguments) VALUES (?, ?, ?, ?)", rows
        )
        database.execute("INSERT INTO about VALUES (?, ?)", (digest, len(actions)))


def _texts(action: ActionSpec) -> tuple[str, str, str]:
    properties = action.input_schema.get("properties")
    arguments = " ".join(properties) if isinstance(properties, dict) else ""
    return action.name, action.description, arguments


def _digest(actions: tuple[ActionSpec, ...]) -> str:
    """Of all that an index is made of."""
    found = hashlib.sha256(f"{_FORMAT}\n".encode())
    for action in actions:
        found.update(json.dumps(_texts(action)).encode())
    return found.hexdigest()
