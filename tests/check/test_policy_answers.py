"""What policy answers, to the last detail: by whom, for how long, why, and what it waits for."""

from typing import Any

import pytest

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar import Judgement, Policy, PolicyError, PolicyQuestion
from executor.check.cedar_rules import LONGEST_S
from executor.check.cedar_values import Mapper, UnmappableError
from executor.check.unknown import Unknown

ALL = '@id("all") permit (principal, action, resource);\n'
TEXT, WHOLE, LIST = frozenset({"string"}), frozenset({"integer"}), frozenset({"array"})
MONEY: dict[str, Any] = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
}
PAY = ActionSpec.model_validate(
    {
        "name": "pay.refund",
        "effect": "blind",
        "input_schema": {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "fee": {"type": "number"},
                "whole": {"type": "integer"},
                "amount": MONEY,
                "lines": {"type": "array", "items": {"type": "object"}},
            },
        },
        "sinks": {
            "amount": "amount", "fee": "amount", "whole": "amount", "lines/*/price": "amount",
        },
    }
)  # fmt: skip


def asks(name: str, role: str, when: str, **notes: str) -> str:
    more = "".join(f' @{key}("{value}")' for key, value in notes.items())
    return (
        f'@id("{name}") @approval("{role}"){more} forbid (principal, action, resource)'
        f' when {{ {when} }} unless {{ context.approvals.contains("{role}") }};\n'
    )


def judge(text: str, arguments: Any, *approvals: str, **more: Any) -> Judgement:
    asked = PolicyQuestion(
        Principal("me", "main", frozenset({"clerk"})),
        PAY,
        arguments,
        approvals=frozenset(approvals),
        **more,
    )
    return Policy.parse({"a.cedar": text}).judge(asked)


@pytest.mark.parametrize(
    ("judgement", "told"),
    [
        (Judgement("allow"), "allowed"),
        (Judgement("allow", policies=("a", "b")), "allowed by a, b"),
        (Judgement("deny", policies=("a",), messages=("no", "never")), "denied by a: no; never"),
        (Judgement("approval", "boss", 2, ("a",)), "waits for 2 of boss by a"),
        (Judgement("unknown", needs=("args/n", "run"), policies=("a",)),
         "depends on args/n, run for a"),
        (Judgement("unknown"), "depends on the real values"),
        (Judgement("allow", observed="deny", policies=("a",)), "denied by a"),
        (Judgement("allow", observed="unknown", policies=("a",)),
         "depends on the real values for a"),
    ],
)  # fmt: skip
def test_a_judgement_is_told_in_one_line(judgement: Judgement, told: str) -> None:
    assert judgement.told == told


SEVERAL = (
    ALL
    + asks("second", "boss", "context.args.n > 1", quorum="3", expires="600", message="b")
    + asks("first", "boss", "context.args.n > 2", quorum="2", expires="60", message="a")
    + asks("third", "chief", "context.args.n > 3", quorum="9", expires="5", message="c")
)


def test_of_several_policies_of_one_role_the_most_people_for_the_shortest_time() -> None:
    one, two, three = (judge(SEVERAL, {"n": n}) for n in (2, 3, 4))

    assert one == Judgement("approval", "boss", 3, ("second",), ("b",), expires_s=600.0)
    assert two == Judgement("approval", "boss", 3, ("first", "second"), ("a", "b"), expires_s=60.0)
    assert three == Judgement(
        "approval", "boss", 3, ("first", "second", "third"), ("a", "b", "c"), expires_s=60.0
    )
    assert judge(SEVERAL, {"n": 4}, "boss") == Judgement(
        "approval", "chief", 9, ("third",), ("c",), expires_s=5.0
    )
    assert judge(SEVERAL, {"n": 4}, "boss", "chief") == Judgement("allow", policies=("all",))


def test_where_no_policy_says_for_how_long_it_is_not_said() -> None:
    found = judge(ALL + asks("a", "boss", "context.args.n > 1"), {"n": 2})

    assert found == Judgement("approval", "boss", 1, ("a",))


