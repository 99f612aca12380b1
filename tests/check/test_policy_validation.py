"""Policies against a catalogue: every typo is found, and nothing that works is complained of."""

from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.cedar import Policy, PolicyError
from executor.check.cedar_validation import require_valid, validate

MONEY = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
}
LINE = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "price": MONEY},
    "required": ["sku"],
}


def action(name: str, properties: Any, *required: str, **more: Any) -> ActionSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    content = {"name": name, "effect": "blind", "input_schema": schema} | more
    return ActionSpec.model_validate(content)


CATALOG = Catalog(
    (
        action(
            "pay.refund",
            {
                "payment": {"type": "string"},
                "amount": MONEY,
                "fee": {"type": "number"},
                "note": {"type": "string"},
                "lines": {"type": "array", "items": LINE},
                "state": {"type": ["string", "null"]},
                "either": {"type": ["string", "integer"]},
                "any": {},
                "open": {"type": "object"},
                "share": {"type": "number"},
                "hours": {"type": "integer"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "payment",
            "amount",
            "lines",
            "state",
            "any",
            "open",
            "either",
            "share",
            "fee",
            sinks={"amount": "amount", "fee": "amount", "lines/*/price": "amount"},
        ),
        action("pay.charge", {"amount": {"type": "number"}}, sinks={"amount": "amount"}),
        action("mail.send", {"to": {"type": "string"}}, "to"),
        ActionSpec.model_validate(
            {"name": "web.find", "effect": "read", "input_schema": {}, "egress": True}
        ),
    )
)
REFUND = 'forbid (principal, action, resource == Operation::"pay.refund")'
ALL = "forbid (principal, action, resource)"


def flaws(text: str, **connectors: str) -> list[str]:
    policy = Policy.parse({"a.cedar": text}, connectors=connectors)
    return [str(each) for each in validate(policy, CATALOG).flaws]


def hints(text: str, **connectors: str) -> list[str]:
    policy = Policy.parse({"a.cedar": text}, connectors=connectors)
    assert validate(policy, CATALOG).flaws == ()
    return [str(each) for each in validate(policy, CATALOG).hints]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("context.args.amont.minor > 1", "there is no context.args.amont; did you mean amount?"),
        ("context.args.amount.minr > 1", "no context.args.amount.minr; did you mean minor?"),
        ("context.args.amount.amount > 1", "there is no context.args.amount.amount"),
        ("context.arg.payment == \"p\"", "there is no context.arg; did you mean args?"),
        ("context.run.writs > 1", "there is no context.run.writs; did you mean writes?"),
        ("context.args.lines_cout > 1", "did you mean lines_count?"),
        ("context.args.payment_coun > 1", "did you mean payment?"),
        ("context.args.amount.curency == \"EUR\"", "did you mean currency?"),
        ("context.rnu.writes > 1", "did you mean run?"),
        ("context.raed.x > 1", "did you mean read?"),
        ("context.stal.x > 1", "did you mean stale?"),
        ("context.aprovals.contains(\"x\")", "did you mean approvals?"),
        ("context.lables.payment == \"model\"", "did you mean labels?"),
        ("context.args.hours > 1", "context.args.hours may be left out: ask `context.args has"),
        ("context.args.state == \"x\"", "context.args.state may be left out"),
        ("context.labels.note == \"model\"", "context.labels.note may be left out"),
        ("context.labels[\"amount/amount\"] == \"model\"", 'ask `context.labels has "amount/am'),
        ("context.labels.paymnt == \"model\"", "there is no context.labels.paymnt"),
        ("context.labels.payment == \"untrustd\"", 'no label is "untrustd"; there are config,'),
        ("context.args.amount.minor > \"1\"", "expected Long but saw String"),
        ("context.args.amount.minor == \"1\"", "the types Long and String are not compatible"),
        ("context.args.payment > 1", "expected Long but saw String"),
        ("context.args.fee > 1", "expected Long but saw decimal"),
        ("context.args.payment.contains(\"x\")", "expected a set but saw String"),
        ("context.args.lines.contains(\"x\")", "are not compatible"),
        ("context.approvals.contains(1)", "are not compatible"),
        ("context.run.writes", "expected Bool but saw Long"),
        ("principal.rols.contains(\"x\")", "`rols` on entity type `Tenant::User` not found"),
        ("resource.egres", "`egres` on entity type `Operation` not found"),
        ("principal in Group::\"x\"", "unrecognized entity type `Group`"),
        ("context.args.any == 1 && principal.rols == 1", "`rols` on entity type"),
    ],
)  # fmt: skip
def test_what_would_fail_on_every_call_is_a_flaw(condition: str, told: str) -> None:
    found = flaws(f'@id("p") {REFUND} when {{ {condition} }};')

    assert len(found) == 1, found
    assert found[0].startswith("a.cedar: p: ")
    assert told in found[0]


