"""What can be said of one step, or one item of it, at one moment, and what it is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from pydantic import JsonValue

from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.commands import Command
from executor.run.state import Place
from executor.run.tally import Tally


@dataclass(frozen=True)
class Held:
    """Why a call may not begin yet, and until when; infinite where somebody has to end it."""

    until: float
    reason: str = "rate_limit"


@dataclass(frozen=True)
class Outside:
    """What a decision needs besides the plan and the journal, passed in as values."""

    policy: Policy
    now: float
    plan: str = ""
    in_flight: frozenset[Place] = frozenset()
    # When calls may begin that could not, by place, or by connection where it gives no permits;
    # and when searches may begin that could not.
    not_before: Mapping[Place | str, Held] = field(default_factory=dict)
    look_again: Mapping[Place, float] = field(default_factory=dict)
    woken: int = 0  # how often the run was
    woken_at: float = -inf  # or this drive began; what was put right since was not known before
    is_alone: bool = True  # no other process can be about to make a call of this run

    def held(self, place: Place, connection: str) -> Held | None:
        """What keeps a call from beginning now, the longest of it."""
        found = (self.not_before.get(place), self.not_before.get(connection))
        keeping = [each for each in found if each is not None and each.until > self.now]
        return max(keeping, key=lambda each: each.until, default=None)


@dataclass(frozen=True)
class Surroundings:
    """How the run as a whole stands, for one of its steps."""

    tally: Tally
    is_stopping: bool = False
    is_cancelled: bool = False
    uncertain_elsewhere: bool = False


@dataclass(frozen=True)
class Done:
    """It ended well; where it has many items, perhaps but for some of them."""

    output: JsonValue
    failed_items: Mapping[str, e.ItemFailure] = field(default_factory=dict)
    may_change: bool = False  # as the end of one of these


@dataclass(frozen=True)
class Skipped:
    """A condition was false."""

    because: str


@dataclass(frozen=True)
class Failed:
    """It ended badly; where that `may_change`, only once nothing is under way that may change it.

    So it is where policy says no by what the run did or read so far.
    """

    code: str
    message: str
    effect: e.EffectHappened = "no"
    failed_items: Mapping[str, e.ItemFailure] = field(default_factory=dict)
    may_change: bool = False


@dataclass(frozen=True)
class Next:
    """Something is to be done now."""

    command: Command


@dataclass(frozen=True)
class Waiting:
    """It has to wait: for a call in flight (`flight`), a time, somebody, or what another waits for.

    `elsewhere` is a doubt or an approval of another step, which waits for it by name. What is
    `left` nobody but a person can end: no time, no new credentials, no other policy or connection.
    """

    waiting_for: str
    until: float | None = None
    left: bool = False


@dataclass(frozen=True)
class Halted:
    """Nothing new may begin, and nothing has to be found out."""


Verdict = Done | Skipped | Failed | Next | Waiting | Halted