def test_a_no_names_its_policies_and_their_messages_in_order() -> None:
    text = (
        ALL
        + '@id("b") @message("two") forbid (principal, action, resource);'
        + '@id("a") @message("one") forbid (principal, action, resource);'
        + '@id("c") forbid (principal, action, resource);'
    )

    assert judge(text, {}) == Judgement(
        "deny", None, 1, ("a", "b", "c"), ("one", "two"), "policy-denied"
    )
    assert judge("forbid (principal, action, resource);", {}).messages == ()
    assert judge("permit (principal, action, resource) when { false };", {}) == Judgement(
        "deny", messages=("no policy permits it",), code="policy-denied"
    )


def test_what_fails_is_named_as_people_named_it() -> None:
    text = (
        ALL
        + '@id("zero") forbid (principal, action, resource) when { context.args.x == 1 };'
        + '@id("early") permit (principal, action, resource) when { context.args.y == 1 };'
    )
    found = judge(text, {})

    assert (found.verdict, found.code, found.policies) == (
        "deny",
        "policy-error",
        ("early", "zero"),
    )
    assert len(found.messages) == 2
    assert "`early`" in found.messages[0]
    assert "`zero`" in found.messages[1]
    assert not any("policy1" in each or "policy2" in each for each in found.messages)


def test_no_policy_at_all_is_said_to_be_the_reason() -> None:
    found = Policy.parse({}).judge(PolicyQuestion(Principal("me", "main"), PAY, {}))

    assert (found.verdict, found.code) == ("deny", "policy-denied")
    assert found.messages == ("no policy is configured, so nothing writes",)


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        # Whatever the value is, the same.
        (ALL, {"n": Unknown(WHOLE)}, Judgement("allow", policies=("all",))),
        (ALL + '@id("no") forbid (principal, action, resource);', {"n": Unknown(WHOLE)},
         Judgement("deny", policies=("no",), code="policy-denied")),
        # It depends: on what, for which policy, and who may then be asked.
        (ALL + asks("a", "boss", "context.args.n > 1", message="m", quorum="2", expires="9"),
         {"n": Unknown(WHOLE)},
         Judgement("unknown", "boss", 2, ("a",), ("m",), expires_s=9.0, needs=("args/n",))),
        (ALL + asks("a", "boss", "context.args.n > 1") + asks("b", "chief", "context.args.m > 1"),
         {"n": Unknown(WHOLE), "m": Unknown(WHOLE)},
         Judgement("unknown", "boss", 1, ("a", "b"), needs=("args/m", "args/n"))),
        ('@id("few") permit (principal, action, resource) when { context.args.n < 9 };',
         {"n": Unknown(WHOLE)}, Judgement("unknown", policies=("few",), needs=("args/n",))),
        # A permit that applies in any case makes those that may apply uninteresting.
        (ALL + '@id("few") permit (principal, action, resource) when { context.args.n < 9 };'
         + '@id("no") forbid (principal, action, resource) when { context.args.m == 1 };',
         {"n": Unknown(WHOLE), "m": Unknown(WHOLE)},
         Judgement("unknown", policies=("no",), needs=("args/m",))),
        # What is certain to wait, waits; what is certain to be denied is denied.
        (ALL + asks("a", "boss", "context.args.n > 1"), {"n": 5, "m": Unknown(WHOLE)},
         Judgement("approval", "boss", 1, ("a",))),
        (ALL + asks("a", "boss", "context.args.n > 1")
         + '@id("no") forbid (principal, action, resource) when { context.args.n > 4 };',
         {"n": 5, "m": Unknown(WHOLE)},
         Judgement("deny", policies=("a", "no"), code="policy-denied")),
        # An approval that is there already is not asked for.
        (ALL + asks("a", "boss", "context.args.m > 1") + asks("b", "chief", "context.args.n > 1"),
         {"n": 5, "m": Unknown(WHOLE)},
         Judgement("unknown", "boss", 1, ("a", "b"), needs=("args/m",))),
        # Of several roles either may have said yes: a no is certain only if none of them helps.
        (ALL + asks("a", "boss", "context.args.n > 1") + asks("b", "chief", "context.args.n > 1")
         + '@id("no") forbid (principal, action, resource) when { context.args.n > 4 };',
         {"n": 5, "m": Unknown(WHOLE)},
         Judgement("deny", policies=("a", "b", "no"), code="policy-denied")),
        (ALL + asks("a", "boss", "context.args.n > 1") + asks("b", "chief", "context.args.n > 1")
         + '@id("one") forbid (principal, action, resource) when'
         ' { context.approvals.contains("boss") && context.approvals.contains("chief") };',
         {"n": 5, "m": Unknown(WHOLE)},
         Judgement("unknown", "boss", 1, ("a", "b"))),
        # What may fail denies, so a permit that is left over leaves it open.
        (ALL + '@id("few") permit (principal, action, resource) when { context.args.n < 9 };',
         {"n": Unknown(WHOLE)}, Judgement("unknown", needs=())),
        # What would fail after the approval is for the run to say.
        (ALL + asks("a", "boss", "context.args.n > 1")
         + '@id("no") forbid (principal, action, resource) when'
         ' { context.approvals.contains("boss") && context.args.gone == 1 };',
         {"n": 5, "m": Unknown(WHOLE)},
         Judgement("unknown", "boss", 1, ("a",))),
    ],
)  # fmt: skip
def test_a_preview_says_what_is_certain_and_what_it_waits_for(
    text: str, arguments: Any, expected: Judgement
) -> None:
    assert judge(text, arguments) == expected


