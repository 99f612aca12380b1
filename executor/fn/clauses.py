"""Which elements of a list all clauses of `where` hold for, and what stands at a path in one."""

from collections.abc import Callable, Iterator
from functools import partial

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn.compare import NotComparableError, among, compare
from executor.fn.function import FnError
from executor.fn.given import list_of, text_of
from executor.plan.refs import array_index, split_pointer

FIELD: JsonObject = {"type": "string", "description": 'a pointer in the element, "" for itself'}
WHERE: JsonObject = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "field": FIELD,
            "op": {"enum": ["==", "!=", "<", "<=", ">", ">=", "matches", "in", "exists"]},
            "value": {},
        },
        "required": ["field", "op", "value"],
        "additionalProperties": False,
    },
}


def fitting(elements: list[JsonValue], where: JsonValue) -> Iterator[JsonValue]:
    """Every element for which every clause holds."""
    clauses = [_clause(each) for each in list_of(where)]
    return (each for each in elements if all(holds(each) for holds in clauses))


def _clause(clause: JsonValue) -> Callable[[JsonValue], bool]:
    """What a clause says of an element."""
    if not isinstance(clause, dict):
        raise FnError("type-mismatch", "a clause is {field, op, value}")
    tokens, op, wanted = (
        split_pointer(text_of(clause["field"])),
        text_of(clause["op"]),
        clause["value"],
    )
    if op == "exists":
        return lambda element: any(True for _ in reach(element, tokens)) is (wanted is True)
    is_one = among(wanted) if op == "in" and isinstance(wanted, list) else None
    return partial(_is_so, tokens, is_one or (lambda value: compare(op, value, wanted)))


def _is_so(tokens: tuple[str, ...], is_so: Callable[[JsonValue], bool], element: JsonValue) -> bool:
    try:
        return any(is_so(value) for value in reach(element, tokens))
    except NotComparableError as error:
        raise FnError("not-comparable", str(error)) from error


def reach(value: JsonValue, tokens: tuple[str, ...]) -> Iterator[JsonValue]:
    """Every value at a path in an element; the token `*` stands for every member there."""
    if not tokens:
        yield value
        return
    head, rest = tokens[0], tokens[1:]
    if head == "*" and isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from reach(member, rest)
    elif isinstance(value, dict) and head in value:
        yield from reach(value[head], rest)
    elif isinstance(value, list) and (index := array_index(head)) is not None:
        if index < len(value):
            yield from reach(value[index], rest)
