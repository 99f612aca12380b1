"""`lamgate policy` as a process of its own: check, test and explain, over files and a shop."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import MUG, SHOP, Lamgate, Said, error_of

CATALOG: dict[str, Any] = {
    "lamgate_catalog": 1,
    "actions": [
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
                        "properties": {
                            "amount": {"type": "string"},
                            "currency": {"type": "string"},
                        },
                        "required": ["amount", "currency"],
                    },
                    "note": {"type": "string"},
                },
                "required": ["payment", "amount"],
            },
        },
        {
            "name": "pay.get",
            "effect": "read",
            "reads_as": "trusted",
            "input_schema": {"type": "object"},
            "output_schema": {
                "type": "object",
                "properties": {"state": {"type": "string"}},
                "required": ["state"],
                "additionalProperties": False,
            },
        },
    ],
}
POLICY = """
@id("all") permit (principal, action, resource);
@id("big") @approval("boss") @quorum("2") @expires("900") @message("more than 10.00")
forbid (principal, action, resource == Operation::"pay.refund")
when { context.args.amount.minor > 1000 }
unless { context.approvals.contains("boss") };
"""
REFUND = {"payment": "p", "amount": {"amount": "12.50", "currency": "EUR"}}


def case(expect: str, **more: Any) -> dict[str, Any]:
    return {"name": "a case", "action": "pay.refund", "arguments": REFUND, "expect": expect} | more


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    """Runs `lamgate policy WORD` over files that are given by name."""

    def run(word: str, *words: str, **files: Any) -> Said:
        (tmp_path / "rules").mkdir(exist_ok=True)
        (tmp_path / "tools.json").write_text(json.dumps(CATALOG))
        for name, content in ({"a_cedar": POLICY} | files).items():
            text = content if isinstance(content, str) else json.dumps({"cases": content})
            (tmp_path / "rules" / name.replace("_", ".")).write_text(text)
        given = ("--policy", "rules", "--catalog", "tools.json")
        return Lamgate(tmp_path)("policy", word, *words, *given)

    return run


def test_policies_that_fit_the_catalogue_pass_the_check(policy: Any) -> None:
    said = policy("check")

    assert (said.code, said.err) == (0, "")
    assert "2 policies fit 2 operations" in said.out


def test_a_typo_names_file_policy_operation_and_what_was_meant(policy: Any) -> None:
    said = policy("check", a_cedar=POLICY.replace("args.amount.minor", "args.amont.minor"))

    assert said.code == 1
    assert (
        "flaw: a.cedar: big: there is no context.args.amont; did you mean amount? (pay.refund)"
        in " ".join(said.out.split())
    )


def test_the_check_is_one_document_with_json_whatever_is_found(policy: Any) -> None:
    wrong = POLICY.replace("minor > 1000", 'minor > "x"')
    idle = POLICY + '@id("none") permit (principal, action, resource == Operation::"pay.refnd");'
    flawed = policy("check", "--json", a_cedar=wrong).document
    hinted = policy("check", "--json", "--strict", a_cedar=idle)
    broken = policy("check", "--json", a_cedar="permit all")

    assert flawed["flaws"] == [
        {
            "file": "a.cedar",
            "policy": "big",
            "message": "unexpected type: expected Long but saw String",
            "operations": ["pay.refund"],
        }
    ]
    assert (hinted.code, hinted.document["flaws"]) == (1, [])
    assert [each["message"] for each in hinted.document["hints"]] == [
        "there is no operation pay.refnd; did you mean pay.refund?",
        "it covers no operation of the catalogue",
    ]
    assert broken.code == 1
    assert broken.document["flaws"][0]["message"].startswith("a.cedar: ")


def test_cases_that_come_out_as_expected_pass(policy: Any) -> None:
    cases = [case("approval", role="boss"), case("allow", name="2", approvals=["boss"])]
    said = policy("test", a_cases_json=cases)

    assert (said.code, said.err) == (0, "")
    assert "2 of 2 cases are as expected" in said.out


def test_a_failing_case_shows_what_decided_instead(policy: Any) -> None:
    cases = [case("allow"), case("approval", name="2", role="auditor")]
    said = policy("test", a_cases_json=cases)
    document = policy("test", "--json", a_cases_json=cases).document

    assert said.code == 1
    assert "a.cases.json: a case" in said.out
    assert "expected allow, but it is approval" in said.out
    assert "waits for 2 of boss by big: more than 10.00" in said.out
    assert "0 of 2 cases are as expected" in said.out
    assert document["passed"] == 0
    assert [each["policies"] for each in document["failed"]] == [["big"], ["big"]]
    assert document["failed"][1]["wrong"] == "expected an approval by auditor, but it is by boss"


def test_a_case_that_cannot_be_judged_is_unusable_input(policy: Any) -> None:
    said = policy("test", a_cases_json=[case("allow", action="pay.refnd")])

    assert said.code == 2
    assert "did you mean pay.refund?" in error_of(said, "unusable-input")


def test_an_explanation_says_who_decides_why_and_what_would_lift_it(policy: Any) -> None:
    call = ("pay.refund", "--arguments", json.dumps(REFUND))
    said = policy("explain", *call)
    approved = policy("explain", *call, "--approved", "boss")
    document = policy("explain", *call, "--json").document

    assert said.code == 1
    assert "waits for 2 of boss by big: more than 10.00" in said.out
    assert "what would lift it: an approval by 2 people of role boss, within 900 s" in said.out
    assert "permit a.cedar: all applies" in said.out
    assert "forbid a.cedar: big applies" in said.out
    assert (approved.code, "allowed by all" in approved.out) == (0, True)
    assert (document["verdict"], document["role"], document["quorum"]) == ("approval", "boss", 2)
    assert [each["says"] for each in document["considered"]] == ["applies", "applies"]


def test_an_explanation_takes_what_was_read(policy: Any) -> None:
    rules = POLICY + (
        '@id("paid") forbid (principal, action, resource == Operation::"pay.refund") unless {'
        ' context.read has "pay.get" && context.read["pay.get"].state == "paid" };'
        '@id("seen") forbid (principal, action, resource == Operation::"pay.refund") unless {'
        ' context.read has "pay.get" || context.stale has "pay.get" };'
    )
    call = ("pay.refund", "--arguments", json.dumps(REFUND), "--approved", "boss", "--json")
    read, bad = json.dumps({"pay.get": {"state": "paid"}}), json.dumps({"pay.get": {"state": 1}})

    def deciding(*words: str) -> Any:
        return policy("explain", *call, *words, a_cedar=rules).document["policies"]

    assert deciding("--read", read) == ["all"]
    assert deciding("--stale", read) == ["paid"]
    assert deciding() == ["paid", "seen"]
    assert "nothing that pay.get gives" in error_of(
        policy("explain", *call[:-1], "--read", bad, a_cedar=rules), "bad-option"
    )


def test_an_explanation_may_leave_values_open(policy: Any) -> None:
    call = ("pay.refund", "--arguments", json.dumps(REFUND), "--unknown", "amount/amount")
    document = policy("explain", *call, "--json").document

    assert (document["verdict"], document["needs"]) == ("unknown", ["args/amount/minor"])
    assert [each["says"] for each in document["considered"]] == ["applies", "depends"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("explain", "pay.refnd"), "unknown-action", "There are: pay.refund"),
        (("explain", "pay.refund", "--arguments", "{"), "malformed-json", "--arguments"),
        (("explain", "pay.get", "--label", "x=good"), "bad-option", "no label"),
        (("test",), "unusable-input", "no *.cases.json file"),
    ],
)
def test_what_cannot_be_used_is_told_and_is_exit_code_2(
    policy: Any, words: tuple[str, ...], code: str, told: str
) -> None:
    said = policy(*words)

    assert said.code == 2
    assert told in error_of(said, code)


def test_it_is_said_where_the_policies_are(tmp_path: Path) -> None:
    lamgate = Lamgate(tmp_path)
    lamgate.config.write_text("")
    (tmp_path / "tools.json").write_text(json.dumps(CATALOG))
    nowhere = lamgate("policy", "check", "--catalog", "tools.json")
    unset = lamgate("policy", "check")

    assert "--policy DIR" in error_of(nowhere, "bad-option")
    assert "no folder of policies is configured" in error_of(unset, "configuration-error")


def test_the_shops_policies_fit_it_and_do_what_their_cases_say(alone: Lamgate) -> None:
    checked = alone("policy", "check", "--strict")
    tested = alone("policy", "test")

    assert (checked.code, checked.err) == (0, ""), checked
    assert (tested.code, tested.err) == (0, ""), tested


def test_a_gateway_does_not_start_on_a_policy_that_does_not_fit(alone: Lamgate) -> None:
    (alone.folder / "wrong").mkdir()
    text = (SHOP / "policies" / "shop.cedar").read_text().replace("amount.minor", "amount.minr")
    (alone.folder / "wrong" / "shop.cedar").write_text(text)
    wrong = Lamgate(alone.folder, more={"LAMGATE_POLICY__PATH": "wrong"})
    said = wrong("serve", "--port", "0", "--until-stdin-ends")

    assert said.code == 2
    assert "refunds-over-10-need-approval: there is no context.args.amount.minr" in error_of(
        said, "policy-error"
    )


def test_where_policy_observes_a_run_goes_through_and_its_trace_tells(alone: Lamgate) -> None:
    observing = Lamgate(alone.folder, more={"LAMGATE_POLICY__MODE": "observe"})
    said = observing("run", MUG, "--answer", "remedy=refund", "--json")
    plan = observing("plan", MUG, "--answer", "remedy=refund")
    trace = observing("trace", said.document["id"])

    assert (said.code, said.document["status"]) == (0, "succeeded"), said
    assert "policy only observes; it would have said: " in " ".join(plan.out.split()), plan
    assert "policy only observes; it would have said: " in trace.out, trace
