"""Examples of schemas, and what they say of two of them."""

import itertools
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jsonschema_rs

from benchmarks.admission.oracle.schemas import OPEN, Node, arms_of, below, kinds_of

_TEXTS = ["", "a", "EUR", "12.50", "1042", "2026-01-31", "2026-01-31T10:00:00Z", "ann@example.com"]
_TEXTS += [
    "https://example.com/x",
    "123e4567-e89b-42d3-a456-426614174000",
    "some words",
    "00:10:00Z",
]
_KIND = "kind:"
_STANDARD_FORMATS = set(
    """base64url binary byte char commonmark date date-time decimal decimal128 double double-int
    duration email float hostname html http-date idn-email idn-hostname int16 int32 int64 int8 ipv4
    ipv6 iri iri-reference json-pointer media-range password regex relative-json-pointer sf-binary
    sf-boolean sf-decimal sf-integer sf-string sf-token time uint16 uint32 uint64 uint8 unixtime uri
    uri-reference uri-template uuid""".split()
)
_ANYTHING = [None, True, 0, 0.5, *_TEXTS[:4], [], {}, ["a"], {"a": 1}]


@lru_cache(maxsize=20_000)
def _validator(text: str) -> jsonschema_rs.Validator:
    named = {name: _bears(name) for name in _formats(json.loads(text)) - _STANDARD_FORMATS}
    return jsonschema_rs.Draft202012Validator(text, validate_formats=True, formats=named)


def _bears(kind: str) -> Callable[[str], bool]:
    return lambda text: not text.startswith(_KIND) or text.startswith(f"{_KIND}{kind}:")


def _formats(node: Any) -> set[str]:
    """Every format that a schema names anywhere; one too many does no harm."""
    if isinstance(node, list):
        return {name for each in node for name in _formats(each)}
    if not isinstance(node, dict):
        return set()
    own = {node["format"]} if isinstance(node.get("format"), str) else set()
    return own | {name for each in node.values() for name in _formats(each)}


def fits(value: Any, node: Node) -> bool:
    """Whether a validator takes the value."""
    return not node or _validator(json.dumps(node)).is_valid(value)


def can_be(source: Node, target: Node) -> list[Any]:
    """Values that are valid for both; none where the examples of both rule each other out."""
    return _common(json.dumps(source), json.dumps(target))


@lru_cache(maxsize=50_000)
def _common(source: str, target: str) -> list[Any]:
    one, other = json.loads(source), json.loads(target)
    ours, theirs = examples(one), examples(other)
    merged = [
        mine | yours
        for mine, yours in itertools.product(_objects_in(ours)[:6], _objects_in(theirs)[:6])
    ]
    named = [*_named(one, other), *_named(other, one)]
    candidates = ours + theirs + merged + named
    both = [each for each in candidates if fits(each, one) and fits(each, other)]
    is_listed = any(f'"{word}"' in source + target for word in ("const", "enum"))
    if not both and not is_listed and (loose(one), loose(other)) != (one, other):
        return can_be(loose(one), loose(other))  # no example tells that a pattern has no word
    return both[:8]


def _named(source: Node, target: Node) -> list[Any]:
    """Maps keyed by data whose keys are the very members that the other side needs."""
    extra, names = source.get("additionalProperties"), target.get("required")
    if not isinstance(extra, dict) or not names:
        return []
    own = source.get("properties", {})
    inside = {name: can_be(own.get(name, extra), below(target, name) or OPEN) for name in names}
    return [
        {name: values[number % len(values)] for name, values in inside.items()}
        for number in range(3)
        if all(inside.values())
    ]


def _objects_in(values: list[Any]) -> list[Any]:
    return [each for each in values if isinstance(each, dict)]


def loose(node: Any) -> Any:
    """The schema without its patterns."""
    if isinstance(node, list):
        return [loose(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {name: each for name, each in node.items() if not (name == "pattern" and _is_text(each))}
    return {name: loose(each) for name, each in kept.items()}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def examples(node: Node, depth: int = 0) -> list[Any]:
    """Values of a schema, the plain and the marginal ones."""
    if depth > 6:
        return []
    if "const" in node or "enum" in node:
        found = list(node.get("enum", [node.get("const")]))
    elif arms := arms_of(node):
        found = [value for arm in arms for value in examples(arm, depth + 1)]
    else:
        names = kinds_of(node)
        found = [] if names else list(_ANYTHING)
        for name in sorted(names or ()):
            found += _examples_of(name, node, depth)
    return [value for value in found if fits(value, node)][:40]


def _examples_of(kind: str, node: Node, depth: int) -> list[Any]:
    match kind:
        case "string":
            least, named = node.get("minLength", 0), node.get("format", "date")
            if named not in _STANDARD_FORMATS:
                return [f"{_KIND}{named}:" + "x" * size for size in (1, least)]
            return [*_TEXTS, "x" * least, "7" * max(least, 1)]
        case "integer" | "number":
            bounds = [node[key] for key in ("minimum", "maximum") if key in node]
            nearby = [edge + by for edge in bounds for by in (-1, 0, 1)]
            return [0, 1, 2, 7, -1, 100, *nearby, *([0.5, 19.99] if kind == "number" else [])]
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case "array":
            prefix = [examples(each, depth + 1)[:3] for each in node.get("prefixItems", [])]
            heads = [list(each) for each in itertools.islice(itertools.product(*prefix), 9)]
            rest = node.get("items", OPEN)
            tails = examples(rest, depth + 1)[:6] if isinstance(rest, dict) else []
            more = max(node.get("minItems", 0), 1)
            return heads + [head + [tail] * more for head in heads[:3] for tail in tails]
        case _:
            return _objects(node, depth)


def _objects(node: Node, depth: int) -> list[Any]:
    own = {
        name: examples(each, depth + 1)
        for name, each in node.get("properties", {}).items()
        if isinstance(each, dict)
    }
    own |= {name: list(_ANYTHING) for name in node.get("required", []) if name not in own}
    needed = [name for name in own if name in node.get("required", [])]
    found: list[Any] = []
    for names in (needed, list(own), *([*needed, name] for name in own if name not in needed)):
        for number in range(4):
            if all(own[name] for name in names):
                found.append({name: own[name][number % len(own[name])] for name in names})
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        found += [{"k": value} for value in examples(extra, depth + 1)[:4]]
    return found
