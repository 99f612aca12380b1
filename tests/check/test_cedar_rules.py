"""Policy texts as rules: what is read of heads and annotations, and what is refused."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.cedar_rules import PolicyError, Rule, Scope, read_rules

LIFTED = 'forbid (principal, action, resource) unless { context.approvals.contains("boss") };'

NOTHING, WHOLE = "says nothing here; did you mean", "wants a whole number from 1 to"
MISSING = "is about an @approval, which is missing"
ODD = ("0", "1001", "", "x", "1.5", "-1", "+1", "\u0662", "\u00b2", "000000000002")


def rule(text: str) -> Rule:
    (found,) = read_rules({"a.cedar": text})
    return found


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        read_rules({"a.cedar": text})
    return str(error.value)


@pytest.mark.parametrize(
    ("head", "scope"),
    [
        ("action, resource", Scope()),
        ("action, resource is Operation", Scope()),
        ('action, resource == Operation::"pay.refund"', Scope(operation="pay.refund")),
        ('action, resource in Operation::"pay.refund"', Scope(operation="pay.refund")),
        ('action, resource in Connection::"pay"', Scope(connection="pay")),
        ('action, resource in Connector::"stripe"', Scope(connector="stripe")),
        ('action, resource is Operation in Connection::"pay"', Scope(connection="pay")),
        ('action, resource is Other', Scope(is_empty=True)),
        ('action, resource == Other::"pay.refund"', Scope(is_empty=True)),
        ('action, resource in Other::"pay"', Scope(is_empty=True)),
        ('action, resource is Other in Connection::"pay"', Scope(is_empty=True)),
        ('action == Action::"blind", resource', Scope(frozenset({"blind"}))),
        ('action in [Action::"read", Action::"blind"], resource',
         Scope(frozenset({"read", "blind"}))),
        ('action == Action::"none", resource', Scope(frozenset())),
        ('action in [Action::"read", Other::Action::"blind"], resource',
         Scope(frozenset({"read"}))),
        ('action == Other::Action::"blind", resource', Scope(frozenset())),
        ("action in [], resource", Scope(frozenset())),
        ('action == Action::"read", resource == Operation::"pay.get"',
         Scope(frozenset({"read"}), operation="pay.get")),
        ('action == Action::"read", resource in Connection::"pay"',
         Scope(frozenset({"read"}), connection="pay")),
        ('action == Action::"read", resource in Connector::"stripe"',
         Scope(frozenset({"read"}), connector="stripe")),
        ('action == Action::"read", resource is Operation', Scope(frozenset({"read"}))),
    ],
)  # fmt: skip
def test_a_head_restricts_what_it_names(head: str, scope: Scope) -> None:
    assert rule(f"permit (principal, {head});").scope == scope


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        (Scope(), True),
        (Scope(is_empty=True), False),
        (Scope(frozenset({"blind", "read"})), True),
        (Scope(frozenset({"read"})), False),
        (Scope(frozenset()), False),
        (Scope(operation="pay.refund"), True),
        (Scope(operation="pay.charge"), False),
        (Scope(connection="pay"), True),
        (Scope(connection="mail"), False),
        (Scope(connector="stripe"), True),
        (Scope(connector="other"), False),
        (Scope(frozenset({"blind"}), "pay.refund", "pay", "stripe"), True),
        (Scope(frozenset({"blind"}), "pay.refund", "pay", "other"), False),
        (Scope(frozenset({"read"}), "pay.refund", "pay", "stripe"), False),
    ],
)
def test_a_scope_covers_what_it_does_not_exclude(scope: Scope, covers: bool) -> None:
    given = {"name": "pay.refund", "effect": "blind", "input_schema": {}}

    assert scope.covers(ActionSpec.model_validate(given), "stripe") is covers


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ('@quorom("2") @expire("3") @aprovals("x")', f"@aprovals {NOTHING} @approval?"),
        ('@each_cal("")', f"@each_cal {NOTHING} @each_call?"),
        ('@mesage("x")', f"@mesage {NOTHING} @message?"),
        ("@approval", "@approval names a role, on a forbid"),
        ('@approval(" ")', "@approval names a role, on a forbid"),
        ('@quorum("2") @expires("3") @each_call', f"@each_call {MISSING}"),
        ('@quorum("2") @expires("3")', f"@expires {MISSING}"),
        ('@quorum("2")', f"@quorum {MISSING}"),
        ('@each_call("")', f"@each_call {MISSING}"),
        *((f'@approval("boss") @quorum("{text}")', f"@quorum {WHOLE} 1000") for text in ODD),
        ('@approval("boss") @quorum', f"@quorum {WHOLE} 1000"),
        ('@approval("boss") @expires("0")', f"@expires {WHOLE} 31622400"),
        ('@approval("boss") @expires("31622401")', f"@expires {WHOLE} 31622400"),
    ],
)  # fmt: skip
def test_a_note_that_means_nothing_is_refused(notes: str, told: str) -> None:
    assert told in refused(f"{notes} {LIFTED}")


@pytest.mark.parametrize("notes", ['@each("x")', '@mine("x")', '@rationale("x")'])
def test_notes_of_ones_own_are_left_alone(notes: str) -> None:
    assert rule(f'{notes} @id("a") {LIFTED}').name == "a"


def test_a_permit_has_no_approval() -> None:
    told = refused('@approval("boss") permit (principal, action, resource);')

    assert "@approval names a role, on a forbid" in told


def test_a_rule_is_what_its_notes_say() -> None:
    plain = rule("permit (principal, action, resource);")
    full = rule('@id("n") @message("m") @approval("boss") @quorum("00000000002") @expires("60")'
                f"@each_call {LIFTED}")  # fmt: skip
    most = rule(f'@approval("boss") @quorum("1000") @expires("31622400") {LIFTED}')

    def told(found: Rule) -> Any:
        return (found.name, found.forbids, found.role, found.quorum, found.expires_s,
                found.message, found.each_call)  # fmt: skip

    assert told(plain) == ("policy0", False, None, 1, None, "", False)
    assert told(full) == ("n", True, "boss", 2, 60.0, "m", True)
    assert (most.quorum, most.expires_s, most.each_call) == (1000, 31622400.0, False)
    assert rule(f"@id {LIFTED}").name == "policy0"
    assert full.where == "a.cedar: n"
    assert full.text == rule('@id("n") @message("m") @approval("boss") @quorum("00000000002")'
                             f'@expires("60") @each_call {LIFTED}').text != most.text  # fmt: skip


def test_a_name_is_of_one_policy_in_all_files() -> None:
    text = '@id("n") permit (principal, action, resource);'
    with pytest.raises(
        PolicyError, match=r"b\.cedar: line 1: n: a\.cedar has a policy of this @id too"
    ):
        read_rules({"b.cedar": text, "a.cedar": text})
    with pytest.raises(PolicyError, match=r"^b\.cedar: line 1: "):
        read_rules({"b.cedar": "permit", "a.cedar": text})

    assert [each.key for each in read_rules({"b": LIFTED, "a": LIFTED + LIFTED})] == [
        "policy0", "policy1", "policy2",
    ]  # fmt: skip
    assert [each.file for each in read_rules({"b": LIFTED, "a": LIFTED + LIFTED})] == [*"aab"]


def test_all_that_is_wrong_with_all_files_is_told_at_once_each_with_its_line() -> None:
    permit = "permit (principal, action, resource);"
    texts = {
        "a.cedar": f"{permit}\npermit all",
        "b.cedar": f"""// a comment ; of which this is more
