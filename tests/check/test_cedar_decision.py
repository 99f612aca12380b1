"""The decision over one call: what is asked of Cedar, what is told, what is kept."""

from typing import Any

import pytest

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar_decision import Judgement, Slice
from executor.check.cedar_request import PolicyQuestion
from executor.check.cedar_rules import read_rules
from executor.check.unknown import Unknown

ALL = '@id("all") permit (principal, action, resource);\n'
OPEN = Unknown(frozenset({"integer"}))
ACTION = ActionSpec.model_validate({"name": "pay.refund", "effect": "blind", "input_schema": {}})


def slice_of(*texts: str) -> Slice:
    return Slice(read_rules({"a.cedar": "\n".join(texts)}))


def question(*approvals: str, label: str = "trusted", **arguments: Any) -> PolicyQuestion:
    given: JsonObject = arguments
    labels = {"n": Label(Integrity(label))}
    who = Principal("me", "main", frozenset())
    return PolicyQuestion(who, ACTION, given, labels, approvals=frozenset(approvals))


def forbid(when: str, role: str = "", notes: str = "") -> str:
    about = f'@approval("{role}") ' if role else ""
    lifted = f' unless {{ context.approvals.contains("{role}") }}' if role else ""
    return f"{notes} {about} forbid (principal, action, resource) when {{ {when} }}{lifted};"


BROKEN = forbid("context.args.gone == 1", notes='@id("broken")')
LARGE = forbid("context.args.n > 5", notes='@id("large")')
BOSS = forbid("context.args.n > 3", "boss", '@id("boss") @message("m")')


@pytest.mark.parametrize(
    ("texts", "n", "approvals", "verdict", "policies"),
    [
        ([], 1, (), "deny", ()),
        ([ALL], 1, (), "allow", ("all",)),
        ([ALL, LARGE], 6, (), "deny", ("large",)),
        ([ALL, LARGE], 5, (), "allow", ("all",)),
        ([ALL, LARGE], OPEN, (), "unknown", ("large",)),
        ([ALL, BOSS], 4, (), "approval", ("boss",)),
        ([ALL, BOSS], 4, ("boss",), "allow", ("all",)),
        ([ALL, BOSS], 4, ("chief",), "approval", ("boss",)),
        ([ALL, BOSS, LARGE], 6, (), "deny", ("boss", "large")),
        ([ALL, BOSS, LARGE], 6, ("boss",), "deny", ("large",)),
        ([BOSS], 4, (), "deny", ("boss",)),  # lifting it would leave no permit
        ([ALL, BROKEN], 1, (), "deny", ("broken",)),
        ([ALL, BROKEN], OPEN, (), "unknown", ()),
        # What fails once somebody has said yes is no yes.
        ([ALL, BOSS, forbid('context.approvals.contains("boss") && context.args.gone == 1')], 4, (),
         "deny", ("boss",)),
        # One that says no to the yes itself.
        ([ALL, BOSS, forbid('context.approvals.contains("boss")')], 4, (), "deny", ("boss",)),
    ],
)  # fmt: skip
def test_a_forbid_wins_and_waits_for_an_approval_only_where_that_lifts_it(
    texts: Any, n: Any, approvals: Any, verdict: str, policies: Any
) -> None:
    found = slice_of(*texts).judge(question(*approvals, n=n))

    assert (found.verdict, found.policies) == (verdict, policies)
    assert found.quorum == 1


def test_what_failed_is_told_by_the_name_that_people_gave_it() -> None:
    two = BROKEN.replace("broken", "also").replace("gone", "left")
    found = slice_of(ALL, BROKEN, two).judge(question(n=1))

    assert (found.policies, found.code) == (("also", "broken"), "policy-error")
    assert [text.partition("`")[2].partition("`")[0] for text in found.messages] == [
        "also", "broken",
    ]  # fmt: skip
    assert found.role is None


def test_an_open_call_says_what_it_waits_for_and_whom_policy_may_ask() -> None:
    texts = (ALL, BOSS, forbid("context.args.m > 3", "chief", '@id("c") @expires("60")'))
    boss = '@id("late") @expires("30") @quorum("2")'
    found = slice_of(*texts, forbid("context.args.n > 4", "boss", boss)).judge(
        question(n=OPEN, m=OPEN)
    )

    assert (found.verdict, found.role, found.quorum) == ("unknown", "boss", 2)
    assert (found.needs, found.expires_s) == (("args/m", "args/n"), 30.0)
    assert (found.policies, found.messages) == (("boss", "c", "late"), ("m",))
    assert found.told == "depends on args/m, args/n for boss, c, late: m"
    assert found.reasons("boss") == ("m", "policy c (and then by chief)")


def test_whoever_is_asked_first_is_told_which_reasons_are_for_others() -> None:
    chief = forbid("context.args.n > 3", "chief", '@id("c") @message("of the chief")')
    silent = slice_of(ALL, BOSS.replace('@message("m")', ""), chief).judge(question(n=4))
    early = slice_of(ALL, BOSS, chief.replace("chief", "aunt")).judge(question(n=4))

    assert silent.reasons("boss") == ("policy boss", "of the chief (and then by chief)")
    assert (early.role, early.reasons("aunt")) == ("aunt", ("of the aunt", "m (and then by boss)"))


