"""Cases and explanations: what is unusable is told, and a no says what would lift it."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Principal
from executor.check.cedar import Policy
from executor.check.cedar_cases import CasesError, question_of, read_cases, run_case
from executor.check.cedar_explain import Explanation, explain

REFUND = ActionSpec.model_validate(
    {
        "name": "pay.refund",
        "effect": "blind",
        "sinks": {"amount": "amount"},
        "input_schema": {
            "type": "object",
            "properties": {
                "payment": {"type": "string"},
                "amount": {
                    "type": "object",
                    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
                    "required": ["amount", "currency"],
                },
            },
            "required": ["payment", "amount"],
        },
    }
)
CATALOG = Catalog([REFUND])
GIVEN: JsonObject = {"payment": "p", "amount": {"amount": "12.50", "currency": "EUR"}}
PERMIT = '@id("all") permit (principal, action, resource);\n'
BIG = (
    '@id("big") @approval("boss") @quorum("2") @expires("900") @message("much")'
    ' forbid (principal, action, resource == Operation::"pay.refund")'
    ' when { context.args.amount.minor > 1000 } unless { context.approvals.contains("boss") };\n'
)
DOLLARS = (
    '@id("euro") forbid (principal, action, resource == Operation::"pay.refund")'
    ' when { context.args.amount.currency != "EUR" };\n'
)


def case(expect: str = "allow", **more: Any) -> dict[str, Any]:
    return {"name": "it", "action": "pay.refund", "arguments": GIVEN, "expect": expect} | more


def wrong(text: str, *cases: dict[str, Any], mode: Any = "enforce") -> list[str]:
    """How cases differ from what is expected."""
    policy = Policy.parse({"a.cedar": text}, mode)
    found = read_cases({"a.cases.json": json.dumps({"cases": cases})}, CATALOG)
    return [run_case(each, policy).wrong for each in found]


@pytest.mark.parametrize(
    "given",
    [
        case("approval", role="boss", policies=["big"]),
        case("allow", approvals=["boss"], policies=["all"]),
        case("unknown", unknown=["amount/amount"], role="boss"),
        case("unknown", unknown=["amount"]),
        case("deny", arguments=GIVEN | {"amount": {"currency": "USD"}}, unknown=["amount/amount"]),
        case("deny", arguments=GIVEN | {"amount": {"amount": "1.001", "currency": "EUR"}}),
    ],
)
def test_a_case_that_comes_out_as_expected_has_nothing_wrong(given: dict[str, Any]) -> None:
    assert wrong(PERMIT + BIG + DOLLARS, given) == [""]
    assert wrong(PERMIT + BIG + DOLLARS, given, mode="observe") == [""]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (case("allow"), "expected allow, but it is approval"),
        (case("approval", role="chief"), "expected an approval by chief, but it is by boss"),
        (case("approval", policies=["euro"]), "expected euro to decide, but big does"),
        (case("approval", policies=[]), "expected no policy to decide, but big does"),
    ],
)
def test_a_case_that_comes_out_otherwise_says_how(given: dict[str, Any], told: str) -> None:
    assert wrong(PERMIT + BIG, given) == [told]


def test_who_asks_with_which_labels_and_after_what_counts() -> None:
    text = (
        'permit (principal == Tenant::User::"me", action, resource) when { principal.tenant == "t"'
        ' && principal.roles.contains("r") && context.labels.payment == "trusted"'
        ' && context.labels.amount == "request" && context.run.writes == 3 };'
    )
    me = {"id": "me", "tenant": "t", "roles": ["r"]}
    right = case(principal=me, labels={"payment": "trusted"}, run={"writes": 3})

    assert wrong(text, right) == [""]
    assert wrong(text, case("deny", name="other") | {"labels": {"payment": "trusted"}}) == [""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no json", r"a\.cases\.json: "),
        (json.dumps({"cases": [case("perhaps")]}), "cases/0/expect"),
        (json.dumps({"cases": [case() | {"prncipal": {}}]}), "cases/0/prncipal"),
        (json.dumps({"cases": [case(action="pay.refnd")]}), "did you mean pay.refund?"),
        (json.dumps({"cases": [case(action="zzz.qqq")]}), r"there is no operation zzz\.qqq$"),
        (json.dumps({"cases": [case(arguments={"payment": "p"})]}), "amount is missing"),
        (json.dumps({"cases": [case(arguments=GIVEN | {"nte": "x"})]}), "there is no nte"),
        (json.dumps({"cases": [case(arguments=GIVEN | {"payment": 7})]}), "payment is not of the"),
        (json.dumps({"cases": [case(unknown=["payment/x"])]}), "is no place in an object"),
        (json.dumps({"cases": [case(role="boss")]}), "goes with `approval`"),
        (json.dumps({"cases": [case(run={"writs": 1})]}), "there is no context.run.writs"),
        (json.dumps({"cases": [case(), case("deny")]}), "two cases are called"),
        (json.dumps({"cases": []}), "cases"),
        ('{"cases": [], "cases": []}', "the member 'cases' stands twice"),
    ],
)
def test_a_case_that_cannot_be_judged_says_which_and_why(text: str, told: str) -> None:
    with pytest.raises(CasesError, match=told):
        read_cases({"a.cases.json": text}, CATALOG)


def test_all_that_is_wrong_with_cases_is_told_at_once() -> None:
    bad = {"cases": [case(action="zzz.qqq"), case(role="boss", name="other"), case("deny")]}
    texts = {"a.cases.json": "{", "b.cases.json": json.dumps(bad), "c.cases.json": '{"cases": 1}'}
    with pytest.raises(CasesError) as error:
        read_cases(texts, CATALOG)

    starts = ["a.cases.json: ", "b.cases.json: two cases", "b.cases.json: ", "b.cases.json: other"]
    lines = str(error.value).splitlines()
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=False)] == [
        True
    ] * 4
    assert lines[4].startswith("c.cases.json: cases: ")


def explained(
    text: str, arguments: JsonObject = GIVEN, *unknown: str, mode: Any = "enforce", **labels: str
) -> Explanation:
    asked = question_of(
        REFUND,
        Principal("somebody", "main"),
        arguments,
        labels={name: Integrity(label) for name, label in labels.items()},
        run={},
        approvals=frozenset(),
        unknown=unknown,
    )
    return explain(Policy.parse({"a.cedar": text}, mode), asked)


HARD = '@id("hard") forbid (principal, action, resource);'
HELD = "no approval: a.cedar: hard forbids it as long as its conditions hold"
BOSS = "an approval by 2 people of role boss, within 900 s"
CHIEF = BIG.replace("boss", "chief").replace('"big"', '"bigger"').replace('"2"', '"1"')


@pytest.mark.parametrize(
    ("text", "lifts"),
    [
        (PERMIT, ()),
        (PERMIT + BIG, (BOSS,)),
        (PERMIT + BIG + CHIEF, (BOSS,
                                "then an approval by one person of role chief, within 900 s")),
        (PERMIT + HARD, (HELD,)),
        (PERMIT + BIG + HARD, (HELD,
                               "an approval by boss lifts a.cedar: big, and nothing else")),
        (BIG, ("an approval by boss lifts a.cedar: big, and nothing else",
               "a permit that covers pay.refund; there is none")),
        (PERMIT.replace("resource)", "resource) when { false }"),
         ("a permit that applies; these do not: a.cedar: all",)),
        (PERMIT + HARD.replace("resource)", "resource) when { context.args.x }"),
         ("a repair of a.cedar: hard, which fails",)),
        ("", ("a permit that covers pay.refund; there is none",)),
    ],
)  # fmt: skip
def test_an_explanation_says_what_would_lift_it(text: str, lifts: tuple[str, ...]) -> None:
    found = explained(text)

    assert sorted(found.lifts) == sorted(lifts)
    assert (found.lifts == ()) == (found.judgement.verdict == "allow")
    assert explained(text, mode="observe").lifts == found.lifts


def test_an_approval_without_an_end_is_asked_without_one() -> None:
    assert explained(PERMIT + BIG.replace('@expires("900")', "")).lifts == (
        "an approval by 2 people of role boss",
    )


def test_an_explanation_says_what_each_policy_says_and_on_what_it_waits() -> None:
    now = {each.rule.name: each.says for each in explained(PERMIT + BIG + DOLLARS).rules}
    open_yet = explained(PERMIT + BIG + DOLLARS, GIVEN, "amount/amount")
    said = {each.rule.name: (each.says, each.about) for each in open_yet.rules}

    assert now == {"all": "applies", "big": "applies", "euro": "does not apply"}
    assert said == {
        "all": ("applies", ""),
        "big": ("depends", "args/amount/minor"),
        "euro": ("does not apply", ""),
    }
    assert open_yet.lifts == ("nothing yet: it is decided once args/amount/minor can be seen",)
    assert 'context.approvals).contains("boss")' in open_yet.rules[1].text


def test_a_policy_that_fails_whatever_the_rest_turns_out_to_be_is_said_to_fail() -> None:
    failing = '@id("odd") forbid (principal, action, resource) when { context.args.gone == 1 };'
    open_yet = explained(PERMIT + failing, GIVEN, "amount/amount")

    assert [(each.rule.name, each.says) for each in open_yet.rules] == [
        ("all", "applies"), ("odd", "fails"),
    ]  # fmt: skip
    assert "gone" in open_yet.rules[1].about


def test_what_policy_cannot_see_is_told_instead_of_its_policies() -> None:
    found = explained(PERMIT, GIVEN | {"amount": {"amount": "0.001", "currency": "EUR"}})

    assert found.judgement.code == "policy-value-unmappable"
    assert found.lifts == ("another value: policy cannot see this one exactly",)
    assert found.rules == ()


FIND = ActionSpec.model_validate(
    {
        "name": "pay.find", "effect": "read", "input_schema": {"properties": {"any": {}}},
        "reads_as": "trusted", "output_schema": {"type": "object"},
    }
)  # fmt: skip


def read_case(**more: Any) -> Any:
    text = json.dumps({"cases": [case(**more)]})
    (found,) = read_cases({"a.cases.json": text}, Catalog([REFUND, FIND]))
    return found


def test_what_a_case_does_not_say_is_somebody_whose_run_did_nothing_yet() -> None:
    found = read_case().question

    assert found.principal == Principal("somebody", "main", frozenset())
    assert found.run == {
        "writes": 0, "calls": {}, "sums": {}, "succeeded": [], "same_object": [],
    }  # fmt: skip
    assert (found.read, found.stale, found.approvals) == ({}, {}, frozenset())
    assert {at: each.integrity for at, each in found.labels.items()} == {
        "payment": Integrity.REQUEST, "amount": Integrity.REQUEST,
    }  # fmt: skip


def test_what_a_case_says_of_the_run_and_of_what_was_read_is_what_policy_sees() -> None:
    found = read_case(
        run={"writes": 1}, read={"pay.find": {"a": 1}}, stale={"pay.find": {}}
    ).question

    assert found.run["writes"] == 1
    assert found.run["sums"] == {}
    assert (found.read, found.stale) == ({"pay.find": {"a": 1}}, {"pay.find": {}})
    for wrong_one in ({"read": {"pay.find": []}}, {"stale": {"pay.find": []}},
                      {"read": {"pay.gone": {}}}, {"stale": {"pay.refund": {}}}):  # fmt: skip
        with pytest.raises(CasesError):
            read_case(**wrong_one)


def test_what_is_unknown_has_the_type_that_is_declared_there() -> None:
    (payment,) = (read_case(unknown=["payment"]).question.arguments["payment"],)
    deeper = read_case(unknown=["amount/amount", "amount/currency"]).question.arguments["amount"]
    anything = read_case(action="pay.find", arguments={}, unknown=["any"]).question.arguments["any"]
    undeclared = read_case(unknown=["amount/gone"]).question.arguments["amount"]["gone"]

    assert payment.kinds == {"string"}
    assert [each.kinds for each in deeper.values()] == [{"string"}] * 2
    assert (anything.kinds, undeclared.kinds) == (None, None)
    for place in ("payment/deeper", "amount/amount/deeper"):
        with pytest.raises(CasesError, match="is no place in an object"):
            read_case(unknown=[place])
    with pytest.raises(CasesError, match="is no place in an object"):
        read_case(unknown=["amount", "amount/amount"])


def test_files_are_read_by_name_and_say_what_they_are_about() -> None:
    def text(name: str, **more: Any) -> str:
        return json.dumps({"cases": [case(name=name)]} | more)

    found = read_cases({"b": text("two"), "a": text("one", about="refunds")}, CATALOG)

    assert [(each.file, each.name) for each in found] == [("a", "one"), ("b", "two")]
    with pytest.raises(CasesError, match=r"^a: cases: "):
        read_cases({"a": json.dumps({"cases": []})}, CATALOG)


def test_the_order_of_policies_in_a_case_says_nothing() -> None:
    two = PERMIT + '@id("also") permit (principal, action, resource);\n'

    assert wrong(two, case(policies=["also", "all"])) == [""]
    assert wrong(two, case(policies=["all", "also"])) == [""]
    assert wrong("", case("deny", policies=["all"])) == [
        "expected all to decide, but no policy does"
    ]
