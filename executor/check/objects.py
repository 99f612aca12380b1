"""Which objects a call is about: the values of its arguments of sink class *resource_id*."""

from collections.abc import Iterator

from pydantic import JsonValue

from connectors.spec import ActionSpec, Sink
from executor.check.budgets import at_sinks
from executor.check.unknown import Unknown


def objects_of(action: ActionSpec, arguments: JsonValue) -> frozenset[str] | None:
    """The ids as texts; None where one of them is not known yet."""
    found = [value for value, _, _ in at_sinks(action, Sink.RESOURCE_ID, arguments)]
    ids = [name for value in found for name in _names(value)]
    return None if None in ids else frozenset(name for name in ids if name is not None)


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
