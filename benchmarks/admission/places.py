"""Where values stand in recorded results: paths, lists, members, numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.admission.shapes import below, is_map
from connectors.spec import JsonObject
from executor.fn.compare import equal
from executor.plan.refs import join_pointer

Path = tuple[str | int, ...]
Fields = tuple[str, ...]
_TITLE = 12  # so long a text is the same by no coincidence


@dataclass(frozen=True)
class Place:
    """A place in the recorded result of a step."""

    step: str
    path: Path = ()


def places_of(value: JsonValue, wanted: JsonValue) -> Iterator[Path]:
    """Every path at which a value equal to `wanted` stands."""
    if equal(value, wanted):
        yield ()
    if isinstance(value, dict):
        for name, member in value.items():
            yield from ((name, *path) for path in places_of(member, wanted))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from ((index, *path) for path in places_of(element, wanted))


def numbers_of(value: JsonValue) -> Iterator[float]:
    match value:
        case dict():
            for member in value.values():
                yield from numbers_of(member)
        case list():
            for element in value:
                yield from numbers_of(element)
        case float():
            yield value
        case _:
            pass


def is_title(value: JsonValue) -> bool:
    return isinstance(value, str) and len(value) >= _TITLE and " " in value


def subsequence(rows: Sequence[JsonValue], wanted: Sequence[JsonValue]) -> list[int] | None:
    """Where the wanted rows stand, all of them equal ones too, if they stand in this order."""
    kept = [at for at, row in enumerate(rows) if any(equal(row, each) for each in wanted)]
    return kept if equal([rows[at] for at in kept], [*wanted]) else None


def schema_at(schema: JsonObject, path: Path) -> JsonObject:
    for token in path:
        schema = below(schema, str(token))
    return schema


def lists_of(value: JsonValue) -> Iterator[tuple[Path, list[JsonValue]]]:
    if isinstance(value, list):
        yield (), value
        for index, element in enumerate(value):
            yield from (((index, *path), found) for path, found in lists_of(element))
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from (((name, *path), found) for path, found in lists_of(member))


def members_of(
    ref: str, name: str, value: JsonValue, schema: JsonObject
) -> Iterator[tuple[str, str, JsonValue]]:
    match value:
        case dict():
            for token, member in value.items() if not is_map(schema) else ():
                at = f"{ref}/{join_pointer((token,))}"
                yield from members_of(at, token, member, below(schema, token))
        case str() | int() | float():
            yield ref, name, value
        case _:
            pass


def leaves(
    value: JsonValue, schema: JsonObject, at: Fields
) -> Iterator[tuple[Fields, str, JsonValue]]:
    """Every scalar with its field; `*` stands for an element, and for a key that is data."""
    name = next((token for token in reversed(at) if token != "*"), "")
    match value:
        case dict():
            token: str
            for token, member in value.items():
                step = "*" if is_map(schema) else token
                for field, inner, leaf in leaves(member, below(schema, token), (*at, step)):
                    yield field, token if step == "*" and field[-1] == "*" else inner, leaf
        case list():
            for element in value:
                yield from leaves(element, below(schema, ""), (*at, "*"))
        case None:
            pass
        case _:
            yield at, name, value
