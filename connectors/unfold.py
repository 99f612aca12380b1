"""How many parts a schema has once every reference is replaced by what it refers to.

References to references double with each level: forty of them say what takes hours to compare. A
part that leads back to itself counts once, for whoever compares such a part remembers it.
"""

from typing import Final

from pydantic import JsonValue

from connectors.pointer import subschema

_COUNTED: Final = 10**12  # enough to know
_WHOLE: Final = "#"
_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_DEFINITIONS: Final = frozenset({"$defs", "definitions"})


def parts_of(schema: JsonValue) -> int:
    """The number of its objects, lists and references, unfolded."""
    found: dict[str, tuple[int, list[str]]] = {}
    sizes: dict[str, int] = {}
    stack = [(_WHOLE, False)]
    while stack:
        name, is_below_known = stack.pop()
        if is_below_known:
            own, names = found[name]
            sizes[name] = min(own + sum(sizes.get(each, 1) for each in names), _COUNTED)
        elif name not in found:
            found[name] = own, names = _counted(subschema(schema, name))
            stack += [(name, True), *((each, False) for each in names)]
    return sizes[_WHOLE]


def _counted(part: JsonValue) -> tuple[int, list[str]]:
    """What a part has without its references, and these, as often as they are there.

    A definition is there where it is referred to.
    """
    count, names, parts = 0, list[str](), [(part, False)]
    while parts:
        each, is_named = parts.pop()
        count += isinstance(each, dict | list)
        if isinstance(each, list):
            parts += [(below, False) for below in each]
        elif isinstance(each, dict):
            if not is_named and isinstance(name := each.get("$ref"), str):
                names.append(name)
            parts += [
                (below, not is_named and key in _NAMED)
                for key, below in each.items()
                if is_named or key not in _DEFINITIONS
            ]
    return count, names
