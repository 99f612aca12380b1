"""Playbooks: stored plans with typed inputs and example utterances, one YAML file each.

A playbook grants nothing: its plan is admitted like any other. An input is a JSON Schema
property; three words of our own help to ask and to extract: `x-ask` (the question), `x-words`
(other words for an enumerated value) and `x-options` (what to offer).
"""

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from rfc8785 import CanonicalizationError

from connectors.canonical import digest
from connectors.spec import JsonObject
from connectors.validate import validator_of
from executor.check.certificate import Options
from executor.check.parse import plan_of
from executor.check.violation import Violation
from executor.plan.model import Plan


class PlaybookError(Exception):
    """A playbook file that cannot be used; names the file, the place and what is wrong."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    version: int = Field(ge=1)
    description: str
    utterances: tuple[str, ...] = Field(min_length=1)
    inputs: JsonObject = {}
    options: Options = Options()
    plan: JsonObject


class Playbook(BaseModel):
    """One playbook, read and checked for shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int
    description: str
    utterances: tuple[str, ...]
    inputs: JsonObject
    options: Options
    plan: Plan
    digest: str

    @property
    def inputs_schema(self) -> JsonObject:
        """The inputs as one closed object schema; all are required unless they have a default."""
        required: list[JsonValue] = [
            name
            for name, schema in self.inputs.items()
            if not (isinstance(schema, dict) and "default" in schema)
        ]
        return {
            "type": "object",
            "properties": self.inputs,
            "required": required,
            "additionalProperties": False,
        }


def read_playbook(content: JsonValue, file: str) -> Playbook:
    """Read a playbook from the content of its file; raises `PlaybookError`."""
    try:
        read = _File.model_validate(content)
    except ValueError as error:
        raise PlaybookError(f"{file}: {error}") from error
    plan = plan_of(read.plan)
    if not isinstance(plan, Plan):
        raise PlaybookError(f"{file}: {_first(plan)}")
    try:
        version_digest = digest(read.model_dump(mode="json"))
    except CanonicalizationError as error:
        raise PlaybookError(f"{file}: a number that JSON cannot carry: {error}") from error
    if validator_of({"properties": read.inputs}) is None:
        raise PlaybookError(f"{file}: inputs: no JSON Schema")
    return Playbook(
        name=read.name,
        version=read.version,
        description=read.description,
        utterances=read.utterances,
        inputs=read.inputs,
        options=read.options,
        plan=plan,
        digest=version_digest,
    )


def _first(violations: tuple[Violation, ...]) -> str:
    return f"plan{violations[0].at}: {violations[0].message}"
