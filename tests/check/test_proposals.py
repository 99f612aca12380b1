"""What one yes would cover: a band for each value, as narrow as the plan is known beforehand."""

from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.envelope import Envelope
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT = {"type": "string"}
MONEY = {
    "type": "object",
    "properties": {"amount": TEXT, "currency": TEXT},
    "required": ["amount", "currency"],
}
PROPERTIES = {
    "to": TEXT, "sum": MONEY, "note": TEXT, "kind": {"enum": ["a", "b"]},
    "who": {"enum": ["ann", "bob"]}, "more": {"type": "object"}, "list": {"type": "array"},
}  # fmt: skip
READ = {
    "type": "object",
    "properties": PROPERTIES | {"names": {"type": "array", "items": TEXT}},
    "required": ["names", *PROPERTIES],
}
PAY: dict[str, Any] = {
    "name": "bank.pay", "effect": "keyed", "egress": False, "irreversible": False,
    "idempotency": {"in": "header", "name": "key", "window_s": 60}, "approval": "boss",
    "input_schema": {"type": "object", "properties": PROPERTIES},
    "sinks": {"to": "recipient", "who": "recipient", "sum": "amount", "note": "content",
              "more/to": "recipient"},
}  # fmt: skip
TELL = PAY | {"name": "bank.tell", "sinks": {"to": "recipient"}}
LOOK = {"name": "bank.look", "effect": "read", "reads_as": "trusted", "output_schema": READ}
ALL = "permit (principal, action, resource);"
SHOWN = Options(envelope=True)


def envelopes(
    *steps: dict[str, Any], policy: str | None = ALL, options: Options = SHOWN, values: Any = None,
    labels: Any = None, pay: Any = None, budgets: Budgets | None = None,
) -> tuple[Envelope, ...]:  # fmt: skip
    """What is proposed of a plan of a look and these steps."""
    plan = plan_of({"steps": [{"id": "look", "action": "bank.look"}, *steps]})
    assert isinstance(plan, Plan), plan
    actions = [
        ActionSpec.model_validate({"input_schema": {"type": "object"}} | each)
        for each in (LOOK, PAY | (pay or {}), TELL)
    ]
    schema: Any = {"type": "object", "properties": {name: {} for name in values or {}}}
    found = admit(
        plan,
        AdmissionContext(
            request="12.50 EUR", inputs=Inputs(schema, values or {}, labels or {}),
            catalog=Catalog(actions),
            policy=None if policy is None else Policy.parse({"a.cedar": policy}),
            principal=Principal("me", "main"), today="2026-03-02", seal_key=b"k", options=options,
            lift_role="boss", budgets=budgets or Budgets(),
        ),
    )  # fmt: skip
    assert isinstance(found, Accepted), found
    return found.certificate.envelopes


def pay(*args: Any, name: str = "pay", **more: Any) -> dict[str, Any]:
    return {"id": name, "action": "bank.pay", "args": [*args]} | more


def bands(*args: Any, **more: Any) -> dict[str, tuple[str, list[Any]]]:
    """Of one step: each place with the kind of its band and the values that lie in it."""
    (one,) = envelopes(pay(*args), **more)
    return {each.at: (each.kind, list(each.values)) for each in one.steps[0].bands}


def test_nothing_is_proposed_unless_it_is_wanted_policy_is_there_and_somebody_is_asked() -> None:
    assert len(envelopes(pay())) == 1
    assert envelopes(pay(), options=Options()) == ()
    assert envelopes(pay(), policy=None) == ()
    assert envelopes(pay(), pay={"approval": None}) == ()


