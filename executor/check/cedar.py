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
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import cedarpy
from pydantic import JsonValue

from connectors.canonical import digest
from connectors.currency import exponent_of
from connectors.spec import ActionSpec, JsonObject, Label, Principal, Sink
from executor.plan.refs import split_pointer

_ENTITY_KEYS = ("principal", "action", "resource")
UNKNOWN_LEAF = "__lamgate_unknown"
_LARGEST = 2**63 - 1
Code = Literal["policy-denied", "policy-error", "policy-value-unmappable"]


class PolicyError(Exception):
    """A policy text that cannot be used; names the file and what is wrong with it."""


class _UnmappableError(Exception):
    pass


@dataclass(frozen=True)
class PolicyQuestion:
    """One call to judge. In `arguments` a leaf that is not known yet is `{UNKNOWN_LEAF: true}`."""

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
            request, partial = _request(question)
        except _UnmappableError as error:
            return Judgement("deny", messages=(str(error),), code="policy-value-unmappable")
        entities = _entities(question)
        if partial:
            return self._preview(request, entities)
        return self._decide(request, entities, question.approvals)

    def _decide(
        self, request: JsonObject, entities: list[JsonObject], approvals: frozenset[str]
    ) -> Judgement:
        result = cedarpy.is_authorized(request, self._set, entities)
        if result.diagnostics.errors:
            return _error(result.diagnostics.errors)
        deciding = [self._rules[each] for each in result.diagnostics.reasons]
        names = tuple(sorted(rule.name for rule in deciding))
        if result.allowed:
            return Judgement("allow", policies=names)
        roles = {rule.role for rule in deciding if rule.role}
        messages = tuple(rule.message for rule in deciding if rule.message)
        if roles and not roles <= approvals:
            lifted = _with_approvals(request, approvals | roles)
            if cedarpy.is_authorized(lifted, self._set, entities).allowed:
                quorum = max(rule.quorum for rule in deciding)
                return Judgement("approval", sorted(roles)[0], quorum, names, messages)
        return _denied(names, messages)

    def _preview(self, request: JsonObject, entities: list[JsonObject]) -> Judgement:
        request = request | {key: _named(request[key]) for key in _ENTITY_KEYS}
        result = cedarpy.is_authorized_partial(request, self._set, entities)
        if result.decision == cedarpy.Decision.Deny and not result.diagnostics.errors:
            lifted = _with_approvals(request, frozenset(self._roles()))
            again = cedarpy.is_authorized_partial(lifted, self._set, entities)
            if again.decision == cedarpy.Decision.Deny and not again.diagnostics.errors:
                deciding = [self._rules[each] for each in result.diagnostics.reasons]
                messages = tuple(rule.message for rule in deciding if rule.message)
                return _denied(tuple(sorted(rule.name for rule in deciding)), messages)
        left = result.diagnostics.nontrivial_residuals
        open_rules = [self._rules[each] for each in left if each in self._rules]
        asking = [rule for rule in open_rules if rule.forbids and rule.role]
        names = tuple(sorted(rule.name for rule in open_rules))
        messages = tuple(rule.message for rule in asking if rule.message)
        role = asking[0].role if asking else None
        quorum = max((rule.quorum for rule in asking), default=1)
        return Judgement("unknown", role, quorum, names, messages)

    def _roles(self) -> set[str]:
        return {rule.role for rule in self._rules.values() if rule.role}


def _denied(names: tuple[str, ...], messages: tuple[str, ...]) -> Judgement:
    messages = messages or (() if names else ("no policy permits it",))
    return Judgement("deny", policies=names, messages=messages, code="policy-denied")


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


def _request(question: PolicyQuestion) -> tuple[JsonObject, bool]:
    mapper = _Mapper(question.action)
    args = mapper.record(question.arguments, ())
    labels: JsonObject = {at: label.integrity.value for at, label in question.labels.items()}
    run = _Mapper(None).record(question.run, ())
    request: JsonObject = {
        "principal": {"type": "Tenant::User", "id": question.principal.id},
        "action": {"type": "Action", "id": question.action.effect.value},
        "resource": {"type": "Operation", "id": question.action.name},
        "context": {
            "args": args,
            "labels": labels,
            "run": run,
            "approvals": [*sorted(question.approvals)],
        },
    }
    return request, mapper.partial


class _Mapper:
    """JSON arguments as Cedar values; `partial` tells whether a leaf was unknown."""

    def __init__(self, action: ActionSpec | None) -> None:
        self._amounts = (
            [split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT]
            if action
            else []
        )
        self.partial = False

    def record(self, members: Mapping[str, JsonValue], path: tuple[str, ...]) -> JsonObject:
        found: JsonObject = {}
        for name, value in members.items():
            if value is None:
                continue  # Cedar has no null: `context.args has x` is how a policy asks
            if isinstance(value, list):
                found[f"{name}_count"] = len(value)
            if isinstance(value, float) and not value.is_integer() and not _is_exact(value):
                found[f"{name}_inexact"] = True
            found[name] = self.value(value, (*path, name))
        return found

    def value(self, value: JsonValue, path: tuple[str, ...]) -> JsonValue:
        match value:
            case None:
                raise _UnmappableError(f"{'/'.join(path)}: a null inside a list")
            case bool() | str():
                return value
            case int():
                return _long(value, path)
            case float():
                if value.is_integer():
                    return _long(int(value), path)
                return _decimal(value) if _is_exact(value) else repr(value)
            case list():
                return [self.value(each, (*path, "*")) for each in value]
            case {"__lamgate_unknown": True}:
                self.partial = True
                return {"__extn": {"fn": "unknown", "arg": "/".join(path)}}
            case {"amount": {"__lamgate_unknown": True}, "currency": currency} if self._is_amount(
                path
            ):
                self.partial = True
                minor: JsonValue = {"__extn": {"fn": "unknown", "arg": "/".join((*path, "minor"))}}
                return {"minor": minor, "currency": self.value(currency, (*path, "currency"))}
            case {"amount": str(amount), "currency": str(currency)} if self._is_amount(path):
                return {"minor": _minor(amount, currency, path), "currency": currency}
            case _:
                return self.record(value, path)

    def _is_amount(self, path: tuple[str, ...]) -> bool:
        return any(
            len(at) == len(path) and all(a in ("*", b) for a, b in zip(at, path, strict=True))
            for at in self._amounts
        )


def _long(value: int, path: tuple[str, ...]) -> int:
    if abs(value) > _LARGEST:
        raise _UnmappableError(f"{'/'.join(path)}: {value} is beyond 2^63-1")
    return value


def _is_exact(value: float) -> bool:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -4 and abs(value) < _LARGEST / 10_000


def _decimal(value: float) -> JsonValue:
    text = f"{Decimal(repr(value)):f}"
    return {"__extn": {"fn": "decimal", "arg": text}}


def _minor(amount: str, currency: str, path: tuple[str, ...]) -> int:
    scaled = Decimal(amount).scaleb(exponent_of(currency))
    if scaled != scaled.to_integral_value():
        raise _UnmappableError(f"{'/'.join(path)}: {amount} {currency} has a part of a minor unit")
    return _long(int(scaled), path)
