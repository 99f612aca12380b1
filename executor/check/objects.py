"""Which objects a call is about, and what the answers of other calls tell of them.

A call is about the values of its arguments of sink class *resource_id*. A read that was given no
id is about those that it answered with; a write that answers as a read is about what that read
would have been given. An answer tells of a call if everything that it is about is named by the
call, or by an answer that tells of it: so the user of an order is found through the order, and
what was read of another order tells nothing. Of the answers of one operation the nearest counts,
of those about the same object the last; where two objects are equally near, none does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, Sink
from executor.check.budgets import at_sinks
from executor.check.entry import source_shade
from executor.check.unknown import Unknown
from executor.fn.shade import Shade
from executor.plan.refs import split_pointer


@dataclass(frozen=True)
class Answer:
    """What one call told: as which read, about which objects, and which other ids it named."""

    operation: str
    about: frozenset[str]
    names: frozenset[str]
    output: JsonValue
    began: int


def objects_of(action: ActionSpec, arguments: JsonValue) -> frozenset[str] | None:
    """The ids as texts; None where one of them is not known yet."""
    found = [value for value, _, _ in at_sinks(action, Sink.RESOURCE_ID, arguments)]
    ids = [name for value in found for name in _names(value)]
    return None if None in ids else frozenset(name for name in ids if name is not None)


def answers_as(action: ActionSpec) -> str | None:
    """The read that an action's answer counts as; None where none of it is trusted, or it is none.

    What is untrusted decides nothing.
    """
    if not _is_trusted(source_shade(action)):
        return None
    if not action.is_write:
        return action.name
    return action.answers_as.action if action.answers_as else None


def answer_of(
    action: ActionSpec, arguments: JsonValue, output: JsonValue, began: int
) -> Answer | None:
    """What a done call tells; None where it tells nothing of any object."""
    operation = answers_as(action)
    told = _trusted(output, source_shade(action))
    names = _ids_at(action.answer_ids, told)
    if action.answers_as:
        about = _ids_at(action.answers_as.of, told)
    else:
        about = objects_of(action, arguments) or names
    return Answer(operation, about, names, told, began) if operation and about else None


def touched_by(action: ActionSpec, arguments: JsonValue, output: JsonValue) -> frozenset[str]:
    """The objects that a write may have changed, by its arguments and by its answer."""
    found = objects_of(action, arguments) or frozenset()
    return found | (_ids_at(action.answers_as.of, output) if action.answers_as else frozenset())


def nearest(objects: frozenset[str], answers: Iterable[Answer]) -> Mapping[str, JsonValue]:
    """By operation, the answer that tells of these objects."""
    known, rest = objects, [*answers]
    found: dict[str, JsonValue] = {}
    seen: set[str] = set()
    while near := [each for each in rest if each.about <= known]:
        for operation in sorted({each.operation for each in near} - seen):
            of_it = [each for each in near if each.operation == operation]
            if len({each.about for each in of_it}) == 1:
                found[operation] = max(of_it, key=lambda each: each.began).output
            seen.add(operation)
        known = known.union(*(each.names for each in near))
        rest = [each for each in rest if not any(each is other for other in near)]
    return found


def is_trusted_at(action: ActionSpec, path: Iterable[str]) -> bool:
    """Whether policy may see anything of what is at a place of an action's answer."""
    return _is_trusted(source_shade(action).reach(path))


def _is_trusted(shade: Shade) -> bool:
    below = any(_is_trusted(each) for each in shade.below.values())
    return below or shade.own.integrity.at_least(Integrity.TRUSTED)


def _trusted(value: JsonValue, shade: Shade) -> JsonValue:
    """A value without what is not trusted in it; a list is told whole or not at all."""
    if shade.whole.integrity.at_least(Integrity.TRUSTED):
        return value
    if isinstance(value, list) and shade.own.integrity.at_least(Integrity.TRUSTED):
        found = [_trusted(each, shade.at(str(place))) for place, each in enumerate(value)]
        return None if None in found else found
    if not isinstance(value, dict):
        return None
    members = {name: _trusted(each, shade.at(name)) for name, each in value.items()}
    return {name: each for name, each in members.items() if each is not None}


def _ids_at(places: Iterable[str], output: JsonValue) -> frozenset[str]:
    found = [value for at in places for value in _below(output, split_pointer(at))]
    return frozenset(name for value in found for name in _names(value) if name is not None)


def _below(here: JsonValue, rest: tuple[str, ...]) -> Iterator[JsonValue]:
    if not rest:
        yield here
    elif isinstance(here, list):
        for index, each in enumerate(here):
            if rest[0] in ("*", str(index)):
                yield from _below(each, rest[1:])
    elif isinstance(here, dict):
        for name, each in here.items():
            if rest[0] in ("*", name):
                yield from _below(each, rest[1:])


def _names(value: JsonValue) -> Iterator[str | None]:
    match value:
        case Unknown():
            yield None
        case None | bool():
            return
        case list():
            for each in value:
                yield from _names(each)
        case dict():
            for each in value.values():
                yield from _names(each)
        case float() if value.is_integer():
            yield str(int(value))
        case _:
            yield str(value)
