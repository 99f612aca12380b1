"""What is written out in a plan: the scalars of its constants, each by its place."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from executor.check.binding import Binding

Path = tuple[str, ...]


def constants_of(bindings: Iterable[Binding]) -> dict[Path, JsonValue]:
    """Every scalar that is written into a step, by its place."""
    found: dict[Path, JsonValue] = {}
    for each in bindings:
        for value in each.constant:
            found |= dict(leaves(value, each.to))
    return found


def clauses_of(constants: Iterable[Path]) -> list[Path]:
    """The place of every clause of a `where` whose operator is written out."""
    return [at[:2] for at in constants if at[2:] == ("op",)]


def leaves(value: JsonValue, at: Path) -> Iterator[tuple[Path, JsonValue]]:
    """Every scalar and every empty list or object, with its place."""
    members: Mapping[str, JsonValue] = {}
    if isinstance(value, dict):
        members = value
    elif isinstance(value, list):
        members = {str(index): each for index, each in enumerate(value)}
    if not members:
        yield at, value
    for token, each in members.items():
        yield from leaves(each, (*at, token))
