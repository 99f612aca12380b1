"""How much a plan may hold: it is counted before anything of it is judged, for all of it is.

A plan of a million bytes may be a hundred thousand arguments, or one path of half a million tokens.
No request means that, and whoever could have it judged would keep everybody else waiting.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from executor.check.strict_json import MAX_DEPTH, Flaw, read_json
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.model import Arg, JsonArg, Plan, Step, ValueArg, ValueCond
from executor.plan.refs import join_pointer, split_pointer

MOST_PARTS = (
    5_000  # steps, arguments, conditions, names in `after`: every object, all that is listed
)
MOST_VALUES = 10_000  # inside its constants, all together
MOST_PATTERNS = 100  # in conditions, clauses and schemas: each is compiled
MOST_TOKENS = MAX_DEPTH  # of a path: no value is any deeper
MOST_CHARACTERS = 2_000  # of a path: what was split is kept for a while
_PATHS = frozenset({"ref", "to", "left", "lhs", "rhs", "subject", "each"})


def too_much(plan: JsonValue, prefix: str = "") -> tuple[Violation, ...]:
    """Why a plan, as JSON that was read, is too large to be looked at; nothing if it is not."""
    count = sum(1 for _ in _parts(plan))
    if count > MOST_PARTS:
        told = f"{count} steps, arguments, conditions and pieces; a plan has at most {MOST_PARTS}"
        return (Violation("too-large", prefix, told, fix="Split the plan."),)
    fix = "Take a shorter path."
    return tuple(
        Violation(
            "too-large", f"{prefix}/{join_pointer(path)}",
            f"a path of {tokens} tokens and {characters} characters; at most {MOST_TOKENS} and "
            f"{MOST_CHARACTERS} are read", fix=fix,
        )
        for path, tokens, characters in _long_paths(plan, ())
    )  # fmt: skip


def too_much_inside(plan: Plan, prefix: str = "") -> tuple[Violation, ...]:
    """Why what is written inside a plan's arguments and conditions is too much to be looked at."""
    constants = [(step, arg, value) for step, arg in _args(plan) for value in _constant(arg)]
    values = sum(_count(value) for _, _, value in constants)
    if values > MOST_VALUES:
        told = f"{values} values inside its constants; a plan has at most {MOST_VALUES}"
        fix = "Give them as inputs, or split the plan."
        return (Violation("too-large", prefix, told, fix=fix),)
    patterns = sum(
        isinstance(cond, ValueCond) and cond.op == "matches"
        for step in plan.steps
        for cond in (*step.when, *step.expect)
    ) + sum(_patterns(value) for step, arg, value in constants if _is_control(step, arg))
    if patterns > MOST_PATTERNS:
        told = f"{patterns} patterns; a plan has at most {MOST_PATTERNS}"
        return (Violation("too-large", prefix, told, fix="Split the plan."),)
    return ()


def _args(plan: Plan) -> Iterator[tuple[Step | None, Arg]]:
    for step in plan.steps:
        for arg in step.args:
            yield step, arg
    for arg in plan.answer:
        yield None, arg


def _constant(arg: Arg) -> Iterator[JsonValue]:
    match arg:
        case ValueArg(value=value):
            yield value
        case JsonArg(json_text=text):
            try:
                yield read_json(text)
            except Flaw:
                return  # refused elsewhere
        case _:
            return


def _is_control(step: Step | None, arg: Arg) -> bool:
    """Whether clauses or a schema stand there, or a part of them."""
    function = FUNCTIONS.get(step.action) if step is not None else None
    head = split_pointer(arg.to)[:1]
    return function is not None and (not head or head[0] in function.control)


def _count(value: JsonValue) -> int:
    count, rest = 0, [value]
    while rest:
        each = rest.pop()
        count += 1
        rest += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return count


def _patterns(value: JsonValue) -> int:
    """How many patterns clauses or a schema have: a clause names the operator, a schema the key."""
    count, rest = 0, [value]
    while rest:
        match rest.pop():
            case dict() as each:
                many = each.get("patternProperties")
                count += len(many) if isinstance(many, dict) else 0
                count += "pattern" in each
                rest += each.values()
            case list() as each:
                rest += each
            case "matches":
                count += 1
            case _:
                pass
    return count


def _parts(value: JsonValue, *, is_listed: bool = False) -> Iterator[JsonValue]:
    if isinstance(value, dict) or is_listed:
        yield value
    if isinstance(value, dict):
        for each in value.values():
            yield from _parts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _parts(each, is_listed=True)


def _long_paths(
    value: JsonValue, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    match value:
        case dict():
            for name, each in value.items():
                if name in _PATHS and isinstance(each, str) and _is_long(each):
                    yield (*path, name), each.count("/"), len(each)
                yield from _long_paths(each, (*path, name))
        case list():
            for index, each in enumerate(value):
                yield from _long_paths(each, (*path, str(index)))
        case _:
            pass


def _is_long(path: str) -> bool:
    return len(path) > MOST_CHARACTERS or path.count("/") > MOST_TOKENS
