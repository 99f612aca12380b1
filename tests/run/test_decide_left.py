"""What is left to a person alone, and what may go on once something else has changed."""

from collections.abc import Callable
from functools import partial
from math import inf

import pytest
from class_cases import LONG, one
from run_cases import (
    UNREADABLE,
    WINDOW_S,
    Play,
    play,
    policy,
    refused,
    step,
    uncertain,
    value,
)
from test_decide_pending import accepted_by_the_service

from executor.check.certificate import Options
from executor.run import events as e
from executor.run.retry import MOST_ATTEMPTS
from executor.run.verdicts import Held

GOES_ON = Options(on_uncertain="continue")
NEVER = 'forbid (principal, action == Action::"shop.idempotent", resource);'


def _in_doubt(effect: str) -> Play:
    run = one(effect)
    run.call("a", uncertain())
    return run


def _whose_key_is_too_old() -> Play:
    return _in_doubt("keyed").later(WINDOW_S)


def _tried_too_often(effect: str) -> Play:
    run = one(effect)
    for _ in range(MOST_ATTEMPTS):
        run.call("a", uncertain())
        run.later(LONG)
    return run


def _unreadable() -> Play:
    run = one("blind")
    run.call("a", UNREADABLE)
    return run


def _asked_something() -> Play:
    run = one("blind")
    command = run.performs()["a"]
    run.begin(command)
    run.flying.clear()
    asks = e.AttemptEnded(step="a", iteration="", n=1, state="applied_pending", asks={"who": {}})
    run.write(asks)
    return run


def _searched_for_long_enough(effect: str) -> Play:
    run = _in_doubt(effect)
    run.ask_in_vain("a", None)
    return run


def _asked_about_long_enough() -> Play:
    run = accepted_by_the_service()
    run.ask_in_vain("a", None)
    return run


def _policy_is_against_it() -> Play:
    run = play(step("a", "idempotent", value(1, "x")))
    run.call("a", uncertain())
    run.policy = policy(NEVER)
    return run.later(LONG)


def _beside(what: str) -> Play:
    run = play(step("a", "blind"), step("b", what), options=GOES_ON)
    run.call("a", uncertain())
    return run


def _lacks_credentials() -> Play:
    run = _beside("read")
    run.call("b", refused("auth"))
    return run


def _wants_a_yes() -> Play:
    run = play(step("a", "blind"), step("b", "asked_keyed"), options=GOES_ON)
    run.grant(*run.ask())
    run.call("a", uncertain())
    run.later(25 * 3600.0).ask()  # what was granted has run out
    return run


def _is_stopped() -> Play:
    run = _beside("read")
    run.not_before["shop"] = Held(inf, "stop")
    return run


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(partial(_in_doubt, "blind"), id="it may have happened"),
        pytest.param(_unreadable, id="it happened and its answer cannot be read"),
        pytest.param(_asked_something, id="it asks for something"),
        pytest.param(partial(_tried_too_often, "idempotent"), id="it was tried too often"),
        pytest.param(_whose_key_is_too_old, id="its key is too old"),
        pytest.param(partial(accepted_by_the_service, None), id="nobody can ask how it stands"),
    ],
)
def test_a_run_is_left_to_a_person_where_nothing_else_can_end_its_doubt(
    made: Callable[[], Play],
) -> None:
    wait = made().wait()

    assert (wait.waiting_for, wait.until, wait.left) == ("reconcile", None, True)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(partial(_searched_for_long_enough, "lookup"), id="it cannot be found"),
        pytest.param(partial(_searched_for_long_enough, "shop.found_blind"), id="nor this"),
        pytest.param(_asked_about_long_enough, id="the service does not get ready with it"),
        pytest.param(_policy_is_against_it, id="policy does not let it be called again"),
        pytest.param(_lacks_credentials, id="another step lacks credentials"),
        pytest.param(_is_stopped, id="another step is stopped"),
    ],
)
def test_a_run_that_may_go_on_once_something_has_changed_is_not_left_to_a_person(
    made: Callable[[], Play],
) -> None:
    wait = made().wait()

    assert (wait.waiting_for, wait.left) == ("reconcile", False)


def test_an_approval_is_left_to_a_person_as_well_and_its_time_ends_by_itself() -> None:
    both, alone = _wants_a_yes(), play(step("b", "asked_keyed"))
    alone.ask()
    waits = both.wait(), alone.wait()

    assert [(each.waiting_for, each.left) for each in waits] == [
        ("reconcile", True), ("approval", True),
    ]  # fmt: skip
    assert [each.until for each in waits] == [
        max(gate.opened.expires_at for gate in run.state.open_gates) for run in (both, alone)
    ]


def test_a_run_that_waits_for_a_yes_and_for_credentials_is_not_left_to_a_person() -> None:
    run = play(step("a", "read"), step("b", "asked_keyed"))
    run.ask()
    run.call("a", refused("auth"))
    wait = run.wait()

    assert (wait.waiting_for, wait.left) == ("credentials", False)


def test_a_call_that_policy_was_against_is_made_again_once_it_is_not() -> None:
    run = _policy_is_against_it()
    before = run.wait()
    run.policy = policy()

    assert not before.left
    assert run.performs()["a"].n == 2
