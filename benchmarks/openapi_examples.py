"""Arguments that a schema takes: the fewest, or each argument once, made from the schema alone."""

import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.validate import first_flaw

_DEEPEST = 14
_TEXTS = (
    "a",
    "1",
    "A",
    "aaaaaaaa",
    "2026-01-31",
    "2026-01-31T10:00:00Z",
    "10:00:00Z",
    "ann@example.com",
    "https://example.com/x",
    "123e4567-e89b-42d3-a456-426614174000",
    "192.0.2.1",
    "2001:db8::1",
    "EUR",
    "10.00",
    "P1D",
)
_FIND = settings(
    database=None,
    derandomize=True,
    max_examples=200,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class NoExampleError(Exception):
    """No value was found that the schema takes; says where."""


def arguments_of(schema: JsonObject, *, each: bool) -> JsonObject:
    """What an action takes at least, or every argument that it takes; raises `NoExampleError`."""
    properties, required = schema["properties"], schema["required"]
    definitions = schema.get("$defs", {})
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise NoExampleError("it is no schema of arguments")
    maker = _Maker(definitions if isinstance(definitions, dict) else {})
    found: JsonObject = {}
    for name, one in properties.items():
        if name in required or each:
            found[name] = maker.value(one, name)
    return found


class _Maker:
    """Makes values of the schemas of one action."""

    def __init__(self, definitions: JsonObject) -> None:
        self._definitions = definitions

    def value(self, schema: JsonValue, name: str) -> JsonValue:
        """The first value that is one of the schema."""
        node = schema if isinstance(schema, dict) else {}
        whole: JsonObject = {**node, "$defs": self._definitions}
        told = ""
        for candidate in self._values(schema, 0):
            flaw = first_flaw(whole, candidate)
            if flaw is None:
                return candidate
            told = told or f"{name}: {flaw}"
        raise NoExampleError(told[:300] or f"{name}: nothing to try")

    def _values(self, schema: JsonValue, depth: int) -> Iterator[JsonValue]:
        """Values to try, the likeliest first."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            yield "a"
            return
        node = self._merged(schema, depth)
        enum = node.get("enum")
        if "const" in node:
            yield node["const"]
        elif isinstance(enum, list):
            yield from sorted(enum, key=lambda each: each is None)
        else:
            for keyword in ("oneOf", "anyOf"):
                branches = node.get(keyword)
                for branch in branches if isinstance(branches, list) else []:
                    rest = {key: each for key, each in node.items() if key != keyword}
                    yield from self._values({"allOf": [rest, branch]}, depth + 1)
            yield from self._of_type(node, depth)

    def _merged(self, schema: JsonObject, depth: int) -> JsonObject:
        """The schema with what it refers to and all of `allOf` in it."""
        found: JsonObject = {}
        parts: list[JsonValue] = []
        reference = schema.get("$ref")
        if isinstance(reference, str):
            parts.append(self._definitions.get(reference.removeprefix("#/$defs/")))
        some = schema.get("allOf")
        parts += some if isinstance(some, list) else []
        parts.append({key: each for key, each in schema.items() if key not in ("$ref", "allOf")})
        for part in parts:
            if isinstance(part, dict) and depth <= _DEEPEST:
                nested = "$ref" in part or "allOf" in part
                _add(found, self._merged(part, depth + 1) if nested else part)
        return found

    def _of_type(self, node: JsonObject, depth: int) -> Iterator[JsonValue]:
        said = node.get("type")
        kinds: list[JsonValue] = said if isinstance(said, list) else [said]
        if said is None:
            known = {"properties": "object", "items": "array"}
            kinds = [next((kind for key, kind in known.items() if key in node), "string")]
        for kind in sorted(kinds, key=lambda each: each == "null"):
            match kind:
                case "object":
                    yield from self._objects(node, depth)
                case "array":
                    yield from self._arrays(node, depth)
                case "string":
                    yield from _texts(node)
                case "integer" | "number":
                    yield from _numbers(node)
                case "boolean":
                    yield True
                case _:
                    yield None

    def _objects(self, node: JsonObject, depth: int) -> Iterator[JsonValue]:
        members, needed = node.get("properties"), node.get("required")
        properties = members if isinstance(members, dict) else {}
        required = (
            [each for each in needed if isinstance(each, str)] if isinstance(needed, list) else []
        )
        least = node.get("minProperties")
        wanted = max(int(depth < 8), len(required), least if isinstance(least, int) else 0)
        names = [*required, *(each for each in properties if each not in required)][:wanted]
        found: JsonObject = {}
        for name in names:
            found[name] = self._first(properties.get(name, {}), depth)
        if not found and depth < 8:
            found["a"] = self._first(node.get("additionalProperties"), depth)
        yield found
        yield {name: found[name] for name in required}
        if depth < 3:
            yield {name: self._first(each, depth) for name, each in properties.items()}
        yield {}

    def _arrays(self, node: JsonObject, depth: int) -> Iterator[JsonValue]:
        least = node.get("minItems")
        count = max(1, least if isinstance(least, int) else 1)
        first = self._first(node.get("items"), depth)
        yield [first] * count
        yield list(_unlike(self._values(node.get("items"), depth + 1), count))
        numbers: list[JsonValue] = [*range(1, count + 1)]
        yield numbers
        texts: list[JsonValue] = [f"a{number}" for number in range(count)]
        yield texts

    def _first(self, schema: JsonValue, depth: int) -> JsonValue:
        """The likeliest value; whether it is right is seen here only where it is a plain one."""
        values = itertools.islice(self._values(schema, depth + 1), 40)
        first = next(values, "a")
        node = self._merged(schema, depth) if isinstance(schema, dict) else {}
        if not {"format", "pattern", "minLength", "minimum"} & node.keys():
            return first
        fitting = (each for each in (first, *values) if first_flaw(node, each) is None)
        return next(fitting, first)


def _add(found: JsonObject, part: JsonObject) -> None:
    for key, each in part.items():
        there = found.get(key)
        if key == "properties" and isinstance(there, dict) and isinstance(each, dict):
            found[key] = {**there, **each}
        elif key == "required" and isinstance(there, list) and isinstance(each, list):
            found[key] = list(dict.fromkeys(str(name) for name in [*there, *each]))
        elif key in ("anyOf", "oneOf") and key in found:
            continue  # the first is tried; the whole is checked in the end
        else:
            found[key] = each


def _unlike(values: Iterator[JsonValue], count: int) -> Iterator[JsonValue]:
    seen: list[JsonValue] = []
    for each in values:
        if each not in seen and len(seen) < count:
            seen.append(each)
            yield each


def _texts(node: JsonObject) -> Iterator[JsonValue]:
    if isinstance(node.get("default"), str):
        yield node["default"]
    least, most = node.get("minLength"), node.get("maxLength")
    floor = least if isinstance(least, int) else 0
    ceiling = most if isinstance(most, int) else 10**9
    pattern = node.get("pattern")
    if not isinstance(pattern, str):
        for text in _TEXTS:
            yield text.ljust(floor, "a")[: max(ceiling, 0)] if floor > len(text) else text
        yield "a" * max(floor, 1)
        return
    yield from (text for text in _TEXTS if floor <= len(text) <= ceiling)
    yield from ("a" * max(floor, 1), "1" * max(floor, 1))
    yield from _matching(pattern, floor, ceiling)


@lru_cache(maxsize=4096)
def _matching(pattern: str, floor: int, ceiling: int) -> tuple[str, ...]:
    """A text that the pattern takes; none where there is none to be found."""
    try:
        texts = st.from_regex(re.compile(pattern), alphabet=st.characters(codec="ascii"))
        fitting = texts.filter(lambda text: floor <= len(text.strip("\n")) <= ceiling)
        return (find(fitting, lambda text: bool(text), settings=_FIND).strip("\n"),)
    except (re.error, HypothesisException, ValueError):
        return ()


def _numbers(node: JsonObject) -> Iterator[JsonValue]:
    for bound in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        limit = node.get(bound)
        if isinstance(limit, int | float):
            yield limit
            yield limit + (1 if "inimum" in bound else -1)
    step = node.get("multipleOf")
    if isinstance(step, int | float):
        yield step
    yield from (1, 0, 10, 100, 1000, 0.5)