@pytest.mark.parametrize(
    "condition",
    [
        "context.args.amount.minor > 1000 && context.args.amount.currency == \"EUR\"",
        "context.args has hours && context.args.hours > 1",
        "context.args has note && context.args.note like \"*x*\"",
        "context.args has gone && context.args.gone.at.all > 1",
        "context.args.fee.greaterThan(decimal(\"1.5\"))",
        "context.args.share > 1",
        "context.args.share.lessThan(decimal(\"0.5\"))",
        "context.args has share_inexact && context.args.share_inexact",
        "context.args.lines_count > 3",
        "context.args.lines_each.price.contains({\"minor\": 500, \"currency\": \"EUR\"})",
        "context.args has tags && context.args.tags.contains(\"x\") && context.args.tags_count > 1",
        "context.args has tags && context.args.tags.containsAny([\"x\", \"y\"])",
        "context.args.either == 1",
        "context.args.either == \"x\"",
        "context.args.any == 1",
        "context.args.any.thing.at.all == \"x\"",
        "context.args.any.contains(\"x\")",
        "context.args.open.what == true",
        "context.args has state && context.args.state == \"x\"",
        "context.labels.payment == \"untrusted\"",
        "context.labels has \"lines/0/sku\" && context.labels[\"lines/0/sku\"] == \"model\"",
        "context.labels has note && context.labels.note == \"model\"",
        "context.run.writes > 2",
        "principal.roles.contains(\"x\") && principal.tenant == \"main\"",
        "principal == Tenant::User::\"x\" || resource.irreversible || !resource.egress",
        "resource == Operation::\"mail.send\" && context.args.to == \"x\"",
        "action == Action::\"read\" && context.args.q == \"x\"",
        "action in [Action::\"keyed\", Action::\"read\"] && context.args.q == \"x\"",
        "resource in Connection::\"web\" && context.args.q == \"x\"",
        "if context.args.amount.minor > 1 then true else false",
        "[\"EUR\", \"USD\"].contains(context.args.amount.currency)",
        "context.args == context.args",
        "context.args.any > 1 && context.args.any == \"x\"",
    ],
)  # fmt: skip
def test_what_can_be_right_is_no_flaw(condition: str) -> None:
    assert flaws(f"{REFUND} when {{ {condition} }};") == []


