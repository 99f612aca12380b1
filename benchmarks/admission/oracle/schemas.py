"""Types as JSON Schemas without references: what is at a path, and what parts build."""

import re
from typing import Any

from benchmarks.admission.oracle.text import split

Node = dict[str, Any]
OPEN: Node = {}


def kinds_of(node: Node) -> set[str] | None:
    """The JSON types that a value can have; None where the schema does not say."""
    if "type" in node:
        names = node["type"] if isinstance(node["type"], list) else [node["type"]]
        return {*names, *(["integer"] if "number" in names else [])}
    if "const" in node or "enum" in node:
        return {_kind(value) for value in node.get("enum", [node.get("const")])}
    arms = arms_of(node)
    if not arms:
        return None
    every = [kinds_of(arm) for arm in arms]
    return None if None in every else {name for each in every for name in each or ()}


def arms_of(node: Node) -> list[Node]:
    return [arm for key in ("anyOf", "oneOf") for arm in node.get(key, []) if "type" not in node]


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    is_whole = isinstance(value, int | float) and float(value).is_integer()
    return names.get(type(value)) or ("integer" if is_whole else "number")


def is_list(node: Node) -> bool:
    names = kinds_of(node)
    if names is None and ("items" in node or "prefixItems" in node):
        return True
    return names is not None and names - {"null"} == {"array"}


def index_of(token: str) -> int | None:
    return int(token) if re.fullmatch(r"0|[1-9][0-9]{0,8}", token) else None


def at(node: Node | None, tokens: list[str]) -> Node | None:
    """The schema at a path; None where nothing can be."""
    for token in tokens:
        if node is None:
            return None
        node = below(node, token)
    return node


def below(node: Node, token: str) -> Node | None:
    index = index_of(token)
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        found = [each[token] for each in values if isinstance(each, dict) and token in each]
        if index is not None:
            found += [
                each[index] for each in values if isinstance(each, list) and index < len(each)
            ]
        return {"enum": found} if found else None
    if arms := arms_of(node):
        inside = [below(arm, token) for arm in arms if kinds_of(arm) != {"null"}]
        there = [each for each in inside if each is not None]
        return either(there) if there else None
    names = kinds_of(node)
    if names is not None and not names & {"array", "object"}:
        return None
    if is_list(node):
        prefix = node.get("prefixItems", [])
        if index is None:
            return None
        if index < len(prefix):
            return dict(prefix[index])
        rest = node.get("items", OPEN)
        return None if rest is False else dict(rest)
    own, extra = node.get("properties", {}), node.get("additionalProperties")
    if token in own:
        return dict(own[token])
    if isinstance(extra, dict):
        return extra
    if extra is False:
        return None
    return OPEN if extra is True or "properties" not in node else None


def either(nodes: list[Node]) -> Node:
    if OPEN in nodes:
        return OPEN
    return nodes[0] if len(nodes) == 1 else {"anyOf": nodes}


def items(node: Node) -> Node:
    """The schema of any element."""
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        found = [element for each in values if isinstance(each, list) for element in each]
        return {"enum": found} if found else OPEN
    if arms := arms_of(node):
        lists = [arm for arm in arms if "array" in (kinds_of(arm) or {"array"})]
        return either([items(arm) for arm in lists]) if lists else OPEN
    rest, prefix = node.get("items"), node.get("prefixItems", [])
    if rest is False and prefix:
        return either(prefix)
    return either([*prefix, rest]) if isinstance(rest, dict) else OPEN


def members(node: Node) -> Node:
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, dict) and "properties" not in node else OPEN


def reach(node: Node, path: Any) -> Node | None:
    """The schema at a path in an element, where `*` is any member."""
    here: Node | None = node
    for token in split(path) if isinstance(path, str) else []:
        if here is None:
            return None
        if token == "*":
            inside = [each for each in (items(here), members(here)) if each]
            here = either(inside) if inside else OPEN
        else:
            here = below(here, token)
    return here


def built(parts: list[tuple[list[str], Node]], into: Node) -> Node:
    """One type from what is bound at several places below an argument."""
    whole = next((node for rest, node in parts if not rest), None)
    if whole is not None:
        return whole
    heads: dict[str, list[tuple[list[str], Node]]] = {}
    for (head, *rest), node in parts:
        heads.setdefault(head, []).append((rest, node))
    inner = {head: built(each, below(into, head) or OPEN) for head, each in heads.items()}
    if is_list(into):
        elements = [inner[head] for head in sorted(inner, key=lambda it: (len(it), it))]
        return {"type": "array", "prefixItems": elements, "items": False, "minItems": len(elements)}
    return {
        "type": "object", "properties": inner, "required": [*inner], "additionalProperties": False,
    }  # fmt: skip


def put(whole: Any, place: list[str], value: Any, node: Node | None) -> Any:
    if not place:
        return value
    head, rest = place[0], place[1:]
    inner = None if node is None else below(node, head)
    if node is not None and is_list(node):
        index = int(head)
        elements = whole if isinstance(whole, list) else []
        elements += [{}] * (index + 1 - len(elements))
        elements[index] = put(elements[index] or {}, rest, value, inner)
        return elements
    named = whole if isinstance(whole, dict) else {}
    return named | {head: put(named.get(head, {}), rest, value, inner)}
