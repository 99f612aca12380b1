"""Bulk admission: a catalogue and lines of plans in, one verdict line a plan out, in order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Questions, Rejected, admit
from executor.check.cedar import Policy
from executor.check.parse import plan_of
from executor.check.strict_json import Flaw, read_json
from executor.check.violation import Violation
from executor.plan.model import Plan

MOST_CATALOG_BYTES = 200_000_000


class UnusableInputError(Exception):
    """The catalogue or a line cannot be read at all; says which and why."""


class _Line(BaseModel):
    """A line of plans; members that are not known are ignored, the plan itself is closed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: JsonValue = None
    plan: JsonValue
    request: str = ""
    inputs: JsonObject = {}
    principal: JsonObject = {}


@dataclass(frozen=True)
class Bulk:
    """What every line is admitted against."""

    catalog: Catalog
    policy: Policy | None
    today: str
    seal_key: bytes

    def verdicts(self, lines: Iterable[str]) -> Iterator[JsonObject]:
        """One verdict a line, in order; blank lines are passed over."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield self.verdict(line, number)

    def verdict(self, text: str, number: int) -> JsonObject:
        """Judge one line; raises `UnusableInputError` if it is no plan line."""
        try:
            line = _Line.model_validate(read_json(text))
        except (Flaw, ValidationError) as error:
            raise UnusableInputError(f"line {number} is no plan line: {error}") from error
        told: JsonObject = {
            "id": line.id,
            "accepted": False,
            "policy": "not-evaluated" if self.policy is None else "evaluated",
            "violations": [],
        }
        plan = plan_of(line.plan)
        if not isinstance(plan, Plan):
            return told | {"violations": _shown(plan)}
        match admit(plan, self._context(line)):
            case Accepted(certificate=certificate):
                shown = certificate.model_dump(mode="json")
                return told | {"accepted": True, "certificate": shown}
            case Rejected(violations=violations):
                return told | {"violations": _shown(violations)}
            case Questions(questions=questions, unable=unable):
                asked: list[JsonValue] = [each.model_dump(mode="json") for each in questions]
                return told | {"questions": asked, "unable": unable}

    def _context(self, line: _Line) -> AdmissionContext:
        properties: JsonObject = {name: {"const": value} for name, value in line.inputs.items()}
        schema: JsonObject = {"properties": properties, "additionalProperties": False}
        roles = line.principal.get("roles")
        principal = Principal(
            id=str(line.principal.get("id", "requester")),
            tenant=str(line.principal.get("tenant", "main")),
            roles=frozenset(map(str, roles))
            if isinstance(roles, list)
            else frozenset({"requester"}),
        )
        return AdmissionContext(
            request=line.request,
            inputs=Inputs(schema, line.inputs),
            catalog=self.catalog,
            policy=self.policy,
            principal=principal,
            today=self.today,
            seal_key=self.seal_key,
        )


def read_catalog(text: str) -> Catalog:
    """Read `{"lamgate_catalog": 1, "actions": [...]}`; raises `UnusableInputError`."""
    try:
        found = read_json(text, max_bytes=MOST_CATALOG_BYTES)
    except Flaw as flaw:
        raise UnusableInputError(f"the catalogue is unusable: {flaw.message}") from flaw
    if not isinstance(found, dict) or found.get("lamgate_catalog") != 1:
        raise UnusableInputError('a catalogue is {"lamgate_catalog": 1, "actions": [...]}')
    actions = found.get("actions")
    specs = []
    for number, each in enumerate(actions if isinstance(actions, list) else []):
        try:
            specs.append(ActionSpec.model_validate(each))
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(str(part) for part in first["loc"])
            message = f"actions/{number}/{where}: {first['msg']}"
            raise UnusableInputError(f"the catalogue is unusable: {message}") from error
    try:
        return Catalog(specs)
    except ValueError as error:
        raise UnusableInputError(f"the catalogue is unusable: {error}") from error


def _shown(violations: Iterable[Violation]) -> list[JsonValue]:
    return [
        {"code": each.code, "at": each.at, "step": each.step, "message": each.message}
        for each in violations
    ]
