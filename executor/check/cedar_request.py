"""One call as Cedar is asked about it: principal, action, resource, context, and the entities."""

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
from executor.plan.refs import split_pointer

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
    """What Cedar is given of one call."""

    request: JsonObject
    entities: Entities
    is_partial: bool

    def with_approvals(self, approvals: frozenset[str] | None) -> JsonObject:
        """The same call after these approvals; None: whatever approvals there may be."""
        context = self.request["context"]
        assert isinstance(context, dict)  # noqa: S101 - built below
        given: JsonValue = unknown("approvals") if approvals is None else [*sorted(approvals)]
        return self.request | {"context": context | {"approvals": given}}


def request_of(question: PolicyQuestion, entities: Entities, paths: frozenset[Path]) -> Request:
    """Map one call, of which policies look at these paths; raises `UnmappableError`.

    Every argument is mapped, looked at or not; of the rest, what nobody looks at is left out.
    """
    mapper = Mapper(question.action, paths)
    args = mapper.record(question.arguments, ())
    read, read_partly = _read("read", question.read, paths)
    stale, stale_partly = _read("stale", question.stale, paths)
    looked = roots(paths)
    run, run_partly = _run(question.run) if "run" in looked else ({}, False)
    context: JsonObject = {
        # Where a derived member may or may not be there, nothing of them all is certain.
        "args": unknown("args") if mapper.is_unsure else _seen(args, "args", paths),
        "labels": unknown("labels")
        if _is_open_whole(question)
        else _labels(question, members(paths, "labels")),
        "run": run,
        "read": read,
        "stale": stale,
        "approvals": [*sorted(question.approvals)],
    }
    request: JsonObject = {
        "principal": {"type": "Tenant::User", "id": question.principal.id},
        "action": {"type": "Action", "id": question.action.effect.value},
        "resource": {"type": "Operation", "id": question.action.name},
        "context": {name: value for name, value in context.items() if name in looked},
    }
    is_partial = mapper.is_partial or run_partly or read_partly or stale_partly
    return Request(request, entities, is_partial)


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
    if not found and not isinstance(found, Unknown):
        return {}, False
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


def _is_open_whole(question: PolicyQuestion) -> bool:
    """Whether the arguments come as one value, so that nobody knows their names yet."""
    return isinstance(question.arguments, Unknown)


def _labels(question: PolicyQuestion, names: frozenset[str] | None) -> JsonObject:
    """Integrity by the place that was bound, and joined by top-level argument; None: all names."""
    places, joined = dict[str, Label](), dict[str, Label]()
    for at, label in question.labels.items():
        if names is None or at in names:
            places[at] = label
        for name in split_pointer(at)[:1] or tuple(question.arguments):
            if names is None or name in names:
                joined[name] = joined[name].join(label) if name in joined else label
    return {at: label.integrity.value for at, label in (places | joined).items()}
