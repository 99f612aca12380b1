"""Of what is in doubt that is asked about next which was asked about longest ago."""

from run_cases import play, ref, step, uncertain

from executor.check.certificate import Options
from executor.run.commands import LookUp, Perform
from executor.run.in_turn import in_turn
from executor.run.moves import MOST_AT_ONCE

LONG = 1000.0


def test_those_with_a_time_change_places_and_all_others_stay() -> None:
    asked = {"b": 3.0, "d": 1.0, "e": 2.0}

    assert in_turn("abcde", asked.get) == ["a", "d", "c", "e", "b"]


def test_of_more_items_than_are_asked_about_at_once_those_come_first_that_have_waited_longest() -> (
    None
):
    run = play(step("a", "lookup", ref("each", "x"), each="input/list"), list=[*range(80)])
    while begun := run.performs():
        for each in begun.values():
            run.begin(each)
        for each in begun.values():
            run.end(each, uncertain())
            run.defer((each.step, each.iteration), each.n, LONG)
    run.later(LONG)
    asked = list[str]()
    for _ in range(3):
        searches = [each for each in run.later(1).go() if isinstance(each, LookUp)]
        assert len(searches) == MOST_AT_ONCE
        for each in searches:  # the rate lets no more pass
            run.defer((each.step, each.iteration), each.n, 0.5)
        asked += [each.iteration for each in searches]

    assert len({*asked}) == 80


def test_what_acts_and_what_asks_take_turns() -> None:
    options = Options(on_uncertain="continue")
    run = play(step("a", "lookup"), step("b", "keyed"), options=options)
    run.call("a", uncertain())
    first = [type(each) for each in run.later(1).go()]
    run.ask_in_vain("a", 0.5)
    then = [type(each) for each in run.later(1).go()]

    assert first == [LookUp, Perform]
    assert then == [Perform, LookUp]