EUROS = {"amount": "12.50", "currency": "EUR"}
TWELVE = {"json": '{"amount": "12.50", "currency": "EUR"}', "to": "sum"}


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ([{"value": "ann", "to": "to"}], {"to": ("values", ["ann"])}),
        ([{"ref": "input/to", "to": "to"}], {"to": ("values", ["bob"])}),
        ([{"ref": "look/to", "to": "to"}], {"to": ("open", [])}),
        ([{"ref": "input/today", "to": "note"}], {"note": ("values", ["2026-03-02"])}),
        ([{"ref": "look/kind", "to": "kind"}], {"kind": ("values", ["a", "b"])}),
        ([{"ref": "look/who", "to": "who"}], {"who": ("open", [])}),  # listed, but a target
        ([TWELVE], {"sum": ("values", [EUROS])}),
        ([{"value": "1", "to": "sum/amount"}, {"ref": "look/to", "to": "sum/currency"}],
         {"sum": ("open", [])}),  # an amount is one value
        ([{"value": "x", "to": "more/a"}, {"ref": "look/to", "to": "more/b"}],
         {"more/a": ("values", ["x"]), "more/b": ("open", [])}),
        ([{"value": "x", "to": "more/in/a"}, {"ref": "look/to", "to": "more/in/b"}],
         {"more/in/a": ("values", ["x"]), "more/in/b": ("open", [])}),
        ([{"json": "[1, 2]", "to": "list"}], {"list": ("values", [[1, 2]])}),
        ([{"value": 1, "to": "list/0"}, {"ref": "look/to", "to": "list/1"}],
         {"list": ("open", [])}),
        ([], {}),
    ],
)  # fmt: skip
def test_what_is_known_is_a_band_of_its_value_and_the_rest_is_open(args: Any, found: Any) -> None:
    assert bands(*args, values={"to": "bob"}) == found


def test_what_is_listed_stands_where_it_is_no_target() -> None:
    seen = {"sinks": {"kind": "content", "who": "recipient"}}
    args = [{"ref": "look/kind", "to": "kind"}, {"ref": "look/who", "to": "who"}]

    assert bands(*args, pay=seen) == {"kind": ("values", ["a", "b"]), "who": ("open", [])}


def test_arguments_that_come_as_one_are_open_as_one() -> None:
    assert bands({"ref": "look", "to": ""}) == {"": ("open", [])}


def test_a_band_has_its_sinks_and_the_lowest_label_of_what_is_bound_above_or_below() -> None:
    labels = {"low": Label(Integrity.UNTRUSTED), "high": Label(Integrity.TRUSTED)}
    args = [
        {"ref": "input/low", "to": "more/in"}, {"ref": "input/high", "to": "more/to"},
        {"value": "a", "to": "kind"}, TWELVE,
    ]  # fmt: skip
    (one,) = envelopes(pay(*args), values={"low": "x", "high": "y"}, labels=labels)
    found = {each.at: (each.sinks, each.integrity) for each in one.steps[0].bands}

    assert found == {
        "more": (("recipient",), Integrity.UNTRUSTED),
        "kind": ((), Integrity.REQUEST),
        "sum": (("amount",), Integrity.REQUEST),
    }
    mixed = [{"ref": "input/low", "to": "more/a"}, {"ref": "look/to", "to": "more/b"}]
    (one,) = envelopes(pay(*mixed), values={"low": "x"}, labels=labels)
    assert [(each.at, each.integrity) for each in one.steps[0].bands] == [
        ("more/a", Integrity.UNTRUSTED), ("more/b", Integrity.TRUSTED),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "calls", "to", "sums"),
    [
        (["ann", "bob", "ann"], 3, ("values", ("ann", "bob")), {"EUR": "37.50"}),
        (["ann"], 1, ("values", ("ann",)), {"EUR": "12.50"}),
        ([], 0, None, {}),
        (None, 7, ("open", ()), {}),
    ],
)
def test_of_a_list_that_is_known_each_item_is_a_call(
    listed: Any, calls: int, to: Any, sums: Any
) -> None:
    args = [{"ref": "each", "to": "to"}, TWELVE]
    source = "look/names" if listed is None else "input/list"
    values = {} if listed is None else {"list": listed}
    (one,) = envelopes(pay(*args, each=source), values=values, budgets=Budgets(items=7))
    found = {each.at: (each.kind, each.values) for each in one.steps[0].bands}

    assert (one.steps[0].calls, found.get("to"), one.sums) == (calls, to, sums)


