"""The journal: events without gaps, and rows that follow from them in the same transaction.

A drive opens its journal once for all that it writes together: the row is held from then on, so
nobody else writes, and what others wrote before is found at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, func, insert, select

from connectors.spec import JsonObject
from executor.store import approvals, attempts, blobs
from executor.store.attempts import AttemptRow
from executor.store.blobs import Blob, Loaded
from executor.store.drives import Claim, hold, standing
from executor.store.permits import Permits
from executor.store.statement import Change, Query
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


_LAST = Query(select(func.coalesce(func.max(events.c.seq), 0)).where(*_OF), int)
_ADD = Change(insert(events))
_READ = Query(
    select(*(events.c[name] for name in _Row._fields))
    .where(*_OF, events.c.seq > bindparam("after", type_=Integer))
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=Integer)),
    _Row,
)
WHOLE = 1_000_000_000  # events: a decision needs all that happened


@dataclass(frozen=True)
class NewEvent:
    """An event that is about to be written."""

    type: str
    data: JsonObject
    v: int = 1


@dataclass(frozen=True)
class StoredEvent:
    """An event with its place: `subject` is the run, or the request while it is planned."""

    subject: str
    seq: int
    at: float
    type: str
    v: int
    data: JsonObject
    large: Mapping[str, Blob] = field(default_factory=dict)  # of `data`: what stands elsewhere

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


@dataclass(frozen=True)
class Look:
    """What a drive finds: the events after a place, and how often its row was woken by then."""

    events: tuple[StoredEvent, ...]
    woken: int | None  # None: its claim is over


@dataclass
class OpenJournal:
    """The journal of a drive inside one transaction, which holds its row."""

    c: Connection
    claim: Claim
    woken: int
    cancel_mode: str | None
    last: int
    news: list[StoredEvent]  # after the place that the drive has seen: of others, and its own
    permits: Permits
    _events: list[StoredEvent] = field(default_factory=list)  # that are written at the end
    _begun: list[AttemptRow] = field(default_factory=list)  # the same of attempts

    def append(self, new: Sequence[NewEvent], now: float) -> list[StoredEvent]:
        """Write events after the last one, and the rows that they speak of."""
        _project(self.c, self.claim.tenant, self.claim.id, new, now)
        return self.add(new, now)

    def add(self, new: Sequence[NewEvent], now: float) -> list[StoredEvent]:
        """Write events whose rows are written already."""
        stored = _numbered(self.claim.id, new, now, self.last)
        self.last += len(stored)
        self.news += stored
        self._events += stored
        return stored

    def begin(self, attempt: AttemptRow) -> None:
        """Write an attempt that is about to be made."""
        self._begun.append(attempt)

    def close(self) -> None:
        """Write what is left to be written."""
        if self._begun:
            attempts.add(self.c, self.claim, self._begun)
        _add(self.c, self.claim.tenant, self._events)


@contextmanager
def opened(
    c: Connection, claim: Claim, after: int | None = None, loaded: Loaded | None = None
) -> Iterator[OpenJournal]:
    """Hold a drive's row and open its journal, after a place or its end; raises `FencedError`."""
    held = hold(c, claim)
    news: list[StoredEvent] = []
    if after is None:
        last = _last(c, claim.tenant, claim.id)
    else:
        news = read(c, claim.tenant, claim.id, after=after, limit=WHOLE, loaded=loaded)
        last = news[-1].seq if news else after
    permits = Permits(c, claim.tenant)
    journal = OpenJournal(c, claim, held.wake_seq, held.cancel_mode, last, news, permits)
    yield journal
    journal.close()


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
    _project(c, tenant, subject, new, now)
    stored = _numbered(subject, new, now, _last(c, tenant, subject))
    _add(c, tenant, stored)
    return stored


def read(
    c: Connection,
    tenant: str,
    subject: str,
    *,
    after: int = 0,
    limit: int = 10_000,
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


def look(c: Connection, claim: Claim, after: int, loaded: Loaded) -> Look:
    """What a drive that has seen the events up to a place has to know."""
    found = standing(c, claim)
    news = read(c, claim.tenant, claim.id, after=after, limit=WHOLE, loaded=loaded)
    return Look(tuple(news), None if found is None else found.wake_seq)


def written(
    c: Connection,
    works: Sequence[Callable[[OpenJournal], None]],
    claim: Claim,
    seen: Callable[[], int],
    loaded: Loaded,
) -> Look:
    """Write all that a drive has to write, and look: whoever wrote needs not read again."""
    with opened(c, claim, seen(), loaded) as journal:
        for work in works:
            work(journal)
    return Look(tuple(journal.news), journal.woken)


def _last(c: Connection, tenant: str, subject: str) -> int:
    return _LAST.one(c, {"tenant": tenant, "subject": subject}) or 0


def _numbered(subject: str, new: Sequence[NewEvent], now: float, last: int) -> list[StoredEvent]:
    return [
        StoredEvent(subject, last + number, now, each.type, each.v, each.data)
        for number, each in enumerate(new, start=1)
    ]


def _add(c: Connection, tenant: str, stored: Sequence[StoredEvent]) -> None:
    if stored:
        _ADD.many(c, [_row(c, tenant, each) for each in stored])


def _row(c: Connection, tenant: str, event: StoredEvent) -> dict[str, object]:
    text, large = blobs.split(c, tenant, event.data)
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


def _project(c: Connection, tenant: str, subject: str, new: Sequence[NewEvent], now: float) -> None:
    """Keep the rows that events speak of in step with them."""
    attempts.project(c, tenant, subject, [(each.type, each.data) for each in new], now)
    for each in new:
        if each.type == "approval.expired":
            approvals.expire(c, tenant, str(each.data["approval"]))
