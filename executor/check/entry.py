"""What follows from one action's definition alone: worked out once, not with every plan.

A definition is frozen, so all of this holds for as long as anybody has it. Each memory is
bounded: what has not been asked for lately is worked out again.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Sink
from executor.fn.extract import EXTRACT
from executor.fn.shade import Shade, shade_of
from executor.plan.refs import split_pointer
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
)

MOST_ACTIONS: Final = 4_096
MOST_PLACES: Final = 16_384
Place = tuple[str, ...]


@lru_cache(MOST_ACTIONS)
def input_type(action: ActionSpec) -> Type:
    """What an action takes: always an object, whether its schema says so or not."""
    schema = action.input_schema
    found = declared_input(action)
    if kinds(found) == frozenset({"object"}):
        return found
    return Type({"allOf": [schema, {"type": "object"}]}, schema)


@lru_cache(MOST_ACTIONS)
def declared_input(action: ActionSpec) -> Type:
    """What an action takes, as its schema says it."""
    return Type.of(action.input_schema)


@lru_cache(MOST_ACTIONS)
def output_type(action: ActionSpec) -> Type:
    """What an action gives."""
    return Type.of(action.output_schema) if action.output_schema else UNKNOWN


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
def is_amount(action: ActionSpec, place: Place) -> bool:
    """Whether an amount stands at exactly this place; `*` is any member of a list."""
    amounts = [split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT]
    return any(
        len(at) == len(place) and all(a in ("*", b) for a, b in zip(at, place, strict=True))
        for at in amounts
    )


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


def is_key(target: Type, token: str) -> bool:
    """Whether a member's name picks an entry of a map: all that are not declared are of a type."""
    is_map = any(
        as_object(node.get("additionalProperties")) or "patternProperties" in node
        for node in _arms(target)
    )
    return is_map and is_data(target, token)


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
