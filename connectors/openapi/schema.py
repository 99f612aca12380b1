"""OpenAPI's schemas as JSON Schema 2020-12, with the definitions that they reach and no others.

Nothing is dereferenced: a `$ref` becomes one into `$defs`, so that recursion stays as it is and
definitions are shared. Each is converted once. What travels one way only is left out of the
other: `readOnly` members of what goes in, `writeOnly` ones of what must come out. A member that an
answer may leave out may be null there: many services write null for what they do not have.
"""

import hashlib
import re
from typing import Literal

from pydantic import JsonValue

from connectors.openapi.gaps import Gap, UnsupportedError, gap_of
from connectors.openapi.keywords import (
    add_many,
    add_plain,
    flaw_of,
    is_pattern,
    open_to_kinds,
    or_null,
    say_bounds,
)
from connectors.pointer import part_of
from connectors.spec import JsonObject
from connectors.text import hides_something, visible

Direction = Literal["in", "out"]

_MARKED = re.compile(r".*_[0-9a-f]{8}")
_ONE = frozenset(
    "items additionalProperties not contains propertyNames if then else unevaluatedItems "
    "unevaluatedProperties additionalItems".split()
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_MOST_DEPTH = 60
_MOST_HOPS = 16
_MOST_REACHED = 500_000  # definitions, by all operations; those of real documents reach 33,000


class Definitions:
    """The schemas of a document that may be referred to, for one direction."""

    def __init__(self, document: JsonObject, direction: Direction) -> None:
        self._document = document
        self._direction = direction
        self._old = "swagger" in document or str(document.get("openapi", "")).startswith("3.0")
        self._home = "#/definitions/" if "swagger" in document else "#/components/schemas/"
        self._found: dict[str, JsonValue] = {}
        self._needs: dict[str, set[str]] = {}
        self._flaws: dict[str, str] = {}
        self._waiting: list[tuple[str, str]] = []  # named, and not converted yet
        self._closures: dict[frozenset[str], JsonObject] = {}
        self._reached: dict[frozenset[str], JsonObject] = {}  # the same, by what it was asked for
        self._left = _MOST_REACHED
        self.nowhere: list[str] = []  # references that lead nowhere, each once
        self.unread: list[str] = []  # patterns that are none

    def convert(self, schema: JsonValue, refs: set[str]) -> JsonValue:
        """The schema as JSON Schema; the definitions that it names are added to `refs`.

        They are converted one after the other: one may lead to a thousand others in a row.
        """
        found = self._schema(schema, refs, 0)
        while self._waiting:
            key, reference = self._waiting.pop()
            try:
                target = resolve(self._document, {"$ref": reference}, most_hops=1)
                self._found[key] = self._schema(target, self._needs[key], 0)
            except UnsupportedError as error:
                if error.gap is Gap.NO_PART:
                    self.nowhere.append(reference)
                else:
                    self._flaws[key] = str(error)
        return found

    def reached(self, refs: set[str]) -> JsonObject:
        """These definitions and all that they reach; raises `UnsupportedError`.

        Operations that reach the same ones share them: in some documents each reaches hundreds.
        How many all of them reach is bounded: a chain of some megabytes has as many as memory has
        bytes.
        """
        asked = frozenset(refs)
        if asked not in self._reached:
            names = self._names_from(asked)
            for key in sorted(names & self._flaws.keys()):
                raise self._flawed(key)
            if names not in self._closures:
                self._closures[names] = {key: self._found[key] for key in sorted(names)}
            self._reached[asked] = self._closures[names]
        return self._reached[asked]

    def _names_from(self, refs: frozenset[str]) -> frozenset[str]:
        names: set[str] = set()
        waiting = set(refs)
        while waiting:
            if self._left == 0:
                raise UnsupportedError(Gap.REACH)
            self._left -= 1
            key = waiting.pop()
            names.add(key)
            waiting |= self._needs[key] - names
        return frozenset(names)

    def flaw(self, schema: JsonObject, refs: set[str]) -> str | None:
        """Why a converted schema cannot be used, apart from what it refers to; None if it can."""
        assumed: JsonObject = dict.fromkeys(refs, True)
        return flaw_of({**schema, "$defs": assumed})

    def check(self) -> None:
        """Note every definition that cannot be used; what reaches it is then unsupported."""
        everything = {
            key: self._found[key] for key in sorted(self._found.keys() - self._flaws.keys())
        }
        all_refs: list[JsonValue] = [{"$ref": f"#/$defs/{key}"} for key in everything]
        if not all_refs or flaw_of({"anyOf": all_refs, "$defs": everything}) is None:
            return
        for key, definition in everything.items():
            alone: JsonObject = dict.fromkeys(self._needs[key], True)
            flaw = flaw_of({"allOf": [definition], "$defs": alone})
            if flaw is not None:
                self._flaws[key] = Gap.SCHEMA.about(f"{key}: {flaw}")

    def _schema(self, node: JsonValue, refs: set[str], depth: int) -> JsonValue:
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            return {}
        if depth > _MOST_DEPTH:
            raise UnsupportedError(Gap.DEPTH)
        found: JsonObject = {}
        reference = node.get("$ref")
        if isinstance(reference, str):
            key = self._key(reference)
            refs.add(key)
            found["$ref"] = f"#/$defs/{key}"
        # In 3.0 nothing beside a reference counts, but people write `nullable` there.
        if "$ref" not in found or not self._old:
            for keyword, value in node.items():
                self._add(found, keyword, value, refs, depth + 1)
            if isinstance(node.get("properties"), dict):
                self._keep_direction(node, found)
            say_bounds(node, found)
            open_to_kinds(node, found)
        may_be_null = node.get("nullable") is True or node.get("x-nullable") is True
        return or_null(found) if may_be_null else found

    def _add(
        self, found: JsonObject, keyword: str, value: JsonValue, refs: set[str], depth: int
    ) -> None:
        if keyword in _NAMED and isinstance(value, dict):
            for name in filter(hides_something, value):
                raise UnsupportedError(Gap.HIDDEN, repr(visible(name, 60)))
            found[keyword] = {name: self._schema(each, refs, depth) for name, each in value.items()}
        elif keyword in _MANY and isinstance(value, list) and value:
            add_many(found, keyword, [self._schema(each, refs, depth) for each in value])
        elif keyword in _ONE and isinstance(value, dict | bool):
            found[keyword] = self._schema(value, refs, depth)
        elif keyword == "pattern" and isinstance(value, str):
            if is_pattern(value):
                found[keyword] = value
            else:
                self.unread.append(value)
        else:
            add_plain(found, keyword, value)

    def _keep_direction(self, node: JsonObject, found: JsonObject) -> None:
        """Leave out what does not travel this way, or need not; what need not come may be null."""
        mark = "readOnly" if self._direction == "in" else "writeOnly"
        members, kept = _object(node["properties"]), _object(found["properties"])
        gone = {name for name, each in members.items() if _object(each).get(mark) is True}
        required = found.get("required")
        if isinstance(required, list):
            found["required"] = required = [name for name in required if name not in gone]
        if self._direction == "in":
            found["properties"] = {name: kept[name] for name in kept if name not in gone}
            return
        must = required if isinstance(required, list) else []
        for name, each in kept.items():
            if isinstance(each, dict) and name not in must:
                kept[name] = or_null(each)

    def _key(self, reference: str) -> str:
        """The definition's name; it waits to be converted when it is first asked for."""
        key = _definition_name(reference, self._home)
        if key not in self._found:
            self._found[key], self._needs[key] = {}, set()
            self._waiting.append((key, reference))
        return key

    def _flawed(self, key: str) -> UnsupportedError:
        gap = gap_of(self._flaws[key])
        return UnsupportedError(gap, self._flaws[key].removeprefix(gap).removeprefix(": "))


def resolve(document: JsonObject, node: JsonValue, most_hops: int = _MOST_HOPS) -> JsonValue:
    """Follow `$ref`s inside the document; raises `UnsupportedError`."""
    for _ in range(most_hops):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str):
            return node
        if not reference.startswith("#"):
            raise UnsupportedError(Gap.OUTSIDE, repr(reference[:100]))
        node = _target(document, reference)
    if most_hops > 1 and isinstance(node, dict) and "$ref" in node:
        raise UnsupportedError(Gap.CIRCLE)
    return node


def resolved_schema(document: JsonObject, node: JsonValue) -> JsonValue:
    """The same for a schema: one that is not there says nothing; raises `UnsupportedError`."""
    try:
        return resolve(document, node)
    except UnsupportedError as error:
        if error.gap is not Gap.NO_PART:
            raise
        return {}


def _target(document: JsonObject, reference: str) -> JsonValue:
    try:
        return part_of(document, reference)
    except LookupError:
        raise UnsupportedError(Gap.NO_PART, repr(reference[:100])) from None


def _definition_name(reference: str, home: str) -> str:
    """A name that needs no escaping in a `$ref`, and that no other reference has.

    What is where such a document has its schemas keeps its name; the rest is marked, and so is what
    looks as if it were.
    """
    tail = reference.removeprefix(home)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", tail)
    if plain == tail != reference and not _MARKED.fullmatch(plain):
        return plain
    return (
        f"{plain[:60]}_{hashlib.sha256(reference.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    )


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}
