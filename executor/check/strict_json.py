"""JSON as this project reads it: one document, no duplicate keys, no NaN, bounded."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from executor.check.violation import Code

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_SAFE_INTEGER = 2**53 - 1
_MARK = "\ufeff"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Flaw(Exception):
    """Why a text is not acceptable JSON; `code` is that of the violation it becomes."""

    def __init__(self, code: Code, message: str, at: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at


def read_json(
    text: str | bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    wide: bool = False,
) -> JsonValue:
    """Read one document; raises `Flaw`.

    `wide` is for schemas, whose bounds may lie beyond what a double counts: such an integer is
    read as the nearest double.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise Flaw("too-large", f"{size} bytes; at most {max_bytes} are read")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value: JsonValue = (_WIDE if wide else _NARROW).decode(text)
    except UnicodeDecodeError as error:
        raise Flaw("malformed-json", f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        if not text.strip():
            raise Flaw("malformed-json", "there is nothing to read") from error
        if error.doc.startswith(_MARK):
            raise Flaw("malformed-json", "a byte order mark stands before it") from error
        where = f"line {error.lineno}, column {error.colno}"
        raise Flaw("malformed-json", f"{error.msg} at {where}") from error
    except RecursionError as error:
        raise Flaw("too-large", f"nested deeper than {max_depth} levels") from error
    _Walk(max_depth, is_wide=wide).over(value, (), 1)
    return value


def _object(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (again, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise Flaw("duplicate-key", f"the member {again!r} stands twice in one object")
    return found


def _constant(text: str) -> JsonValue:
    raise Flaw("malformed-json", f"{text} is not JSON")


def _integer(text: str) -> int | float:
    if len(text) > 32:
        raise Flaw("number-out-of-range", f"an integer of {len(text)} digits")
    return int(text)


def _wide_integer(text: str) -> int | float:
    value = _integer(text)
    return value if abs(value) <= MAX_SAFE_INTEGER else float(value)


def _decoder(parse_int: Callable[[str], int | float]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_constant, parse_int=parse_int
    )


_NARROW, _WIDE = _decoder(_integer), _decoder(_wide_integer)


@dataclass(frozen=True)
class _Walk:
    """What can be said only of what was read: depth, texts, numbers."""

    max_depth: int
    is_wide: bool

    def over(self, value: JsonValue, path: tuple[str, ...], depth: int) -> None:
        if depth > self.max_depth:
            message = f"nested deeper than {self.max_depth} levels"
            raise Flaw("too-large", message, _pointer(path))
        match value:
            case dict():
                for key, member in value.items():
                    if _LONE_SURROGATE.search(key):
                        message = "a lone surrogate in a member's name"
                        raise Flaw("malformed-json", message, _pointer(path))
                    self.over(member, (*path, key), depth + 1)
            case list():
                for index, member in enumerate(value):
                    self.over(member, (*path, str(index)), depth + 1)
            case str():
                if _LONE_SURROGATE.search(value):
                    message = "a lone surrogate, which is no Unicode text"
                    raise Flaw("malformed-json", message, _pointer(path))
            case int() | float() if not isinstance(value, bool):
                self._check_number(value, path)
            case _:
                pass

    def _check_number(self, value: int | float, path: tuple[str, ...]) -> None:
        if value in (float("inf"), float("-inf")):
            message = "a number beyond the range of a double"
            raise Flaw("number-out-of-range", message, _pointer(path))
        # A double beyond this is an integer too, and RFC 8785 may write it as one.
        if abs(value) > MAX_SAFE_INTEGER and not self.is_wide:
            raise Flaw("number-out-of-range", f"{value} is beyond ±(2^53-1)", _pointer(path))


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)
