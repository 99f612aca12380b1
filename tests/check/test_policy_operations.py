"""Operations as policy sees them: as they are defined now, in their groups, with what is asked."""

from typing import Any

import pytest

from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.cedar import Policy, PolicyQuestion
from executor.check.cedar_paths import looked_at
from executor.check.cedar_request import operation_entities, principal_entity

ALL = "permit (principal, action, resource);\n"
WHO = Principal("me", "main", frozenset({"b", "a"}))


def action(**more: Any) -> ActionSpec:
    content = {"name": "pay.refund", "effect": "blind", "input_schema": {}}
    return ActionSpec.model_validate(content | more)


def verdicts(text: str, *actions: ActionSpec, **connectors: str) -> list[str]:
    """What one policy says of each, in turn."""
    policy = Policy.parse({"a.cedar": text}, connectors=connectors)
    return [policy.judge(PolicyQuestion(WHO, each, {})).verdict for each in actions]


@pytest.mark.parametrize(
    ("condition", "one", "other"),
    [
        ("resource.egress", {"egress": False}, {"egress": True}),
        ("resource.irreversible",
         {"effect": "idempotent", "irreversible": False}, {"effect": "idempotent",
                                                           "irreversible": True}),
        ('action == Action::"blind"', {"effect": "idempotent"}, {"effect": "blind"}),
        ('resource == Operation::"pay.refund"', {"name": "pay.charge"}, {}),
        ('resource in Connection::"pay"', {"name": "mail.send"}, {}),
    ],
)  # fmt: skip
def test_an_operation_is_judged_as_it_is_defined_now(condition: str, one: Any, other: Any) -> None:
    text = f"{ALL} forbid (principal, action, resource) when {{ {condition} }};"
    first, second = action(**one), action(**other)

    assert verdicts(text, first, second, first) == ["allow", "deny", "allow"]
    assert verdicts(text, second, first, second) == ["deny", "allow", "deny"]


def test_a_connection_is_in_the_group_of_its_connector() -> None:
    text = f'{ALL} forbid (principal, action, resource in Connector::"stripe");'

    assert verdicts(text, action(), pay="stripe") == ["deny"]
    assert verdicts(text, action(), pay="other") == ["allow"]
    assert verdicts(text, action()) == ["allow"]


def test_who_asks_and_what_is_called_are_described_once() -> None:
    described: Any = operation_entities(action(egress=False), "stripe")
    alone: Any = operation_entities(action(), None)

    assert [each["uid"]["type"] for each in described] == [
        "Operation", "Connection", "Action", "Connector",
    ]  # fmt: skip
    assert described[0]["attrs"] == {"irreversible": True, "egress": False}
    assert described[0]["parents"] == [{"type": "Connection", "id": "pay"}]
    assert described[1]["parents"] == [{"type": "Connector", "id": "stripe"}]
    assert (alone[1]["parents"], len(alone)) == ([], 3)
    assert principal_entity(WHO)["attrs"] == {"tenant": "main", "roles": ["a", "b"]}


@pytest.mark.parametrize(
    ("conditions", "members"),
    [
        (["context.args.x == 1"], set()),
        (["context.run.writes > 1"], {"writes"}),
        (["context.run.writes > 1", 'context.run.calls has "a.b"'], {"writes", "calls"}),
        (["context.run has writes"], {"writes"}),
        (["context.run == context.run"], {""}),
        (["context.run.writes > 1", "context == context"], {""}),
        (["context has run"], {""}),
    ],
)
def test_what_policies_look_at_of_the_run_is_known(
    conditions: list[str], members: set[str]
) -> None:
    text = "".join(
        f"permit (principal, action, resource) when {{ {each} }};\n" for each in conditions
    )
    found = Policy.parse({"a.cedar": text}).slice_of(action())

    assert found.run_members == members


def test_what_policies_look_at_of_what_was_read_is_known_by_operation() -> None:
    text = (
        'permit (principal, action, resource) when { context.read has "a.b" };'
        'forbid (principal, action, resource) when { context.stale has "c.d" };'
    )
    found = Policy.parse({"a.cedar": text}).slice_of(action())
    whole = Policy.parse({"a.cedar": text + f"{ALL[:-2]} when {{ context == context }};"})

    assert (found.reads, found.stale_reads) == ({"a.b", "c.d"}, {"c.d"})
    assert whole.slice_of(action()).reads == {""}


def test_what_is_looked_at_elsewhere_is_not_looked_at_here() -> None:
    paths = frozenset({("args", "x"), ("read", "y", "z"), ("read", "w_count")})
    read: JsonObject = {"x": 1, "y": {"z": 1, "x": 2}, "w": [1], "v": 1}

    assert looked_at(read, "read", paths) == {"y": {"z": 1}, "w": [1]}
    assert looked_at(read, "read", paths | {("read",)}) == read
    assert looked_at(read, "read", paths | {()}) == read
    assert looked_at(read, "stale", paths) == {}
