"""Runs an accepted plan over recorded or replayed reads, and tells what it would have called.

Binding, conditions and functions are the executor's own; only the calls are answered here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.fn.function import FnError
from executor.plan.graph import graph, order
from executor.plan.model import Step
from executor.plan.refs import parse_ref, refs_of_step
from executor.run.resolve import ResolveError, Scope, bind, check_guards, first_false, value_at

Answers = Callable[[str, JsonObject], JsonValue]


@dataclass(frozen=True)
class Call:
    """One call that the plan makes."""

    action: str
    arguments: JsonObject
    step: str = ""


class ReplayError(Exception):
    """The plan does not run through."""


def replay(
    accepted: Accepted, answers: Answers, recorded: Mapping[str, JsonValue] | None = None
) -> list[Call]:
    """Every call in the order of the plan; raises `ReplayError`.

    Steps in `recorded` give that, whatever they are called with.
    """
    run = _Run(accepted, answers, recorded or {})
    by_id = {step.id: step for step in accepted.plan.steps}
    for step_id in order(graph(accepted.plan)):
        try:
            run.step(by_id[step_id])
        except (ResolveError, FnError, LookupError, ValueError) as error:
            raise ReplayError(f"{step_id}: {error}") from error
    return run.calls


class _Run:
    def __init__(
        self, accepted: Accepted, answers: Answers, recorded: Mapping[str, JsonValue]
    ) -> None:
        self.calls: list[Call] = []
        self._accepted = accepted
        self._answers = answers
        self._recorded = recorded
        self._results: dict[str, JsonValue] = {}
        self._skipped: set[str] = set()

    def step(self, step: Step) -> None:
        waits_for = {use.ref.root for use in refs_of_step(step)}
        if step.action != "fn.first_of" and waits_for & self._skipped:
            self._skipped.add(step.id)
            return
        scope = Scope(self._accepted.inputs.values, self._results)
        if step.each is None:
            found = self._one(step, scope)
            if found is _SKIPPED:
                self._skipped.add(step.id)
            else:
                self._results[step.id] = found
            return
        items = value_at(scope, step.each)
        if not isinstance(items, list):
            raise ResolveError("not-a-list", f"{step.each} is no list")
        source = self._of(parse_ref(step.each).root)
        is_mapped = source is not None and source.each is not None and step.each == source.id
        outputs: list[JsonValue] = []
        for item in items:
            if is_mapped and item is None:
                outputs.append(None)
                continue
            found = self._one(step, scope.with_own(each=item))
            outputs.append(None if found is _SKIPPED else found)
        self._results[step.id] = outputs

    def _of(self, step_id: str) -> Step | None:
        return next((each for each in self._accepted.plan.steps if each.id == step_id), None)

    def _one(self, step: Step, scope: Scope) -> JsonValue:
        if first_false(step.when, scope) is not None:
            return _SKIPPED
        function = FUNCTIONS.get(step.action)
        spec = function.action if function else self._accepted.actions[step.action]
        arguments = bind(step, scope, spec.input_schema)
        check_guards(self._accepted.certificate.of(step.id), arguments, spec)
        if function:
            result = function.call(arguments)
        else:
            self.calls.append(Call(step.action, arguments, step.id))
            result = (
                self._recorded[step.id]
                if step.id in self._recorded
                else self._answers(step.action, arguments)
            )
        unmet = first_false(step.expect, scope.with_own(result=result))
        if unmet is not None:
            raise ReplayError(f"{step.id}: {unmet} does not hold")
        return result


_SKIPPED: JsonValue = {"": "skipped"}
