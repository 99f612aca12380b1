"""How numbers that were said, and one that was read, come to a value: a calculation, not a reading.

A calculation starts with what was read and takes every number of the words once: a percentage by
multiplying, any other by adding or subtracting. It counts only if no other one comes to the value.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

MOST_SAID = 3


@dataclass(frozen=True)
class Figure:
    """A number that was said; of a percentage its fraction."""

    value: Decimal
    is_share: bool = False


@dataclass(frozen=True)
class Sum:
    """`fn.*` steps one after the other: what each does with a said number, and what it gives."""

    read: Decimal
    steps: tuple[tuple[str, Decimal, Decimal], ...]

    @property
    def result(self) -> Decimal:
        """What it comes to."""
        return self.steps[-1][2]


def sum_of(value: Decimal, said: Sequence[Figure], read: Iterable[Decimal]) -> Sum | None:
    """The one calculation that gives the value."""
    if not 0 < len(said) <= MOST_SAID:
        return None
    found = [
        each
        for start in dict.fromkeys(read)
        for ordered in dict.fromkeys(permutations(said))
        for each in _sums(start, start, ordered)
        if each.result == value
    ]
    return found[0] if len(found) == 1 else None


def _sums(read: Decimal, here: Decimal, left: Sequence[Figure]) -> Iterator[Sum]:
    first, *rest = left
    made = {"multiply": here * first.value}
    if not first.is_share:
        made = {"add": here + first.value, "subtract": here - first.value}
    for name, result in made.items():
        step = (name, first.value, result)
        if not rest:
            yield Sum(read, (step,))
        for each in _sums(read, result, rest) if rest else ():
            yield Sum(read, (step, *each.steps))
