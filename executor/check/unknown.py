"""The mark of a value that is not known before the run."""

from pydantic import JsonValue


class Unknown(dict[str, JsonValue]):
    """Stands where a value will be; `kinds` are the JSON types that it may have, if known.

    A class of its own: no JSON text and no answer of a service can be taken for one.
    """

    def __init__(self, kinds: frozenset[str] | None) -> None:
        super().__init__()
        self.kinds = kinds


def is_open(value: JsonValue) -> bool:
    """Whether anything in a value is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, dict):
        return any(map(is_open, value.values()))
    return isinstance(value, list) and any(map(is_open, value))
