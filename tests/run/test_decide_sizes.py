"""What a plan puts together is bounded, for it may double with each of its steps."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_cases import applied, play, ref, step

from executor.plan.size import MOST, size_of

pytestmark = pytest.mark.timeout(60)
LARGE = "x" * (MOST // 3)


def text(*refs: str, to: str) -> dict[str, Any]:
    return {"text": [{"ref": each} for each in refs], "to": to}


def by(function: str, source: str) -> list[dict[str, Any]]:
    """Arguments that are twice as large as where they come from."""
    match function:
        case "fn.join":
            return [ref(source, "list/0"), ref(source, "list/1")]
        case "fn.zip":
            return [ref(source, "left"), ref(source, "right")]
        case "fn.typed":
            schema = {"json": json.dumps({"type": "object"}), "to": "schema"}
            return [ref(source, "value/a"), ref(source, "value/b"), schema]
        case _:
            return [ref(source, "list/0"), ref(source, "list/1"), {"json": "[]", "to": "where"}]


@pytest.mark.parametrize("function", ["fn.join", "fn.zip", "fn.typed", "fn.filter"])
def test_what_doubles_with_each_step_ends_before_it_fills_the_memory(function: str) -> None:
    names = [f"s{number}" for number in range(40)]
    doubled = [step(name, function, *by(function, source)) for source, name in pairwise(names)]
    run = play(step("s0"), *doubled, step("last", "blind", ref("s39", "x")))
    text = "x" * 100_000
    run.call("s0", applied([text] if function == "fn.zip" else text))
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", "too-large", ())


def test_a_separator_counts_as_often_as_it_stands_in_the_text() -> None:
    run = play(
        step("a"), step("b", "fn.join", ref("a/texts", "list"), ref("a/between", "separator"))
    )
    run.call("a", applied({"texts": [""] * 100_000, "between": LARGE}))

    assert run.finish().code == "too-large"


def test_the_arguments_of_a_call_are_bounded_each_and_those_of_a_list_together() -> None:
    whole = play(step("a"), step("b", "blind", text(*["a/t"] * 4, to="t")))
    parts = play(step("a"), step("b", "blind", *(ref("a/t", name) for name in "klmn")))
    items = play(step("a"), step("b", "blind", ref("a/t", "t"), each="a/list"))
    for run in (whole, parts, items):
        run.call("a", applied({"t": LARGE, "list": [1] * 13}))

        assert run.finish().code == "too-large"


def test_what_a_function_gives_for_all_items_is_one_value() -> None:
    run = play(
        step("a"),
        step("b", "fn.join", ref("a/t", "list/0"), ref("each", "list/1"), each="a/list"),
    )
    run.call("a", applied({"t": LARGE, "list": ["1", "2", "3", "4"]}))

    assert run.finish().code == "too-large"


def test_an_answer_leaves_out_what_would_make_it_too_large() -> None:
    run = play(
        step("a", "blind"), answer=[*(ref("a/t", name) for name in "klmn"), ref("a/id", "id")]
    )
    run.call("a", applied({"t": LARGE, "id": 1}))
    end = run.finish()

    assert end.status == "succeeded"
    assert isinstance(end.result, dict)
    assert end.result.keys() == {"k", "l", "id"}


@given(
    st.recursive(
        st.none()
        | st.integers(-99, 99)
        | st.text(st.characters(min_codepoint=48, max_codepoint=57)),
        lambda below: st.lists(below) | st.dictionaries(st.sampled_from("ab"), below),
    )
)
def test_a_size_is_at_most_that_of_the_json_and_no_less_than_its_texts(made: Any) -> None:
    written = len(json.dumps(made, separators=(",", ":")))

    assert written // 20 <= size_of(made, MOST) <= written
    assert size_of([made] * 100_000, 1_000) > 1_000
