"""The bytes of an answer: decompressed in bounds, and read as strict JSON.

A stranger wrote them. 200 MiB fit into 200 KiB of gzip, so what comes out is counted while it
comes; and a document may repeat a key or say NaN, which other readers would take differently.
"""

import json
import math
import re
import zlib
from itertools import islice

from pydantic import JsonValue

from connectors.spec import JsonObject

MOST_BYTES = 10 * 1024 * 1024
MOST_DEPTH = 100
_MOST_CONTAINERS = 400_000
_MOST_VALUES = 2_000_000
_MOST_PARTS = 100  # of one gzip stream
_MOST_MEMBERS = 300_000  # each of them takes some two hundred bytes while it is read
_MEMBER = re.compile(rb'"\s*:')
_STEP = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16
_SAFE_INTEGER = 2**53 - 1


class BodyError(ValueError):
    """The body cannot be used; says why."""


class Body:
    """Collects one body, decoded, never more than `most` bytes of it on either side."""

    def __init__(self, encoding: str, most: int = MOST_BYTES) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise BodyError(f"encoded as {encoding[:40]!r}, which was not asked for")
        self._decoder = zlib.decompressobj(_GZIP) if "gzip" in encoding else None
        self._most = most
        self._raw = 0
        self._members = 1
        self._found = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add a piece as it came; raises `BodyError`."""
        self._raw += len(chunk)
        self._check(self._raw)
        if self._decoder is None:
            self._found += chunk
        elif chunk:
            try:
                self._inflate(chunk)
            except zlib.error as error:
                raise BodyError(f"not gzip: {error}") from error

    def finish(self) -> bytes:
        """The whole body; raises `BodyError` if its end is missing."""
        if self._decoder is not None and self._raw and not self._decoder.eof:
            raise BodyError("the gzip stream has no end")
        return bytes(self._found)

    def _inflate(self, data: bytes) -> None:
        while self._decoder is not None:
            if self._decoder.eof:  # another member follows (RFC 1952, 2.2)
                self._members += 1
                if self._members > _MOST_PARTS:
                    raise BodyError(f"more than {_MOST_PARTS} gzip members")
                self._decoder = zlib.decompressobj(_GZIP)
            out = self._decoder.decompress(data, _STEP)
            self._found += out
            self._check(len(self._found))
            data = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            # A full step may have left output inside the decoder although all input is taken.
            if not data and (self._decoder.eof or len(out) < _STEP):
                return

    def _check(self, size: int) -> None:
        if size > self._most:
            raise BodyError(f"larger than {self._most} bytes")


def read_json(body: bytes, most_members: int = _MOST_MEMBERS) -> JsonValue:
    """Read strict JSON: no NaN, no repeated key, bounded depth and size; raises `BodyError`."""
    if body.count(b"[") + body.count(b"{") > _MOST_CONTAINERS or body.count(b",") > _MOST_VALUES:
        raise BodyError("it has too many values")
    if body.count(b":") > most_members and _has_more(body, most_members):
        raise BodyError("it has too many members")
    try:
        found: JsonValue = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_unrepeated,
            parse_constant=_no_constant,
            parse_float=_number,
        )
    except RecursionError as error:
        raise BodyError("it is nested too deeply") from error
    except ValueError as error:
        raise BodyError(f"it is not JSON: {error}") from error
    return found


def _has_more(body: bytes, most_members: int) -> bool:
    """Whether there is one member more than that, found without keeping any."""
    return next(islice(_MEMBER.finditer(body), most_members, None), None) is not None


def json_flaw(value: JsonValue) -> str | None:
    """Why a value cannot be written as JSON that everyone reads alike; None if it can."""
    level: list[JsonValue] = [value]
    for _ in range(MOST_DEPTH):
        below: list[JsonValue] = []
        for each in level:
            if isinstance(each, str) and each.isascii():
                continue  # most of what there is
            if isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif (flaw := _flaw_of(each)) is not None:
                return flaw
        if not below:
            return None
        level = below
    return "it is nested too deeply"


def _flaw_of(value: object) -> str | None:
    match value:
        case None | bool():
            return None
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return "a text has half of a surrogate pair"
            return None
        case int():
            return None if abs(value) <= _SAFE_INTEGER else "an integer is beyond 2^53-1"
        case float():
            return None if math.isfinite(value) else "a number is not finite"
        case _:
            return f"{type(value).__name__} is no JSON"


def with_integers(value: JsonValue) -> JsonValue:
    """The same with 3.0 as the integer that it is (JSON Schema 2020-12, 4.2.3)."""
    match value:
        case dict():
            return {name: with_integers(each) for name, each in value.items()}
        case list():
            return [with_integers(each) for each in value]
        case float():
            return _whole(value)
        case _:
            return value


def _number(text: str) -> float:
    return _whole(float(text))


def _whole(number: float) -> float:
    """An integer where it is one that every reader holds."""
    is_whole = number.is_integer() and abs(number) <= _SAFE_INTEGER
    return int(number) if is_whole else number


def _unrepeated(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BodyError("a key is there twice")
    return found


def _no_constant(name: str) -> JsonValue:
    raise BodyError(f"{name} is no JSON")
