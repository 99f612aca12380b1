"""Policy: what the operator's Cedar texts say of one call.

A matching forbid wins; otherwise a permit is needed; an error denies; a forbid that an
approval would lift waits for it.

Cedar itself skips a policy that fails to evaluate, so a broken forbid would *allow*: any error
therefore denies here. With no policy at all, reads are allowed and nothing writes. A forbid
annotated `@approval("role")` asks for an approval by that role when granting it would let the
call through; `@quorum("2")` asks for several approvers, `@message("...")` tells people why.

Partial evaluation (some arguments not known yet) is a preview for the certificate. It can
only be less sure; the full decision on real values comes before every effect.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import cedarpy
from pydantic import JsonValue

from connectors.canonical import digest
from connectors.spec import ActionSpec, JsonObject, Label, Principal
from executor.check.cedar_values import Mapper, UnmappableError, unknown
from executor.check.unknown import Unknown
from executor.plan.refs import split_pointer

_ENTITY_KEYS = ("principal", "action", "resource")
Code = Literal["policy-denied", "policy-error", "policy-value-unmappable"]


class PolicyError(Exception):
    """A policy text that cannot be used; names the file and what is wrong with it."""


@dataclass(frozen=True)
class PolicyQuestion:
    """One call to judge; what is not known yet is an `Unknown`, so is `run` before the run."""

    principal: Principal
    action: ActionSpec
    arguments: JsonObject
    labels: Mapping[str, Label] = field(default_factory=dict)
    run: JsonObject = field(default_factory=dict)
    approvals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Judgement:
    """The answer; `unknown` comes only where leaves are, and `role` may then still be needed."""

    verdict: Literal["allow", "deny", "approval", "unknown"]
    role: str | None = None
    quorum: int = 1
    policies: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    code: Code | None = None


@dataclass(frozen=True)
class _Rule:
    """What one policy says of itself in its annotations."""

    name: str
    forbids: bool
    role: str | None
    quorum: int
    message: str


class Policy:
    """All policy texts of a tenant, parsed once; `version` is the digest of the texts."""

    def __init__(self, text: str, version: str, rules: Mapping[str, _Rule]) -> None:
        self.version = version
        self._rules = rules
        # Whether any policy may look at what the run did so far, which admission cannot know.
        self._asks_of_run = '"run"' in cedarpy.policies_to_json_str(text)
        self._set = cedarpy.PolicySet.from_str(text)

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> "Policy":
        """Read policy files by name; raises `PolicyError`."""
        for name, text in sorted(texts.items()):
            try:
                cedarpy.PolicySet.from_str(text)
            except ValueError as error:
                raise PolicyError(f"{name}: {error}") from error
        whole = "\n".join(text for _, text in sorted(texts.items()))
        return cls(whole, digest(dict(texts)), _rules(whole))

    def judge(self, question: PolicyQuestion) -> Judgement:
        """Decide one call."""
        if not self._rules:
            if not question.action.is_write:
                return Judgement("allow")
            message = "no policy is configured, so nothing writes"
            return Judgement("deny", messages=(message,), code="policy-denied")
        try:
            request, is_partial = _request(question, asks_of_run=self._asks_of_run)
        except UnmappableError as error:
            return Judgement("deny", messages=(str(error),), code="policy-value-unmappable")
        entities = _entities(question)
        if is_partial:
            return self._preview(request, entities, question.approvals)
        return self._decide(request, entities, question.approvals)

    def _decide(
        self, request: JsonObject, entities: list[JsonObject], approvals: frozenset[str]
    ) -> Judgement:
        result = cedarpy.is_authorized(request, self._set, entities)
        if result.diagnostics.errors:
            return _error(result.diagnostics.errors)
        if result.allowed:
            names = sorted(self._rules[each].name for each in result.diagnostics.reasons)
            return Judgement("allow", policies=tuple(names))
        deciding = self._forbidding(result.diagnostics.reasons)
        roles = {rule.role for rule in deciding if rule.role}
        if roles and not roles <= approvals:
            lifted = _with_approvals(request, approvals | roles)
            again = cedarpy.is_authorized(lifted, self._set, entities)
            if again.allowed and not again.diagnostics.errors:
                return _asking("approval", deciding, approvals)
        return _denied(deciding)

    def _preview(
        self, request: JsonObject, entities: list[JsonObject], approvals: frozenset[str]
    ) -> Judgement:
        """Say what is certain whatever the unknown values turn out to be; else `unknown`."""
        request = request | {key: _named(request[key]) for key in _ENTITY_KEYS}
        result = cedarpy.is_authorized_partial(request, self._set, entities)
        if result.diagnostics.errors:
            return Judgement("unknown")
        deciding = self._forbidding(result.diagnostics.reasons)
        if result.decision == cedarpy.Decision.Allow:
            if result.diagnostics.nontrivial_residuals:
                return Judgement("unknown")  # what is left may fail, and an error denies
            names = sorted(self._rules[each].name for each in result.diagnostics.reasons)
            return Judgement("allow", policies=tuple(names))
        if result.decision != cedarpy.Decision.Deny:
            left = self._forbidding(result.diagnostics.nontrivial_residuals)
            return _asking("unknown", left, approvals)
        lifted = _with_approvals(request, approvals | self._roles())
        again = cedarpy.is_authorized_partial(lifted, self._set, entities)
        if again.diagnostics.errors:
            return Judgement("unknown")
        if again.decision == cedarpy.Decision.Deny:
            return _denied(deciding)
        is_certain = again.decision == cedarpy.Decision.Allow
        return _asking("approval" if is_certain else "unknown", deciding, approvals)

    def _forbidding(self, ids: Iterable[str]) -> list[_Rule]:
        return [self._rules[each] for each in ids if self._rules[each].forbids]

    def _roles(self) -> set[str]:
        return {rule.role for rule in self._rules.values() if rule.role}


def _denied(deciding: list[_Rule]) -> Judgement:
    messages = _messages(deciding) or (() if deciding else ("no policy permits it",))
    return Judgement("deny", None, 1, _names(deciding), messages, "policy-denied")


def _asking(
    verdict: Literal["approval", "unknown"], rules: list[_Rule], approvals: frozenset[str]
) -> Judgement:
    """Name the first role that is still missing; the others are asked for after it."""
    roles = sorted({rule.role for rule in rules if rule.role} - approvals)
    if not roles:
        return Judgement("unknown", policies=_names(rules))
    asking = [rule for rule in rules if rule.role == roles[0]]
    quorum = max(rule.quorum for rule in asking)
    return Judgement(verdict, roles[0], quorum, _names(rules), _messages(rules))


def _names(rules: list[_Rule]) -> tuple[str, ...]:
    return tuple(sorted(rule.name for rule in rules))


def _messages(rules: list[_Rule]) -> tuple[str, ...]:
    return tuple(rule.message for rule in rules if rule.message)


def _error(errors: list[str]) -> Judgement:
    return Judgement("deny", messages=tuple(map(str, errors)), code="policy-error")


def _rules(text: str) -> dict[str, _Rule]:
    parsed = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    found = {}
    for key, policy in parsed.items():
        notes = policy.get("annotations", {})
        quorum = notes.get("quorum", "1")
        if not str(quorum).isdigit() or int(quorum) < 1:
            raise PolicyError(f"{notes.get('id', key)}: @quorum wants a whole number from 1")
        found[key] = _Rule(
            name=notes.get("id", key),
            forbids=policy["effect"] == "forbid",
            role=notes.get("approval"),
            quorum=int(quorum),
            message=notes.get("message") or "",
        )
    return found


def _named(entity: JsonValue) -> str:
    """Partial evaluation takes entities in surface syntax only."""
    assert isinstance(entity, dict)  # noqa: S101 - built by `_request` below
    return f"{entity['type']}::{json.dumps(entity['id'], ensure_ascii=False)}"


def _with_approvals(request: JsonObject, approvals: frozenset[str]) -> JsonObject:
    context = request["context"]
    assert isinstance(context, dict)  # noqa: S101 - built by `_request` below
    return request | {"context": context | {"approvals": [*sorted(approvals)]}}


def _entities(question: PolicyQuestion) -> list[JsonObject]:
    operation, connection = question.action.name, question.action.connection
    return [
        {
            "uid": {"type": "Tenant::User", "id": question.principal.id},
            "attrs": {
                "tenant": question.principal.tenant,
                "roles": [*sorted(question.principal.roles)],
            },
            "parents": [],
        },
        {
            "uid": {"type": "Operation", "id": operation},
            "attrs": {
                "irreversible": question.action.irreversible,
                "egress": question.action.egress,
            },
            "parents": [{"type": "Connection", "id": connection}],
        },
        {"uid": {"type": "Connection", "id": connection}, "attrs": {}, "parents": []},
    ]


def _request(question: PolicyQuestion, *, asks_of_run: bool) -> tuple[JsonObject, bool]:
    mapper = Mapper(question.action)
    args = mapper.record(question.arguments, ())
    run_unknown = asks_of_run and isinstance(question.run, Unknown)
    run = unknown("run") if run_unknown else Mapper(None).record(question.run, ())
    request: JsonObject = {
        "principal": {"type": "Tenant::User", "id": question.principal.id},
        "action": {"type": "Action", "id": question.action.effect.value},
        "resource": {"type": "Operation", "id": question.action.name},
        "context": {
            # Where a derived member may or may not be there, nothing of them all is certain.
            "args": unknown("args") if mapper.is_unsure else args,
            "labels": unknown("labels") if _is_open_whole(question) else _labels(question),
            "run": run,
            "approvals": [*sorted(question.approvals)],
        },
    }
    return request, mapper.is_partial or run_unknown


def _is_open_whole(question: PolicyQuestion) -> bool:
    """Whether the arguments come as one value, so that nobody knows their names yet."""
    return isinstance(question.arguments, Unknown)


def _labels(question: PolicyQuestion) -> JsonObject:
    """Integrity by the place that was bound, and joined by top-level argument."""
    joined: dict[str, Label] = {}
    for at, label in question.labels.items():
        for name in split_pointer(at)[:1] or tuple(question.arguments):
            joined[name] = joined[name].join(label) if name in joined else label
    return {at: label.integrity.value for at, label in (*question.labels.items(), *joined.items())}
