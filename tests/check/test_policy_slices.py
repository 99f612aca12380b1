"""Slices: a call is judged by few policies, and never otherwise than by all of them."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar import Policy, PolicyQuestion, Slice
from executor.check.cedar_paths import entities, uses
from executor.check.unknown import Unknown

PERMIT = "permit (principal, action, resource);\n"
CONNECTORS = {"pay": "stripe", "bill": "stripe", "mail": "smtp"}


def action(name: str, effect: str, **more: Any) -> ActionSpec:
    content = {"name": name, "effect": effect, "input_schema": {}, "sinks": {"amount": "amount"}}
    return ActionSpec.model_validate(content | more)


ACTIONS = [
    *(action(name, "blind") for name in ("pay.refund", "pay.charge", "bill.pay", "mail.send")),
    *(action(name, "read") for name in ("pay.get", "mail.find", "other.get")),
    action("pay.set", "idempotent", irreversible=False),
]
HEADS = (
    "resource", 'resource == Operation::"pay.refund"', 'resource in Connection::"pay"',
    'resource in Connector::"stripe"', "resource is Operation",
    'resource is Operation in Connection::"mail"', 'resource in Operation::"mail.send"',
    'resource == Operation::"none.none"', 'resource in Tenant::User::"clerk-1"',
)  # fmt: skip
EFFECTS = (
    "action", 'action == Action::"blind"', 'action in [Action::"read", Action::"idempotent"]',
    'action in Action::"read"', 'action == Action::"none"', "action in []",
)  # fmt: skip
CONDITIONS = (
    'principal.roles.contains("guest")', "context.args.n > 3", "context.args has n",
    'context.args.t == "x"', "context.args.gone == 1",
    "context.run.writes > 0", 'context.approvals.contains("boss")', "resource.egress",
    'context.approvals.contains("chief")', "context.args.amount.minor > 500",
    'context.labels.t == "model"', 'resource in Connection::"pay"',
)  # fmt: skip


def policies(rng: random.Random) -> str:
    text = PERMIT if rng.random() < 0.6 else ""
    for number in range(rng.randint(1, 8)):
        effect = rng.choice(["permit", "forbid"])
        role = rng.choice(["boss", "chief"]) if effect == "forbid" and rng.random() < 0.5 else ""
        notes = f'@approval("{role}") @quorum("{rng.randint(1, 3)}") ' if role else ""
        when = " && ".join(rng.sample(CONDITIONS, rng.randint(0, 2))) or "true"
        lifted = f' unless {{ context.approvals.contains("{role}") }}' if role else ""
        text += f'@id("p{number}") {notes}{effect} (principal, {rng.choice(EFFECTS)},'
        text += f" {rng.choice(HEADS)}) when {{ {when} }}{lifted};\n"
    return text


def question(rng: random.Random, called: ActionSpec) -> PolicyQuestion:
    given: JsonObject = {
        "n": rng.choice([1, 5]),
        "t": rng.choice(["x", "y"]),
        "amount": {"amount": rng.choice(["1.00", "9"]), "currency": "EUR"},
    }
    for name in [*given]:
        if rng.random() < 0.3:
            del given[name]
        elif rng.random() < 0.3:
            given[name] = Unknown(rng.choice([None, frozenset({"integer"})]))
    run: JsonObject = Unknown(None) if rng.random() < 0.4 else {"writes": rng.randint(0, 1)}
    return PolicyQuestion(
        Principal("clerk-1", "main", frozenset({"clerk"})),
        called,
        given if rng.random() < 0.95 else Unknown(None),
        {"t": Label(rng.choice([*Integrity]))},
        run,
        frozenset(rng.sample(["boss", "chief"], rng.randint(0, 2))),
    )


@given(st.integers(0, 2**48).map(random.Random))
def test_a_slice_decides_as_all_policies_do(rng: random.Random) -> None:
    policy = Policy.parse({"a.cedar": policies(rng)}, connectors=CONNECTORS)
    for called in rng.sample(ACTIONS, 3):
        asked = question(rng, called)
        whole = policy.whole.judge(asked, CONNECTORS.get(called.connection))
        sliced = policy.judge(asked)
        if sliced != whole:
            # A slice whose policies do not ask of the run knows more than all of them do.
            assert whole.verdict == "unknown", (whole, sliced)
            assert isinstance(asked.run, Unknown)


@given(st.integers(0, 2**48).map(random.Random))
def test_what_was_asked_before_changes_no_answer(rng: random.Random) -> None:
    policy = Policy.parse({"a.cedar": policies(rng)}, connectors=CONNECTORS)
    for _ in range(8):
        called = rng.choice(ACTIONS[:3])
        who = Principal("clerk-1", "main", frozenset(rng.sample(["clerk", "guest"], 1)))
        asked = replace(question(rng, called), principal=who)
        anew = Slice(policy.slice_of(called).rules.values())
        found, fresh = policy.judge(asked), anew.judge(asked, CONNECTORS.get(called.connection))

        assert (found, found.texts) == (fresh, fresh.texts)


def test_a_call_is_judged_by_the_policies_whose_heads_cover_it() -> None:
    text = "".join(
        f'@id("{name}") permit (principal, {effect}, {head});'
        for name, effect, head in (
            ("all", EFFECTS[0], HEADS[0]), ("refund", EFFECTS[0], HEADS[1]),
            ("pay", EFFECTS[0], HEADS[2]), ("stripe", EFFECTS[0], HEADS[3]),
            ("mail", EFFECTS[0], HEADS[5]), ("blind", EFFECTS[1], HEADS[0]),
            ("reads", EFFECTS[2], HEADS[0]), ("none", EFFECTS[0], HEADS[7]),
        )
    )  # fmt: skip
    policy = Policy.parse({"a.cedar": text}, connectors=CONNECTORS)
    found = {
        each.name: {rule.name for rule in policy.slice_of(each).rules.values()} for each in ACTIONS
    }

    assert found["pay.refund"] == {"all", "refund", "pay", "stripe", "blind"}
    assert found["bill.pay"] == {"all", "stripe", "blind"}
    assert found["mail.find"] == {"all", "mail", "reads"}
    assert found["pay.set"] == {"all", "pay", "stripe", "reads"}
    assert found["other.get"] == {"all", "reads"}


def test_operations_under_the_same_policies_share_one_slice() -> None:
    policy = Policy.parse({"a.cedar": PERMIT})

    assert policy.slice_of(ACTIONS[0]) is policy.slice_of(ACTIONS[3])


def test_a_call_that_no_policy_covers_is_denied() -> None:
    policy = Policy.parse({"a.cedar": f"permit (principal, action, {HEADS[1]});"})
    asked = question(random.Random(1), action("other.put", "blind"))

    assert policy.judge(asked).messages == ("no policy permits it",)


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ("context.args.a.b == context.run.writes", {"args/a/b", "run/writes"}),
        ('context.args has a && context.labels["x/y"] == "q"', {"args/a", "labels/x/y"}),
        ("context has args", {"args"}),
        ("context == context", {""}),
        ("(if true then context.args else context.args).x == 1", {"args"}),
        ('["context.args.no"].contains("context")', set[str]()),
    ],
)
def test_what_a_policy_looks_at_is_read_from_its_text(condition: str, paths: set[str]) -> None:
    rule = Policy.parse({"a": f"permit (principal, action, resource) when {{ {condition} }};"})

    assert {"/".join(each) for each in uses(rule.rules[0].body)} == paths


def test_every_entity_that_a_policy_names_is_found() -> None:
    text = (
        'permit (principal == Tenant::User::"u", action in [Action::"read"], resource in'
        ' Connection::"c") when { resource in [Operation::"c.o", Connector::"k"] };'
    )

    assert entities(Policy.parse({"a": text}).rules[0].body) == {
        ("Tenant::User", "u"), ("Action", "read"), ("Connection", "c"), ("Operation", "c.o"),
        ("Connector", "k"),
    }  # fmt: skip


def test_an_operation_that_does_something_else_now_has_another_slice() -> None:
    text = f'{PERMIT} forbid (principal, action == Action::"blind", resource);'
    policy = Policy.parse({"a.cedar": text})
    as_read, as_write = action("pay.get", "read"), action("pay.get", "blind")
    verdicts = [
        policy.judge(PolicyQuestion(Principal("me", "main"), each, {}, {})).verdict
        for each in (as_read, as_write, as_read)
    ]

    assert verdicts == ["allow", "deny", "allow"]
