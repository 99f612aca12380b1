"""What a function's annotations say beside the types: `Annotated[str, Sink.RECIPIENT]`.

A sink stands where the value is: at a parameter, or at a field of a model or dataclass inside it.
Of a result, `Annotated[Outcome, Note]` is an outcome whose output is a `Note`.
"""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.spec import Sink

_DEEPEST = 8  # a type may be inside itself
_OUTCOMES = (Outcome, Applied, Unreadable, Pending)


def sinks_of(parameters: Mapping[str, object]) -> dict[str, Sink]:
    """The sink class of each place of the arguments that has one, by its pointer."""
    return dict(
        found for name, annotation in parameters.items() for found in _sinks(name, annotation, 0)
    )


def output_of(annotation: Any) -> Any:
    """The type of the output; None where a function returns outcomes and says no more."""
    if get_origin(annotation) is Annotated and get_args(annotation)[0] in _OUTCOMES:
        return next(iter(get_args(annotation)[1:]), None)
    return None if annotation is None or annotation in _OUTCOMES else annotation


def _sinks(at: str, annotation: object, depth: int) -> Iterator[tuple[str, Sink]]:
    if depth > _DEEPEST:
        return
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from ((at, each) for each in inner[1:] if isinstance(each, Sink))
        yield from _sinks(at, inner[0], depth)
    elif origin in (Union, types.UnionType):
        for each in inner:
            yield from _sinks(at, each, depth)
    elif origin is dict and len(inner) == 2:
        yield from _sinks(f"{at}/*", inner[1], depth + 1)
    elif origin is not None and inner:
        for each in inner:
            yield from _sinks(f"{at}/*", each, depth + 1)
    elif isinstance(annotation, type):
        for name, each in _members(annotation):
            yield from _sinks(f"{at}/{name}", each, depth + 1)


def _members(found: type) -> Iterator[tuple[str, object]]:
    """The fields of a model or a dataclass, by the names that a plan says."""
    hints: dict[str, Any] = {}
    if dataclasses.is_dataclass(found) or issubclass(found, BaseModel):
        hints = get_type_hints(found, include_extras=True)
    aliases = found.model_fields if issubclass(found, BaseModel) else {}
    for name, annotation in hints.items():
        field = aliases.get(name)
        yield (field.alias if field is not None and field.alias else name), annotation
