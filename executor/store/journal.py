"""The journal: events without gaps, and attempts whose intent is written before the call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from sqlalchemy import Connection, Integer, bindparam, func, insert, select

from connectors.spec import JsonObject, Limits
from executor.check.grant import Grant
from executor.store import approvals, attempts, blobs, permits, runs
from executor.store.approvals import Called
from executor.store.attempts import AttemptRow
from executor.store.blobs import Blob, Loaded
from executor.store.drives import Claim, check_fence, note_progress, wake_seq
from executor.store.permits import Blocked, Told
from executor.store.tables import events
from executor.store.text import to_object

_OF = (events.c.tenant == bindparam("tenant"), events.c.subject == bindparam("subject"))
_LAST = select(func.max(events.c.seq)).where(*_OF)
_ADD = insert(events)
_READ = (
    select(events)
    .where(*_OF, events.c.seq > bindparam("after", type_=Integer))
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=Integer))
)
T = TypeVar("T")
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
class Intent:
    """A call that is about to be made."""

    step: str
    iteration: str
    n: int
    action: str
    connection: str
    effect: str
    key: str
    args_hash: str
    arguments: JsonObject
    tool_digest: str
    policy_version: str | None
    grants: tuple[Grant, ...]  # every approval that the call relies on
    timeout_s: float
    limits: Limits | None
    lease_s: float = inf  # of whoever calls: no byte leaves later
    observed: tuple[str, ...] = ()
    takes_back: bool = False  # it is the undo of another call


@dataclass(frozen=True)
class AttemptOutcome:
    """How a call ended, with the event that tells it; the row's state follows the event."""

    step: str
    iteration: str
    n: int
    event: NewEvent
    told: Told | None = None  # what it says of the service, for the calls that come after it


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
        check_fence(c, claim)
    last = c.execute(_LAST, {"tenant": tenant, "subject": subject}).scalar_one()
    stored = [
        StoredEvent(subject, (last or 0) + number, now, each.type, each.v, each.data)
        for number, each in enumerate(new, start=1)
    ]
    if stored:
        c.execute(_ADD, [_row(c, tenant, each) for each in stored])
        _project(c, tenant, subject, new, now)
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
    rows = c.execute(_READ, which)
    found = []
    for row in rows:
        data, large = to_object(row.data), blobs.read_refs(row.large)
        if large and loaded is not None:
            data = blobs.joined(c, tenant, data, large, loaded)
        found.append(StoredEvent(row.subject, row.seq, row.at, row.type, row.v, data, large))
    return found


def look(c: Connection, claim: Claim, after: int, loaded: Loaded) -> Look:
    """What a drive that has seen the events up to a place has to know."""
    woken = wake_seq(c, claim)
    found = read(c, claim.tenant, claim.id, after=after, limit=WHOLE, loaded=loaded)
    return Look(tuple(found), woken)


def followed(
    c: Connection,
    work: Callable[[Connection], T],
    claim: Claim,
    seen: Callable[[], int],
    loaded: Loaded,
) -> tuple[T, Look]:
    """Do a write and look, in its transaction: whoever wrote needs not read again."""
    result = work(c)
    return result, look(c, claim, seen(), loaded)


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


def record_intent(c: Connection, claim: Claim, intent: Intent, now: float) -> Blocked | float:
    """Write that a call may happen; returns until when its first byte may leave, or why not.

    One transaction checks the epoch, that the run is not being cancelled, that no attempt of
    this step is open, that every approval still covers exactly these arguments, and takes the
    connection's permit.
    """
    check_fence(c, claim)
    place = (intent.step, intent.iteration, intent.n)
    if not _may_begin_after_cancel(c, claim, intent):
        return Blocked("cancelled")
    if not attempts.may_begin(c, claim, *place, intent.effect):
        return Blocked("open_attempt")
    call = Called(intent.step, intent.iteration, intent.tool_digest, intent.arguments)
    for grant in intent.grants:
        if not approvals.covers(c, claim.tenant, grant, call, now):
            return Blocked("approval")
    blocked = permits.take(c, claim.tenant, intent.connection, intent.limits, now, intent.timeout_s)
    if blocked is not None:
        return blocked
    send_before = now + min(intent.timeout_s, intent.lease_s)
    row = AttemptRow(
        *place,
        epoch=claim.epoch,
        action=intent.action,
        effect=intent.effect,
        key=intent.key,
        args_hash=intent.args_hash,
        approvals=tuple(grant.approval for grant in intent.grants),
        state="intent",
        send_before=send_before,
        started_at=now,
        ended_at=None,
    )
    attempts.add(c, claim, row, intent.tool_digest, intent.policy_version)
    told: JsonObject = {
        "step": intent.step,
        "iteration": intent.iteration,
        "n": intent.n,
        "action": intent.action,
        "effect": intent.effect,
        "key": intent.key,
        "args_hash": intent.args_hash,
        "arguments": intent.arguments,
        "approvals": [grant.approval for grant in intent.grants],
        "send_before": send_before,
        "timeout_s": intent.timeout_s,
        "observed": [*intent.observed],
    }
    append(c, claim.tenant, claim.id, [NewEvent("intent.recorded", told)], now)
    return send_before


def _may_begin_after_cancel(c: Connection, claim: Claim, intent: Intent) -> bool:
    """Whether the run is not being cancelled, or this takes back, or settles what is to be."""
    match runs.cancel_mode(c, claim.tenant, claim.id):
        case None:
            return True
        case "undo":
            return intent.takes_back or attempts.is_in_doubt(
                c, claim.tenant, claim.id, intent.step, intent.iteration
            )
        case _:
            return False


def record_outcome(
    c: Connection, claim: Claim, outcome: AttemptOutcome, now: float
) -> list[StoredEvent]:
    """Write how an attempt ended, once; an attempt that has ended already stays as it is."""
    check_fence(c, claim)
    place = (outcome.step, outcome.iteration, outcome.n)
    if not attempts.is_open(c, claim.tenant, claim.id, *place):
        return []
    if outcome.event.type == "attempt.ended":  # what a look-up finds out does not kill
        note_progress(c, claim)
    if outcome.told is not None:
        permits.tell(c, claim.tenant, outcome.told, now)
    return append(c, claim.tenant, claim.id, [outcome.event], now)


def _project(c: Connection, tenant: str, subject: str, new: Sequence[NewEvent], now: float) -> None:
    """Keep the rows that events speak of in step with them."""
    attempts.project(c, tenant, subject, [(each.type, each.data) for each in new], now)
    for each in new:
        if each.type == "approval.expired":
            approvals.expire(c, tenant, str(each.data["approval"]))
