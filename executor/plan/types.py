"""A JSON Schema node inside its document, and what lies below it along a path.

An output object that declares `properties` is read as closed: another token is *missing*,
unless `additionalProperties` is true or a schema. `UNKNOWN` means that the schema says nothing.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from connectors.spec import JsonObject

MAX_HOPS = 16


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
        """The node with its `$ref` followed; None where it says nothing or leads nowhere."""
        node, hops = self.node, 0
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target = _follow(str(node["$ref"]), self.root)
            hops += 1
            if target is None or hops > MAX_HOPS:
                return None
            siblings = {key: value for key, value in node.items() if key != "$ref"}
            node = target | siblings if isinstance(target, dict) and siblings else target
        return node if isinstance(node, dict) else None

    def standalone(self) -> JsonObject:
        """A schema that stands for itself; `{}` where that would need another document's parts."""
        if self.node is self.root and isinstance(self.node, dict):
            return self.node
        node = self.resolved()
        if node is None:
            return {}
        if not _has_ref(node):
            return node
        if isinstance(self.root, dict):
            shared = {key: self.root[key] for key in ("$defs", "definitions") if key in self.root}
            return node | shared
        return {}


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNKNOWN: Final = Type.of({})
MISSING: Final = _Mark("MISSING")
"""No value can be there."""
Found = Type | _Mark


def kinds(found: Type) -> frozenset[str] | None:
    """The JSON types a value may have; None where the schema does not say."""
    node = found.resolved()
    if node is None:
        return None
    declared = node.get("type")
    if isinstance(declared, str):
        names = {declared}
    elif isinstance(declared, list):
        names = {name for name in declared if isinstance(name, str)}
    elif "const" in node:
        names = {kind_of(node["const"])}
    elif isinstance(node.get("enum"), list):
        names = {kind_of(value) for value in _list(node["enum"])}
    elif arms := arms_of(found):
        every = [kinds(arm) for arm in arms]
        if any(each is None for each in every):
            return None
        names = {name for each in every if each for name in each}
    elif "properties" in node:
        names = {"object"}
    elif "items" in node or "prefixItems" in node:
        names = {"array"}
    else:
        return None
    if node.get("nullable") is True:
        names.add("null")
    return frozenset(names)


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
    """The alternatives of `anyOf` or `oneOf`."""
    node = found.resolved() or {}
    for key in ("anyOf", "oneOf"):
        if isinstance(node.get(key), list):
            return tuple(found.below(arm) for arm in _list(node[key]))
    return ()


def child(found: Type, token: str) -> Found:
    """What lies at one token: a property, an item, `UNKNOWN` or `MISSING`."""
    node = found.resolved()
    if node is None:
        return UNKNOWN
    if arms := arms_of(found):
        below = [child(arm, token) for arm in arms if kinds(arm) != frozenset({"null"})]
        present = [each for each in below if isinstance(each, Type)]
        if not present:
            return MISSING
        return present[0] if len(present) == 1 and len(below) == 1 else _either(present)
    if parts := node.get("allOf"):
        below = [child(found.below(part), token) for part in _list(parts)]
        own = _own_child(found, node, token)
        known = [each for each in [own, *below] if isinstance(each, Type) and each != UNKNOWN]
        return known[0] if known else UNKNOWN
    return _own_child(found, node, token)


def items_of(found: Type) -> Type:
    """The type of any element of an array."""
    node = found.resolved() or {}
    if isinstance(node.get("items"), dict) and "prefixItems" not in node:
        return found.below(node["items"])
    if arms := arms_of(found):
        lists = [arm for arm in arms if kinds(arm) is None or "array" in (kinds(arm) or ())]
        return items_of(lists[0]) if len(lists) == 1 else UNKNOWN
    return UNKNOWN


def members_of(found: Type) -> Type:
    """The type of any value of a map (an object keyed by data)."""
    node = found.resolved() or {}
    extra = node.get("additionalProperties")
    return found.below(extra) if isinstance(extra, dict) and "properties" not in node else UNKNOWN


def descend(found: Type, tokens: tuple[str, ...]) -> Found:
    """Follow a path."""
    here: Found = found
    for token in tokens:
        if not isinstance(here, Type):
            return MISSING
        here = child(here, token)
    return here


def _own_child(found: Type, node: JsonObject, token: str) -> Found:
    names = kinds(found)
    if names is not None and not names & {"object", "array"}:
        return MISSING
    if names is not None and "array" in names and "object" not in names:
        if not token.isdigit() or (len(token) > 1 and token[0] == "0"):
            return MISSING
        prefix = _list(node.get("prefixItems"))
        if int(token) < len(prefix):
            return found.below(prefix[int(token)])
        return found.below(node["items"]) if isinstance(node.get("items"), dict) else UNKNOWN
    properties = node.get("properties")
    if isinstance(properties, dict) and token in properties:
        return found.below(properties[token])
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        return found.below(extra)
    if extra is True or not isinstance(properties, dict) or node.get("patternProperties"):
        return MISSING if extra is False and not node.get("patternProperties") else UNKNOWN
    return MISSING


def _either(found: list[Type]) -> Type:
    schemas: list[JsonValue] = [each.node for each in found]
    return Type({"anyOf": schemas}, found[0].root)


def _follow(pointer: str, root: JsonValue) -> JsonValue:
    if pointer == "#":
        return root
    if not pointer.startswith("#/"):
        return None
    here = root
    for token in pointer[2:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
        if isinstance(here, dict):
            here = here.get(key)
        elif isinstance(here, list) and key.isdigit() and int(key) < len(here):
            here = here[int(key)]
        else:
            return None
    return here


def _has_ref(node: JsonValue) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(_has_ref(value) for value in node.values())
    return isinstance(node, list) and any(_has_ref(value) for value in node)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
