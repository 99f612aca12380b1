"""`fn.extract(text, schema)`: a model reads a text in the run and gives what a schema says.

It is no function like the others: it is a read whose answer depends on a model, so it is called
once, journaled, and sent to the model's provider. Whatever comes back is untrusted. So that no
text can make more of it than was asked for, its schema is a constant of the plan in which every
value has a bound: a text has a greatest length, an enumeration or a format of fixed form, a list
has a most number of elements, an object has the members that are named and no other.
"""

from typing import Final, TypeGuard

from pydantic import JsonValue

from connectors.spec import ActionSpec, Effect, JsonObject
from executor.plan.model import CALLED, EXTRACT
from executor.plan.types import as_list, as_object

__all__ = ["CALLED", "EXTRACT", "UnboundedError", "extract_action", "require_bounds"]

MOST_CHARACTERS: Final = 20_000  # of everything that one schema lets through
MOST_DEPTH: Final = 6
_LENGTHS = {"date": 10, "time": 40, "date-time": 60, "uuid": 36, "ipv4": 15, "ipv6": 45}
_SCALAR_LENGTH = 40
_ABOUT = frozenset({"title", "description", "type"})
_WORDS: dict[str, frozenset[str]] = {
    "string": _ABOUT | {"format", "minLength", "maxLength"},
    "number": _ABOUT | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "array": _ABOUT | {"items", "minItems", "maxItems", "uniqueItems"},
    "object": _ABOUT | {"properties", "required", "additionalProperties"},
    "boolean": _ABOUT,
    "null": _ABOUT,
}
_WORDS["integer"] = _WORDS["number"]


def extract_action(model: str, timeout_s: float = 120.0) -> ActionSpec:
    """The action that the catalogue has while `model` reads texts; another model is another one."""
    return ActionSpec(
        name=EXTRACT,
        description=f"The model {model!r} reads a text in the run and gives what `schema` says: "
        "a constant JSON Schema in which all has a bound. Its result is never trusted.",
        input_schema={
            "type": "object",
            "properties": {
                "text": {"type": ["string", "object", "array"]},
                "schema": {"type": "object"},
            },
            "required": ["text", "schema"],
            "additionalProperties": False,
        },
        effect=Effect.READ,
        egress=True,
        reads_as="untrusted",
        timeout_s=timeout_s,
    )


class UnboundedError(ValueError):
    """A schema lets through more than it should: says what and where."""


def require_bounds(schema: JsonValue) -> int:
    """At most how many characters a value has; raises `UnboundedError` where one has no bound.

    What says more in a fixed form (a time with a thousand decimal places) is no such value.
    """
    size = _most(schema, "", 0)
    if size > MOST_CHARACTERS:
        raise UnboundedError(
            f"it lets {size} characters through, and {MOST_CHARACTERS} are the most"
        )
    return size


def _most(schema: JsonValue, at: str, depth: int) -> int:
    """How many characters a value may have at most, as JSON."""
    node = as_object(schema)
    where = at or "the whole"
    if depth > MOST_DEPTH:
        raise UnboundedError(f"{where} is nested more than {MOST_DEPTH} levels deep")
    if "enum" in node or "const" in node:
        values = as_list(node.get("enum")) if "enum" in node else [node["const"]]
        if not values or node.keys() - _ABOUT - {"enum", "const"}:
            raise UnboundedError(f"{where}: an enumeration has values and says nothing else")
        return max(len(repr(each)) for each in values)
    if "anyOf" in node:
        if node.keys() - _ABOUT - {"anyOf"} or "type" in node or not as_list(node["anyOf"]):
            raise UnboundedError(f"{where}: anyOf has arms and says nothing else")
        return max(_most(arm, at, depth + 1) for arm in as_list(node["anyOf"]))
    kinds = [each for each in _kinds(node) if each != "null"]
    if len(kinds) != 1 or kinds[0] not in _WORDS:
        if _kinds(node) == ["null"]:
            return len("null")
        raise UnboundedError(f"{where} says no one type")
    if unknown := sorted(node.keys() - _WORDS[kinds[0]]):
        raise UnboundedError(f"{where}: {', '.join(unknown)} cannot be said of what is read")
    return _of_kind(kinds[0], node, at, depth)


def _kinds(node: JsonObject) -> list[str]:
    said = node.get("type")
    return [str(each) for each in (said if isinstance(said, list) else [said])]


def _of_kind(kind: str, node: JsonObject, at: str, depth: int) -> int:
    where = at or "the whole"
    match kind:
        case "string":
            most = node.get("maxLength")
            if _is_length(most):
                return most + 2
            fixed = _LENGTHS.get(str(node.get("format")))
            if fixed is None:
                formats = ", ".join(_LENGTHS)
                told = (
                    f"{where} is a text of any length: say maxLength, enum or a format ({formats})"
                )
                raise UnboundedError(told)
            return fixed + 2
        case "array":
            most = node.get("maxItems")
            if not _is_length(most) or "items" not in node:
                raise UnboundedError(f"{where} is a list of any length: say items and maxItems")
            return 2 + most * (1 + _most(node["items"], f"{at}/items", depth + 1))
        case "object":
            members = node.get("properties")
            if not isinstance(members, dict) or node.get("additionalProperties") is not False:
                raise UnboundedError(
                    f"{where} is an open object: say properties, and additionalProperties: false"
                )
            inside = (
                len(name) + 4 + _most(each, f"{at}/{name}", depth + 1)
                for name, each in members.items()
            )
            return 2 + sum(inside)
        case _:
            return _SCALAR_LENGTH


def _is_length(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