@id("n") {permit}

@id("m") @aproval("boss") @quorum("0") {permit}
@id("n") @expires("1")
{permit}""",
        "c.cedar": f'@id("m") {permit}',
    }
    with pytest.raises(PolicyError) as error:
        read_rules(texts)

    (unread, *rest) = str(error.value).splitlines()
    assert unread.startswith("a.cedar: line 2: ")
    assert rest == [
        f"b.cedar: line 4: m: @aproval {NOTHING} @approval?",
        f"b.cedar: line 4: m: @quorum {MISSING}",
        f"b.cedar: line 4: m: @quorum {WHOLE} 1000",
        f"b.cedar: line 5: n: @expires {MISSING}",
        "b.cedar: line 5: n: b.cedar has a policy of this @id too",
        "c.cedar: line 1: m: b.cedar has a policy of this @id too",
    ]


def test_a_text_that_is_no_cedar_is_told_with_the_line_where_its_policy_begins() -> None:
    fine = '@id("semi;colon") // a ; here\npermit (principal, action, resource);\n'
    wrong = "// what is wrong:\n\nforbid (principal, action, resource)\nwhen { 1 >> 0 };\n"

    with pytest.raises(PolicyError, match=r"^a\.cedar: line 5: unexpected token"):
        read_rules({"a.cedar": fine + wrong + fine})
