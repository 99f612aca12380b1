"""A call's arguments from the values before it, and whether its result is what the plan expects."""

from collections.abc import Mapping

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.validate import first_flaw
from executor.check.admit import Accepted
from executor.check.taken import function_of
from executor.fn import FUNCTIONS, FnError
from executor.plan import size
from executor.plan.model import Step
from executor.run import events as e
from executor.run.resolve import ResolveError, Scope, bind, check_guards, first_false
from executor.run.state import RunState
from executor.run.verdicts import Done, Failed, Skipped


def prepare(
    accepted: Accepted, state: RunState, step: Step, iteration: str, scope: Scope
) -> JsonObject | Skipped | Failed:
    """Resolve and check the arguments of a call; those of an earlier attempt stay as they were."""
    last = state.last((step.id, iteration))
    if last is not None:
        return last.intent.arguments
    try:
        false = first_false(step.when, scope)
        if false is not None:
            return Skipped(f"{_shown(false.model_dump(by_alias=True))} is false")
        if step.action in FUNCTIONS:
            function = function_of(step)
            return bind(step, scope, function.input_schema)
        action = accepted.actions[step.action]
        arguments = bind(step, scope, action.input_schema)
        check_guards(accepted.certificate.of(step.id), arguments, action)
    except ResolveError as error:
        where = f" at {error.at!r}" if error.at else ""
        return Failed(error.code, f"{error.message}{where}")
    return arguments


def compute(step: Step, arguments: JsonObject, scope: Scope) -> Done | Failed:
    """Do an `fn.*` step."""
    function = FUNCTIONS[step.action]
    flaw = first_flaw(function.input_schema, arguments)
    if flaw is not None:
        return Failed("type-mismatch", flaw)
    try:
        output = function.call(arguments)
    except FnError as error:
        return Failed(error.code, error.message)
    if size.is_deep(output):
        return Failed(size.TOO_LARGE, f"the result has more than {size.MOST_LEVELS} levels")
    if size.size_of(output, size.MOST) > size.MOST:
        return Failed(size.TOO_LARGE, size.told("the result"))
    return expected(step, output, scope, "no")


def expected(
    step: Step, output: JsonValue, scope: Scope, effect: e.EffectHappened
) -> Done | Failed:
    """Done, or failed because the result is not what the plan expects."""
    if not step.expect:
        return Done(output)
    try:
        false = first_false(step.expect, scope.with_own(result=output))
    except ResolveError as error:
        return Failed(error.code, error.message, effect)
    if false is not None:
        return Failed(
            "expect-failed", f"expected {_shown(false.model_dump(by_alias=True))}", effect
        )
    return Done(output)


def _shown(cond: Mapping[str, object]) -> str:
    return " ".join(str(value) for value in cond.values())
