"""A call that the service accepted and has not finished is asked about, and never made again."""

from typing import Any

import pytest
from run_cases import PENDING, Play, action, play, step

from connectors.spec import JsonObject
from executor.run import events as e
from executor.run.commands import Perform, Poll
from executor.run.state import FRESH_LOOK_S

STATUS = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
MORE = (action("shop.slow", "blind", status=STATUS),)


def accepted_by_the_service(handle: str | None = "job-7") -> Play:
    run = play(step("a", "shop.slow"), more=MORE)
    (command,) = run.go()
    assert isinstance(command, Perform)
    run.begin(command)
    run.flying.clear()
    run.write(e.AttemptEnded(step="a", iteration="", n=1, state=PENDING.state, handle=handle))
    return run


def test_it_is_asked_about_by_its_handle() -> None:
    (poll,) = accepted_by_the_service().go()

    assert isinstance(poll, Poll)
    assert (poll.handle, poll.n) == ("job-7", 1)


def test_between_two_questions_the_run_waits_for_the_service() -> None:
    run = accepted_by_the_service()
    run.ask_in_vain("a", 30)
    wait = run.wait()

    assert (wait.waiting_for, wait.until) == ("callback", run.now + 30)


def test_before_the_service_wants_to_be_asked_again_no_drive_asks() -> None:
    run = accepted_by_the_service()
    run.write(
        e.AttemptDeferred(step="a", iteration="", n=1, again_at=run.now, ask_from=run.now + 30)
    )
    wait = run.wait()
    run.now += 30
    (poll,) = run.go()

    assert (wait.waiting_for, wait.until) == ("callback", run.now)
    assert isinstance(poll, Poll)


def test_who_is_woken_asks_once_more_though_it_is_not_time_yet() -> None:
    run = accepted_by_the_service()
    run.ask_in_vain("a", 30)
    run.woken += 1
    (poll,) = run.later(FRESH_LOOK_S).go()
    run.ask_in_vain("a", 30)

    assert isinstance(poll, Poll)
    assert run.wait().waiting_for == "callback"


def test_however_often_it_is_woken_a_while_passes_between_two_questions() -> None:
    run = accepted_by_the_service()
    run.ask_in_vain("a", None)
    run.woken += 1
    wait = run.wait()

    assert (wait.waiting_for, wait.until) == ("callback", run.now + FRESH_LOOK_S)


def test_of_a_clock_that_went_back_since_a_wake_waits_for_nothing() -> None:
    run = accepted_by_the_service()
    run.ask_in_vain("a", None)
    run.now -= 3600
    run.woken += 1
    (poll,) = run.go()

    assert isinstance(poll, Poll)


def test_an_event_of_the_journal_s_first_version_is_heeded() -> None:
    run = accepted_by_the_service()
    data: JsonObject = {"step": "a", "iteration": "", "n": 1, "ask_from": run.now + 30}
    run.write(e.parse_event("attempt.deferred", 1, data))
    wait = run.wait()
    (poll,) = run.later(30).go()

    assert wait.until == run.now
    assert isinstance(poll, Poll)


def test_whoever_is_woken_the_service_is_not_asked_before_it_wants_to_be() -> None:
    run = accepted_by_the_service()
    again_at = run.now + 30
    run.write(e.AttemptDeferred(step="a", iteration="", n=1, again_at=run.now, ask_from=again_at))
    run.woken += 1
    wait = run.wait()

    assert (wait.waiting_for, wait.until) == ("callback", again_at)


def test_what_the_service_said_holds_though_another_question_was_in_vain_meanwhile() -> None:
    run = accepted_by_the_service()
    again_at = run.now + 30
    run.write(e.AttemptDeferred(step="a", iteration="", n=1, again_at=run.now, ask_from=again_at))
    run.ask_in_vain("a", 1)

    assert run.later(2).wait().until == again_at


def test_what_was_asked_about_long_enough_is_for_a_person_to_find_out() -> None:
    run = accepted_by_the_service()
    run.ask_in_vain("a", None)
    wait = run.wait()

    assert (wait.waiting_for, wait.until) == ("reconcile", None)


def test_without_a_handle_a_person_finds_out() -> None:
    assert accepted_by_the_service(None).wait().waiting_for == "reconcile"


def test_once_the_service_is_done_the_step_has_its_output() -> None:
    run = accepted_by_the_service()
    run.resolve("a", 1, "applied", {"file": "x"}, by="status")
    end = run.finish()

    assert (end.status, run.state.done) == ("succeeded", {"a": {"file": "x"}})


@pytest.mark.parametrize("by", ["status", "evidence:shop"])
def test_what_the_service_gave_up_has_failed_and_is_not_made_again(by: Any) -> None:
    run = accepted_by_the_service()
    run.resolve("a", 1, "absent", by=by)
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", "refused", ())
