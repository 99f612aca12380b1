"""One call as Cedar is asked about it: principal, action, resource, context, and the entities."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject, Label, Principal
from executor.check.cedar_values import Mapper, unknown
from executor.check.unknown import Unknown
from executor.plan.refs import split_pointer


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
class Request:
    """What Cedar is given of one call."""

    request: JsonObject
    entities: str
    is_partial: bool

    def with_approvals(self, approvals: frozenset[str] | None) -> JsonObject:
        """The same call after these approvals; None: whatever approvals there may be."""
        context = self.request["context"]
        assert isinstance(context, dict)  # noqa: S101 - built below
        given: JsonValue = unknown("approvals") if approvals is None else [*sorted(approvals)]
        return self.request | {"context": context | {"approvals": given}}


def request_of(question: PolicyQuestion, connector: str | None, *, asks_of_run: bool) -> Request:
    """Map one call; raises `UnmappableError`."""
    mapper = Mapper(question.action)
    args = mapper.record(question.arguments, ())
    so_far = Mapper(None)
    run = so_far.record(question.run if asks_of_run else {}, ("context.run",))
    request: JsonObject = {
        "principal": {"type": "Tenant::User", "id": question.principal.id},
        "action": {"type": "Action", "id": question.action.effect.value},
        "resource": {"type": "Operation", "id": question.action.name},
        "context": {
            # Where a derived member may or may not be there, nothing of them all is certain.
            "args": unknown("args") if mapper.is_unsure else args,
            "labels": unknown("labels") if _is_open_whole(question) else _labels(question),
            "run": unknown("run") if so_far.is_unsure else run,
            "approvals": [*sorted(question.approvals)],
        },
    }
    is_partial = mapper.is_partial or so_far.is_partial
    return Request(request, _entities(question, connector), is_partial)


def _entities(question: PolicyQuestion, connector: str | None) -> str:
    operation, connection = question.action.name, question.action.connection
    above: list[JsonObject] = [{"type": "Connector", "id": connector}] if connector else []
    return json.dumps(
        [
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
            # What is not there counts as unknown in a preview, even the action.
            *(
                {"uid": uid, "attrs": {}, "parents": []}
                for uid in ({"type": "Action", "id": question.action.effect.value}, *above)
            ),
            {"uid": {"type": "Connection", "id": connection}, "attrs": {}, "parents": above},
        ]
    )


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
