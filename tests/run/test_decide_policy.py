"""Policy in a run: who is asked for how long, and what is recorded where it only observes."""

from run_cases import PERMIT, applied, play, policy, ref, step, value

from executor.check.cedar import Policy
from executor.run.commands import OpenGate, Perform

ASKS = (
    '@id("large") @approval("approver") @quorum("3") @expires("600") @message("more than ten")'
    " forbid (principal, action, resource) when { context.args has x && context.args.x > 10 }"
    ' unless { context.approvals.contains("approver") };'
)


def test_a_policy_says_how_many_are_asked_and_for_how_long() -> None:
    run = play(step("a", "blind", value(11, "x")), rules=PERMIT + ASKS)
    (gate,) = run.go()

    assert isinstance(gate, OpenGate)
    assert (gate.role, gate.quorum, gate.expires_s) == ("approver", 3, 600.0)


def test_one_question_asks_as_many_as_the_action_and_the_policy_want_together() -> None:
    run = play(step("a", "asked_blind", value(11, "x")), judged_by=PERMIT + ASKS)
    (gate,) = run.go()

    assert isinstance(gate, OpenGate)
    assert (gate.quorum, gate.expires_s) == (3, 600.0)
    assert len(gate.reasons) == 2


def test_a_no_stays_a_no_though_the_policy_that_asked_is_another_one_by_now() -> None:
    run = play(step("a", "blind", value(11, "x")), judged_by=PERMIT + ASKS)
    (approval,) = run.ask()
    run.refuse(approval)
    run.policy = policy(PERMIT + ASKS.replace("more than ten", "rather much"))
    end = run.finish()

    assert (end.status, end.code) == ("failed", "approval-refused")


def test_where_policy_observes_the_call_is_made_and_tells_what_would_have_been() -> None:
    run = play(step("a", "blind", value(11, "x")))
    run.policy = Policy.parse({"test": PERMIT + ASKS}, "observe")
    (call,) = run.go()

    assert isinstance(call, Perform)
    assert call.observed == ("waits for 3 of approver by large: more than ten",)
    assert run.call("a", applied({})).grants == ()
    assert run.finish().status == "succeeded"


def test_where_policy_allows_there_is_nothing_to_tell() -> None:
    run = play(step("a", "blind", value(1, "x")))
    run.policy = Policy.parse({"test": PERMIT + ASKS}, "observe")
    (call,) = run.go()

    assert isinstance(call, Perform)
    assert call.observed == ()


DENIES = " forbid (principal, action, resource) when { context.args has x && context.args.x > 10 };"


def test_policy_is_asked_of_every_item_before_the_first_one_is_called() -> None:
    asked, denied = (
        play(step("r"), step("w", "blind", ref("each", "x"), each="r/l"), rules=PERMIT + rules)
        for rules in (ASKS, DENIES)
    )
    for run in (asked, denied):
        run.call("r", applied({"l": [1, 20]}))
    (gate,) = asked.go()
    end = denied.finish()

    assert isinstance(gate, OpenGate)
    assert gate.arguments == {"items": [{"x": 1}, {"x": 20}]}
    assert (end.status, end.code, end.standing) == ("failed", "policy-denied", ())
    assert "w" not in {name for name, _ in denied.state.attempts}
