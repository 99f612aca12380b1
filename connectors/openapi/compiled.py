"""The operations of a document as they are kept, so that the next start need not read it again.

Every operation carries the definitions that it reaches, and many reach the same: here each
definition stands once, and each set of them once. The file begins with the digest of the rest,
for a damaged one is none. It holds what the document says, before any overlay: a changed overlay
holds at the next start, also where the document cannot be fetched.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue, TypeAdapter, ValidationError

from connectors.openapi.extract import Extracted, Operation
from connectors.source import Skipped
from connectors.spec import JsonObject

FORMAT = 5  # goes up with every change of what is extracted, or of how it is kept


@dataclass(frozen=True)
class Compiled:
    """What a document offers, where it was, its digest, and when it was read."""

    document: str
    digest: str
    read_at: float
    longest_name: int
    found: Extracted


@dataclass(frozen=True)
class _Line:
    """One operation without its definitions, and the numbers of the sets that it reaches."""

    operation: Operation
    inward: int
    outward: int


@dataclass
class _Pool:
    """The definitions of one direction, and the sets of them that operations reach."""

    definitions: JsonObject = field(default_factory=dict)
    sets: list[list[str]] = field(default_factory=list)

    def whole(self) -> list[JsonObject]:
        """The sets with what they name."""
        return [{name: self.definitions[name] for name in names} for names in self.sets]


class _Pooling:
    """A pool in the making."""

    def __init__(self) -> None:
        self.pool = _Pool()
        self._numbers: dict[tuple[str, ...], int] = {}

    def number(self, reached: JsonObject) -> int:
        """Of the set of these definitions; a new one where nobody reached just these."""
        names = tuple(reached)
        if names not in self._numbers:
            self._numbers[names] = len(self.pool.sets)
            self.pool.sets.append([*names])
            self.pool.definitions.update(reached)
        return self._numbers[names]


@dataclass(frozen=True)
class _File:
    format: int
    document: str
    digest: str
    read_at: float
    longest_name: int
    inward: _Pool
    outward: _Pool
    lines: tuple[_Line, ...]
    skipped: tuple[Skipped, ...]


_FILE = TypeAdapter(_File)


def written(compiled: Compiled) -> bytes:
    """What is kept of it."""
    inward, outward = _Pooling(), _Pooling()
    lines = [_line(each, inward, outward) for each in compiled.found.operations]
    file = _File(
        FORMAT,
        compiled.document,
        compiled.digest,
        compiled.read_at,
        compiled.longest_name,
        inward.pool,
        outward.pool,
        tuple(lines),
        compiled.found.skipped,
    )
    body = _FILE.dump_json(file, exclude_defaults=True)
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def read(text: bytes) -> Compiled | None:
    """Read what `written` wrote; None for anything else, also of another version."""
    digest, _, body = text.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        file = _FILE.validate_json(body)
        if file.format != FORMAT:
            return None
        inward, outward = file.inward.whole(), file.outward.whole()
        operations = tuple(_whole(each, inward, outward) for each in file.lines)
    except (ValidationError, KeyError, IndexError):
        return None
    found = Extracted(operations, file.skipped)
    return Compiled(file.document, file.digest, file.read_at, file.longest_name, found)


def _line(operation: Operation, inward: _Pooling, outward: _Pooling) -> _Line:
    taken, given = operation.input_schema, operation.output.schema
    bare = replace(
        operation,
        input_schema=_bare(taken),
        output=replace(operation.output, schema=None if given is None else _bare(given)),
    )
    return _Line(bare, inward.number(_reached(taken)), outward.number(_reached(given or {})))


def _whole(line: _Line, inward: Sequence[JsonObject], outward: Sequence[JsonObject]) -> Operation:
    output = line.operation.output
    schema = None if output.schema is None else _with(output.schema, outward[line.outward])
    return replace(
        line.operation,
        input_schema=_with(line.operation.input_schema, inward[line.inward]),
        output=replace(output, schema=schema),
    )


def _bare(schema: JsonObject) -> JsonObject:
    return {name: value for name, value in schema.items() if name != "$defs"}


def _reached(schema: JsonObject) -> JsonObject:
    found: JsonValue = schema.get("$defs")
    return found if isinstance(found, dict) else {}


def _with(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    return {**schema, "$defs": definitions} if definitions else schema
