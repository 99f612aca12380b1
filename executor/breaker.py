"""Whether a connection's service is taken for down: a circuit breaker, as a pure state machine.

state      what happens                             what follows
---------  ---------------------------------------  ------------------------------------------
closed     a call is answered                       closed, and the count begins anew
closed     a call says that the service is down     closed; open at the `FAILURES`th in a row
open       a call wants to begin before `until`     it waits
open       a call wants to begin later              half-open: it is the trial
half-open  another call wants to begin              it waits
half-open  the trial's time is over, and a call     half-open: it is the next trial, for the
           wants to begin                           first one was lost with its process
half-open  a call is answered                       closed
half-open  a call says that the service is down     open, for twice as long as the last time
any        a call ends that began before the        nothing: it tells of what was before
           last change
any        its last change is still to come, for a  its pause or trial is over, and what ends
           clock that was ahead was set right       counts: it began after the change

A refusal is an answer. What says that the service is down: no connection, no answer in time, an
answer cut off, and the statuses 502, 503 and 504. A 500 may be one order that it cannot stand, a
429 is a service that works, and what goes wrong here says nothing of anybody else.
"""

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["closed", "open", "half_open"]
Evidence = Literal["answered", "down"]
FAILURES = 5
PAUSE_S, LONGEST_PAUSE_S = 10.0, 300.0
APART_S = 3600.0  # what is less may be the clocks of two processes


@dataclass(frozen=True)
class Breaker:
    """How it stands; `until` is the end of the pause, or of the trial."""

    state: State = "closed"
    failures: int = 0
    until: float = 0.0
    pause_s: float = 0.0
    changed_at: float = 0.0
    because: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing has to be remembered."""
        return self.state == "closed" and not self.failures


def asked(breaker: Breaker, now: float, trial_s: float) -> Breaker | None:
    """How it stands once a call has begun now, or None if it may not; a trial has `trial_s`."""
    if breaker.state == "closed":
        return breaker
    breaker = _in_time(breaker, now)
    if now < breaker.until:
        return None
    return replace(breaker, state="half_open", until=now + trial_s, changed_at=now)


def told(
    breaker: Breaker, evidence: Evidence, began_at: float, now: float, because: str = ""
) -> Breaker:
    """How it stands once a call that began then has ended so."""
    breaker = _in_time(breaker, now)
    if began_at < breaker.changed_at or breaker.state == "open":
        return breaker
    if evidence == "answered":
        return breaker if breaker.is_clean else Breaker(changed_at=_changed(breaker, now))
    failures = breaker.failures + 1
    if breaker.state == "closed" and failures < FAILURES:
        return replace(breaker, failures=failures, because=because)
    pause_s = min(LONGEST_PAUSE_S, 2 * breaker.pause_s) if breaker.pause_s else PAUSE_S
    return Breaker("open", failures, now + pause_s, pause_s, now, because)


def _in_time(breaker: Breaker, now: float) -> Breaker:
    """The same, but that what a clock noted that was ahead is over."""
    is_ahead = breaker.changed_at > now + APART_S
    return replace(breaker, until=0.0, changed_at=0.0) if is_ahead else breaker


def _changed(breaker: Breaker, now: float) -> float:
    """A count that begins anew is no change: calls under way still count."""
    return breaker.changed_at if breaker.state == "closed" else now


def evidence_of(kind: str, status: int | None) -> Evidence | None:
    """What a failure says of the service: that it answers, that it is down, or neither."""
    if status is None:
        return "down" if kind in ("unavailable", "timeout") else None
    if status in (502, 503, 504):
        return "down"
    return "answered" if status < 500 and status not in (408, 425) else None
