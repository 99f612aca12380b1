"""Bulk admission: a catalogue and lines of plans in, one verdict line a plan out, in order."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from connectors.catalog import Catalog, loading
from connectors.flaws import first_told
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Questions,
    Rejected,
    Verdict,
    admit,
)
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.expand import Playbooks
from executor.check.parse import plan_of
from executor.check.strict_json import Flaw, read_json
from executor.check.violation import Violation
from executor.plan.model import Plan

MOST_CATALOG_BYTES = 200_000_000
MOST_LINE_BYTES = 2_000_000
MOST_LEVELS = 200  # of a catalogue, whose schemas may be deep


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
    playbooks: Playbooks = field(default_factory=dict)
    lift_role: str | None = "approver"
    budgets: Budgets = field(default_factory=Budgets)
    options: Options = field(default_factory=Options)

    def verdicts(self, lines: Iterable[str]) -> Iterator[JsonObject]:
        """One verdict a line, in order; blank lines are passed over."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield self.verdict(line, number)

    def verdict(self, text: str, number: int) -> JsonObject:
        """Judge one line; raises `UnusableInputError` if it is no plan line."""
        told, verdict = self.judged(text, number)
        match verdict:
            case Accepted(certificate=certificate):
                shown = certificate.model_dump(mode="json")
                return told | {"accepted": True, "certificate": shown}
            case Rejected(violations=violations):
                return told | {"violations": _shown(violations)}
            case Questions(questions=questions, unable=unable):
                asked: list[JsonValue] = [each.model_dump(mode="json") for each in questions]
                return told | {"questions": asked, "unable": unable}

    def judged(self, text: str, number: int) -> tuple[JsonObject, Verdict]:
        """What every verdict line says of one line, and the verdict itself; raises the same."""
        try:
            line = _Line.model_validate(read_json(text, max_bytes=MOST_LINE_BYTES))
        except Flaw as flaw:
            return self._unread(text, number, flaw)
        except ValidationError as error:
            raise UnusableInputError(
                f"line {number} is no plan line: {first_told(error, '/')}"
            ) from error
        plan = plan_of(line.plan)
        if not isinstance(plan, Plan):
            return self._told(line.id), Rejected(tuple(plan))
        return self._told(line.id), admit(plan, self._context(line))

    def _told(self, line_id: JsonValue) -> JsonObject:
        return {
            "id": line_id,
            "accepted": False,
            "policy": "not-evaluated" if self.policy is None else "evaluated",
            "violations": [],
        }

    def _unread(self, text: str, number: int, flaw: Flaw) -> tuple[JsonObject, Verdict]:
        """A line that says which plan it is, whose plan is no strict JSON: that is a verdict."""
        try:
            found = json.loads(text) if len(text) <= MOST_LINE_BYTES else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "plan" not in found or not _is_name(found.get("id")):
            message = f"line {number} is no plan line: {flaw.message}"
            raise UnusableInputError(message) from flaw
        at = flaw.at.removeprefix("/plan") if flaw.at.startswith("/plan") else ""
        violation = Violation(flaw.code, at, flaw.message)
        return self._told(found.get("id")), Rejected((violation,))

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
            playbooks=self.playbooks,
            lift_role=self.lift_role,
            budgets=self.budgets,
            options=self.options,
        )


def read_catalog(text: str) -> Catalog:
    """Read `{"lamgate_catalog": 1, "actions": [...]}`; raises `UnusableInputError`."""
    with loading():
        return _read_catalog(text)


def _read_catalog(text: str) -> Catalog:
    try:
        found = read_json(text, max_bytes=MOST_CATALOG_BYTES, max_depth=MOST_LEVELS, wide=True)
    except Flaw as flaw:
        raise UnusableInputError(f"the catalogue is unusable: {flaw.message}") from flaw
    if not isinstance(found, dict) or found.get("lamgate_catalog") != 1:
        raise UnusableInputError('a catalogue is {"lamgate_catalog": 1, "actions": [...]}')
    actions = found.get("actions")
    if not isinstance(actions, list):
        raise UnusableInputError("the catalogue is unusable: `actions` is a list of actions")
    specs = []
    for number, each in enumerate(actions):
        try:
            specs.append(_named(ActionSpec.model_validate(each)))
        except ValidationError as error:
            message = f"the catalogue is unusable: actions/{number}/{first_told(error, '/')}"
            raise UnusableInputError(message) from error
    try:
        return Catalog(specs)
    except ValueError as error:
        raise UnusableInputError(f"the catalogue is unusable: {error}") from error


def _named(action: ActionSpec) -> ActionSpec:
    if action.connection == "fn":
        message = f"the catalogue is unusable: {action.name}: `fn` is the language's own"
        raise UnusableInputError(message)
    return action


def _is_name(value: object) -> bool:
    """Whether a line's id can be written back as it is."""
    if isinstance(value, str):
        return value.isprintable()
    return value is None or isinstance(value, int)


def _shown(violations: Iterable[Violation]) -> list[JsonValue]:
    return [
        {"code": each.code, "at": each.at, "step": each.step, "message": each.message}
        for each in violations
    ]
