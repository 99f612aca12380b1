"""A JSON Schema node inside its document, and what lies below it along a path.

An output object that declares `properties` is read as closed: another token is `MISSING`,
unless `additionalProperties` is true or a schema. `UNKNOWN` means that the schema says nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.refs import array_index
from executor.plan.resolved import has_ref, resolved

_ABOUT = frozenset({"title", "description", "$defs", "definitions", "default"})
MOST_ALTERNATIVES = 6  # alternatives within alternatives, which may well be recursive
MOST_WORK = 2_000  # nodes that one question looks at: alternatives of alternatives are many


@dataclass(frozen=True)
class Type:
    """One schema node; local references are resolved against `root`."""

    node: JsonValue
    root: JsonValue

    @classmethod
    def of(cls, schema: JsonValue) -> "Type":
        """A whole schema document."""
        return cls(schema, schema)

    def below(self, node: JsonValue) -> "Type":
        """Another node of the same document."""
        return Type(node, self.root)

    def resolved(self) -> JsonObject | None:
        """The node with `$ref` followed and `allOf` merged; None where it leads nowhere.

        What cannot be merged stays in an `allOf` of the result.
        """
        return self._resolved

    @cached_property
    def keywords(self) -> JsonObject:
        """The same, and no keyword at all where it leads nowhere."""
        return self._resolved or {}

    @cached_property
    def kinds(self) -> frozenset[str] | None:
        """See the function of this name."""
        return _kinds(self, 0, _Work())

    @cached_property
    def arms(self) -> tuple["Type", ...]:
        """See `arms_of`."""
        node = self.keywords
        for key in ("anyOf", "oneOf"):
            if isinstance(node.get(key), list):
                beside: JsonObject = {name: value for name, value in node.items() if name != key}
                if not (beside.keys() - _ABOUT):
                    return tuple(self.below(arm) for arm in as_list(node[key]))
                return tuple(self.below({"allOf": [beside, arm]}) for arm in as_list(node[key]))
        return ()

    @cached_property
    def children(self) -> dict[str | int, "Found"]:
        """Answers of `child`: one for each token that is told apart, one for all others."""
        return {}

    @cached_property
    def told_apart(self) -> tuple[frozenset[str], int, bool]:
        """The names that alternatives declare, how many places, and whether any lists constants."""
        names, places, left = set[str](), 0, MOST_WORK
        rest = [(each, 1) for each in self.arms]
        while rest and left:
            left -= 1
            here, depth = rest.pop()
            if constants_of(here.keywords):
                return frozenset(), 0, True
            names |= as_object(here.keywords.get("properties")).keys()
            places = max(places, len(as_list(here.keywords.get("prefixItems"))))
            rest += [(each, depth + 1) for each in here.arms if depth < MOST_ALTERNATIVES]
        return frozenset(names), places, False

    @cached_property
    def constant_members(self) -> Mapping[str, list[JsonValue]]:
        """Of the only values that there are, what lies at each token: they may be thousands."""
        found: dict[str, list[JsonValue]] = {}
        for value in constants_of(self.keywords) or ():
            members: Iterable[tuple[str, JsonValue]] = ()
            if isinstance(value, dict):
                members = value.items()
            elif isinstance(value, list):
                members = ((str(index), each) for index, each in enumerate(value))
            for token, each in members:
                found.setdefault(token, []).append(each)
        return found

    @cached_property
    def has_ref(self) -> bool:
        """Whether a reference stands anywhere in the node."""
        return has_ref(self.node)

    @cached_property
    def _resolved(self) -> JsonObject | None:
        return resolved(self.node, self.root)


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNKNOWN: Final = Type.of({})
MISSING: Final = _Mark("MISSING")
"""No value can be there."""
Found = Type | _Mark


class _Work:
    """What is left to look at for the answer to one question; what is beyond it nobody knows."""

    def __init__(self) -> None:
        self._left = MOST_WORK

    def is_over(self) -> bool:
        self._left -= 1
        return self._left < 0


def kinds(found: Type) -> frozenset[str] | None:
    """The JSON types a value must have one of; None where the schema does not say."""
    return found.kinds


def _kinds(found: Type, depth: int, work: _Work) -> frozenset[str] | None:
    node = found.resolved()
    if node is None or depth > MOST_ALTERNATIVES or work.is_over():
        return None
    declared = node.get("type")
    if isinstance(declared, str):
        names = {declared}
    elif isinstance(declared, list):
        names = {name for name in declared if isinstance(name, str)}
    elif "const" in node:
        names = {kind_of(node["const"])}
    elif isinstance(node.get("enum"), list):
        names = {kind_of(value) for value in as_list(node["enum"])}
    elif arms := arms_of(found):
        every = [_kinds(arm, depth + 1, work) for arm in arms]
        if any(each is None for each in every):
            return None
        names = {name for each in every if each for name in each}
    else:
        return None
    if node.get("nullable") is True:
        names.add("null")
    return frozenset(names)


def likely_kinds(found: Type) -> frozenset[str] | None:
    """The same, reading `properties` as an object and `items` as an array, as authors mean it."""
    sure = kinds(found)
    if sure is not None:
        return sure
    node = found.keywords
    if "properties" in node or "additionalProperties" in node:
        return frozenset({"object"})
    return frozenset({"array"}) if "items" in node or "prefixItems" in node else None


def is_array(found: Type) -> bool:
    """Whether what is here, if it is not null, is an array: then a token is an index."""
    return (likely_kinds(found) or frozenset()) - {"null"} == {"array"}


def kind_of(value: JsonValue) -> str:
    """The JSON Schema type of a value; a whole number is an `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case list():
            return "array"
        case _:
            return "object"


def arms_of(found: Type) -> tuple[Type, ...]:
    """The alternatives of `anyOf` or `oneOf`, each with what stands beside them."""
    return found.arms


def child(found: Type, token: str) -> Found:
    """What lies at one token: a property, an item, `UNKNOWN` or `MISSING`.

    Alternatives are looked through once for all tokens that none of them tells apart: a plan may
    ask for thousands of such names.
    """
    if not found.arms:
        return _child(found, token, 0, _Work())
    declared, places, is_constant = found.told_apart
    if is_constant:
        return _child(found, token, 0, _Work())
    index = array_index(token)
    key: str | int = token if token in declared else -2 if index is None else min(index, places)
    if key not in found.children:
        found.children[key] = _child(found, token, 0, _Work())
    return found.children[key]


def _child(found: Type, token: str, depth: int, work: _Work) -> Found:
    node = found.resolved()
    if depth > MOST_ALTERNATIVES or work.is_over():
        return UNKNOWN
    if node is None:
        return MISSING if found.node is False else UNKNOWN
    if constants_of(node):
        return _constant_child(found, token)
    if arms := arms_of(found):
        below = [
            _child(arm, token, depth + 1, work)
            for arm in arms
            if _kinds(arm, 0, work) != frozenset({"null"})
        ]
        present = [each for each in below if isinstance(each, Type)]
        return either(present) if present else MISSING
    return _own_child(found, node, token)


def constants_of(node: JsonObject) -> list[JsonValue] | None:
    """The only values that a node admits, where it lists them."""
    if "const" in node:
        return [node["const"]]
    values = node.get("enum")
    return values if isinstance(values, list) else None


def items_of(found: Type) -> Type:
    """The type of any element of an array."""
    return _items(found, 0, _Work())


def _items(found: Type, depth: int, work: _Work) -> Type:
    node = found.keywords
    if depth > MOST_ALTERNATIVES or work.is_over():
        return UNKNOWN
    if constants := constants_of(node):
        elements = [element for value in constants for element in as_list(value)]
        return Type.of({"enum": elements}) if elements else UNKNOWN
    if arms := arms_of(found):
        lists = [arm for arm in arms if "array" in (_kinds(arm, 0, work) or {"array"})]
        return either([_items(arm, depth + 1, work) for arm in lists]) if lists else UNKNOWN
    rest = node.get("items")
    prefix = [found.below(each) for each in as_list(node.get("prefixItems"))]
    if rest is False and prefix:
        return either(prefix)
    return either([*prefix, found.below(rest)]) if isinstance(rest, dict) else UNKNOWN


def members_of(found: Type) -> Type:
    """The type of any value of a map (an object keyed by data)."""
    node = found.keywords
    if "patternProperties" in node or "properties" in node:
        return UNKNOWN
    extra = node.get("additionalProperties")
    return found.below(extra) if isinstance(extra, dict) else UNKNOWN


def descend(found: Type, tokens: tuple[str, ...]) -> Found:
    """Follow a path."""
    here: Found = found
    for token in tokens:
        if not isinstance(here, Type):
            return MISSING
        here = child(here, token)
    return here


def either(types: list[Type]) -> Type:
    """One of several types; unknown if any is, or where they are of different documents."""
    first = types[0]
    if len(types) == 1:
        return first
    if any(each.root is not first.root or each.node == {} for each in types):
        return UNKNOWN
    return Type({"anyOf": [each.node for each in types]}, first.root)


def as_list(value: JsonValue) -> list[JsonValue]:
    """The list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_object(value: JsonValue) -> JsonObject:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _own_child(found: Type, node: JsonObject, token: str) -> Found:
    names = likely_kinds(found)
    if names is not None and not names & {"object", "array"}:
        return MISSING
    if names is not None and "array" in names:
        if "object" not in names:
            return _item(found, node, token)
        if array_index(token) is not None:
            return UNKNOWN  # an element or a member
    properties = node.get("properties")
    if isinstance(properties, dict) and token in properties:
        return MISSING if properties[token] is False else found.below(properties[token])
    if node.get("patternProperties"):
        return UNKNOWN
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        return found.below(extra)
    if extra is False:
        return MISSING
    return UNKNOWN if extra is True or not isinstance(properties, dict) else MISSING


def _item(found: Type, node: JsonObject, token: str) -> Found:
    index = array_index(token)
    if index is None:
        return MISSING
    prefix = as_list(node.get("prefixItems"))
    if index < len(prefix):
        return found.below(prefix[index])
    rest = node.get("items")
    if rest is False:
        return MISSING
    return found.below(rest) if isinstance(rest, dict) else UNKNOWN


def _constant_child(found: Type, token: str) -> Found:
    values = found.constant_members.get(token)
    return Type.of({"enum": values}) if values else MISSING