@pytest.mark.parametrize(
    ("sums", "found"),
    [
        (["12.50 EUR", "12.50 EUR", "0.50 USD"], {"EUR": "25.00", "USD": "0.50"}),
        (["12.50 EUR", "1234567890123456.00 USD"], {"EUR": "12.50"}),  # too long to be shown
        (["12.50 EUR", None], {}),
        ([None], {}),
        (["999999999999999 EUR"], {"EUR": "999999999999999"}),
    ],
)
def test_sums_are_of_all_calls_or_not_said_at_all(sums: Any, found: Any) -> None:
    args: list[Any] = [{"ref": "look/sum", "to": "sum"}] * len(sums)
    for at, each in enumerate(sums):
        if each:
            amount, currency = each.split()
            args[at] = {"json": f'{{"amount": "{amount}", "currency": "{currency}"}}', "to": "sum"}
    (one,) = envelopes(*(pay(each, name=f"p{at}") for at, each in enumerate(args)))

    assert one.sums == found


def test_a_currency_that_is_open_leaves_the_sums_open_and_who_pays_nothing_does_not() -> None:
    open_one = [{"value": "1", "to": "sum/amount"}, {"ref": "look/to", "to": "sum/currency"}]
    tell = {"id": "tell", "action": "bank.tell", "each": "look/names",
            "args": [{"ref": "each", "to": "to"}]}  # fmt: skip
    (one,) = envelopes(pay(TWELVE, name="a"), pay(*open_one, name="b"))
    (other,) = envelopes(pay(TWELVE, name="a"), tell)

    many = pay(TWELVE, name="many", each="look/names")
    assert one.sums == envelopes(pay(TWELVE, name="a"), many)[0].sums == {}
    assert other.sums == {"EUR": "12.50"}
    assert [each.calls for each in other.steps] == [1, 1_000]


def test_a_step_without_an_amount_adds_nothing() -> None:
    (one,) = envelopes(pay(TWELVE, name="a"), pay(name="b"))

    assert one.sums == {"EUR": "12.50"}


def test_each_role_that_is_asked_has_an_envelope_with_what_it_may_be_asked_for() -> None:
    asks = (
        '@id("a") @approval("chief") @quorum("2") @expires("60") @message("more than ten")'
        ' forbid (principal, action == Action::"keyed", resource)'
        ' when { context.args has sum && context.args.sum.minor > 1000 }'
        ' unless { context.approvals.contains("chief") };'
    )  # fmt: skip
    sure, maybe = pay(TWELVE, name="sure"), pay({"ref": "look/sum", "to": "sum"}, name="maybe")
    other = pay({"value": "zed", "to": "to"}, name="other")
    found = envelopes(sure, maybe, other, policy=ALL + asks, pay={"approval": None})
    alone = envelopes(maybe, policy=ALL + asks, pay={"approval": None})
    by_call = asks.replace("@id", "@each_call @id")

    assert [each.role for each in found] == ["boss", "chief"]
    boss, chief = found
    assert [each.step for each in boss.steps] == ["other"]
    assert [(each.step, each.is_sure) for each in chief.steps] == [("sure", True), ("maybe", False)]
    assert (chief.quorum, chief.expires_s, chief.policies) == (2, 60.0, ("a",))
    assert chief.reasons == ("more than ten",)
    assert alone == ()
    assert envelopes(sure, policy=ALL + by_call, pay={"approval": None}) == ()


def test_a_covered_step_says_what_it_would_call() -> None:
    (one,) = envelopes(pay({"value": "ann", "to": "to"}), pay={"irreversible": True})
    step = one.steps[0]

    assert (step.step, step.action, step.effect, step.irreversible) == (
        "pay", "bank.pay", "keyed", True,
    )  # fmt: skip
    assert step.action_digest.startswith("sha256:")
    assert "bank.pay" in step.call
