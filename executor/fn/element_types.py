"""How the functions over lists and maps type their results."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn.function import Types
from executor.plan.compose import array_of, object_of, union_of
from executor.plan.refs import split_pointer
from executor.plan.types import UNKNOWN, Type, as_list, child, constants_of, items_of, members_of


def element_type(types: Types) -> Type:
    """The type of any element of `list`."""
    return items_of(types["list"]) if "list" in types else UNKNOWN


def same_elements(types: Types) -> Type:
    """A list of the same elements, of any length."""
    return array_of(element_type(types))


def value_list(types: Types) -> Type:
    """A list of the values of `map`."""
    return array_of(members_of(types["map"]) if "map" in types else UNKNOWN)


def first_type(types: Types) -> Type:
    """The type of any of `options`."""
    return items_of(types["options"]) if "options" in types else UNKNOWN


def zip_type(types: Types) -> Type:
    """A list of pairs."""
    sides = {
        side: items_of(types[side]) if side in types else UNKNOWN for side in ("left", "right")
    }
    return array_of(object_of(sides))


def pick_type(types: Types) -> Type:
    """A list of objects of the fields that are named, where they are constants."""
    tokens = [split_pointer(str(name)) for name in _constant_list(types.get("fields", UNKNOWN))]
    if not tokens or any("*" in each for each in tokens):
        return array_of(Type.of({"type": "object"}))
    element = element_type(types)
    members = {each[-1] if each else "value": reached(element, each) or UNKNOWN for each in tokens}
    return array_of(object_of(members, optional=True))


def _constant_list(found: Type) -> list[JsonValue]:
    """The elements, where all of them are constants: of one constant, or bound one by one."""
    constants = constants_of(found.keywords)
    if constants:
        return as_list(constants[0]) if len(constants) == 1 else []
    places = as_list(found.keywords.get("prefixItems"))
    given = [constants_of(found.below(each).keywords) or [] for each in places]
    return [each[0] for each in given] if all(len(each) == 1 for each in given) else []


def reached(element: Type, tokens: tuple[str, ...]) -> Type | None:
    """The type at a path in an element, `*` standing for any member; None where nothing can be."""
    here = element
    for token in tokens:
        if token == "*":  # noqa: S105 - a token of a path
            inside = [each for each in (items_of(here), members_of(here)) if each != UNKNOWN]
            here = union_of(inside) if inside else UNKNOWN
            continue
        found = child(here, token)
        if not isinstance(found, Type):
            return None
        here = found
    return here


def member(types: Types) -> Type:
    """The type of the value at `key`."""
    entries = types.get("map", UNKNOWN)
    keys = constants_of(types.get("key", UNKNOWN).keywords)
    if keys and len(keys) == 1 and isinstance(keys[0], str):
        found = child(entries, keys[0])
        return found if isinstance(found, Type) else UNKNOWN
    return members_of(entries)


def always(schema: JsonObject) -> Callable[[Types], Type]:
    """The same type whatever the arguments."""
    return lambda _: Type.of(schema)
