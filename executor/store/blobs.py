"""Large values, stored once under their digest; the journal refers to them.

An output of a megabyte is in the event that a call ended, in the one that its step is done, in
the arguments of whatever uses it, and in the run's result: four times the same text. Here it is a
row, and the events hold its digest and its size. Who folds a journal loads each of them once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from sqlalchemy import Connection, Integer, bindparam, delete, func, select

from connectors.spec import JsonObject
from executor.store.statement import Change, Query
from executor.store.tables import blob_uses, blobs
from executor.store.text import to_plain_text, to_text
from executor.store.upsert import insert_into

_HELD = 0x1A3_6A80  # the number of our advisory lock
LARGE = 32 * 1024  # characters of JSON; what is shorter stays where it is
_MEMBERS = ("output", "result", "arguments")  # of events: whose values may be large

_KEEP = Change(lambda dialect: insert_into(dialect, blobs).on_conflict_do_nothing())
_USE = Change(lambda dialect: insert_into(dialect, blob_uses).on_conflict_do_nothing())
_TEXT = Query(
    select(blobs.c.content).where(
        blobs.c.tenant == bindparam("tenant"), blobs.c.digest == bindparam("digest")
    ),
    str,
)
_USED = Query(
    select(blob_uses.c.digest)
    .where(blob_uses.c.tenant == bindparam("tenant"), blob_uses.c.subject == bindparam("subject"))
    .limit(bindparam("most", type_=Integer)),
    str,
)


@dataclass(frozen=True)
class Blob:
    """What is kept of a large value where it is referred to."""

    digest: str
    bytes: int

    def as_json(self) -> JsonObject:
        """The reference as it is stored and published."""
        return {"digest": self.digest, "bytes": self.bytes}


Loaded = dict[str, JsonValue]
"""Values by digest: who reads a journal bit by bit loads each of them once."""


def keep(c: Connection, tenant: str, subject: str, text: str) -> Blob:
    """Store a value's JSON text, unless it is there, for a run or request that refers to it."""
    hold(c)
    content = text.encode()
    found = Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
    named = {"tenant": tenant, "digest": found.digest}
    _KEEP.once(c, {**named, "bytes": found.bytes, "content": text})
    _USE.once(c, {**named, "subject": subject})
    return found


def hold(c: Connection) -> None:
    """Have no value that is there be deleted before this transaction has ended.

    Whoever deletes some asks for all of them at once, and comes later where it does not get them.
    """
    if c.dialect.name == "postgresql":
        c.execute(select(func.pg_advisory_xact_lock_shared(_HELD)))


def drop(c: Connection, tenant: str, subject: str, most: int) -> int | None:
    """Forget what a run or request refers to, and delete what nobody else does; how many it was.

    None where others are about to refer to something: ask again later.
    """
    mine = {"tenant": tenant, "subject": subject, "most": most}
    digests = _USED.all(c, mine)
    if not digests:
        return 0
    if c.dialect.name == "postgresql":
        if not c.execute(select(func.pg_try_advisory_xact_lock(_HELD))).scalar_one():
            return None
    its = (blob_uses.c.tenant == tenant, blob_uses.c.subject == subject)
    c.execute(delete(blob_uses).where(*its, blob_uses.c.digest.in_(digests)))
    used = select(blob_uses.c.digest).where(
        blob_uses.c.tenant == blobs.c.tenant, blob_uses.c.digest == blobs.c.digest
    )
    unused = (blobs.c.tenant == tenant, blobs.c.digest.in_(digests), ~used.exists())
    c.execute(delete(blobs).where(*unused))
    return len(digests)


def text_of(c: Connection, tenant: str, digest: str) -> str | None:
    """A value's JSON text, or None if there is none of this digest."""
    return _TEXT.one(c, {"tenant": tenant, "digest": digest})


@dataclass(frozen=True)
class Keeper:
    """Keeps the large values of one transaction, each once.

    The same value is in the event that a call ended, in the one that its step is done and in the
    arguments of what uses it, and often all of these are written together: to make its text takes
    longer than all else that is done with it.
    """

    c: Connection
    # By tenant, subject and where it is in memory; the value with it, so that it stays there.
    _kept: dict[tuple[str, str, int], tuple[JsonValue, Blob]] = field(default_factory=dict)

    def text(self, tenant: str, subject: str, value: JsonValue) -> str | Blob:
        """A value's text, or what is kept of it where that is large."""
        if (known := self._of(tenant, subject, value)) is not None:
            return known
        text = to_text(value)
        if len(text) <= LARGE:
            return text
        kept = keep(self.c, tenant, subject, text)
        self._kept[tenant, subject, id(value)] = value, kept
        return kept

    def split(self, tenant: str, subject: str, data: JsonObject) -> tuple[str, dict[str, Blob]]:
        """An event's data as text, without its large values; these are kept, and referred to."""
        large = {
            name: known
            for name in _MEMBERS
            if (known := self._of(tenant, subject, data.get(name))) is not None
        }
        text = to_plain_text(_without(data, large))
        if len(text) <= LARGE:
            return text, large
        for name in _MEMBERS:
            if name in data and isinstance(kept := self.text(tenant, subject, data[name]), Blob):
                large[name] = kept
        return to_plain_text(_without(data, large)), large

    def _of(self, tenant: str, subject: str, value: JsonValue) -> Blob | None:
        found = self._kept.get((tenant, subject, id(value)))
        return None if found is None else found[1]


def split(
    c: Connection, tenant: str, subject: str, data: JsonObject
) -> tuple[str, dict[str, Blob]]:
    """The same of one event by itself."""
    return Keeper(c).split(tenant, subject, data)


def joined(
    c: Connection, tenant: str, data: JsonObject, large: Mapping[str, Blob], loaded: Loaded
) -> JsonObject:
    """An event's data with its large values, those that are not loaded yet from the store."""
    for each in large.values():
        if each.digest not in loaded:
            text = text_of(c, tenant, each.digest)
            if text is None:  # nothing becomes null by itself
                raise LookupError(f"a value that the journal refers to is gone: {each.digest}")
            loaded[each.digest] = json.loads(text)
    return data | {name: loaded[each.digest] for name, each in large.items()}


def to_refs(large: Mapping[str, Blob]) -> str | None:
    """The column that holds an event's references."""
    return to_text({name: each.as_json() for name, each in large.items()}) if large else None


def read_refs(text: str | None) -> dict[str, Blob]:
    """Read that column."""
    return {} if text is None else {name: Blob(**each) for name, each in json.loads(text).items()}


def _without(data: JsonObject, large: Mapping[str, Blob]) -> JsonObject:
    return {name: _gap(value) if name in large else value for name, value in data.items()}


def _gap(value: JsonValue) -> JsonValue:
    """What stands in the place of a large value: of its kind, so that the event can be read."""
    return {} if isinstance(value, dict) else None
