"""How much a plan may hold, and that looking at as much as that takes no time that grows faster."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.check.arguments import _overlaps
from executor.check.extent import MOST_CHARACTERS, MOST_PARTS, MOST_TOKENS
from executor.check.parse import parse_plan
from executor.plan.model import Plan

PLACES = st.lists(st.lists(st.sampled_from("abc"), max_size=3).map(tuple), max_size=8)


def a_plan(*args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"steps": [{"id": "one", "action": "tools.open", "args": [*args]}], **more}


def told(plan: dict[str, Any]) -> list[tuple[str, str]]:
    found = parse_plan(json.dumps(plan))
    return [] if isinstance(found, Plan) else [(each.code, each.at) for each in found]


def test_a_plan_has_so_many_parts_and_one_more_is_too_large() -> None:
    args = [{"value": 1, "to": f"a/{index}"} for index in range(MOST_PARTS - 2)]  # and two around

    assert told(a_plan(*args)) == []
    assert told(a_plan(*args, {"value": 1, "to": "b"})) == [("too-large", "")]
    assert told({"language": 1, "plan": a_plan(*args, *args)}) == [("too-large", "/plan")]


def test_whatever_is_listed_is_a_part() -> None:
    waits = [f"s{index}" for index in range(MOST_PARTS - 2)]
    plan = {"steps": [{"id": "one", "action": "tools.open", "after": waits}]}
    more = {"steps": [{"id": "one", "action": "tools.open", "after": [*waits, "more"]}]}

    assert told(plan) == []
    assert told(more) == [("too-large", "")]


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"ref": "{}", "to": "x"}, "/steps/0/args/0/ref"),
        ({"value": 1, "to": "{}"}, "/steps/0/args/0/to"),
        ({"text": [{"ref": "{}"}], "to": "x"}, "/steps/0/args/0/text/0/ref"),
    ],
)
def test_a_path_has_so_many_tokens_below_its_root(wrong: dict[str, Any], at: str) -> None:
    def with_tokens(count: int) -> dict[str, Any]:
        return a_plan(json.loads(json.dumps(wrong).replace("{}", "a" + "/a" * count)))

    assert told(with_tokens(MOST_TOKENS)) == []
    assert told(with_tokens(MOST_TOKENS + 1)) == [("too-large", at)]
    assert told(with_tokens(300_000)) == [("too-large", at)]


def test_a_path_has_so_many_characters() -> None:
    for length, expected in ((MOST_CHARACTERS, []), (MOST_CHARACTERS + 1, ["too-large"])):
        args = [{"ref": "a" * length, "to": "x"}, {"value": "a" * 2 * length, "to": "y"}]
        assert [code for code, _ in told(a_plan(*args))] == expected


def test_a_text_with_slashes_that_is_no_path_is_not_counted() -> None:
    assert told(a_plan({"value": "/" * 100, "to": "x"}, understanding="/" * 100)) == []


@given(PLACES)
def test_places_overlap_where_one_is_the_other_or_a_part_of_it(places: list[Any]) -> None:
    def meets(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
        shorter = min(len(one), len(other))
        return one[:shorter] == other[:shorter]

    expected = [
        (index, at, next(each for each in places[:index] if meets(each, at)))
        for index, at in enumerate(places)
        if any(meets(each, at) for each in places[:index])
    ]

    assert [*_overlaps(places)] == expected
