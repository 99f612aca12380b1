"""From references to values: binds a step's arguments and evaluates its conditions.

Missing is not null. `exists` is true for null; any other use of a missing value is a
`missing-value`, and nothing becomes null by itself. A reference to a skipped step is its own
case: the step that holds it is skipped too, except in `fn.first_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject
from connectors.validate import found_by, input_validator, validator_of
from executor.check.certificate import StepDecision
from executor.check.strict_json import read_json
from executor.fn.compare import NotComparableError, compare
from executor.plan import size
from executor.plan.assemble import Entry, assemble
from executor.plan.model import Arg, Cond, JsonArg, Lit, RefArg, RefCond, Step, ValueArg, ValueCond
from executor.plan.refs import array_index, join_pointer, parse_ref, split_pointer
from executor.plan.types import Type


class Absent:
    """What stands for a value that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


class ResolveError(Exception):
    """The values at hand do not allow the step: `code`, what, and the argument's place."""

    def __init__(self, code: str, message: str, at: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at


@dataclass(frozen=True)
class Scope:
    """The values that references of one step, or one item of it, can reach."""

    inputs: JsonObject
    results: Mapping[str, JsonValue]
    own: Mapping[str, JsonValue] = field(default_factory=dict)  # each, each_item, result

    def with_own(self, **values: JsonValue) -> "Scope":
        """The same scope inside one item, or with the step's own result."""
        return Scope(self.inputs, self.results, {**self.own, **values})


def value_at(scope: Scope, text: str) -> JsonValue | Absent:
    """The value at a reference, or `ABSENT`."""
    ref = parse_ref(text)
    here: JsonValue
    if ref.root == "input":
        here = scope.inputs
    elif ref.root in scope.own:
        here = scope.own[ref.root]
    elif ref.root in scope.results:
        here = scope.results[ref.root]
    else:
        return ABSENT
    for token in ref.tokens:
        index = array_index(token)
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and index is not None and index < len(here):
            here = here[index]
        else:
            return ABSENT
    return here


def bind(step: Step, scope: Scope, schema: JsonObject) -> JsonObject:
    """Build the step's arguments; raises `ResolveError` (`missing-value`, `type-mismatch`).

    `schema` is the action's input schema: it says which places are an array's.
    """
    if step.action == "fn.first_of":
        # An option that is put together is there if all of it is.
        gone = {
            split_pointer(arg.to)[:2] for arg in step.args if isinstance(_value(arg, scope), Absent)
        }
        there = tuple(arg for arg in step.args if split_pointer(arg.to)[:2] not in gone)
        return {"options": []} | bind_args(there, scope, schema)
    return bind_args(step.args, scope, schema)


def bind_args(args: tuple[Arg, ...], scope: Scope, schema: JsonObject) -> JsonObject:
    """Build an argument object of exactly these arguments."""
    entries: list[Entry] = []
    for arg in args:
        value = _value(arg, scope)
        if isinstance(value, Absent):
            raise ResolveError("missing-value", f"nothing is at {_refs(arg)}", arg.to)
        entries.append((split_pointer(arg.to), value))
    built = assemble(entries, Type.of(schema))
    if not isinstance(built, dict):
        raise ResolveError("type-mismatch", "the arguments are an object")
    return built


def holds(cond: Cond, scope: Scope) -> bool:
    """Whether a condition is true; raises `ResolveError` (`missing-value`, `not-comparable`)."""
    match cond:
        case ValueCond(left=left, op="exists", value=wanted):
            return (not isinstance(value_at(scope, left), Absent)) is (wanted is True)
        case ValueCond(left=left, op=op, value=value):
            return _compared(op, _present(scope, left), value)
        case RefCond(lhs=lhs, op=op, rhs=rhs):
            return _compared(op, _present(scope, lhs), _present(scope, rhs))
        case _:
            return _compared("in", _present(scope, cond.subject), [*cond.list_of])


def first_false(conds: tuple[Cond, ...], scope: Scope) -> Cond | None:
    """The first condition that is false, in order, or None if all hold."""
    return next((cond for cond in conds if not holds(cond, scope)), None)


def check_guards(decision: StepDecision, arguments: JsonObject, action: ActionSpec) -> None:
    """Check the certificate's type guards and the whole argument object on the real values."""
    for guard in decision.guards:
        if guard.kind == "type" and isinstance(guard.expected, dict):
            found = _reach(arguments, split_pointer(guard.at))
            validator = validator_of(guard.expected)
            if validator is not None and not isinstance(found, Absent):
                if (flaw := found_by(validator, found)) is not None:
                    raise ResolveError("type-mismatch", flaw.message, guard.at)
    check_arguments(action, arguments)


def check_arguments(action: ActionSpec, arguments: JsonObject) -> None:
    """Check the whole argument object on the real values."""
    if size.size_of(arguments, size.MOST) > size.MOST:
        raise ResolveError(size.TOO_LARGE, size.told("the arguments"))
    validator = input_validator(action)
    if validator is None:
        raise ResolveError("type-mismatch", "the action's input schema cannot be read")
    if (flaw := found_by(validator, arguments)) is not None:
        raise ResolveError("type-mismatch", flaw.message, flaw.at)


def build_answer(args: tuple[Arg, ...], scope: Scope) -> JsonObject:
    """The run's result; an entry whose step was skipped or failed is left out.

    So is a text with a piece that cannot be one, and what would make the answer too large: nothing
    that has happened may fail for it. A whole answer that is no object stands as its member
    `value`.
    """
    entries: list[Entry] = []
    left = size.MOST
    for arg in args:
        try:
            value = _value(arg, scope)
        except ResolveError:
            continue
        if isinstance(value, Absent) or (takes := size.size_of(value, left)) > left:
            continue
        left -= takes
        entries.append((split_pointer(arg.to), value))
    built = assemble(entries, None)
    return built if isinstance(built, dict) else {"value": built}


def _value(arg: Arg, scope: Scope) -> JsonValue | Absent:
    match arg:
        case RefArg(ref=ref):
            return value_at(scope, ref)
        case ValueArg(value=value):
            return value
        case JsonArg(json_text=text):
            return read_json(text)
        case _:
            pieces, left = [], size.MOST
            for piece in arg.text:
                found = piece.lit if isinstance(piece, Lit) else value_at(scope, piece.ref)
                if isinstance(found, Absent):
                    return ABSENT
                pieces.append(_as_text(found, arg.to))
                left -= len(pieces[-1])
                if left < 0:
                    raise ResolveError(size.TOO_LARGE, size.told("the text"), arg.to)
            return "".join(pieces)


def _as_text(value: JsonValue, at: str) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case _:
            raise ResolveError("type-mismatch", "null, a list or an object is no text", at)


def _present(scope: Scope, ref: str) -> JsonValue:
    found = value_at(scope, ref)
    if isinstance(found, Absent):
        raise ResolveError("missing-value", f"nothing is at {ref}", ref)
    return found


def _compared(op: str, left: JsonValue, right: JsonValue) -> bool:
    try:
        return compare(op, left, right)
    except NotComparableError as error:
        raise ResolveError("not-comparable", str(error)) from error


def _refs(arg: Arg) -> str:
    match arg:
        case RefArg(ref=ref):
            return ref
        case ValueArg() | JsonArg():
            return "a constant"
        case _:
            return ", ".join(piece.ref for piece in arg.text if not isinstance(piece, Lit))


def _reach(value: JsonValue, tokens: tuple[str, ...]) -> JsonValue | Absent:
    return value_at(Scope({}, {"it": value}), join_pointer(("it", *tokens)))
