"""Policy on real values and on unknown ones: what Cedar would do wrong is done right."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar import Judgement, Policy, PolicyError, PolicyQuestion
from executor.check.cedar_values import Mapper, UnmappableError
from executor.check.unknown import Unknown

PERMIT = "permit (principal, action, resource);\n"
PAY = ActionSpec.model_validate(
    {
        "name": "pay.refund",
        "input_schema": {
            "type": "object",
            "properties": {"fee": {"type": "number"}, "n": {"type": "integer"}},
        },
        "effect": "blind",
        "sinks": {"amount": "amount", "fee": "amount", "lines/*/price": "amount"},
    }
)
READ = ActionSpec.model_validate({"name": "pay.get", "input_schema": {}, "effect": "read"})


def judge(text: str, arguments: JsonObject, *approvals: str, **more: Any) -> Judgement:
    policy = Policy.parse({"a.cedar": text} if text else {})
    principal = Principal("clerk-1", "main", frozenset({"requester"}))
    given = {"principal": principal, "action": PAY} | more
    return policy.judge(
        PolicyQuestion(arguments=arguments, approvals=frozenset(approvals), **given)
    )


def mapped(arguments: Any) -> JsonObject:
    return Mapper(PAY).record(arguments, ())


def extension(text: str) -> JsonObject:
    return {"__extn": {"fn": "decimal", "arg": text}}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": None, "b": 1}, {"b": 1}),
        ({"a": 1.0}, {"a": 1}),
        ({"a": -0.0}, {"a": 0}),
        ({"a": 0.1}, {"a": extension("0.1")}),
        ({"a": 1e-5}, {"a": "1e-05", "a_inexact": True}),
        ({"a": [1, 1, "x"]}, {"a": [1, 1, "x"], "a_count": 3}),
        ({"a": {"b": [True]}}, {"a": {"b": [True], "b_count": 1}}),
        ({"fee": 5}, {"fee": extension("5.0")}),
        ({"fee": 19.99}, {"fee": extension("19.99")}),
        ({"fee": "19.990"}, {"fee": extension("19.99")}),
        ({"fee": "much"}, {"fee": "much"}),
        ({"amount": {"amount": "12.5", "currency": "EUR"}},
         {"amount": {"minor": 1250, "currency": "EUR"}}),
        ({"amount": {"amount": "12", "currency": "JPY"}},
         {"amount": {"minor": 12, "currency": "JPY"}}),
        ({"amount": {"amount": "-1.234", "currency": "KWD"}},
         {"amount": {"minor": -1234, "currency": "KWD"}}),
        ({"amount": {"amount": "1.230000", "currency": "EUR"}},
         {"amount": {"minor": 123, "currency": "EUR"}}),
        ({"lines": [{"price": {"amount": "1", "currency": "EUR"}}]},
         {"lines": [{"price": {"minor": 100, "currency": "EUR"}}], "lines_count": 1}),
        ({"other": {"amount": "1", "currency": "EUR"}},
         {"other": {"amount": "1", "currency": "EUR"}}),
    ],
)  # fmt: skip
def test_values_are_mapped_as_policy_sees_them(value: JsonObject, shown: JsonObject) -> None:
    assert mapped(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        {"a": [None]}, {"a": 2**63}, {"a": 1e30}, {"a": {"__extn": 1}}, {"__entity": {}},
        {"a": [{"__expr": "1"}]}, {"a": [1], "a_count": 9}, {"a": 1e-7, "a_inexact": False},
        {"amount": {"amount": "0.001", "currency": "EUR"}},
        {"amount": {"amount": "1e3", "currency": "EUR"}},
        {"amount": {"amount": "9" * 30, "currency": "EUR"}},
        {"amount": {"amount": 5, "currency": "EUR"}},
    ],
)  # fmt: skip
def test_what_policy_cannot_see_exactly_denies(value: JsonObject) -> None:
    with pytest.raises(UnmappableError):
        mapped(value)

    judgement = judge(PERMIT, value)
    assert judgement.verdict == "deny"
    assert judgement.code == "policy-value-unmappable"


def test_without_any_policy_reads_are_allowed_and_nothing_writes() -> None:
    assert judge("", {}, action=READ).verdict == "allow"
    assert judge("", {}).verdict == "deny"
    assert judge("// nothing here", {}).code == "policy-denied"


def test_a_policy_that_fails_denies_whatever_the_others_say() -> None:
    broken = 'forbid (principal, action, resource) when { context.args.gone == "x" };'

    assert judge(PERMIT + broken, {}).code == "policy-error"
    assert judge(PERMIT + broken, {"gone": "y"}).verdict == "allow"
    assert judge("permit (principal, action, resource) when { context.no };", {}).verdict == "deny"


TWO_ROLES = PERMIT + "".join(
    f'@id("{role}") @approval("{role}") @quorum("{quorum}") @message("ask {role}")'
    f" forbid (principal, action, resource) when {{ context.args.n > {least} }}"
    f' unless {{ context.approvals.contains("{role}") }};\n'
    for role, quorum, least in (("manager", 2, 10), ("auditor", 1, 100))
)


def test_a_forbid_waits_for_the_approval_that_lifts_it() -> None:
    waits = judge(TWO_ROLES, {"n": 50})

    assert judge(TWO_ROLES, {"n": 5}).verdict == "allow"
    assert (waits.verdict, waits.role, waits.quorum) == ("approval", "manager", 2)
    assert waits.messages == ("ask manager",)
    assert judge(TWO_ROLES, {"n": 50}, "manager").verdict == "allow"
    assert judge(TWO_ROLES, {"n": 50}, "auditor").role == "manager"


def test_two_roles_are_asked_one_after_the_other() -> None:
    assert judge(TWO_ROLES, {"n": 500}).role == "auditor"
    assert judge(TWO_ROLES, {"n": 500}, "auditor").role == "manager"
    assert judge(TWO_ROLES, {"n": 500}, "auditor", "manager").verdict == "allow"


def test_an_approval_lifts_no_other_forbid() -> None:
    hard = TWO_ROLES + "forbid (principal, action, resource) when { context.args.n > 40 };"

    assert judge(hard, {"n": 50}).verdict == "deny"
    assert judge(hard, {"n": 50}, "manager").verdict == "deny"


def test_an_approval_that_would_change_nothing_is_not_asked_for() -> None:
    text = PERMIT + '@approval("manager") forbid (principal, action, resource);'

    assert judge(text, {}).verdict == "deny"


def test_labels_are_seen_by_place_and_by_argument() -> None:
    text = (
        PERMIT
        + 'forbid (principal, action, resource) unless { context.labels["a/b"] == "request"'
        + ' && context.labels.a == "untrusted" && context.labels.c == "trusted" };'
    )
    labels = {
        "a/b": Label(Integrity.REQUEST),
        "a/x": Label(Integrity.UNTRUSTED),
        "c": Label(Integrity.TRUSTED),
    }

    assert judge(text, {"a": {"b": 1, "x": 2}, "c": 3}, labels=labels).verdict == "allow"
    whole = {"": Label(Integrity.UNTRUSTED)}
    text = PERMIT + 'forbid (principal, action, resource) when { context.labels.a == "untrusted" };'
    assert judge(text, {"a": 1}, labels=whole).verdict == "deny"
    assert judge(text, Unknown(None), labels=whole).verdict == "unknown"


def test_a_text_that_is_no_policy_is_named() -> None:
    with pytest.raises(PolicyError, match=r"a\.cedar"):
        Policy.parse({"a.cedar": "permit all"})
    with pytest.raises(PolicyError, match="@quorum"):
        Policy.parse(
            {"a.cedar": '@approval("x") @quorum("0") forbid (principal, action, resource);'}
        )


def test_the_version_is_that_of_all_that_a_judgement_depends_on() -> None:
    texts = {"a.cedar": PERMIT}
    others = (
        Policy.parse({"a.cedar": PERMIT + "// more"}),
        Policy.parse(texts, "observe"),
        Policy.parse(texts, connectors={"shop": "openapi"}),
        Policy.parse(texts, connectors={"shop": "native"}),
    )

    assert Policy.parse(texts).version == Policy.parse(texts).version
    assert len({each.version for each in (Policy.parse(texts), *others)}) == 1 + len(others)


CONDITIONS = (
    "context.args.n > 3", "context.args has n", 'context.args.t == "x"', "context.args has t",
    "context.args.l.contains(1)", "context.args.l_count > 1", "context.args has l",
    "context.args.amount.minor > 500", 'context.args.amount.currency == "EUR"',
    "context.run.writes > 0", "context.args.gone == 1", "context.args has gone",
    'context.approvals.contains("boss")', 'context.labels.t == "model"', "context.args.o.p == 1",
    "context.args has o && context.args.o has p", "context.args.l_each.p.contains(1)",
    "context.args.o_keys.contains(\"p\")", "context.args has o_keys",
    'context.read has "pay.get"', 'context.read has "pay.other"',
    'context.read has "pay.get" && context.read["pay.get"].s == "x"',
    'context.stale has "pay.get" && context.stale["pay.get"].o_keys.contains("p")',
    'context.read["pay.get"].lines_each.p.contains(1)', 'context.read["pay.get"].lines_count > 1',
    'context.read has "pay.get" && context.read["pay.get"].o_keys.contains("p")',
)  # fmt: skip
VALUES: dict[str, tuple[Any, ...]] = {
    "n": (1, 5),
    "t": ("x", "y"),
    "l": ([1], [2, 3], []),
    "amount": ({"amount": "1.00", "currency": "EUR"}, {"amount": "9", "currency": "USD"}),
    "o": ({"p": 1}, {"q": 2}),
}
ANSWERS: tuple[Any, ...] = (
    {"s": "x", "lines": [{"p": 1}], "o": {"p": 1}}, {"s": "y", "lines": [], "o": {}},
    {"lines": [{"q": 2}, {"p": 2}]}, {},
)  # fmt: skip


def _partly(read: JsonObject) -> list[JsonObject]:
    """The same with its answers not known: whole, or member by member."""
    whole: JsonObject = {name: Unknown(frozenset({"object"})) for name in read}
    inside: JsonObject = {
        name: {member: Unknown(None) for member in answer}
        for name, answer in read.items()
        if isinstance(answer, dict)
    }
    return [read, whole, inside]


KINDS = {"n": "integer", "t": "string", "l": "array", "amount": "object", "o": "object"}


@given(st.integers(0, 2**48).map(random.Random))
def test_a_preview_is_never_surer_than_the_real_values(rng: random.Random) -> None:
    """Whatever a preview is certain of, the decision on real values says too."""
    text = PERMIT if rng.random() < 0.8 else ""
    for number in range(rng.randint(1, 3)):
        effect = rng.choice(["permit", "forbid", "forbid"])
        asks = effect == "forbid" and rng.random() < 0.5
        role = '@approval("boss") ' if asks else ""
        when = " && ".join(rng.sample(CONDITIONS, rng.randint(1, 2)))
        lifted = ' unless { context.approvals.contains("boss") }' if role else ""
        text += f'@id("p{number}") {role}{effect} (principal, action, resource)'
        text += f" when {{ {when} }}{lifted};\n"
    real = {name: rng.choice(found) for name, found in VALUES.items() if rng.random() < 0.8}
    labels = {"t": Label(rng.choice(list(Integrity)))}
    known: JsonObject = dict(real)
    for name in real:
        if rng.random() < 0.5:
            known[name] = Unknown(rng.choice([None, frozenset({KINDS[name]})]))
        elif name == "amount" and rng.random() < 0.5:
            known[name] = {**real[name], "amount": Unknown(frozenset({"string"}))}
    whole = Unknown(None) if rng.random() < 0.1 else known
    read = {"pay.get": rng.choice(ANSWERS)} if rng.random() < 0.8 else {}
    seen = rng.choice([Unknown(frozenset({"object"})), *_partly(read)])
    old = {"pay.get": rng.choice(ANSWERS)} if rng.random() < 0.2 else {}
    older = rng.choice([Unknown(frozenset({"object"})), *_partly(old)])
    preview = judge(text, whole, labels=labels, run=Unknown(None), read=seen, stale=older)
    for writes in (0, 1):
        decision = judge(text, real, labels=labels, run={"writes": writes}, read=read, stale=old)
        if decision.verdict == "approval":
            assert preview.verdict in ("approval", "unknown"), (text, known, real)
        elif decision.code == "policy-error":
            assert preview.verdict in ("deny", "unknown", "approval"), (text, known, real)
        elif preview.verdict in ("allow", "deny"):
            assert decision.verdict == preview.verdict, (text, known, real)
