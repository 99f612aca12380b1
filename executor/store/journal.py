"""The journal: events without gaps, and rows that follow from them in the same transaction.

What drives write goes through `open_journal.py`, which does the same for many of them at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Integer, Select, bindparam, func, select

from connectors.spec import JsonObject
from executor.store import approvals, attempts, blobs
from executor.store.blobs import Blob, Keeper, Loaded
from executor.store.drives import Claim, hold, standing
from executor.store.errors import JournalLostError
from executor.store.statement import Query, addition, given
from executor.store.tables import events
from executor.store.text import to_object

_OF = (events.c.tenant == bindparam("tenant"), events.c.subject == bindparam("subject"))


class _Row(NamedTuple):
    seq: int
    at: float
    type: str
    v: int
    data: str
    large: str | None


def _at(dialect: str) -> Select[tuple[int, float]]:
    """When each of the events was whose places are given."""
    asked = given(dialect, {"number": int, "whose": str, "which": str, "seq": int})
    is_it = (events.c.tenant == asked["whose"], events.c.subject == asked["which"])
    return select(asked["number"], events.c.at).where(*is_it, events.c.seq == asked["seq"])


_LAST = Query(select(func.coalesce(func.max(events.c.seq), 0)).where(*_OF), int)
_AT = Query(_at, lambda number, at: (number, at))
_ADD = addition(events)
_READ = Query(
    select(*(events.c[name] for name in _Row._fields))
    .where(*_OF, events.c.seq > bindparam("after", type_=Integer))
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=Integer)),
    _Row,
)
WHOLE = 1_000_000_000  # events: whoever decides or explains needs all that happened


class NewEvent(NamedTuple):
    """An event that is about to be written."""

    type: str
    data: JsonObject
    v: int = 1
    read: object = None  # the same as whoever writes it would read it


class StoredEvent(NamedTuple):
    """An event with its place: `subject` is the run, or the request while it is planned."""

    subject: str
    seq: int
    at: float
    type: str
    v: int
    data: JsonObject
    large: Mapping[str, Blob] = {}  # of `data`: what stands elsewhere
    read: object = None  # by whoever wrote it just now

    def as_json(self) -> JsonObject:
        """The published envelope."""
        told: JsonObject = {
            "run": self.subject,
            "seq": self.seq,
            "at": self.at,
            "type": self.type,
            "v": self.v,
            "data": self.data,
        }
        if self.large:
            told["large"] = {name: each.as_json() for name, each in self.large.items()}
        return told


class Seen(NamedTuple):
    """The last event that a drive has seen: its place in the journal, and its time."""

    seq: int = 0
    at: float | None = None


@dataclass(frozen=True)
class Look:
    """What a drive finds: the events after a place, and how often its row was woken by then."""

    events: tuple[StoredEvent, ...]
    woken: int | None  # None: its claim is over


def append(
    c: Connection,
    tenant: str,
    subject: str,
    new: Sequence[NewEvent],
    now: float,
    *,
    claim: Claim | None = None,
) -> list[StoredEvent]:
    """Write events after the last one; with a claim, raises `FencedError` once it is over."""
    if claim is not None:
        hold(c, claim)
    attempts.project(c, tenant, subject, [(each.type, each.data) for each in new], now)
    for each in new:
        project(c, tenant, each)
    last = _LAST.one(c, {"tenant": tenant, "subject": subject}) or 0
    stored = numbered(subject, new, now, last)
    add(Keeper(c), [(tenant, each) for each in stored])
    return stored


def read(
    c: Connection,
    tenant: str,
    subject: str,
    *,
    after: int = 0,
    limit: int = WHOLE,
    loaded: Loaded | None = None,
) -> list[StoredEvent]:
    """Events after a place, in order; their large values are read only into `loaded`."""
    which = {"tenant": tenant, "subject": subject, "after": after, "most": limit}
    found = []
    for row in _READ.all(c, which):
        data, large = to_object(row.data), blobs.read_refs(row.large)
        if large and loaded is not None:
            data = blobs.joined(c, tenant, data, large, loaded)
        found.append(StoredEvent(subject, row.seq, row.at, row.type, row.v, data, large))
    return found


def look(c: Connection, claim: Claim, seen: Seen, loaded: Loaded) -> Look:
    """What a drive that has seen the events up to a place has to know."""
    found = standing(c, claim)
    if found is not None:
        require_woken(claim, found.wake_seq)
    return Look(tuple(news(c, claim, seen, loaded)), None if found is None else found.wake_seq)


def news(c: Connection, claim: Claim, seen: Seen, loaded: Loaded) -> list[StoredEvent]:
    """What came after the last event that a drive has seen; raises as `require_seen`."""
    require_seen(c, claim, seen)
    return read(c, claim.tenant, claim.id, after=seen.seq, loaded=loaded)


def require_seen(c: Connection, claim: Claim, seen: Seen) -> None:
    """Raise `JournalLostError` where the last event is gone that a drive has seen.

    Or another one stands in its place: of those that were lost others may have written as many.
    """
    if seen.at is not None and lost(c, [(claim, seen)]):
        raise JournalLostError(f"event {seen.seq} of {claim.id} is not what its drive has seen")


def lost(c: Connection, seen: Sequence[tuple[Claim, Seen]]) -> list[Claim]:
    """Of claims, each with the last event that its drive has seen, those whose event is gone."""
    rows = [
        {"number": number, "whose": claim.tenant, "which": claim.id, "seq": last.seq}
        for number, (claim, last) in enumerate(seen)
    ]
    at = dict(_AT.of(c, rows))
    return [claim for number, (claim, last) in enumerate(seen) if at.get(number) != last.at]


def require_woken(claim: Claim, woken: int) -> None:
    """Raise `JournalLostError` where a row was woken less often than its drive has seen."""
    if woken < claim.wake_seq:
        raise JournalLostError(f"a wake of {claim.id} that its drive has seen is gone")


def numbered(subject: str, new: Sequence[NewEvent], now: float, last: int) -> list[StoredEvent]:
    """Events with the places that follow the last one."""
    return [
        StoredEvent(subject, number, now, each.type, each.v, each.data, {}, each.read)
        for number, each in enumerate(new, start=last + 1)
    ]


def add(keeper: Keeper, stored: Iterable[tuple[str, StoredEvent]]) -> None:
    """Write events, each of a tenant, whose places are known to be free."""
    _ADD.many(keeper.c, [_row(keeper, tenant, each) for tenant, each in stored])


def project(c: Connection, tenant: str, event: NewEvent) -> bool:
    """Keep the approval that an event speaks of in step with it; False if it stands otherwise."""
    if event.type == "approval.expired":
        return approvals.end(c, tenant, str(event.data["approval"]), "expired")
    return True


def _row(keeper: Keeper, tenant: str, event: StoredEvent) -> dict[str, object]:
    text, large = keeper.split(tenant, event.subject, event.data)
    return {
        "tenant": tenant,
        "subject": event.subject,
        "seq": event.seq,
        "at": event.at,
        "type": event.type,
        "v": event.v,
        "data": text,
        "large": blobs.to_refs(large),
    }
