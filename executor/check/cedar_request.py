"""One call as Cedar is asked about it: principal, action, resource, context, and the entities."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject, Label, Principal
from executor.check.cedar_engine import Entities, entities_of, with_entity
from executor.check.cedar_paths import Path, looked_at, members, roots
from executor.check.cedar_values import Mapper, unknown
from executor.check.unknown import Unknown
from executor.plan.refs import join_pointer, split_pointer

MOST_CALLS: Final = 4_096  # of whom and what the entities are kept


@dataclass(frozen=True)
class PolicyQuestion:
    """One call to judge; what is not known yet is an `Unknown`, so is `run` before the run.

    `read` is what the run has read of the objects of this call, by operation, `stale` what of it
    a write has outdated.
    """

    principal: Principal
    action: ActionSpec
    arguments: JsonObject
    labels: Mapping[str, Label] = field(default_factory=dict)
    run: JsonObject = field(default_factory=dict)
    approvals: frozenset[str] = frozenset()
    read: JsonObject = field(default_factory=dict)
    stale: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What Cedar is given of one call; two are the same if Cedar cannot tell them apart."""

    entities: Entities  # those of one caller and one operation are the same object
    context: str  # as JSON
    is_partial: bool
    call: JsonObject = field(compare=False)  # principal, action and resource
    looked_at: JsonObject = field(compare=False)  # the context once more, as data

    @property
    def request(self) -> JsonObject:
        """All of it, as Cedar takes it."""
        return self.call | {"context": self.context}

    def with_approvals(self, approvals: frozenset[str] | None) -> JsonObject:
        """The same call after these approvals; None: whatever approvals there may be."""
        given: JsonValue = unknown("approvals") if approvals is None else [*sorted(approvals)]
        return self.call | {"context": json.dumps(self.looked_at | {"approvals": given})}


def request_of(question: PolicyQuestion, entities: Entities, paths: frozenset[Path]) -> Request:
    """Map one call, of which policies look at these paths; raises `UnmappableError`.

    Every argument is mapped, looked at or not; of the rest, what nobody looks at is left out.
    """
    mapper, looked = Mapper(question.action, paths), roots(paths)
    args = mapper.record(question.arguments, ())
    context: JsonObject = {}
    is_partial = mapper.is_partial
    if "args" in looked:
        # Where a derived member may or may not be there, nothing of them all is certain.
        context["args"] = unknown("args") if mapper.is_unsure else _seen(args, "args", paths)
    if "labels" in looked:
        is_open = isinstance(question.arguments, Unknown)  # nobody knows their names yet
        names = members(paths, "labels")
        context["labels"] = unknown("labels") if is_open else _labels(question, names)
    if "run" in looked:
        context["run"], partly = _run(question.run)
        is_partial = is_partial or partly
    for root, found in (("read", question.read), ("stale", question.stale)):
        if root in looked:
            context[root], partly = _read(root, found, paths)
            is_partial = is_partial or partly
    if "approvals" in looked:
        context["approvals"] = [*sorted(question.approvals)]
    return Request(entities, json.dumps(context), is_partial, _call(question), context)


def _call(question: PolicyQuestion) -> JsonObject:
    return {
        "principal": {"type": "Tenant::User", "id": question.principal.id},
        "action": {"type": "Action", "id": question.action.effect.value},
        "resource": {"type": "Operation", "id": question.action.name},
    }


@lru_cache(MOST_CALLS)
def entities_around(principal: Principal, action: ActionSpec, connector: str | None) -> Entities:
    """Who asks, and what is called with its groups; parsed once, for the same people ask again."""
    return with_entity(_called(action, connector), principal_entity(principal))


@lru_cache(MOST_CALLS)
def _called(action: ActionSpec, connector: str | None) -> Entities:
    return entities_of(operation_entities(action, connector))


def _run(found: JsonObject) -> tuple[JsonValue, bool]:
    """What the run did so far, and whether some of it is not known yet."""
    mapper = Mapper(None)
    shown = mapper.record(found, ("context.run",))
    return unknown("run") if mapper.is_unsure else shown, mapper.is_partial


def _read(root: str, found: JsonObject, paths: frozenset[Path]) -> tuple[JsonValue, bool]:
    """What policies look at of what was read, and whether some of it is not known yet."""
    mapper = Mapper(None, paths)
    shown = mapper.record(looked_at(found, root, paths), (f"context.{root}",))
    return unknown(root) if mapper.is_unsure else shown, mapper.is_partial


def _seen(value: JsonObject, root: str, paths: frozenset[Path]) -> JsonObject:
    """What is mapped already, without the members that nobody looks at."""
    names = members(paths, root)
    return value if names is None else {name: value[name] for name in names & value.keys()}


def principal_entity(principal: Principal) -> JsonObject:
    """Who asks."""
    return {
        "uid": {"type": "Tenant::User", "id": principal.id},
        "attrs": {"tenant": principal.tenant, "roles": [*sorted(principal.roles)]},
        "parents": [],
    }


def operation_entities(action: ActionSpec, connector: str | None) -> list[JsonValue]:
    """What is called, and the groups that it is in.

    What is not there counts as unknown in a preview, even the action.
    """
    above: list[JsonValue] = [{"type": "Connector", "id": connector}] if connector else []
    connection: JsonObject = {"type": "Connection", "id": action.connection}
    known = {"irreversible": action.irreversible, "egress": action.egress}
    return [
        {
            "uid": {"type": "Operation", "id": action.name},
            "attrs": {**known},
            "parents": [connection],
        },
        {"uid": connection, "attrs": {}, "parents": above},
        {"uid": {"type": "Action", "id": action.effect.value}, "attrs": {}, "parents": []},
        *({"uid": each, "attrs": {}, "parents": []} for each in above),
    ]


def _labels(question: PolicyQuestion, names: frozenset[str] | None) -> JsonObject:
    """Integrity by the place that was bound, and joined by top-level argument; None: all names."""
    places, joined = dict[str, Label](), dict[str, Label]()
    for at, label in question.labels.items():
        if names is None or at in names:
            places[at] = label
        for token in split_pointer(at)[:1] or tuple(question.arguments):
            name = join_pointer((token,))  # an argument's name is not another one's place
            if names is None or name in names:
                joined[name] = joined[name].join(label) if name in joined else label
    return {at: label.integrity.value for at, label in (places | joined).items()}
