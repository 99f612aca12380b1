"""From a model's text to a plan: what is peeled off, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planner_cases import a_plan

from executor.plan.model import Plan
from planner.models.base import Completion
from planner.reply import read_reply

PLAN = json.dumps(a_plan())


def read(text: str, *, cut: bool = False) -> Plan | list[str]:
    found = read_reply(Completion(text, "m", cut=cut))
    return found if isinstance(found, Plan) else [each.code for each in found]


@pytest.mark.parametrize(
    "text",
    [
        PLAN,
        f"```json\n{PLAN}\n```",
        f"```\n{PLAN}\n```",
        f"Here is the plan for {{order_id}}:\n\n{PLAN}\n\nTell me if {{anything}} is wrong.",
        f"<think>Maybe {{'steps': []}} or {PLAN}?</think>\n{PLAN}",
        f'I use refs such as {{"ref": "order/id"}} in it. {PLAN}',
        json.dumps({"language": 1, "plan": a_plan()}),
    ],
)
def test_what_stands_around_the_json_is_peeled_off(text: str) -> None:
    assert read(text) == read(PLAN)
    assert isinstance(read(text), Plan)


@pytest.mark.parametrize(
    "thoughts",
    [
        'Perhaps {"steps": []}? No.</think>',  # its beginning stood in the template
        '<THINK>{"steps": []}</THINK>',
        '<thought>{"steps": []}</thought>',
        '<reasoning>{"steps": []}</reasoning>',
        '[THINK]{"steps": []}[/THINK]',
    ],
)
def test_a_draft_in_the_thoughts_is_not_offered(thoughts: str) -> None:
    assert isinstance(read_reply(Completion(f"{thoughts}\n{PLAN}", "m")), Plan)


def test_the_end_of_a_thought_inside_a_plan_is_a_text_like_another() -> None:
    plan = PLAN.replace("1042", "1042 </think> ")
    read = read_reply(Completion(plan, "m"))

    assert isinstance(read, Plan)
    assert "</think>" in json.dumps(read.stored())


def test_a_fence_inside_a_string_of_the_plan_stays_there() -> None:
    plan = {**a_plan(), "understanding": "Write ```json\n{}\n``` into the note."}
    found = read(json.dumps(plan))

    assert isinstance(found, Plan)
    assert found.understanding == "Write ```json\n{}\n``` into the note."


def test_of_two_plans_none_is_chosen() -> None:
    assert read(f"{PLAN}\nOr rather:\n{PLAN}") == ["malformed-json"]


@pytest.mark.parametrize(
    "text",
    ["", "I would refund it.", PLAN[:-1], PLAN[: len(PLAN) // 2], "{'steps': []}", "[]", "null"],
)
def test_garbage_and_half_an_answer_are_violations(text: str) -> None:
    found = read(text)

    assert found in (["malformed-json"], ["unknown-field"])


def test_a_plan_that_was_cut_is_refused_even_if_it_can_be_read() -> None:
    assert read(PLAN, cut=True) == ["malformed-json"]


def test_a_complete_plan_inside_a_broken_frame_is_not_fished_out() -> None:
    assert read('{"language": 1, "plan": ' + PLAN) == ["malformed-json"]


def test_doing_nothing_without_a_word_is_no_plan() -> None:
    assert read("{}") == ["unknown-field"]
    assert read('{"answer": [{"value": "Done, refunded!", "to": "text"}]}') == ["unknown-field"]
    assert isinstance(read('{"unable": "nobody can"}'), Plan)


def test_duplicate_keys_and_nan_are_refused() -> None:
    assert read('{"unable": "a", "unable": "b"}') == ["duplicate-key"]
    assert read('{"unable": NaN}') == ["malformed-json"]


def test_a_very_deep_answer_is_refused() -> None:
    assert read('{"a":' * 100_000) in (["too-large"], ["malformed-json"])


@given(st.text(alphabet=st.sampled_from(list('{}[]":,`\n ae1')), max_size=200))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    found = read(text)

    assert isinstance(found, Plan) or found


@pytest.mark.timeout(30)  # where each object cost a look at all before it, this took a minute
def test_very_many_objects_are_as_quickly_refused_as_two() -> None:
    assert read("{} " * 500_000) == ["malformed-json"]
    assert read("[" + "{}, " * 200_000 + "{}]") == ["malformed-json"]
