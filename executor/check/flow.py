"""Three answers, and how they combine."""

from collections.abc import Iterable
from enum import Enum


class Flow(Enum):
    """Whether values of one type are valid for another: all are, none is, or not known."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def every(answers: Iterable[Flow]) -> Flow:
    """All of these must hold of each value."""
    found = [*answers]
    if Flow.NO in found:
        return Flow.NO
    return Flow.UNKNOWN if Flow.UNKNOWN in found else Flow.YES


def unanimous(answers: Iterable[Flow]) -> Flow:
    """The value may be any of several, so they must agree."""
    found = [*answers]
    return found[0] if found and found.count(found[0]) == len(found) else Flow.UNKNOWN
