"""The verdict on values: what is called, with what, and what comes of it is what the plan means."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from sim_judge import BESIDE_S, Violation, must
from sim_looked import ABOUT_OBJECTS
from sim_meaning import Flaw, Meaning, computes

from executor.plan.graph import data_sources, graph
from executor.plan.model import Step
from executor.run.bulk import PARTLY, UNTOLD
from executor.run.state import Place, undoes
from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

_OWN = {"input", "each", "each_item", "result"}


class Values:
    """A journal, event by event, beside what the plan means by then."""

    def __init__(self, history: "History") -> None:
        self._history = history
        plan = history.accepted.plan
        self._steps = {each.id: each for each in plan.steps}
        self._needs = graph(plan)
        self._meaning = Meaning(plan, {})
        self._done: dict[str, Any] = self._meaning.done  # type: ignore[assignment]  # it grows
        self._skipped: set[str] = set()
        self._begun: set[str] = set()
        self._answered: dict[Place, Any] = {}  # what is known of calls that happened
        self._found: dict[Place, float] = {}  # since when, where somebody found it out
        self.reached: Counter[str] = Counter()

    def judge(self) -> None:
        """Every event in its place, and then every call as it arrived."""
        for each in self._history.stored:
            data: Any = each.data
            match each.type:
                case "step.done":
                    self._ended(self._steps[data["step"]], data)
                case "step.skipped":
                    self._passed_over(self._steps[data["step"]])
                case "step.failed" if gone := self._gone(self._steps[data["step"]]):
                    raise Violation(f"{data['step']} failed without {gone}")
                case "step.failed" if computes(step := self._steps[data["step"]]):
                    must(data["effect"] == "no", f"{step.id} computes, and is said to have acted")
                    self.reached[f"{step.action} fails"] += 1
                    must(self._is_flawed(step), f"{step.id} can be computed, and failed")
                case "step.failed":
                    self._failed(self._steps[data["step"]], each)
                case "attempt.ended" if data["state"] == "applied" and not data["late"]:
                    self._answered[data["step"], data["iteration"]] = data["output"]
                case "reconcile.resolved" if data["resolution"] == "applied":
                    self._answered[data["step"], data["iteration"]] = data["output"]
                    self._found[data["step"], data["iteration"]] = each.at
                case "intent.recorded" if undoes((data["step"], data["iteration"])) is None:
                    self._call(self._steps[data["step"]], each)
        for seen in self._history.services.seen:
            self._sent(seen.place, seen.action.name, seen.arguments)
        self._history.services.reached.update(self.reached)

    # ---- what ends

    def _is_its_turn(self, step: Step) -> None:
        passed = self._done.keys() | self._skipped
        must(self._needs[step.id] <= passed, f"{step.id} came before what it waits for")
        gone = self._gone(step)
        must(not gone, f"{step.id} came without {gone}, which it refers to")

    def _gone(self, step: Step) -> set[str]:
        return set() if step.action == "fn.first_of" else data_sources(step) & self._skipped

    def _failed(self, step: Step, event: StoredEvent) -> None:
        """A call that is known to have happened fails only for what came of it.

        Or where somebody gives it up or says no, and just then another tells that it happened.
        """
        place, code = (step.id, str(event.data["iteration"])), event.data["code"]
        if place not in self._answered or code in (PARTLY, UNTOLD):
            return
        beside_s = BESIDE_S + self._history.slack_s
        if code in ("abandoned", "refused") and event.at < self._found.get(place, 0.0) + beside_s:
            return
        result = self._answered[place]
        must(not self._is_good(step, place[1], result), f"{place} failed, and gave {result}")

    def _is_good(self, step: Step, n: str, result: Any) -> bool:
        try:
            return self._meaning.is_as_expected(step, n, result)
        except Flaw:
            return False

    def _passed_over(self, step: Step) -> None:
        is_so = bool(self._gone(step)) or (
            step.each is None and self._meaning.is_passed_over(step, "")
        )
        must(is_so, f"{step.id} was skipped, and its condition is true")
        self._skipped.add(step.id)

    def _ended(self, step: Step, data: Any) -> None:
        self._is_its_turn(step)
        result, missed = data["result"], data["failed_items"]
        if step.each is None:
            must(
                not self._meaning.is_passed_over(step, ""), f"{step.id} is done, though not wanted"
            )
            self._gave(step, "", result)
        else:
            items = self._meaning.items(step)
            must(isinstance(result, list) and len(result) == len(items), f"{step.id}: {result}")
            for n, one in enumerate(result):
                self._item(step, str(n), one, is_missed=str(n) in missed)
            self._note_items(step, result)
        self._done[step.id] = result
        if step.action.startswith("fn."):
            self.reached[f"{step.action} is done"] += 1

    def _item(self, step: Step, n: str, result: Any, *, is_missed: bool) -> None:
        if is_missed:
            must(result is None, f"item {n} of {step.id} failed, and gave {result}")
            must(not computes(step) or self._is_item_flawed(step, n), f"{step.id}[{n}] can be made")
            return
        if self._meaning.is_passed_over(step, n):
            must(result is None, f"item {n} of {step.id} was not wanted, and gave {result}")
            called = (step.id, n) in self._history.services.told
            must(not called, f"item {n} of {step.id} was not wanted, and was called")
            self.reached["an item is passed over"] += 1
            return
        self._gave(step, n, result)

    def _gave(self, step: Step, n: str, result: Any) -> None:
        """What it says is what the function gives, or what the service has said."""
        if computes(step):
            found = self._meaning.computed(step, n)
            must(result == found, f"{step.id}[{n}] gave {result} instead of {found}")
        else:
            told = self._history.services.told.get((step.id, n), [])
            is_told = result in told or (result is None and (step.id, n) in self._unheard)
            must(is_told, f"{step.id}[{n}] gave {result}, and was told {told}")
        if result is not None:
            must(self._meaning.is_as_expected(step, n, result), f"{step.id}[{n}] is not expected")

    @property
    def _unheard(self) -> set[tuple[str, str]]:
        """Where somebody said that it had happened, and not what came of it."""
        return self._history.services.unheard

    def _note_items(self, step: Step, result: list[Any]) -> None:
        root = (step.each or "").partition("/")[0]
        if root == "input" or computes(step):
            return
        self.reached["each of a result"] += 1
        self.reached["each of no result"] += not result
        self.reached["each of another's each"] += self._steps[root].each is not None

    # ---- what is wrong with it

    def _is_flawed(self, step: Step) -> bool:
        try:
            items = [""] if step.each is None else [str(n) for n, _ in enumerate(
                self._meaning.items(step))]  # fmt: skip
        except Flaw:
            return True
        return any(self._is_item_flawed(step, n) for n in items)

    def _is_item_flawed(self, step: Step, n: str) -> bool:
        try:
            if self._meaning.is_passed_over(step, n):
                return False
            return not self._meaning.is_as_expected(step, n, self._meaning.computed(step, n))
        except Flaw:
            return True

    # ---- what is called

    def _call(self, step: Step, intent: StoredEvent) -> None:
        data: Any = intent.data
        self._is_its_turn(step)
        if step.each is not None and step.id not in self._begun:
            self._all_can_be_called(step)
        self._begun.add(step.id)
        n = data["iteration"]
        must(not self._meaning.is_passed_over(step, n), f"{step.id}[{n}] was called, not wanted")

    def _all_can_be_called(self, step: Step) -> None:
        """Before the first of many calls all are known to be possible, unless one may fail."""
        option = self._history.accepted.certificate.options.on_failure
        has_pivot = any("pivot" in each.action for each in self._steps.values())
        if option == "continue" or (option == "undo" and has_pivot):
            return  # it goes on after a failure, past a pivot at the latest
        for n, _ in enumerate(self._meaning.items(step)):
            try:
                if not self._meaning.is_passed_over(step, str(n)):
                    self._meaning.arguments(step, str(n))
            except Flaw as flaw:
                raise Violation(f"{step.id} began, though {flaw} in item {n}") from flaw

    def _sent(self, place: tuple[str, str], action: str, arguments: Any) -> None:
        """Every call was sent with what the plan says."""
        target = undoes(place)
        if target is None:
            expected = self._meaning.arguments(self._steps[place[0]], place[1])
            must(arguments == expected, f"{place} was sent {arguments} instead of {expected}")
        elif (own := _taken_back_by(action)) is not None:
            given = self._meaning.arguments(self._steps[target[0]], target[1])
            must(arguments == {own: given[own]}, f"{arguments} is not what {target} was given")
        elif action != "shop.release_many":
            is_its = arguments == {"id": self._history.services.id_of(target)}
            must(is_its, f"{arguments} is not what {target} made")


def _taken_back_by(action: str) -> str | None:
    """Which argument says what is taken back, where no answer does."""
    if action in ("shop.release_safe", "shop.release_plain"):
        return "x"
    return "o" if action in ABOUT_OBJECTS else None
