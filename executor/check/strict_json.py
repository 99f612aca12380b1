"""JSON as this project reads it: one document, no duplicate keys, no NaN, bounded."""

import json
import re
from collections.abc import Sequence

from pydantic import JsonValue

from executor.check.violation import Code

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_SAFE_INTEGER = 2**53 - 1
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Flaw(Exception):
    """Why a text is not acceptable JSON; `code` is that of the violation it becomes."""

    def __init__(self, code: Code, message: str, at: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at


def read_json(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> JsonValue:
    """Read one document; raises `Flaw`."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise Flaw("too-large", f"{size} bytes; at most {max_bytes} are read")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value: JsonValue = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise Flaw("malformed-json", f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Flaw("malformed-json", f"{error.msg} at {where}") from error
    except RecursionError as error:
        raise Flaw("too-large", f"nested deeper than {MAX_DEPTH} levels") from error
    _walk(value, (), 1)
    return value


def _object(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise Flaw("duplicate-key", f"the member {key!r} stands twice in one object")
        found[key] = value
    return found


def _constant(text: str) -> JsonValue:
    raise Flaw("malformed-json", f"{text} is not JSON")


def _integer(text: str) -> int | float:
    if len(text) > 32:
        raise Flaw("number-out-of-range", f"an integer of {len(text)} digits")
    return int(text)


def _walk(value: JsonValue, path: tuple[str, ...], depth: int) -> None:
    at = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)
    if depth > MAX_DEPTH:
        raise Flaw("too-large", f"nested deeper than {MAX_DEPTH} levels", at)
    match value:
        case dict():
            for key, member in value.items():
                if _LONE_SURROGATE.search(key):
                    raise Flaw("malformed-json", "a lone surrogate in a member's name", at)
                _walk(member, (*path, key), depth + 1)
        case list():
            for index, member in enumerate(value):
                _walk(member, (*path, str(index)), depth + 1)
        case str():
            if _LONE_SURROGATE.search(value):
                raise Flaw("malformed-json", "a lone surrogate, which is no Unicode text", at)
        case int() | float() if not isinstance(value, bool):
            _check_number(value, at)
        case _:
            pass


def _check_number(value: int | float, at: str) -> None:
    if value in (float("inf"), float("-inf")):
        raise Flaw("number-out-of-range", "a number beyond the range of a double", at)
    # A double beyond this is an integer too, and RFC 8785 may write it as one.
    if abs(value) > MAX_SAFE_INTEGER:
        raise Flaw("number-out-of-range", f"{value} is beyond ±(2^53-1)", at)
