"""What a function was given, as what it takes: a list, a map or a text, or no answer at all."""

from pydantic import JsonValue

from executor.fn.function import FnError


def list_of(value: JsonValue) -> list[JsonValue]:
    """A list."""
    if not isinstance(value, list):
        raise FnError("type-mismatch", "expected a list")
    return value


def map_of(value: JsonValue) -> dict[str, JsonValue]:
    """A map."""
    if not isinstance(value, dict):
        raise FnError("type-mismatch", "expected a map")
    return value


def text_of(value: JsonValue) -> str:
    """A text."""
    if not isinstance(value, str):
        raise FnError("type-mismatch", "expected a text")
    return value
