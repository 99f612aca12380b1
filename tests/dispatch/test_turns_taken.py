"""Turns by themselves: tenants, ranks and lanes, what is not ready, and what waits no more."""

from hypothesis import given
from hypothesis import strategies as st

from executor.turns import PASSED, Turns


def taken(turns: Turns[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """All of them."""
    return [each for _ in range(len(turns)) if (each := turns.next()) is not None]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=40))
def test_lanes_of_one_rank_take_turns_and_each_goes_by_order_of_arrival(
    waiting: list[tuple[int, int]],
) -> None:
    turns: Turns[tuple[int, int, int]] = Turns()
    for number, (rank, lane) in enumerate(waiting):
        turns.add("main", (rank, lane, number), rank, lane)
    order = taken(turns)

    for rank in range(3):
        found = [each for each in order if each[0] == rank]
        lanes = [[each for each in found if each[1] == lane] for lane in (0, 1)]
        both = 2 * min(map(len, lanes))
        assert all({a[1], b[1]} == {0, 1}
                   for a, b in zip(found[:both:2], found[1:both:2], strict=True))  # fmt: skip
        assert all(lane == sorted(lane) for lane in lanes)


RANKED = st.lists(st.integers(0, 2), max_size=60)


def test_nine_turns_by_rank_are_followed_by_one_of_what_has_waited_longest() -> None:
    turns: Turns[str] = Turns()
    for name, rank in (("low", 2), ("normal", 1), ("high", 0)):
        for number in range(30):
            turns.add("main", f"{name} {number}", rank)
    order = [turns.next() for _ in range(40)]

    assert order[:10] == [*(f"high {number}" for number in range(PASSED)), "low 0"]
    assert [place for place, each in enumerate(order) if "low" in str(each)] == [9, 19, 29, 39]
    assert order[33:35] == ["normal 0", "normal 1"]


@given(RANKED, RANKED)
def test_however_much_of_a_higher_rank_comes_each_one_waits_for_nine_of_it_and_for_what_came_before(
    before: list[int], after: list[int]
) -> None:
    turns: Turns[tuple[int, int]] = Turns()
    for number, rank in enumerate(before):
        turns.add("main", (rank, number), rank)
    turns.add("main", (2, len(before)), 2)
    ranks, waited, found = [*after, *[0] * 2000], 0, None
    while found != (2, len(before)):
        rank = ranks.pop(0)  # as fast as turns are given
        turns.add("main", (rank, len(before) + len(after) + len(ranks) + 1), rank)
        found, waited = turns.next(), waited + 1

    assert waited <= (PASSED + 1) * (len(before) + 1)


@given(RANKED)
def test_without_anything_that_waited_longer_it_goes_by_rank_alone(ranks: list[int]) -> None:
    turns: Turns[int] = Turns()
    for rank in sorted(ranks):
        turns.add("main", rank, rank)

    assert [turns.next() for _ in ranks] == sorted(ranks)


@given(RANKED)
def test_who_is_of_the_highest_rank_is_among_the_next_two_whatever_waits(ranks: list[int]) -> None:
    turns: Turns[int] = Turns()
    for rank in ranks:
        turns.add("main", rank, rank + 1)
    for _ in range(len(ranks) // 2):
        turns.next()
    turns.add("main", -1, 0)

    assert -1 in (turns.next(), turns.next())


@given(st.integers(1, 30), st.integers(1, 30))
def test_who_comes_late_in_an_empty_lane_waits_for_one_of_the_other_and_for_no_more_each_time(
    before: int, late: int
) -> None:
    turns: Turns[tuple[int, int, int]] = Turns()
    for number in range(60):
        turns.add("main", (0, 1, number), 0, 1)
    gone = [turns.next() for _ in range(before)]
    for number in range(late):
        turns.add("main", (0, 0, number), 0, 0)
    lanes = [lane for _, lane, _ in taken(turns)]
    places = [place for place, lane in enumerate(lanes) if lane == 0]

    assert len(gone) == before
    assert all(place <= 2 * number + 1 for number, place in enumerate(places))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_what_is_not_ready_holds_up_nobody_and_keeps_its_place(
    waiting: list[tuple[str, bool]],
) -> None:
    turns: Turns[tuple[str, bool, int]] = Turns()
    for number, (tenant, is_ready) in enumerate(waiting):
        turns.add(tenant, (tenant, is_ready, number))
    ready = []
    while (found := turns.next(lambda each: each[1])) is not None:
        ready.append(found)
    rest = [turns.next() for _ in range(len(turns))]

    assert sorted(each[2] for each in ready) == [n for n, each in enumerate(waiting) if each[1]]
    for order in (ready, rest):
        for name in "abc":
            own = [each[2] for each in order if each is not None and each[0] == name]
            assert own == sorted(own)
    assert len(rest) == len(waiting) - len(ready)


def test_what_waits_no_more_takes_no_turn_of_its_tenant() -> None:
    turns: Turns[str] = Turns()
    for number in range(3):
        turns.add("main", f"main {number}")
    turns.add("other", "other")
    turns.drop("main", "main 0")
    turns.drop("main", "main 1")
    turns.drop("other", "other")

    assert [turns.next(), turns.next(), len(turns)] == ["main 2", None, 0]
