"""What is recorded because it has become true, before anything is done."""

import pytest
from run_cases import GATE_S, SETTLE_S, applied, play, refused, step, uncertain

from executor.run import events as e
from executor.run.commands import Record


def test_a_run_begins_by_saying_which_plan_it_follows() -> None:
    run = play(step("a"))
    (begun,) = run.decide()

    assert begun == Record(e.RunStarted(plan="pln_a", digest=run.accepted.digest))


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed", "lookup", "blind"])
def test_a_call_that_nobody_makes_any_more_is_uncertain(effect: str) -> None:
    run = play(step("a", effect))
    run.begin(run.performs()["a"])
    under_way = run.decide()
    run.crash()
    (lost,) = run.decide()

    assert not isinstance(under_way[0], Record)
    assert isinstance(lost, Record)
    assert isinstance(lost.event, e.AttemptEnded)
    assert (lost.event.step, lost.event.n, lost.event.state) == ("a", 1, "uncertain")


@pytest.mark.parametrize(("effect", "is_told"), [("read", True), ("blind", False)])
def test_only_a_read_is_told_as_cut_off_by_a_cancel(effect: str, is_told: bool) -> None:
    run = play(step("a", effect))
    run.begin(run.performs()["a"])
    run.crash()
    run.cancel()
    lost = next(each.event for each in run.decide() if isinstance(each, Record))

    assert isinstance(lost, e.AttemptEnded)
    assert lost.failure is not None
    assert ("cut off" in lost.failure.message) is is_told


@pytest.mark.parametrize(("replayed", "resolution"), [(True, "applied"), (False, "absent")])
def test_a_service_that_knows_the_key_tells_what_became_of_the_lost_call(
    replayed: bool, resolution: str
) -> None:
    run = play(step("a", "keyed"))
    run.lose("a")
    run.later(5).call("a", applied({"id": 1}, replayed=replayed))
    run.go()
    first = run.state.attempts["a", ""][0].resolved

    assert first is not None
    assert (first.resolution, first.by) == (resolution, "key")
    assert run.finish().uncertain == ()


def test_repeating_an_idempotent_call_settles_the_lost_one() -> None:
    run = play(step("a", "idempotent"))
    run.lose("a")
    run.later(5).call("a", applied({"id": 1}))
    run.go()
    first = run.state.attempts["a", ""][0].resolved

    assert first is not None
    assert (first.resolution, first.by, first.output) == ("applied", "repetition", {"id": 1})


def test_nothing_is_learned_from_a_read_or_from_a_refusal() -> None:
    read, keyed = play(step("a")), play(step("a", "keyed"))
    for run, answer in ((read, applied({})), (keyed, refused("conflict"))):
        run.lose("a")
        run.later(5).call("a", answer)
        run.go()

        assert run.state.attempts["a", ""][0].resolved is None


@pytest.mark.parametrize("resolution", ["applied", "absent", "abandoned"])
def test_what_is_found_out_of_the_last_call_holds_for_those_before_it_under_the_same_key(
    resolution: str,
) -> None:
    run = play(step("a", "keyed"))
    run.call("a", uncertain())
    run.later(2).call("a", uncertain())
    run.later(SETTLE_S).resolve("a", 2, resolution, {"id": 1} if resolution == "applied" else None)
    run.go()
    first, second = run.state.attempts["a", ""][:2]

    assert first.resolved is not None
    assert second.resolved is not None
    assert (first.resolved.resolution, first.resolved.by) == (resolution, second.resolved.by)
    assert not run.state.doubts


def test_a_question_that_nobody_answered_expires_at_its_time() -> None:
    run = play(step("a", "asked_blind"))
    (gate,) = run.ask()
    before = run.later(GATE_S - 1).decide()
    (expired,) = run.later(1).decide()

    assert not isinstance(before[0], Record)
    assert expired == Record(e.ApprovalExpired(approval=gate))
