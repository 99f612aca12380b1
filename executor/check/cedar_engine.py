"""The one file that speaks to Cedar: it parses, evaluates in full or in part, and validates.

Everything here is plain data in and out; what the answers mean is said in `cedar_decision.py`.
Partial evaluation is experimental upstream, so that its answer is one of three and only ever a
preview.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import cedarpy
from pydantic import JsonValue

from connectors.spec import JsonObject

Entities = cedarpy.Entities  # parsed once, whatever is asked of them
_ENTITY_KEYS = ("principal", "action", "resource")


@dataclass(frozen=True)
class Full:
    """A decision with everything known; `reasons` are the keys of the deciding policies."""

    allowed: bool
    reasons: tuple[str, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Partial:
    """A preview: `allowed` is None where it depends on what is open.

    `reasons` are the policies that are satisfied in any case, `left` those that still depend on
    unknown values, each with the names of these values.
    """

    allowed: bool | None
    reasons: tuple[str, ...]
    left: Mapping[str, tuple[str, ...]]
    errors: tuple[str, ...]


class PolicySet:
    """Some policies, parsed once, each under a key of our own."""

    def __init__(self, policies: Mapping[str, JsonObject]) -> None:
        self._handle = cedarpy.PolicySet.from_json_str(_document(policies))

    def full(self, request: JsonObject, entities: Entities) -> Full:
        """Decide with every value known."""
        found = cedarpy.is_authorized(request, self._handle, entities)
        told = found.diagnostics
        return Full(found.allowed, tuple(told.reasons), tuple(map(str, told.errors)))

    def partial(self, request: JsonObject, entities: Entities) -> Partial:
        """Say what holds whatever the unknown values turn out to be."""
        named = request | {key: _surface(request[key]) for key in _ENTITY_KEYS}
        found = cedarpy.is_authorized_partial(named, self._handle, entities)
        told = found.diagnostics
        decided = {cedarpy.Decision.Allow: True, cedarpy.Decision.Deny: False}
        return Partial(
            allowed=decided.get(found.decision),
            reasons=tuple(told.reasons),
            left={
                key: tuple(dict.fromkeys(_unknowns(found.residuals.get(key))))
                for key in told.nontrivial_residuals
            },
            errors=tuple(map(str, told.errors)),
        )


def entities_of(described: list[JsonValue]) -> Entities:
    """Parse entities."""
    return Entities.from_json_str(json.dumps(described))


def with_entity(entities: Entities, described: JsonObject) -> Entities:
    """The same entities and one more."""
    return entities.with_added_json_str(json.dumps([described]))


def read(text: str) -> tuple[JsonObject, ...]:
    """The policies of a text, in order; raises `ValueError` where it is none."""
    found = json.loads(cedarpy.policies_to_json_str(text))
    if found["templates"]:
        raise ValueError("a template decides nothing: write a policy without ?principal, ?resource")
    policies: dict[str, JsonObject] = found["staticPolicies"]
    return tuple(policies[f"policy{number}"] for number in range(len(policies)))


def text_of(policy: JsonObject) -> str:
    """A policy as Cedar writes it."""
    return cedarpy.format_policies(cedarpy.policies_from_json_str(_document({"p": policy}))).strip()


def flaws(policy: JsonObject, schema: JsonObject) -> tuple[str, ...]:
    """What is wrong with a policy under a schema, in Cedar's words."""
    text = cedarpy.policies_from_json_str(_document({"policy0": policy}))
    handle = cedarpy.Schema.from_json_str(json.dumps(schema))
    return tuple(each.error for each in cedarpy.validate_policies(text, handle).errors)


def _document(policies: Mapping[str, JsonObject]) -> str:
    return json.dumps({"staticPolicies": dict(policies), "templates": {}, "templateLinks": []})


def _surface(entity: JsonValue) -> str:
    """Partial evaluation takes entities in surface syntax only."""
    assert isinstance(entity, dict)  # noqa: S101 - built by `cedar_request.py`
    return f"{entity['type']}::{json.dumps(entity['id'], ensure_ascii=False)}"


def _unknowns(node: JsonValue) -> Iterator[str]:
    """The names of the unknown values in what is left of a policy."""
    match node:
        case {"unknown": [{"Value": str(name)}]}:
            yield name
        case dict():
            yield from _each(node.values())
        case list():
            yield from _each(node)


def _each(nodes: Iterable[JsonValue]) -> Iterator[str]:
    for node in nodes:
        yield from _unknowns(node)
