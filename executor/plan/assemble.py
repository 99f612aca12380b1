"""Objects and arrays from places and values: what a step's `to` pointers build."""

from collections.abc import Iterable

from pydantic import JsonValue

from executor.plan.refs import array_index
from executor.plan.types import UNKNOWN, Type, child, is_array

Entry = tuple[tuple[str, ...], JsonValue]


class _Branch(dict[str, "_Branch | _Leaf"]):
    """What several entries share; a class of its own, for values are dictionaries too."""


class _Leaf:
    def __init__(self, value: JsonValue) -> None:
        self.value = value


def assemble(entries: Iterable[Entry], target: Type | None) -> JsonValue:
    """Put every value at its place; a place is an array's where the target says so.

    Without a target (a plan's answer) a place is an array's where all its tokens are indices.
    Entries left out close up. Of two that overlap, which admission refuses, the first stays.
    """
    found = [*entries]
    if all(len(to) == 1 and not to[0].isdigit() for to, _ in found):  # as most arguments are
        flat: dict[str, JsonValue] = {}
        for to, value in found:
            flat.setdefault(to[0], value)
        return flat
    root = _Branch()
    for to, value in found:
        if not to:
            return value
        _put(root, to, value)
    return _built(root, target)


def _put(branch: _Branch, to: tuple[str, ...], value: JsonValue) -> None:
    for token in to[:-1]:
        below = branch.setdefault(token, _Branch())
        if isinstance(below, _Leaf):
            return
        branch = below
    branch.setdefault(to[-1], _Leaf(value))


def _built(branch: _Branch, target: Type | None) -> JsonValue:
    in_array = bool(branch) and all(array_index(token) is not None for token in branch)
    if in_array and (target is None or is_array(target)):
        tokens = sorted(branch, key=lambda token: array_index(token) or 0)
        return [_value(branch[token], token, target) for token in tokens]
    return {token: _value(below, token, target) for token, below in branch.items()}


def _value(below: _Branch | _Leaf, token: str, target: Type | None) -> JsonValue:
    if isinstance(below, _Leaf):
        return below.value
    found = None if target is None else child(target, token)
    return _built(below, found if found is None or isinstance(found, Type) else UNKNOWN)
