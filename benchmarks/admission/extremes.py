"""Which element of a recorded list is the first or the last, of numbers or of times."""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from benchmarks.admission.places import Fields, leaves
from executor.fn.clauses import reach
from executor.fn.compare import NotComparableError, rank


def is_extreme(
    elements: Sequence[JsonValue],
    left: Sequence[int],
    index: int,
    field: Fields,
    *,
    largest: bool,
) -> bool:
    """Whether the element alone has the smallest or largest value of those left."""
    ranks = []
    for each in left:
        found = list(reach(elements[each], field))
        if len(found) != 1:
            return False
        try:
            ranks.append((rank(found[0]), each))
        except NotComparableError:
            return False
    if len({found[:2] for found, _ in ranks}) != 1:
        return False
    own = next(found for found, each in ranks if each == index)
    others = [found for found, each in ranks if each != index]
    if largest:
        return all(own[2] > each[2] for each in others)  # type: ignore[operator]  # one scale
    return all(own[2] < each[2] for each in others)  # type: ignore[operator]  # one scale


def sortable(element: JsonValue) -> Iterator[tuple[Fields, str]]:
    """Numbers and times, but no names and ids: nobody means the first of the alphabet."""
    for field, _, value in leaves(element, {}, ()):
        if "*" in field or isinstance(value, bool):
            continue
        try:
            scale = rank(value)[0]
        except NotComparableError:
            continue
        if scale == "number" or scale.startswith("date"):
            yield field, "number" if scale == "number" else "time"
