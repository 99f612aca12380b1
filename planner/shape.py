"""JSON Schemas and descriptions in few characters, for a model to read.

Both may come from documents and servers of others: they are shortened, kept on one line and
rid of characters that nobody sees. They inform; they bind nobody.
"""

import json
import unicodedata

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.types import Type, arms_of, items_of

MAX_LINE = 200
MAX_DEPTH = 4
MAX_MEMBERS = 40
MAX_VALUES = 24
MAX_NODES = 150


def line(text: str, limit: int = MAX_LINE) -> str:
    """One visible line of somebody else's text."""
    seen = "".join(
        " " if char.isspace() else char
        for char in text[: limit * 4]
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    short = " ".join(seen.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."


def members(schema: JsonObject) -> str:
    """An object's members as `name: type`; one that may be left out as `name?: type`."""
    return _Writer().members(Type.of(schema), 0)


def shape(schema: JsonObject) -> str:
    """A whole schema."""
    return _Writer().shape(Type.of(schema), 0)


class _Writer:
    """Writes one schema; what is too deep, or too much of it, is `any`."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def members(self, found: Type, depth: int) -> str:
        node = found.resolved() or {}
        properties = node.get("properties")
        required = node.get("required")
        needed = required if isinstance(required, list) else []
        own = list(properties.items()) if isinstance(properties, dict) else []
        told = [
            f"{line(name, 64)}{'' if name in needed else '?'}: "
            f"{self.shape(found.below(below), depth + 1)}"
            for name, below in own[:MAX_MEMBERS]
        ]
        return ", ".join([*told, "..."] if len(own) > MAX_MEMBERS else told)

    def shape(self, found: Type, depth: int) -> str:
        self._left -= 1
        node = found.resolved()
        if node is None or depth > MAX_DEPTH or self._left < 0:
            return "any"
        if "const" in node:
            return _value(node["const"])
        if isinstance(values := node.get("enum"), list):
            told = [_value(each) for each in values[:MAX_VALUES]]
            return "|".join([*told, "..."] if len(values) > MAX_VALUES else told)
        if arms := arms_of(found):
            told = [self.shape(arm, depth + 1) for arm in arms[:MAX_VALUES]]
            return "|".join(dict.fromkeys(told))
        if isinstance(node.get("properties"), dict):
            return "{" + self.members(found, depth) + "}"
        if "items" in node:
            return f"[{self.shape(items_of(found), depth + 1)}]"
        if isinstance(extra := node.get("additionalProperties"), dict):
            return f"map<{self.shape(found.below(extra), depth + 1)}>"
        return _scalar(node)


def _scalar(node: JsonObject) -> str:
    declared = node.get("type", "any")
    names = declared if isinstance(declared, list) else [declared]
    exact = node.get("format") or node.get("pattern")
    if isinstance(exact, str) and "string" in names:
        return line(exact, 64)
    return "|".join(str(each) for each in names)


def _value(value: JsonValue) -> str:
    return line(json.dumps(value, ensure_ascii=False), 64)
