"""The verdict on the order of a journal: nothing begins before its turn, or that must not begin."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

from sim_judge import BESIDE_S, CLOCKS_DIFFER_S, must
from sim_meaning import computes
from sim_plans import INPUTS
from sim_process import WALL

from connectors.spec import ActionSpec
from executor.plan.graph import data_sources, graph, upstream
from executor.plan.model import Step
from executor.run.moves import MOST_AT_ONCE
from executor.run.state import Place, undoes
from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

_DOUBTFUL = ("uncertain", "applied_unreadable", "applied_pending")
_FOR_GOOD = ("applied", "abandoned")
_TAKEN = "applied_unreadable"


@dataclass
class _Call:
    """One attempt, as far as the journal tells."""

    sent: Mapping[str, Any]
    sent_at: float
    state: str = ""  # how it ended
    failure: Mapping[str, Any] = field(default_factory=dict)
    ended_at: float = 0.0
    found: str = ""  # what was found out later
    acted_after_all: bool = False  # was told later still

    @property
    def has_happened(self) -> bool:
        """Whether it is known to have acted."""
        acted = self.state in ("applied", "applied_unreadable") and not self.found
        return acted or self.found == "applied" or self.acted_after_all

    @property
    def comes_by(self) -> float:
        """Until when it may be on its way to the service, if nobody heard how it ended."""
        is_told = self.state in ("applied", "applied_unreadable", "refused", "not_sent")
        if is_told or self.acted_after_all:
            return -inf
        is_lost = self.failure.get("kind") == "cancelled"
        return max(self.ended_at, self.sent_at + self.sent["timeout_s"] if is_lost else 0.0)

    @property
    def is_refused_for_good(self) -> bool:
        """Whether the service said a no that no other try changes."""
        is_no = self.state in ("refused", "not_sent") and not self.failure.get("may_retry")
        return is_no and self.failure.get("kind") != "auth"


class Order:
    """A journal, event by event."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._plan = history.accepted.plan
        self._options = history.accepted.certificate.options
        self._budgets = history.accepted.certificate.budgets
        self._ended: dict[str, tuple[str, float]] = {}  # steps: how and when
        self._calls: defaultdict[Place, list[_Call]] = defaultdict(list)
        self._undone: set[Place] = set()
        self._cancelled: str | None = None
        self._questions: dict[str, tuple[str, str]] = {}  # that are open: of which step, to whom
        self._asked: set[str] = set()  # steps
        # What the service asked for, by connection
        self._hold_until: defaultdict[str, float] = defaultdict(float)
        self._began_at = 0.0
        self._begun: Counter[str] = Counter()  # calls, by connection
        self._has_acted = False

    def judge(self) -> None:
        """Every event in its place."""
        takes: dict[str, Callable[[StoredEvent], None]] = {
            "run.started": self._started, "intent.recorded": self._intent,
            "attempt.ended": self._attempt_ended, "reconcile.resolved": self._resolved,
            "step.done": self._step_ended, "step.skipped": self._step_ended,
            "step.failed": self._step_ended, "undo.ended": self._undo_ended,
            "cancel.requested": self._cancel, "gate.opened": self._asks,
            "approval.granted": self._answered, "approval.refused": self._answered,
            "approval.expired": self._answered, "run.finished": self._finished,
        }  # fmt: skip
        for each in self._history.stored:
            if each.type in takes:
                takes[each.type](each)

    # ---- what is known

    @cached_property
    def _steps(self) -> Mapping[str, Step]:
        return {each.id: each for each in self._plan.steps}

    @cached_property
    def _needs(self) -> Mapping[str, frozenset[str]]:
        return graph(self._plan)

    def _action(self, step: str) -> ActionSpec:
        return self._history.accepted.actions[self._steps[step].action]

    def _since(self, place: Place) -> float | None:
        """Since when it is in doubt whether a write happened, if it is."""
        calls = self._calls[place]
        if place in self._undone or not calls or calls[0].sent["effect"] == "read":
            return None
        if any(each.state == "applied" for each in calls):
            return None
        told = ("", "answered")  # of earlier calls an answer says nothing
        known = max((n for n, each in enumerate(calls) if each.found not in told), default=-1)
        later = (each for each in calls[known + 1 :] if not each.found)
        doubts = (each.ended_at for each in later if each.state in _DOUBTFUL)
        return min(doubts, default=None)

    # ---- what is told

    def _started(self, event: StoredEvent) -> None:
        self._began_at = event.at

    def _cancel(self, event: StoredEvent) -> None:
        self._cancelled = str(event.data["mode"])

    def _asks(self, event: StoredEvent) -> None:
        """A new question takes the place of the same one that is open."""
        of = (str(event.data["step"]), str(event.data["role"]))
        self._questions = {name: each for name, each in self._questions.items() if each != of}
        self._questions[str(event.data["approval"])] = of
        steps = event.data["steps"]
        self._asked |= {str(event.data["step"]), *(steps if isinstance(steps, list) else [])}  # type: ignore[arg-type]

    def _answered(self, event: StoredEvent) -> None:
        self._questions.pop(str(event.data["approval"]), None)

    def _step_ended(self, event: StoredEvent) -> None:
        step, how = str(event.data["step"]), event.type.removeprefix("step.")
        self._ended[step] = (how, event.at)
        if how == "skipped":
            must(not self._acted(step), f"{step} was called and is skipped")

    def _acted(self, step: str) -> bool:
        return any(place[0] == step and found for place, found in self._calls.items())

    def _undo_ended(self, event: StoredEvent) -> None:
        if event.data["undone"]:
            self._undone.add(_place(event))

    def _attempt_ended(self, event: StoredEvent) -> None:
        call = self._call_of(event)
        if not call.found:  # what was found out before a late end stays
            call.state, call.ended_at, call.failure = str(event.data["state"]), event.at, {}
        elif str(event.data["state"]).startswith("applied"):
            call.acted_after_all = True
        if isinstance(failure := event.data["failure"], dict):
            call.failure = failure
            self._hold(call, failure["retry_at"])

    def _hold(self, call: _Call, until: Any) -> None:
        connection = _connection(call.sent)
        self._hold_until[connection] = max(self._hold_until[connection], until or 0.0)

    def _resolved(self, event: StoredEvent) -> None:
        """A service's no that comes later overrules no yes of its own that could not be read."""
        call, by = self._call_of(event), str(event.data["by"])
        call.found = str(event.data["resolution"])
        is_over = call.found == "absent" and by != "operator" and call.state == _TAKEN
        must(not is_over, f"{_place(event)} was taken, and {by} says no")

    def _call_of(self, event: StoredEvent) -> _Call:
        n = event.data["n"]
        assert isinstance(n, int)
        return self._calls[_place(event)][n - 1]

    # ---- what begins

    def _intent(self, event: StoredEvent) -> None:
        place, n = _place(event), event.data["n"]
        calls = self._calls[place]
        must(n == len(calls) + 1, f"attempt {n} of {place} comes after {len(calls)}")
        if calls:
            self._again(place, calls)
        connection = _connection(event.data)
        stopped = any(since < event.seq <= until and of in ("", connection)
                      for since, until, of in self._history.people.stopped)  # fmt: skip
        must(not stopped, f"{place} began although all was stopped")
        early = self._hold_until[connection] - event.at
        must(early < CLOCKS_DIFFER_S, f"{place} began {early} s before the service allows it")
        self._begun[connection] += 1
        if undoes(place) is None:
            self._forward(place, event, settles=self._since(place) is not None)
        else:
            is_wanted = self._cancelled == "undo" or self._options.on_failure == "undo"
            must(is_wanted and bool(self._failed or self._cancelled), f"nobody wants {place}")
            if not calls:
                self._nothing_comes_after(place, event)
        calls.append(_Call(event.data, event.at))
        open_ones = [at for at, each in self._calls.items() if at[1] and not each[-1].state]
        must(len(open_ones) <= MOST_AT_ONCE, f"{len(open_ones)} items are called at once")

    def _nothing_comes_after(self, place: Place, event: StoredEvent) -> None:
        """What is taken back cannot come about any more, or is known to have come about.

        An idempotent call that is on its way does anew what came about before it.
        """
        target = undoes(place) or place
        calls, settle_s = self._calls[target], self._action(target[0]).settle_s
        if any(each.has_happened for each in calls) and calls[0].sent["effect"] != "idempotent":
            return
        early = max(each.comes_by for each in calls) + settle_s - event.at
        must(
            early < CLOCKS_DIFFER_S,
            f"{place} began {early} s before {target} could not act any more",
        )

    @property
    def _failed(self) -> list[float]:
        return [at for how, at in self._ended.values() if how == "failed"]

    def _again(self, place: Place, calls: list[_Call]) -> None:
        last = calls[-1]
        must(bool(last.state), f"{place} began beside itself")
        is_over = any(each.state == "applied" or each.found in _FOR_GOOD for each in calls)
        must(not is_over, f"{place} was begun again after its end")
        is_told = any(each.found for each in calls)
        must(is_told or not last.is_refused_for_good, f"{place} was begun again after a clear no")
        if self._since(place) is not None:
            repeats = last.sent["effect"] in ("read", "idempotent", "keyed")
            must(repeats, f"{place} was begun again in doubt")

    def _forward(self, place: Place, event: StoredEvent, *, settles: bool) -> None:
        step, action = self._steps[place[0]], self._action(place[0])
        begun = self._begun[action.connection]
        must(begun <= self._budgets.calls, f"{place} is one call too many")
        if settles:
            return
        must(step.id not in self._ended, f"{place} began after the end of its step")
        late = event.at - self._began_at - self._budgets.run_s
        must(late < CLOCKS_DIFFER_S, f"{place} began {late} s after the run's time")
        must(self._cancelled is None, f"{place} began after the cancel")
        self._nothing_failed(place, event)
        if action.is_write:
            self._nothing_in_doubt(place, event)
            if not self._has_acted:
                self._all_is_asked(place)
            self._has_acted = True

    def _nothing_failed(self, place: Place, event: StoredEvent) -> None:
        goes_on = self._options.on_failure == "continue" or (
            self._options.on_failure == "undo" and self._may_be_past_a_pivot
        )
        since = min(self._failed, default=event.at)
        must(goes_on or self._is_beside(event, since), f"{place} began after a failure")

    @property
    def _may_be_past_a_pivot(self) -> bool:
        return any(self._action(place[0]).pivot and bool(found)
                   for place, found in self._calls.items() if undoes(place) is None)  # fmt: skip

    def _nothing_in_doubt(self, place: Place, event: StoredEvent) -> None:
        if self._options.on_uncertain == "continue":
            return
        for other in self._calls:
            if other[0] == place[0] or (since := self._since(other)) is None:
                continue
            must(self._is_beside(event, since), f"{place} began while {other} was in doubt")

    def _is_beside(self, event: StoredEvent, since: float) -> bool:
        """Whether it was decided on beside what was so since then: a process may stand still."""
        went_on = [WALL + x.process.went_on_at for x in self._history.world.workers]
        return event.at < max([since, *(x for x in went_on if x <= event.at)]) + BESIDE_S

    def _all_is_asked(self, place: Place) -> None:
        """Before the first effect whatever can be asked for was asked, and answered."""
        if self._history.rules and self._history.rules.have_changed:
            return  # what was asked need not be asked any more
        open_ones = [each for each in self._questions.values() if self._still_comes(each[0])]
        must(not open_ones, f"{place} acted before {open_ones} were answered")
        for step in self._plan.steps:
            if computes(step) or self._action(step.id).approval is None:
                continue
            if not data_sources(step) <= {"each", "each_item", "input"} or not _may_run(step):
                continue
            if self._failed or step.id in self._ended:
                continue
            must(step.id in self._asked, f"{place} acted before {step.id} was asked for")

    def _still_comes(self, step: str) -> bool:
        """Whether what was asked for it is still to be done; "" is the whole plan."""
        failed = {each for each, (how, _) in self._ended.items() if how == "failed"}
        return step not in self._ended and not upstream(self._needs, step) & failed

    def _finished(self, event: StoredEvent) -> None:
        open_ones = [at for at, calls in self._calls.items() if calls and not calls[-1].state]
        must(not open_ones, f"the run ended while {open_ones} were under way")


def _place(event: StoredEvent) -> Place:
    return str(event.data["step"]), str(event.data["iteration"])


def _connection(intent: Mapping[str, Any]) -> str:
    return str(intent["action"]).partition(".")[0]


def _may_run(step: Step) -> bool:
    """Whether its condition is true, which asks for an input alone."""
    return all(INPUTS["n"] > each.value for each in step.when)  # type: ignore[union-attr]
