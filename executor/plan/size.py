"""How large a value is as JSON: a plan may put together what doubles with each of its steps.

What it puts together shares its parts, so in memory it may be small, and is no more once it is
written, compared or sent. So it is counted as it would be written, and no further than a bound.
"""

from typing import Final

from pydantic import JsonValue

TOO_LARGE: Final = "too-large"
MOST: Final = 16 * 1024 * 1024  # characters of one value
MOST_LEVELS: Final = 200
MOST_TOGETHER: Final = 4 * MOST  # of the arguments of all items of a step


def size_of(value: JsonValue, most: int) -> int:
    """About how many characters; no more is counted than shows that it is more than `most`."""
    size = 0
    rest: list[JsonValue] = [value]
    while rest and size <= most:
        each = rest.pop()
        match each:
            case str():
                size += len(each) + 2
            case list():
                size += len(each) + 1
                rest += each
            case dict():
                size += sum(map(len, each)) + 4 * len(each) + 1
                rest += each.values()
            case _:
                size += 1
    return size


def is_deep(value: JsonValue, most: int = MOST_LEVELS) -> bool:
    """Whether values lie in one another on more levels than anybody can write or compare."""
    level: list[JsonValue] = [value]
    for _ in range(most):
        below: dict[int, JsonValue] = {}
        for each in level:
            inside = [*each.values()] if isinstance(each, dict) else each
            if isinstance(inside, list):
                below |= {id(it): it for it in inside if isinstance(it, dict | list)}
        if not below:
            return False
        level = [*below.values()]
    return True


def told(what: str, most: int = MOST) -> str:
    """Why something is not put together."""
    return f"{what}: more than {most:,} characters of JSON"
