"""Playbooks: stored plans with typed inputs and example utterances, one YAML file each.

A playbook grants nothing: its plan is admitted like any other. An input is a JSON Schema
property; three words of our own help to ask and to extract: `x-ask` (the question), `x-words`
(other words for an enumerated value) and `x-options` (what to offer).
"""

import re

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from rfc8785 import CanonicalizationError

from connectors.canonical import digest
from connectors.flaws import all_told
from connectors.spec import JsonObject
from connectors.validate import validator_of
from executor.check.certificate import Options
from executor.check.parse import plan_of
from executor.check.violation import Violation
from executor.plan.compose import standalone
from executor.plan.model import RESERVED_IDS, Plan
from executor.plan.refs import refs_of_plan
from executor.plan.types import Type

PREFIX = "playbooks."
"""What the name of a playbook is called by begins with."""
WHICH = "playbook"
"""What the question is about that asks which playbook is meant: no input is called so."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PlaybookError(Exception):
    """A playbook file that cannot be used; names the file, the place and what is wrong."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,53}$")
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
    def action(self) -> str:
        """The name under which plans call it."""
        return PREFIX + self.name

    def input_schema(self, name: str) -> JsonObject:
        """What one input must be, without what is there for asking."""
        schema = standalone(Type(self.inputs[name], self.inputs_schema))
        kept = (each for each in schema if not each.startswith("x-") and each != "default")
        return {each: schema[each] for each in kept}

    @property
    def undeclared(self) -> tuple[str, ...]:
        """References of the plan to inputs that there are not."""
        known = {*self.inputs, "today"}
        uses = [use.ref for _, use in refs_of_plan(self.plan) if use.ref.root == "input"]
        return tuple(str(ref) for ref in uses if not ref.tokens or ref.tokens[0] not in known)

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
    except ValidationError as error:
        raise PlaybookError(f"{file}: {'; '.join(all_told(error, '/'))}") from error
    plan = plan_of(read.plan)
    if not isinstance(plan, Plan):
        raise PlaybookError(f"{file}: {_first(plan)}")
    try:
        version_digest = digest(read.model_dump(mode="json"))
    except CanonicalizationError as error:
        raise PlaybookError(f"{file}: a number that JSON cannot carry: {error}") from error
    if validator_of({"properties": read.inputs}) is None:
        raise PlaybookError(f"{file}: inputs: no JSON Schema")
    if (flaw := _flaw(read.inputs, plan)) is not None:
        raise PlaybookError(f"{file}: {flaw}")
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


def is_name(text: str) -> bool:
    """Whether a text can be part of a step's id."""
    return _NAME.fullmatch(text) is not None


def _flaw(inputs: JsonObject, plan: Plan) -> str | None:
    """What a playbook's plan may not do, whoever calls it."""
    for name in inputs:
        if not is_name(name):
            return f"inputs/{name}: a name is a-z, 0-9 and _, at most 40 of them"
        if name == WHICH:
            return f"inputs/{name}: the answer to it would be one to which playbook is meant"
    for index, step in enumerate(plan.steps):
        if step.id in RESERVED_IDS or not is_name(step.id):
            return f"plan/steps/{index}/id: {step.id!r} is reserved, or no name"
    return None


def _first(violations: tuple[Violation, ...]) -> str:
    return f"plan{violations[0].at}: {violations[0].message}"
