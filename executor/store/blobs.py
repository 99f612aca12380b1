"""Large values, stored once under their digest; the journal refers to them.

An output of a megabyte is in the event that a call ended, in the one that its step is done, in
the arguments of whatever uses it, and in the run's result: four times the same text. Here it is a
row, and the events hold its digest and its size. Who folds a journal loads each of them once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from connectors.spec import JsonObject
from executor.store.tables import blobs
from executor.store.text import to_plain_text, to_text
from executor.store.upsert import insert_into

LARGE = 32 * 1024  # characters of JSON; what is shorter stays where it is
_MEMBERS = ("output", "result", "arguments")  # of events: whose values may be large

_TEXT = select(blobs.c.content).where(
    blobs.c.tenant == bindparam("tenant"), blobs.c.digest == bindparam("digest")
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


def keep(c: Connection, tenant: str, text: str) -> Blob:
    """Store a value's JSON text, unless it is there."""
    content = text.encode()
    found = Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
    c.execute(
        insert_into(c.dialect.name, blobs)
        .values(tenant=tenant, digest=found.digest, bytes=found.bytes, content=text)
        .on_conflict_do_nothing()
    )
    return found


def text_of(c: Connection, tenant: str, digest: str) -> str | None:
    """A value's JSON text, or None if there is none of this digest."""
    return c.execute(_TEXT, {"tenant": tenant, "digest": digest}).scalar_one_or_none()


def split(c: Connection, tenant: str, data: JsonObject) -> tuple[str, dict[str, Blob]]:
    """An event's data as text, without its large values; these are stored, and referred to."""
    text = to_plain_text(data)
    if len(text) <= LARGE:
        return text, {}
    large: dict[str, Blob] = {}
    for name in _MEMBERS:
        value = to_text(data[name]) if name in data else ""
        if len(value) > LARGE:
            large[name] = keep(c, tenant, value)
    rest = {name: _gap(value) if name in large else value for name, value in data.items()}
    return to_plain_text(rest), large


def joined(
    c: Connection, tenant: str, data: JsonObject, large: Mapping[str, Blob], loaded: Loaded
) -> JsonObject:
    """An event's data with its large values, those that are not loaded yet from the store."""
    for each in large.values():
        if each.digest not in loaded:
            loaded[each.digest] = json.loads(text_of(c, tenant, each.digest) or "null")
    return data | {name: loaded[each.digest] for name, each in large.items()}


def to_refs(large: Mapping[str, Blob]) -> str | None:
    """The column that holds an event's references."""
    return to_text({name: each.as_json() for name, each in large.items()}) if large else None


def read_refs(text: str | None) -> dict[str, Blob]:
    """Read that column."""
    return {} if text is None else {name: Blob(**each) for name, each in json.loads(text).items()}


def _gap(value: JsonValue) -> JsonValue:
    """What stands in the place of a large value: of its kind, so that the event can be read."""
    return {} if isinstance(value, dict) else None