def test_a_policy_over_many_operations_is_held_against_each() -> None:
    text = f"{ALL} when {{ context.args has amount && context.args.amount.minor > 1 }};"

    assert flaws(text) == [
        "a.cedar: policy0: unexpected type: expected a record but saw decimal (pay.charge)"
    ]
    assert flaws(f'{ALL} when {{ context.args.to == "x" }};') == [
        "a.cedar: policy0: there is no context.args.to (pay.refund, pay.charge)"
    ]
    guarded = f'{ALL} when {{ resource == Operation::"mail.send" && context.args.to == "x" }};'
    assert flaws(guarded) == []
    typed = guarded.replace('"x"', "7")
    assert flaws(typed)[0].endswith("the types Long and String are not compatible (mail.send)")


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ('principal, action == Action::"raed", resource', 'unrecognized action `Action::"raed"`'),
        ('principal, action, resource in Conection::"pay"', "entity type `Conection`"),
        ("principal is User, action, resource", "unrecognized entity type `User`"),
        ('principal == User::"x", action, resource', "unrecognized entity type `User`"),
    ],
)
def test_a_head_that_names_nothing_is_a_flaw(head: str, told: str) -> None:
    found = flaws(f'@id("p") permit ({head});')

    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('permit (principal, action, resource == Operation::"pay.refnd");', "there is no operation pay.refnd; did you mean pay.refund?"),  # noqa: E501
        ('permit (principal, action, resource == Operation::"pay.refnd");', "it covers no operation of the catalogue"),  # noqa: E501
        ('permit (principal, action == Action::"read", resource in Connection::"pay");', "it covers no operation of the catalogue"),  # noqa: E501
        ('permit (principal, action, resource in Connection::"pai");', "there is no connection pai; did you mean pay?"),  # noqa: E501
        (f'{ALL} when {{ resource in Connection::"pai" }};', "there is no connection pai; did you mean pay?"),  # noqa: E501
        ('permit (principal, action, resource in Connector::"strip");', "there is no connector strip; did you mean stripe?"),  # noqa: E501
        (f"@approval(\"boss\") {REFUND};", "no approval by boss lifts it"),
        (f"{ALL}; {ALL};", "a.cedar: policy0 says the same"),
        (f'{ALL}; permit (principal, action == Action::"read", resource);', "a.cedar: policy0 forbids all of it anyway"),  # noqa: E501
        ('forbid (principal, action == Action::"blind", resource); permit (principal, action == Action::"blind", resource);', "policy0 forbids all of it anyway"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_policy_that_does_nothing_is_a_hint(text: str, told: str) -> None:
    assert any(told in each for each in hints(text, pay="stripe")), hints(text, pay="stripe")


def test_a_policy_over_no_operation_is_judged_all_the_same_and_names_none() -> None:
    for effect in ("keyed", "lookup", "idempotent", "read"):
        head = f'permit (principal, action == Action::"{effect}", resource in Connection::"none")'
        (told,) = flaws(f"{head} when {{ context.gone == 1 }};")

        assert told == "a.cedar: policy0: there is no context.gone"


@pytest.mark.parametrize(
    "label", ['context.labels.payment == "trusty"', '"trusty" != context.labels.payment']
)
def test_a_label_is_compared_with_one_that_exists(label: str) -> None:
    told = flaws(f"{ALL} when {{ context.labels has payment && {label} }};")

    assert told[0].startswith('a.cedar: policy0: no label is "trusty"; there are ')


def test_operations_that_are_alike_are_told_apart_where_a_policy_asks_which_it_is() -> None:
    alike = Catalog([action("x.a", {}), action("x.b", {})])
    text = f'{ALL} when {{ resource == Operation::"x.b" && context.args.gone == 1 }};'
    found = validate(Policy.parse({"a.cedar": text}), alike)

    assert [each.operations for each in found.flaws] == [("x.b",)]


def test_a_policy_that_is_wrong_has_no_hints_beside() -> None:
    text = f'@approval("boss") {REFUND} when {{ context.lables has payment }};'

    assert flaws(text) == [
        "a.cedar: policy0: there is no context.lables; did you mean labels? (pay.refund)"
    ]
    assert validate(Policy.parse({"a.cedar": text}), CATALOG).hints == ()


def test_forbidding_some_of_it_is_not_forbidding_all_of_it() -> None:
    text = (
        'forbid (principal, action == Action::"read", resource);'
        ' permit (principal, action == Action::"blind", resource);'
    )

    assert not any("anyway" in each for each in hints(text))


def test_policies_that_do_something_have_no_hints() -> None:
    text = (
        f'permit (principal, action, resource); @approval("boss") {REFUND}'
        ' unless { context.approvals.contains("boss") };'
        'forbid (principal, action, resource in Connector::"stripe")'
        ' when { principal.tenant == "x" };'
    )

    assert hints(text, pay="stripe") == []


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = (
        f'@id("a") {REFUND} when {{ context.args.x == 1 }}; @id("b") {ALL} when {{ resource.y }};'
    )
    policy = Policy.parse({"a.cedar": text})

    with pytest.raises(PolicyError, match=r"(?s)a\.cedar: a: .*\na\.cedar: b: "):
        require_valid(policy, CATALOG)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("permit all", r"a\.cedar: "),
        ("permit (principal == ?principal, action, resource);", "a template decides nothing"),
        (f'@id("x") {ALL}; @id("x") {ALL};', "a.cedar has a policy of this @id too"),
        (f'@aproval("x") {ALL};', "did you mean @approval"),
        ('@approval("x") permit (principal, action, resource);', "names a role, on a forbid"),
        (f'@approval("") {ALL};', "names a role"),
        (f'@approval("x") @quorum("0") {ALL};', "@quorum wants a whole number from 1"),
        (f'@approval("x") @quorum("٣") {ALL};', "@quorum wants a whole number from 1"),
        (f'@approval("x") @expires("-5") {ALL};', "@expires wants a whole number from 1"),
        (f'@approval("x") @expires("99999999") {ALL};', "@expires wants a whole number from 1"),
        (f'@quorum("2") {ALL};', "about an @approval, which is missing"),
    ],
)
def test_an_annotation_that_cannot_be_meant_is_told_when_the_text_is_read(
    text: str, told: str
) -> None:
    with pytest.raises(PolicyError, match=told):
        Policy.parse({"a.cedar": text})