def test_of_approvals_that_were_given_the_next_one_is_asked_for() -> None:
    text = ALL + asks("a", "boss", "context.args.m > 1") + asks("b", "chief", "context.args.m > 2")
    found = judge(text, {"m": Unknown(WHOLE)}, "boss")

    assert (found.verdict, found.role) == ("unknown", "chief")


def mapped(arguments: Any) -> tuple[JsonObject, bool, bool]:
    mapper = Mapper(PAY)
    return mapper.record(arguments, ()), mapper.is_partial, mapper.is_unsure


def decimal(text: str) -> JsonObject:
    return {"__extn": {"fn": "decimal", "arg": text}}


def unknown(name: str) -> JsonObject:
    return {"__extn": {"fn": "unknown", "arg": name}}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63) + 1, -(2**63) + 1),
        (0.1234, decimal("0.1234")),
        (-0.5, decimal("-0.5")),
        (0.12345, "0.12345"),
        (922337203685476.5, decimal("922337203685476.5")),
        (3.0, 3),
        (True, True),
        ("12.50", "12.50"),
    ],
)
def test_numbers_are_seen_exactly_or_as_text(value: Any, shown: Any) -> None:
    found, is_partial, is_unsure = mapped({"n": value})

    assert found["n"] == shown
    assert ("n_inexact" in found) is (isinstance(value, float) and isinstance(shown, str))
    assert not is_partial
    assert not is_unsure


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"n": 2**63}, "n: 9223372036854775808 is beyond"),
        ({"n": -(2**63)}, "n: -9223372036854775808 is beyond"),
        ({"a": {"b": [1, None]}}, r"a/b/\*: a null inside a list"),
        ({"a": {"__extn": 1}}, "a/__extn: Cedar keeps this name"),
        ({"a": {"x": [], "x_count": 1}}, "a/x_count: policy keeps this name"),
        ({"amount": {"amount": "1.005", "currency": "EUR"}}, "amount: 1.005 EUR has a part of"),
        ({"amount": {"amount": "x", "currency": "EUR"}}, "amount: 'x' is no amount"),
        ({"amount": {"amount": 1, "currency": "EUR"}}, "amount: an amount is"),
        ({"amount": {"amount": "1", "currency": 2}}, "amount: an amount is"),
        ({"amount": {"amount": "9" * 20, "currency": "EUR"}}, "beyond 2\\^63-1 minor"),
        ({"amount": {"amount": "92233720368547758.08", "currency": "EUR"}}, "beyond 2\\^63-1"),
    ],
)
def test_what_cannot_be_seen_is_told_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(UnmappableError, match=told):
        mapped(value)