def test_of_several_roles_the_first_that_is_missing_is_asked() -> None:
    chief = forbid("context.args.n > 3", "chief", '@id("c") @quorum("3")')
    both = slice_of(ALL, BOSS, chief)
    first, then = both.judge(question(n=4)), both.judge(question("boss", n=4))

    assert (first.role, first.quorum, first.policies) == ("boss", 1, ("boss", "c"))
    assert (then.role, then.quorum, then.policies) == ("chief", 3, ("c",))
    assert {role for role, _ in first.texts} == {"boss", "chief"}
    assert first.told == "waits for 1 of boss by boss, c: m"
    assert first.reasons("boss") == ("m", "policy c (and then by chief)")
    assert then.reasons("chief") == ("policy c",)
    assert both.judge(question("boss", "chief", n=4)).verdict == "allow"


def test_what_no_yes_can_save_is_denied_before_everything_is_known() -> None:
    never = forbid("context.args.m == 1", notes='@id("never")')
    two = (ALL, never, BOSS, forbid("context.args.n > 4", "chief", '@id("c")'))

    assert slice_of(ALL, never).judge(question(n=OPEN, m=1)).verdict == "deny"
    assert slice_of(ALL, never, BOSS).judge(question(n=OPEN, m=1)).verdict == "deny"
    assert slice_of(*two).judge(question(n=OPEN, m=1)).verdict == "deny"
    only = forbid('context.args.m == 1 && !context.approvals.contains("chief")')
    assert slice_of(ALL, only, *two[2:]).judge(question(n=OPEN, m=1)).verdict == "unknown"


def test_an_approval_that_is_needed_in_any_case_is_asked_before_everything_is_known() -> None:
    sure = forbid("context.args.m == 1", "boss", '@id("sure")')
    found = slice_of(ALL, sure).judge(question(n=OPEN, m=1))

    assert (found.verdict, found.role, found.policies) == ("approval", "boss", ("sure",))
    assert slice_of(ALL, sure, LARGE).judge(question(n=OPEN, m=1)).verdict == "unknown"
    assert slice_of(ALL, sure).judge(question("boss", n=OPEN, m=1)).verdict == "allow"
    chief = forbid("context.args.m == 1", "chief", '@id("chief")')
    asked = slice_of(ALL, sure, chief).judge(question("chief", n=OPEN, m=1))
    assert (asked.verdict, asked.role) == ("approval", "boss")
    breaks = forbid('context.approvals.contains("boss") && context.args.gone == 1')
    assert slice_of(ALL, sure, breaks).judge(question(n=OPEN, m=1)).verdict == "unknown"


def test_a_slice_tells_what_it_looks_at() -> None:
    found = slice_of(
        ALL, forbid("context.read has x"), forbid('context.stale has "a.b"'),
        forbid("context.run.writes > 1", "boss", "@each_call"),
        forbid("context.args.n > 3", "chief"),
    )  # fmt: skip

    assert (found.reads, found.stale_reads) == ({"x", "a.b"}, {"a.b"})
    assert (found.run_members, found.asks_of_run) == ({"writes"}, True)
    assert found.each_call == {"boss"}
    assert len(found.texts_asking("boss")) == len(found.texts_asking("chief")) == 1
    assert found.texts_asking("nobody") == frozenset()
    assert slice_of(ALL).run_members == slice_of(ALL).reads == frozenset()
    assert slice_of(forbid("context.run == context.run")).run_members == {""}
    assert not slice_of(ALL).asks_of_run


@pytest.mark.parametrize(
    ("condition", "is_kept"),
    [
        ('context.labels.n == "model"', True),
        ('context.approvals.contains("x")', True),
        ('context.labels.n == "model" && context.approvals.contains("x")', True),
        ("resource.egress", True),
        ("context.args.n == 1", False),
        ('context.labels.n == "model" && context.args.n == 1', False),
    ],
)
def test_an_answer_is_kept_where_few_can_be_given(condition: str, is_kept: bool) -> None:
    found = slice_of(ALL, forbid(condition))
    one, again, other = (found.judge(question(n=n)) for n in (2, 2, 3))

    assert one.verdict == other.verdict
    assert (one is again) is is_kept
    assert (one is other) is is_kept


def test_judgements_are_compared_by_what_people_see() -> None:
    texts = frozenset({("boss", "digest")})

    assert Judgement("approval", "boss", texts=texts) == Judgement("approval", "boss")
    assert Judgement("approval", "boss", 2) != Judgement("approval", "boss")
    assert Judgement("allow", observed="deny", policies=("a",)).told == "denied by a"
    assert Judgement("allow").told == "allowed"
    assert Judgement("unknown", policies=("a",)).told == "depends on the real values for a"