def test_a_foreign_annotation_is_left_alone() -> None:
    assert Policy.parse({"a.cedar": f'@owner("ops") {ALL};'}).rules[0].name == "policy0"


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "x.a0"), (3, "x.a0, x.a1, x.a2"), (4, "x.a0, x.a1, x.a2 and 1 more"),
     (5, "x.a0, x.a1, x.a2 and 2 more")],
)  # fmt: skip
def test_of_many_operations_three_are_named_and_the_rest_are_counted(
    count: int, named: str
) -> None:
    alike = Catalog([action(f"x.a{number}", {}) for number in range(count)])
    policy = Policy.parse({"a.cedar": f"{ALL} when {{ context.gone == 1 }};"})
    (flaw,) = validate(policy, alike).flaws

    assert str(flaw) == f"a.cedar: policy0: there is no context.gone ({named})"


ORDER = ActionSpec.model_validate(
    {"name": "shop.order", "effect": "read", "reads_as": "trusted", "egress": False,
     "sinks": {"id": "resource_id"},
     "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}},
     "output_schema": {"type": "object", "required": ["status", "sum"], "properties": {
         "status": {"type": "string"},
         "sum": {"type": "object", "properties": {"currency": {}, "value": {}}}}}}
)  # fmt: skip
MAIL = ActionSpec.model_validate({"name": "shop.mail", "effect": "read", "input_schema": {}})


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ('read["shop.ordr"].status', "did you mean shop.order?"),
        ('stale["shop.ordr"].status', "did you mean shop.order?"),
        ('read["shop.mial"].status', 'there is no context.read["shop.mial"] '),
        ('read["shop.order"].staus', "did you mean status?"),
        ('stale["shop.order"].staus', "did you mean status?"),
        ('read["shop.order"].sum.vale', "did you mean value?"),
        ('read["shop.order"].sum.curency', "did you mean currency?"),
    ],
)
def test_what_was_read_has_the_members_of_its_answer(path: str, told: str) -> None:
    root, _, name = path.partition("[")
    first = f"context.{root} has {name.partition(']')[0]} && " if "order" in name else ""
    text = f'{ALL} when {{ {first}context.{path} == "x" }};'
    called = Catalog((action("pay.refund", {}), ORDER, MAIL))
    found = validate(Policy.parse({"a.cedar": text}), called).flaws

    assert any(told in f"{each.message} " for each in found), found


def test_an_operation_of_another_connection_is_covered_by_no_policy_about_one() -> None:
    text = 'forbid (principal, action, resource in Connection::"mail") when { context.args.gone };'

    assert flaws(text) == ["a.cedar: policy0: there is no context.args.gone (mail.send)"]
