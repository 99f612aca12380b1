"""What the answer of each step's call has to be, as far as a schema says so."""

from collections.abc import Iterator, Mapping

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.check.strict_json import read_json
from executor.plan.assemble import Entry, assemble
from executor.plan.model import EXTRACT, JsonArg, RefArg, Step, ValueArg
from executor.plan.refs import split_pointer
from executor.run.resolve import Absent, Scope, value_at


def promised(accepted: Accepted) -> Mapping[str, JsonObject]:
    """The schema of what a step's call gives, by step; of an `fn.extract` the plan says it."""
    scope = Scope(accepted.inputs.values, {})
    found = {}
    for step in accepted.plan.steps:
        action = accepted.actions.get(step.action)
        schema = None if action is None else action.output_schema
        if step.action == EXTRACT:
            said = assemble(_said(step, scope), None)
            schema = said if isinstance(said, dict) else None
        if schema is not None:
            found[step.id] = schema
    return found


def _said(step: Step, scope: Scope) -> Iterator[Entry]:
    """What stands at each place of the `schema`, which is a constant: admission saw to that."""
    for arg in step.args:
        to = split_pointer(arg.to)
        if to[:1] != ("schema",):
            continue
        match arg:
            case ValueArg(value=value):
                yield to[1:], value
            case JsonArg(json_text=text):
                yield to[1:], read_json(text)
            case RefArg(ref=ref) if not isinstance(known := value_at(scope, ref), Absent):
                yield to[1:], known
