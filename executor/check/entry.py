"""What follows from one action's definition alone: worked out once, not with every plan.

A definition is frozen, so all of this holds for as long as anybody has it. Each memory is
bounded: what has not been asked for lately is worked out again.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Sink
from executor.fn.extract import EXTRACT
from executor.fn.shade import Shade, shade_of
from executor.plan.refs import array_index, split_pointer
from executor.plan.scopes import in_one_scope
from executor.plan.types import (
    UNKNOWN,
    Found,
    Type,
    arms_of,
    as_object,
    child,
    descend,
    is_array,
    kinds,
    likely_kinds,
)

MOST_ACTIONS: Final = 4_096
MOST_PLACES: Final = 16_384
MOST_ALTERNATIVES: Final = 50  # and alternatives of these
_HOLDING: Final = frozenset({"object", "array"})
Place = tuple[str, ...]


@lru_cache(MOST_ACTIONS)
def input_type(action: ActionSpec) -> Type:
    """What an action takes: always an object, whether its schema says so or not."""
    found = declared_input(action)
    if kinds(found) == frozenset({"object"}):
        return found
    return Type({"allOf": [found.node, {"type": "object"}]}, found.root)


@lru_cache(MOST_ACTIONS)
def declared_input(action: ActionSpec) -> Type:
    """What an action takes, as its schema says it."""
    return Type.of(in_one_scope(action.input_schema))


@lru_cache(MOST_ACTIONS)
def output_type(action: ActionSpec) -> Type:
    """What an action gives."""
    return Type.of(in_one_scope(action.output_schema)) if action.output_schema else UNKNOWN


@lru_cache(MOST_PLACES)
def target_at(action: ActionSpec, to: Place) -> Found:
    """What may be bound at a place."""
    return descend(input_type(action), to)


@lru_cache(MOST_PLACES)
def sinks_at(action: ActionSpec, to: Place) -> frozenset[Sink]:
    """Every sink class that a value bound at `to` reaches: at that place, above it or below it."""
    return frozenset(
        sink
        for at, sink in action.sinks.items()
        if all(a in ("*", b) for a, b in zip(split_pointer(at), to, strict=False))
    )


@lru_cache(MOST_PLACES)
def said_at(action: ActionSpec, to: Place) -> frozenset[Sink]:
    """The same for rules A and B: the currency that stands beside an amount is a part of it."""
    beside = any(all(a in ("*", b) for a, b in zip(at, to, strict=False)) for at in _units(action))
    return sinks_at(action, to) | ({Sink.AMOUNT} if beside else set())


@lru_cache(MOST_PLACES)
def is_amount(action: ActionSpec, place: Place) -> bool:
    """Whether an amount stands at exactly this place; `*` is any member of a list."""
    amounts = [split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT]
    return any(
        len(at) == len(place) and all(a in ("*", b) for a, b in zip(at, place, strict=True))
        for at in amounts
    )


@lru_cache(MOST_PLACES)
def amounts_from(action: ActionSpec, to: Place) -> tuple[Place, ...]:
    """The paths from a place to amounts and their currencies; `()` is one there, or above it."""
    amounts = [split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT]
    return tuple(
        at[len(to) :]
        for at in (*amounts, *_units(action))
        if all(a in ("*", b) for a, b in zip(at, to, strict=False))
    )


@lru_cache(MOST_ACTIONS)
def _units(action: ActionSpec) -> tuple[Place, ...]:
    """Where the currencies of amounts stand that are no objects, and so have none of their own."""
    amounts = [split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT]
    return tuple(
        (*at[:-1], "currency")
        for at in amounts
        if at and not (_kinds_at(action, at) or frozenset({""})) <= _HOLDING
    )


def _kinds_at(action: ActionSpec, at: Place) -> frozenset[str] | None:
    found = descend(declared_input(action), tuple("0" if each == "*" else each for each in at))
    return kinds(found) if isinstance(found, Type) else None


@lru_cache(MOST_PLACES)
def chosen_names(action: ActionSpec, to: Place) -> Place:
    """The tokens of a place that are data themselves: declared nowhere, and a sink above them."""
    here, found = declared_input(action), []
    for depth, token in enumerate(to):
        if is_data(here, token) and _is_inside_sink(action, to[:depth]):
            found.append(token)
        below = child(here, token)
        here = below if isinstance(below, Type) else UNKNOWN
    return tuple(found)


@lru_cache(MOST_ACTIONS)
def source_shade(action: ActionSpec) -> Shade:
    """What its manifest says of its output, field by field; of a model's, nothing is trusted."""
    if action.name == EXTRACT:
        return Shade(Label(Integrity.UNTRUSTED))
    readers = None if action.readers is None else frozenset(action.readers)
    fields = {
        split_pointer(at): Label(Integrity(trust), readers)
        for at, trust in action.fields_read_as.items()
    }
    return shade_of(Label(Integrity(action.reads_as), readers), fields)


def is_data(target: Type, token: str) -> bool:
    """Whether a member's name is somebody's choice: neither declared nor an index."""
    if is_array(target):
        return False
    return not any(token in as_object(node.get("properties")) for node in _arms(target))


def may_be_put(found: Type, token: str) -> bool:
    """Whether a token may lead to what somebody put there: an element, or an undeclared member."""
    return any(
        not _declares(each, token)
        or (array_index(token) is not None and "array" in (likely_kinds(each) or ()))
        for each in _alternatives(found)
    )


def is_key(found: Type, token: str) -> bool:
    """Whether a member's name may pick an entry of a map, all of whose members are of a type."""
    return any(_is_map(each.keywords) and is_data(each, token) for each in _alternatives(found))


def is_open_at(found: Type, token: str) -> bool:
    """Whether there may be an object that says nothing of a member of this name."""
    return any(is_data(each, token) for each in _alternatives(found))


@lru_cache(MOST_ACTIONS)
def gives_maps(action: ActionSpec) -> bool:
    """Whether a map may be anywhere in what an action gives."""
    parts: list[JsonValue] = [action.output_schema]
    while parts:
        match parts.pop():
            case dict() as each if _is_map(each):
                return True
            case dict() as each:
                parts += each.values()
            case list() as each:
                parts += each
    return False


def _is_map(node: JsonObject) -> bool:
    return bool(as_object(node.get("additionalProperties"))) or "patternProperties" in node


def _declares(found: Type, token: str) -> bool:
    return token in as_object(found.keywords.get("properties"))


def _alternatives(found: Type) -> Iterable[Type]:
    """Each object or list that a type may be; where they are too many, one that says nothing."""
    return _holding(found) if found.arms else (found,)


def _holding(found: Type) -> Iterator[Type]:
    rest, left = [found], MOST_ALTERNATIVES
    while rest and left:
        left -= 1
        here = rest.pop()
        arms = arms_of(here)
        rest += arms
        if not arms and (likely_kinds(here) or _HOLDING) & _HOLDING:
            yield here
    if rest:
        yield UNKNOWN


def _arms(target: Type) -> Iterator[JsonObject]:
    return (found.keywords for found in (target, *arms_of(target)))


def _is_inside_sink(action: ActionSpec, above: Place) -> bool:
    """Whether a sink stands at this place or above it."""
    places = [split_pointer(at) for at in action.sinks]
    return any(
        len(place) <= len(above)
        and all(a in ("*", b) for a, b in zip(place, above[: len(place)], strict=True))
        for place in places
    )