def test_the_largest_amount_is_seen() -> None:
    given = {"amount": {"amount": "92233720368547758.07", "currency": "EUR"}}

    assert mapped(given)[0]["amount"] == {"minor": 2**63 - 1, "currency": "EUR"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"fee": 5}, {"fee": decimal("5.0")}),
        ({"fee": 5.25}, {"fee": decimal("5.25")}),
        ({"fee": "5.2500"}, {"fee": decimal("5.25")}),
        ({"whole": 5}, {"whole": 5}),
        ({"n": "5"}, {"n": "5"}),
        ({"lines": [{"price": 5.5}, {"other": 5.5}]},
         {"lines": [{"price": decimal("5.5")}, {"other": decimal("5.5")}], "lines_count": 2}),
        ({"lines": [{"price": {"amount": "5", "currency": "EUR"}}]},
         {"lines": [{"price": {"minor": 500, "currency": "EUR"}}], "lines_count": 1}),
        ({"n": {"amount": "5", "currency": "EUR"}}, {"n": {"amount": "5", "currency": "EUR"}}),
    ],
)  # fmt: skip
def test_amounts_are_seen_where_the_catalogue_says_so(value: Any, shown: Any) -> None:
    assert mapped(value) == (shown, False, False)


@pytest.mark.parametrize(
    ("value", "shown", "is_unsure"),
    [
        ({"n": Unknown(WHOLE)}, {"n": unknown("args/n")}, False),
        ({"n": Unknown(TEXT)}, {"n": unknown("args/n")}, False),
        ({"n": Unknown(frozenset({"boolean"}))}, {"n": unknown("args/n")}, False),
        ({"n": Unknown(frozenset({"object"}))}, {"n": unknown("args/n")}, False),
        ({"n": Unknown(frozenset({"number"}))}, {"n": unknown("args/n")}, True),
        ({"n": Unknown(frozenset({"null", "string"}))}, {"n": unknown("args/n")}, True),
        ({"n": Unknown(None)}, {"n": unknown("args/n")}, True),
        ({"n": Unknown(LIST)},
         {"n": unknown("args/n"), "n_count": unknown("args/n_count")}, False),
        ({"n": [Unknown(TEXT)]}, {"n": [unknown("args/n/*")], "n_count": 1}, True),
        ({"a": {"b": Unknown(TEXT)}}, {"a": {"b": unknown("args/a/b")}}, False),
        ({"amount": {"amount": Unknown(TEXT), "currency": "EUR"}},
         {"amount": {"minor": unknown("args/amount/minor"), "currency": "EUR"}}, False),
        ({"amount": {"amount": "5", "currency": Unknown(TEXT)}},
         {"amount": {"minor": unknown("args/amount/minor"),
                     "currency": unknown("args/amount/currency")}}, False),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named_by_its_place(value: Any, shown: Any, is_unsure: bool) -> None:
    assert mapped(value) == (shown, True, is_unsure)


def test_of_arguments_that_come_as_one_nothing_is_certain() -> None:
    assert mapped(Unknown(None)) == ({}, True, True)


def test_what_the_run_did_is_named_without_its_context() -> None:
    found = judge(
        ALL + '@id("no") forbid (principal, action, resource) when { context.run.writes > 1 };',
        {},
        run={"writes": Unknown(WHOLE)},
    )

    assert (found.verdict, found.needs) == ("unknown", ("run/writes",))


def test_a_label_is_seen_by_place_and_joined_by_argument() -> None:
    labels = {"n": Label(Integrity.TRUSTED), "a/b": Label(Integrity.MODEL)}
    text = (
        'permit (principal, action, resource) when { context.labels.n == "trusted"'
        ' && context.labels["a/b"] == "model" && context.labels.a == "model" };'
    )

    assert judge(text, {"n": 1}, labels=labels).verdict == "allow"


def rule_notes(notes: str) -> Any:
    return Policy.parse({"a.cedar": f"{notes} forbid (principal, action, resource);"}).rules[0]


def test_bounds_of_annotations_are_within_what_is_read() -> None:
    least = rule_notes('@approval("x") @quorum("1") @expires("1")')
    most = rule_notes(f'@approval("x") @quorum("1000") @expires("{LONGEST_S}")')

    assert (least.quorum, least.expires_s) == (1, 1.0)
    assert (most.quorum, most.expires_s) == (1000, LONGEST_S)
    assert LONGEST_S == 366 * 86_400
    assert (rule_notes('@approval("x")').quorum, rule_notes('@approval("x")').expires_s) == (
        1,
        None,
    )
    assert rule_notes("").role is None
    assert rule_notes('@message("why")').message == "why"
    assert rule_notes("@owner").message == ""


@pytest.mark.parametrize(
    "notes",
    [
        '@approval("x") @quorum("1001")', f'@approval("x") @expires("{LONGEST_S + 1}")',
        '@approval("x") @quorum("000000000001")', '@approval("x") @quorum("")',
        '@approval("x") @quorum("1.5")', '@approval(" ")', '@expires("5")',
        '@quorum("1") @expires("5")', '@mesage("x")', '@ids("x")', '@approvals("x")',
    ],
)  # fmt: skip
def test_an_annotation_beyond_its_bounds_is_refused(notes: str) -> None:
    with pytest.raises(PolicyError, match=r"a\.cedar: line 1: policy0: @"):
        rule_notes(notes)


def test_the_rules_of_several_files_are_told_apart() -> None:
    permit = "permit (principal, action, resource);"
    policy = Policy.parse({"b.cedar": permit * 2, "a.cedar": permit})

    assert [(each.file, each.name) for each in policy.rules] == [
        ("a.cedar", "policy0"), ("b.cedar", "policy1"), ("b.cedar", "policy2"),
    ]  # fmt: skip
    assert policy.rules[1].where == "b.cedar: policy1"
    with pytest.raises(
        PolicyError, match=r"b\.cedar: line 1: x: a\.cedar has a policy of this @id too"
    ):
        Policy.parse({"a.cedar": f'@id("x") {permit}', "b.cedar": f'@id("x") {permit}'})


def test_a_bare_message_says_nothing_and_a_name_beyond_ascii_is_itself() -> None:
    text = '@id("a") @message permit (principal == Tenant::User::"zoë", action, resource);'
    text += '@id("b") forbid (principal, action, resource) when { context.args.m == 1 };'
    policy = Policy.parse({"a.cedar": text})
    who = Principal("zoë", "main")
    known = policy.judge(PolicyQuestion(who, PAY, {"m": 2}))
    previewed = policy.judge(PolicyQuestion(who, PAY, {"m": 2, "n": Unknown(WHOLE)}))

    assert policy.rules[0].message == ""
    assert (known, previewed) == (Judgement("allow", policies=("a",)),) * 2


def test_what_was_outdated_is_waited_for_by_its_own_name() -> None:
    text = ALL + '@id("a") forbid (principal, action, resource) when { context.stale has "x.y" };'
    found = judge(text, {}, stale=Unknown(frozenset({"object"})))

    assert (found.verdict, found.needs) == ("unknown", ("stale",))


def test_a_group_that_holds_no_operation_holds_none() -> None:
    head = 'permit (principal, action, resource in Tenant::User::"me");'
    (rule,) = Policy.parse({"a.cedar": head}).rules

    assert not rule.scope.covers(PAY, None)
    assert judge(head, {}).messages == ("no policy permits it",)


def test_what_stands_beside_a_list_stands_beside_that_one_alone() -> None:
    lines = [{"sku": "s", "more": [{"sku": "t"}]}]
    used = frozenset({("args", "in", "lines_each", "sku")})
    mapper = Mapper(PAY, used)
    found = mapper.record({"lines": lines, "in": {"lines": lines}}, ())

    assert "lines_each" not in found
    assert found["in"]["lines_each"] == {"sku": ["s"]}  # type: ignore[index, call-overload]


def test_of_arguments_that_come_as_one_neither_names_nor_labels_are_known() -> None:
    text = ALL + (
        '@id("a") forbid (principal, action, resource)'
        ' when { context.labels has n && context.labels.n == "untrusted" };'
    )
    trusted = {"": Label(Integrity.TRUSTED)}
    found = judge(text, Unknown(None), labels=trusted)

    assert (found.verdict, found.needs) == ("unknown", ("labels",))
    assert judge(text, {"n": 1}, labels=trusted).verdict == "allow"
    assert judge(text, {"n": 1}, labels={"": Label(Integrity.UNTRUSTED)}).verdict == "deny"
