"""A schema node with what it refers to put in place, and the parts of `allOf` merged into it."""

from pydantic import JsonValue

from connectors.pointer import part_of
from connectors.spec import JsonObject
from executor.plan.merge import merge

# Data inside a schema: what looks like a reference there is none.
DATA = frozenset({"const", "enum", "default", "examples", "example"})
# Maps whose keys are names that somebody chose, so no keyword is among them.
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_REFERENCES = frozenset({"$ref", "$dynamicRef"})
MOST_REFS = 100


def resolved(node: JsonValue, root: JsonValue) -> JsonObject | None:
    """The node, with its references followed inside of `root`; None where it leads nowhere.

    What cannot be merged stays in an `allOf` of the result.
    """
    return _resolve(node, root, {})


def _resolve(
    node: JsonValue, root: JsonValue, seen: dict[str, JsonObject | None]
) -> JsonObject | None:
    """Follow and merge; `seen` keeps what each reference led to, None while on the way there."""
    if not isinstance(node, dict):
        return {} if node is True else None
    pointer, parts = node.get("$ref"), node.get("allOf")
    if not isinstance(pointer, str) and not isinstance(parts, list):
        return node
    beside: JsonObject = {k: v for k, v in node.items() if k not in ("$ref", "allOf")}
    found: JsonObject = beside
    if isinstance(pointer, str):
        if pointer not in seen:
            if len(seen) > MOST_REFS:
                return None
            seen[pointer] = None
            seen[pointer] = _resolve(_follow(pointer, root), root, seen)
        target = seen[pointer]
        if target is None:
            return None
        found = merge(target, beside) if beside else target
    for part in parts if isinstance(parts, list) else ():
        below = _resolve(part, root, seen)
        if below is None:
            return None
        found = merge(found, below) if found else below
    return found


def _follow(pointer: str, root: JsonValue) -> JsonValue:
    if pointer != "#" and not pointer.startswith("#/"):
        return None
    try:
        return part_of(root, pointer)
    except LookupError:
        return None


def has_ref(node: JsonValue) -> bool:
    """Whether a reference stands anywhere in a node; a part that is there often is seen once."""
    seen = set[tuple[int, bool]]()
    rest = [(node, False)]  # and whether its keys are names that somebody chose
    while rest:
        here, is_named = rest.pop()
        if isinstance(here, list):
            rest += [(each, False) for each in here if isinstance(each, dict | list)]
        elif isinstance(here, dict) and (id(here), is_named) not in seen:
            seen.add((id(here), is_named))
            for key, value in here.items():
                if not is_named and key in _REFERENCES:
                    return True
                if isinstance(value, dict | list) and (is_named or key not in DATA):
                    rest.append((value, not is_named and key in NAMED))
    return False
