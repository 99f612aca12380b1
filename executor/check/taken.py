"""A function as one step calls it: some say more of what they take once constants are known."""

from contextlib import suppress
from functools import lru_cache
from typing import Final

from connectors.canonical import canonical
from connectors.spec import ActionSpec, JsonObject
from executor.check.strict_json import Flaw, read_json
from executor.fn import FUNCTIONS
from executor.plan.compose import standalone
from executor.plan.model import JsonArg, Step
from executor.plan.types import as_object

MOST_CALLS: Final = 1_024
MOST_BYTES: Final = 50_000  # of the constants of one that is kept


class _AsCalled(ActionSpec):
    def __hash__(self) -> int:
        """By everything, for there are many of one name."""
        return hash(self.canonical)


def function_of(step: Step) -> ActionSpec:
    """The function that a step calls, with the schema of what this step may give it."""
    function = FUNCTIONS[step.action]
    if function.takes is None:
        return function.action
    constants: JsonObject = {}
    for arg in step.args:
        if isinstance(arg, JsonArg) and arg.to in function.control:
            with suppress(Flaw):
                constants[arg.to] = read_json(arg.json_text)
    known = canonical(constants)
    called = _called if len(known) <= MOST_BYTES else _called.__wrapped__
    return called(step.action, known)


@lru_cache(MOST_CALLS)
def _called(name: str, constants: bytes) -> ActionSpec:
    function = FUNCTIONS[name]
    assert function.takes is not None  # noqa: S101 - only those are asked for
    taken = function.takes(as_object(read_json(constants)))
    said = function.action.model_dump(by_alias=True) | {"input_schema": standalone(taken)}
    return _AsCalled.model_validate(said)
