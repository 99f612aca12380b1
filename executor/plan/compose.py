"""New schema documents from the types at hand; local references keep leading where they led."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.resolved import DATA, NAMED
from executor.plan.types import Type

MOST_NODES = 50_000
MOST_LEVELS = 60


def standalone(found: Type) -> JsonObject:
    """A schema that stands for itself; `{}` where the type leads nowhere."""
    if found.node is found.root and isinstance(found.node, dict):
        return found.node
    return _document([found], lambda nodes: nodes[0] if isinstance(nodes[0], dict) else {})


def array_of(item: Type) -> Type:
    """An array of any length."""
    return Type({"type": "array", "items": item.node}, item.root)


def tuple_of(items: Sequence[Type]) -> Type:
    """An array of exactly these elements."""
    length = len(items)
    return _composed(
        items,
        lambda nodes: {
            "type": "array", "prefixItems": nodes, "items": False,
            "minItems": length, "maxItems": length,
        },
    )  # fmt: skip


def object_of(members: Mapping[str, Type], *, optional: bool = False) -> Type:
    """An object of exactly these members."""
    names: list[JsonValue] = list(members)
    return _composed(
        list(members.values()),
        lambda nodes: {
            "type": "object",
            "properties": dict(zip(members, nodes, strict=True)),
            "required": [] if optional else names,
            "additionalProperties": False,
        },
    )


def union_of(types: Sequence[Type]) -> Type:
    """One of several types, whatever documents they are of."""
    return types[0] if len(types) == 1 else _composed(types, lambda nodes: {"anyOf": nodes})


def both_of(one: Type, other: Type) -> Type:
    """What is of both types at once."""
    return _composed([one, other], lambda nodes: {"allOf": nodes})


def _composed(types: Sequence[Type], build: Callable[[list[JsonValue]], JsonObject]) -> Type:
    return Type.of(_document(types, build))


def _document(types: Sequence[Type], build: Callable[[list[JsonValue]], JsonObject]) -> JsonObject:
    """Build a node from the types' nodes, with the documents that they refer to in `$defs`."""
    nodes: dict[tuple[int, int], JsonValue] = {}  # the same type may well be there a thousand times
    roots: list[JsonValue] = []
    for each in types:
        if (id(each.node), id(each.root)) in nodes:
            continue
        node = _without_parts(each.node)
        if each.has_ref:
            number = next((n for n, root in enumerate(roots) if root is each.root), len(roots))
            if number == len(roots):
                roots.append(each.root)
            node = _moved(node, f"#/$defs/part{number}")
        nodes[id(each.node), id(each.root)] = node
    document = build([nodes[id(each.node), id(each.root)] for each in types])
    if not roots:
        return document
    parts: JsonObject = {
        f"part{number}": _moved(_without_id(root), f"#/$defs/part{number}")
        for number, root in enumerate(roots)
    }
    return document | {"$defs": parts}


def _without_parts(node: JsonValue) -> JsonValue:
    if not isinstance(node, dict):
        return node
    dropped = ("$defs", "definitions", "$id", "$schema")
    return {key: value for key, value in node.items() if key not in dropped}


def _without_id(root: JsonValue) -> JsonValue:
    if not isinstance(root, dict):
        return root
    return {key: value for key, value in root.items() if key not in ("$id", "$schema")}


def _moved(node: JsonValue, to: str) -> JsonValue:
    """The node with every local reference led to where its document now stands."""
    if isinstance(node, list):
        return [_moved(each, to) for each in node]
    if not isinstance(node, dict):
        return node
    moved: JsonObject = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str) and value.startswith("#"):
            moved[key] = to + value[1:]
        elif key in NAMED and isinstance(value, dict):
            moved[key] = {name: _moved(each, to) for name, each in value.items()}
        else:
            moved[key] = value if key in DATA else _moved(value, to)
    return moved


def is_small(found: Type) -> bool:
    """Whether a type is worth following; one that is built of itself doubles with every step."""
    left = MOST_NODES
    level: list[JsonValue] = [found.node]
    for _ in range(MOST_LEVELS):
        left -= len(level)
        if left < 0 or not level:
            return left >= 0
        below: list[JsonValue] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below
    return not level
