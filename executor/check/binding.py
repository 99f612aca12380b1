"""One argument of a step, from end to end, and the type of what several build together."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from executor.plan.compose import object_of, tuple_of
from executor.plan.model import Arg, JsonArg, Step, ValueArg
from executor.plan.types import UNKNOWN, Found, Type, child, is_array


@dataclass(frozen=True)
class Binding:
    """One argument of one step: where it goes, what may go there, and what comes.

    `constant` is what a constant argument brings, alone; nothing where it cannot be read.
    """

    step: Step
    place: int
    index: int
    arg: Arg
    to: tuple[str, ...]
    target: Found
    source: Found
    constant: tuple[JsonValue, ...]

    @property
    def at(self) -> str:
        """The argument's place below the plan's `/steps/<n>`."""
        return f"/args/{self.index}"


def constant_of(arg: Arg, source: Found) -> tuple[JsonValue, ...]:
    """What a constant argument brings, alone; nothing where it is none."""
    match arg, source:
        case ((ValueArg() | JsonArg()), Type(node={"const": value})):
            return (value,)
        case _:
            return ()


def built(bindings: Sequence[Binding], depth: int, into: Type) -> Type:
    """The type that these bindings build below a place `depth` tokens down."""
    here = next((each for each in bindings if len(each.to) == depth), None)
    if here is not None:
        return here.source if isinstance(here.source, Type) else UNKNOWN
    members: dict[str, Type] = {}
    inside: dict[str, list[Binding]] = {}
    for each in bindings:
        inside.setdefault(each.to[depth], []).append(each)
    for token, own in inside.items():
        below = child(into, token)
        members[token] = built(own, depth + 1, below if isinstance(below, Type) else UNKNOWN)
    if is_array(into):
        return tuple_of([members[token] for token in sorted(members, key=lambda t: (len(t), t))])
    return object_of(members)
