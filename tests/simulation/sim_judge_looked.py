"""The verdict on looks: what is for free objects alone is called on what was last seen of them.

By the services' own clock: between the answer that allows a call and the call nothing of the run
has acted on its object, or will. And who has looked last, and seen it free, is not denied.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sim_judge import must
from sim_looked import FOLLOWED, FOLLOWING, LOOK, RULED, TELLING, UNDO_S, Told

from executor.plan.model import ValueArg
from executor.run.state import Place, undo_place, undoes
from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

_IS_OUT = ("refused", "not_sent")  # it is known that nothing has happened


@dataclass
class _Call:
    """One attempt, as its journal tells it."""

    place: Place
    action: str
    number: int | None  # the object that it is about
    is_write: bool
    began: int
    is_heard: bool = False  # how it ended, or that nobody knows
    is_given_up: bool = False
    settled: int | None = None
    is_out: bool = False
    is_done: bool = False


@dataclass
class Looks:
    """A journal, event by event, beside what the services know of their objects."""

    history: "History"
    calls: dict[tuple[Place, object], _Call] = field(default_factory=dict)
    answers: dict[Place, tuple[_Call, Told]] = field(default_factory=dict)
    undos: dict[Place, float] = field(default_factory=dict)  # and when they began
    done: dict[str, set[str]] = field(default_factory=dict)  # and which items of it failed

    def judge(self) -> None:
        """Every event in its place."""
        for each in self.history.stored:
            data: Any = each.data
            match each.type:
                case "intent.recorded":
                    self._called(each)
                case "attempt.ended":
                    self._ended(each, data["state"], data["output"])
                case "reconcile.resolved":
                    state = {"applied": "applied", "absent": "refused"}.get(data["resolution"])
                    self._ended(each, state or data["resolution"], data["output"])
                case "undo.started":
                    self.undos[undo_place((data["step"], data["iteration"]))] = each.at
                case "step.done":
                    self.done[data["step"]] = {*data["failed_items"]}
                case "step.failed" if data["code"] == "policy-denied":
                    self._denied((data["step"], data["iteration"]))
                    self._waited(data["step"])
                case "undo.ended" if data["code"] == "policy-denied":
                    place = undo_place((data["step"], data["iteration"]))
                    if each.at < self.undos[place] + UNDO_S:
                        doubts = [*self._doubts(place)]
                        must(not doubts, f"{place} is denied while there are doubts: {doubts}")
                    self._denied(place)

    def _called(self, event: StoredEvent) -> None:
        data: Any = event.data
        call = _Call((data["step"], data["iteration"]), data["action"],
                     data["arguments"].get("o"), data["effect"] != "read", event.seq)  # fmt: skip
        before = [each for each in self.calls.values() if each.place == call.place]
        self.calls[call.place, data["n"]] = call
        if call.action in RULED and all(each.is_out for each in before):
            self._was_seen_free(call)
        if call.action in FOLLOWING:
            must(self._has_followed(call.number), f"{call.place} was called, and follows nothing")
            self.history.services.reached["called after another of its object"] += 1

    def _has_followed(self, number: int | None) -> bool:
        return any(
            each.action == FOLLOWED and each.number == number and each.is_done
            for each in self.calls.values()
            if self._is_good(each.place)
        )

    def _was_seen_free(self, call: _Call) -> None:
        acted = [
            effects[0]
            for place, effects in self.history.services.effects.items()
            if effects and place != call.place and self._began_before(place, call)
        ]
        seen = [
            told
            for answered, told in self.answers.values()
            if told.number == call.number and told.free and answered.place != call.place
        ]
        is_so = any(all(at <= each.at for at in acted) for each in seen)
        must(is_so, f"{call.place} was called, and {call.number} was not last seen free: {seen}")
        self.history.services.reached["called on a look"] += 1

    def _began_before(self, place: Place, call: _Call) -> bool:
        """Whether what has acted there, be it later, was on its way, on the same object."""
        _, n = self.history.services.made_by[place]
        other = self.calls.get((place, n))
        return other is not None and other.number == call.number and other.began < call.began

    def _ended(self, event: StoredEvent, state: str, output: Any) -> None:
        data: Any = event.data
        call = self.calls[(data["step"], data["iteration"]), data["n"]]
        call.is_heard, call.is_given_up = True, state == "abandoned"
        if state == "applied" and call.action in TELLING and isinstance(output, dict):
            if "told" in output:
                told = self.history.services.objects.told[output["told"]]
                self.answers[call.place] = (call, told)
        if state in (*_IS_OUT, "applied", "applied_unreadable"):
            call.settled, call.is_out = event.seq, state in _IS_OUT
            call.is_done = not call.is_out

    def _denied(self, place: Place) -> None:
        """What nobody can have touched since it was seen free is not denied.

        Nor is anything while a call is under way: its end may make it another matter.
        """
        flying = [each.place for each in self.calls.values() if not each.is_heard]
        must(not flying, f"{place} is denied while calls are under way: {flying}")
        number = self._object_of(place)
        if self._action_of(place) in FOLLOWING:
            must(not self._has_followed(number), f"{place} is denied, and follows what was done")
            self.history.services.reached["denied as the first of its object"] += 1
            return
        self.history.services.reached["denied without a look"] += 1
        looks = [
            (call.began, told.free)
            for call, told in self.answers.values()
            if call.action == LOOK and self._is_good(call.place) and told.number == number
        ]
        since, is_free = max(looks, default=(0, False))
        touched = any(
            each.action != LOOK
            and not each.is_out
            and (each.settled is None or each.settled > since)
            for each in self.calls.values()
            if each.number == number and each.place != place
        )
        must(touched or not is_free, f"{place} is denied, and {number} was just seen free")

    def _waited(self, step: str) -> None:
        """A write that would wait for what is in doubt is not denied before that is known."""
        if self.history.accepted.certificate.options.on_uncertain == "continue":
            return
        doubts = [place for place in self._doubts((step, "")) if place[0] != step]
        must(not doubts, f"{step} is denied while there are doubts: {doubts}")

    def _doubts(self, besides: Place) -> Iterator[Place]:
        """Where something may have happened that nobody knows of yet."""
        for place in {each.place for each in self.calls.values()} - {besides}:
            calls = [each for each in self.calls.values() if each.place == place and each.is_write]
            if any(each.is_done or each.is_given_up for each in calls):
                continue
            if any(each.is_heard and each.settled is None for each in calls):
                yield place

    def _action_of(self, place: Place) -> str | None:
        """What was to be called there; of what takes back None."""
        steps = self.history.accepted.plan.steps
        return next((each.action for each in steps if each.id == place[0]), None)

    def _is_good(self, place: Place) -> bool:
        """Whether a step is done, and the item in question as well."""
        return place[1] not in self.done.get(place[0], {place[1]})

    def _object_of(self, place: Place) -> int | None:
        """The one that the plan names; of a list of objects None."""
        name = (undoes(place) or place)[0]
        args = next(each.args for each in self.history.accepted.plan.steps if each.id == name)
        named = (each.value for each in args if isinstance(each, ValueArg) and each.to == "o")
        return next((each for each in named if isinstance(each, int)), None)
