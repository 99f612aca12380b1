"""Checks a value against a JSON Schema, offline; with formats, but for those of an answer.

Services don't keep to the formats that they declare (a `uri` that is a path, a `date-time` without
its zone), and JSON Schema has them say something without asserting it. So a format of an answer is
what its author calls it; whoever wants one has it checked, as every argument is before it is sent.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import jsonschema_rs
from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, JsonObject

Validator = jsonschema_rs.Validator
_MOST_SAID = 500  # of a flaw: its words repeat the value that is wrong, however large


class Flaw(NamedTuple):
    """What is wrong with a value, and where in it."""

    message: str
    at: str


def validator_of(schema: JsonObject) -> Validator | None:
    """A validator that never leaves the machine and checks formats, or None for a broken schema."""
    return _validator(json.dumps(schema))


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
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        at = "/".join(str(token) for token in error.instance_path)
        return Flaw(str(error.message)[:_MOST_SAID], at)
    return None


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
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=formats, offline=True)
