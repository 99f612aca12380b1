"""Checks a value against a JSON Schema, offline; with formats, but for those of an answer.

Services don't keep to the formats that they declare (a `uri` that is a path, a `date-time` without
its zone), and JSON Schema has them say something without asserting it. So a format of an answer is
what its author calls it; whoever wants one has it checked, as every argument is before it is sent.

Whether a value is valid is found out part by part, each once. What is wrong with it is told with
all alternatives that were tried: where a schema names itself in several of them, they double with
every level of the value. So of a value that is deep and of such a schema it is said only that it is
wrong.
"""

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import jsonschema_rs
from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.errors import Kind, Refused
from connectors.pointer import subschema
from connectors.spec import ActionSpec, JsonObject
from connectors.unfold import parts_of

_MOST_SAID = 500  # of a flaw: its words repeat the value that is wrong, however large
_DEEPEST_TOLD = 6  # levels of a value whose schema names itself
_MOST_TOLD = 100_000  # parts of a schema of which it is told where a value is wrong
_MOST_PARTS = 10_000_000  # of a schema, unfolded; to compare these takes a tenth of a second
_MOST_KEPT = 50_000  # characters of a schema whose validator is kept: whoever asks may write it
_FEW = 20  # references that cannot be as many parts, however they are arranged


class Validator:
    """A schema that has been read."""

    def __init__(self, schema: JsonObject | str, rules: jsonschema_rs.Validator) -> None:
        self._schema = schema
        self.rules = rules

    @cached_property
    def names_itself(self) -> bool:
        """Whether one of its parts is inside itself, or may be for all that can be seen."""
        return _names_itself(
            json.loads(self._schema) if isinstance(self._schema, str) else self._schema
        )

    @property
    def is_small(self) -> bool:
        """Whether it may be kept for those who ask again."""
        return isinstance(self._schema, str) and len(self._schema) <= _MOST_KEPT

    @cached_property
    def parts(self) -> int:
        """How many parts it has, unfolded."""
        return _parts(self._schema)

    def is_valid(self, value: JsonValue) -> bool:
        """Whether a value is what the schema says."""
        return self.rules.is_valid(value)


class Flaw(NamedTuple):
    """What is wrong with a value, and where in it."""

    message: str
    at: str


def validator_of(schema: JsonObject) -> Validator | None:
    """A validator that never leaves the machine and checks formats, or None for a broken schema."""
    text = json.dumps(schema)
    return (_validator if len(text) <= _MOST_KEPT else _validator.__wrapped__)(text)


@lru_cache(maxsize=4096)
def input_validator(action: ActionSpec) -> Validator | None:
    """The validator of an action's arguments: its schema is not written out for every call."""
    return validator_of(action.input_schema)


@lru_cache(maxsize=4096)
def _output_validator(action: ActionSpec) -> Validator | None:
    try:
        return _compiled(action.output_schema or {}, formats=False)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def first_flaw(schema: JsonObject, value: JsonValue) -> str | None:
    """What is wrong with a value, and where; None if it is valid."""
    return _flaw(validator_of(schema), value)


def output_flaw(action: ActionSpec, output: JsonValue) -> str | None:
    """What is wrong with an answer, where the action says what it gives, but for formats."""
    return None if action.output_schema is None else _flaw(_output_validator(action), output)


def found_by(validator: Validator, value: JsonValue) -> Flaw | None:
    """The first thing that is wrong with a value; None if it is valid."""
    if validator.is_valid(value):
        return None
    if validator.names_itself and _is_deeper(value, _DEEPEST_TOLD):
        return Flaw("it is not of the shape that its schema says, somewhere in its depth", "")
    if validator.parts > _MOST_TOLD:
        return Flaw("it is not of the shape that its schema says", "")
    try:
        validator.rules.validate(value)
    except jsonschema_rs.ValidationError as error:
        at = "/".join(str(token) for token in error.instance_path)
        return Flaw(str(error.message)[:_MOST_SAID], at)
    return None


def _is_deeper(value: JsonValue, levels: int) -> bool:
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return any(levels == 0 or _is_deeper(each, levels - 1) for each in inner)


def _flaw(validator: Validator | None, value: JsonValue) -> str | None:
    if validator is None:
        return "the schema cannot be read"
    found = found_by(validator, value)
    if found is None:
        return None
    return found.message + (f" at {found.at!r}" if found.at else "")


def check_arguments(action: ActionSpec, arguments: Mapping[str, JsonValue]) -> None:
    """Raise `Refused` for arguments that the action does not take."""
    given = dict(arguments)
    flaw = json_flaw(given) or _flaw(input_validator(action), given)
    if flaw is not None:
        raise Refused(f"{action.name}: {flaw[:500]}", kind=Kind.INVALID)


def schema_flaw(schema: JsonObject) -> str | None:
    """Why a schema cannot be used; None if it can."""
    try:
        _compiled(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return str(error).splitlines()[0][:200]
    return None


@lru_cache(maxsize=4096)
def _validator(text: str) -> Validator | None:
    try:
        return _compiled(text)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _compiled(schema: JsonObject | str, *, formats: bool = True) -> Validator:
    if _parts(schema) > _MOST_PARTS:
        raise ValueError(f"with its references in place it has more than {_MOST_PARTS:,} parts")
    rules = jsonschema_rs.Draft202012Validator(schema, validate_formats=formats, offline=True)
    return Validator(schema, rules)


def _parts(schema: JsonObject | str) -> int:
    if isinstance(schema, str):
        if schema.count('"$ref"') < _FEW:
            return 0
        schema = json.loads(schema)
    return parts_of(schema)


def _names_itself(schema: JsonObject) -> bool:
    inside: dict[str, set[str]] = {}
    asked = _references(schema)
    while asked:
        name = asked.pop()
        if name not in inside:
            inside[name] = _references(subschema(schema, name))
            asked |= inside[name]
    try:
        TopologicalSorter(inside).prepare()
    except CycleError:
        return True
    return False


def _references(part: JsonValue) -> set[str]:
    """What it refers to; a dynamic reference may lead anywhere, also to the whole."""
    found, parts = set[str](), [part]
    while parts:
        match parts.pop():
            case dict() as each:
                found |= {name for name in (each.get("$ref"),) if isinstance(name, str)}
                found |= {"#"} if "$dynamicRef" in each else set()
                parts += each.values()
            case list() as each:
                parts += each
    return found
