"""The labels of a value and of what is inside it, and what each function makes of them.

A shade is a tree beside the value's: `own` is the label of the value itself, which for a list or
a map is that of its membership (what is in it, and in which order), and `below` those of members
that have another one. `*` stands for every member that is not named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Final

from connectors.spec import Integrity, Label

TOP: Final = Label(Integrity.CONFIG)
ANY: Final = "*"
MOST_PLACES: Final = 500
MOST_LEVELS: Final = 64


@dataclass(frozen=True)
class Shade:
    """The label of a value, and those inside it that differ."""

    own: Label = TOP
    below: Mapping[str, "Shade"] = field(default_factory=dict)

    @cached_property
    def whole(self) -> Label:
        """The label of all of it: the lowest that is anywhere inside."""
        if not self.below:
            return self.own
        return reduce(Label.join, (each.whole for each in self.below.values()), self.own)

    @property
    def is_small(self) -> bool:
        """Whether it is worth to keep places apart.

        Some plans double them with every step, or put each value deep into another one.
        """
        left, level = MOST_PLACES, [self]
        for _ in range(MOST_LEVELS):
            level = [below for each in level for below in each.below.values()]
            left -= len(level)
            if left <= 0 or not level:
                return left > 0
        return False

    def at(self, token: str) -> "Shade":
        """One member: what its name says, else what every member is, else what the whole is."""
        found = self.below.get(token) or self.below.get(ANY)
        return Shade(self.own) if found is None else found

    def reach(self, tokens: Iterable[str]) -> "Shade":
        """The shade at a path inside; `*` in the path stands for any member there."""
        here = self
        for token in tokens:
            here = here.element if token == ANY else here.at(token)
        return here

    @cached_property
    def element(self) -> "Shade":
        """Any of the members, whichever it is."""
        if not self.is_small:
            return Shade(self.whole)
        return reduce(Shade.meet, self.below.values(), self.at(ANY))

    def join(self, label: Label) -> "Shade":
        """The same value where another one decided on it, or on what it is."""
        if label is TOP or label == TOP:
            return self
        below = {token: each.join(label) for token, each in self.below.items()}
        return Shade(self.own.join(label), below)

    def meet(self, other: "Shade") -> "Shade":
        """What is either of two values, and nobody knows which."""
        names = dict.fromkeys((*self.below, *other.below))
        below = {name: self.at(name).meet(other.at(name)) for name in names}
        return Shade(self.own.join(other.own), below)


def shade_of(own: Label, fields: Mapping[tuple[str, ...], Label]) -> Shade:
    """The shade of a value of which some places have labels of their own.

    A place that no entry names is what the nearest one above it is; a named member is also what
    `*` says of every member, unless it says otherwise.
    """
    inside: dict[str, dict[tuple[str, ...], Label]] = {}
    for path, label in fields.items():
        if path:
            inside.setdefault(path[0], {})[path[1:]] = label
    below = {}
    for head, found in inside.items():
        found = inside.get(ANY, {}) | found
        below[head] = shade_of(found.pop((), own), found)
    return Shade(own, below)
