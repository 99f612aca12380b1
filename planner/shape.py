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
MAX_CHARACTERS = 3000


def line(text: str, limit: int = MAX_LINE) -> str:
    """One visible line of somebody else's text."""
    seen = "".join(
        " " if char.isspace() else char
        for char in text[: limit * 4]
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    short = " ".join(seen.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."


def members(schema: JsonObject, room: int = MAX_CHARACTERS) -> str:
    """An object's members as `name: type`; one that may be left out as `name?: type`."""
    return _Writer(room).members(Type.of(schema), 0)


def shape(schema: JsonObject, room: int = MAX_CHARACTERS) -> str:
    """A whole schema."""
    return _Writer(room).shape(Type.of(schema), 0)


class _Writer:
    """Writes one schema in about `room` characters; what is too deep, or too much, is `any`.

    What must be given is named in any case, whatever room is left.
    """

    def __init__(self, room: int) -> None:
        self._left = MAX_NODES
        self._room = room

    def members(self, found: Type, depth: int) -> str:
        node = found.keywords
        properties = node.get("properties")
        required = node.get("required")
        needed = required if isinstance(required, list) else []
        own = list(properties.items()) if isinstance(properties, dict) else []
        first = sorted(own, key=lambda pair: pair[0] not in needed)[:MAX_MEMBERS]
        kept = {name for name, _ in first}
        told = []
        for name, below in own:
            must = name in needed
            if name in kept and (self._room > 0 or (must and depth == 0)):
                self._room -= len(name) + 4
                kind = self.shape(found.below(below), depth + 1)
                told.append(f"{line(name, 64)}{'' if must else '?'}: {kind}")
        return ", ".join([*told, "..."] if len(told) < len(own) else told)

    def shape(self, found: Type, depth: int) -> str:
        node = found.resolved()
        self._left -= 1
        if node is None or depth > MAX_DEPTH or self._left < 0 or self._room <= 0:
            return "any"
        if (exact := _exact(node, self._room)) is not None:
            self._room -= len(exact)
            return exact
        return self._composed(found, node, depth)

    def _composed(self, found: Type, node: JsonObject, depth: int) -> str:
        if arms := arms_of(found):
            told = [self.shape(arm, depth + 1) for arm in arms[:MAX_VALUES]]
            return "|".join(dict.fromkeys(told))
        if isinstance(node.get("properties"), dict):
            return "{" + self.members(found, depth) + "}"
        if "items" in node:
            return f"[{self.shape(items_of(found), depth + 1)}]"
        if isinstance(extra := node.get("additionalProperties"), dict):
            return f"map<{self.shape(found.below(extra), depth + 1)}>"
        named = _scalar(node)
        self._room -= len(named)
        return named


def _exact(node: JsonObject, room: int) -> str | None:
    """Listed values, as many of them as there is room for."""
    if "const" in node:
        return _value(node["const"])
    if not isinstance(values := node.get("enum"), list):
        return None
    told: list[str] = []
    for each in values[:MAX_VALUES]:
        told.append(_value(each))
        room -= len(told[-1])
        if room <= 0:
            break
    return "|".join([*told, "..."] if len(told) < len(values) else told)


def _scalar(node: JsonObject) -> str:
    declared = node.get("type", "any")
    names = declared if isinstance(declared, list) else [declared]
    exact = node.get("format") or node.get("pattern")
    if isinstance(exact, str) and "string" in names:
        return line(exact, 64)
    return "|".join(line(str(each), 64) for each in names)


def _value(value: JsonValue) -> str:
    return line(json.dumps(value, ensure_ascii=False), 64)
