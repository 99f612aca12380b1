"""Two JSON Schema nodes that must both hold, as one node where that can be said exactly."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject

ANNOTATIONS = frozenset(
    "title description default examples example deprecated readOnly writeOnly $comment "
    "$schema $id $defs definitions discriminator xml externalDocs nullable".split()
)
# Keywords of one group speak about each other, so a group is merged as a whole or not at all.
_GROUPS: tuple[frozenset[str], ...] = (
    frozenset({"properties", "additionalProperties", "patternProperties"}),
    frozenset({"prefixItems", "items"}),
    frozenset({"contains", "minContains", "maxContains"}),
    frozenset({"if", "then", "else"}),
)
_GROUPED = frozenset().union(*_GROUPS)


def merge(left: JsonObject, right: JsonObject) -> JsonObject:
    """Both at once; what has no common form is kept in `allOf`."""
    merged: JsonObject = {key: value for key, value in left.items() if key != "allOf"}
    # What both are made of is there once: else a part that is made of itself twice would double.
    rest: list[JsonValue] = [*{id(part): part for part in (*_parts(left), *_parts(right))}.values()]
    for group in _GROUPS:
        _merge_group(group, left, right, merged, rest)
    for key, value in right.items():
        if key in _GROUPED or key == "allOf":
            continue
        if key not in merged:
            merged[key] = value
        elif merged[key] != value and key not in ANNOTATIONS:
            combine = _COMBINE.get(key)
            both = combine(merged[key], value) if combine else None
            if both is None:
                rest.append({key: value})
            else:
                merged[key] = both
    return merged | {"allOf": rest} if rest else merged


def _merge_group(
    group: frozenset[str],
    left: JsonObject,
    right: JsonObject,
    merged: JsonObject,
    rest: list[JsonValue],
) -> None:
    ours = {key: value for key, value in left.items() if key in group}
    theirs = {key: value for key, value in right.items() if key in group}
    if not ours:
        merged.update(theirs)
    elif theirs and ours != theirs:
        if "properties" in group and "patternProperties" not in ours | theirs:
            merged.update(_objects(ours, theirs))
        elif ours.keys() == theirs.keys() == {"items"}:
            merged["items"] = _both(ours["items"], theirs["items"])
        else:
            rest.append(theirs)


def _parts(node: JsonObject) -> list[JsonValue]:
    parts = node.get("allOf")
    return parts if isinstance(parts, list) else []


def _objects(left: JsonObject, right: JsonObject) -> JsonObject:
    """A property meets its own schema on each side, or else what that side says of the others."""
    ours, theirs = _properties(left), _properties(right)
    properties: JsonObject = {}
    for name in [*ours, *(each for each in theirs if each not in ours)]:
        one = ours.get(name, left.get("additionalProperties", True))
        other = theirs.get(name, right.get("additionalProperties", True))
        properties[name] = _both(one, other)
    found: JsonObject = {"properties": properties} if properties else {}
    if "additionalProperties" in left or "additionalProperties" in right:
        found["additionalProperties"] = _both(
            left.get("additionalProperties", True), right.get("additionalProperties", True)
        )
    return found


def _properties(node: JsonObject) -> JsonObject:
    properties = node.get("properties")
    return properties if isinstance(properties, dict) else {}


def _both(one: JsonValue, other: JsonValue) -> JsonValue:
    if one is False or other is False:
        return False
    if one is True or one == {} or one == other:
        return other
    return one if other is True or other == {} else {"allOf": [one, other]}


def _types(one: JsonValue, other: JsonValue) -> JsonValue:
    ours, theirs = _names(one), _names(other)
    shared = ours & theirs
    for some, others in ((ours, theirs), (theirs, ours)):
        if "integer" in some and "number" in others and "number" not in shared:
            shared |= {"integer"}
    names: list[JsonValue] = [*sorted(shared)]
    return names[0] if len(names) == 1 else (names or None)


def _names(value: JsonValue) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {str(each) for each in value} if isinstance(value, list) else set()


def _required(one: JsonValue, other: JsonValue) -> JsonValue:
    if not isinstance(one, list) or not isinstance(other, list):
        return None
    return [*one, *(name for name in other if name not in one)]


def _enum(one: JsonValue, other: JsonValue) -> JsonValue:
    if not isinstance(one, list) or not isinstance(other, list):
        return None
    texts = {each for each in other if isinstance(each, str)}
    kept: list[JsonValue] = [each for each in one if isinstance(each, str) and each in texts]
    # Only texts are compared here: in Python 1, 1.0 and True are equal, in JSON not.
    return kept if kept and len(texts) == len(other) else None


def _bound(choose: Callable[[float, float], float]) -> Callable[[JsonValue, JsonValue], JsonValue]:
    def combine(one: JsonValue, other: JsonValue) -> JsonValue:
        if isinstance(one, bool) or isinstance(other, bool):
            return None
        if isinstance(one, int | float) and isinstance(other, int | float):
            return choose(one, other)
        return None

    return combine


_COMBINE: dict[str, Callable[[JsonValue, JsonValue], JsonValue]] = {
    "type": _types,
    "required": _required,
    "enum": _enum,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), _bound(max)),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems"), _bound(min)),
}
