"""What waits for a call and what a call waits for, and what may be expected of its answer."""

from typing import Any

import pytest
from called_cases import ANSWER, FIND, NUMBER, SURE, expanded, steps_of


@pytest.mark.parametrize(
    ("cond", "moved"),
    [
        ({"left": "result/id", "op": "==", "value": 1}, {"left": "result/id"}),
        ({"left": "result/id/more", "op": "==", "value": 1}, {"left": "result/id/more"}),
        ({"left": "result/deep/a", "op": "==", "value": 1}, {"left": "result/a"}),
        ({"lhs": "result/id", "op": "==", "rhs": "look/id"}, {"lhs": "result/id"}),
        ({"lhs": "look/id", "op": "==", "rhs": "result/deep/a"}, {"rhs": "result/a"}),
        ({"lhs": "result/id", "op": "==", "rhs": "result/deep/a"}, {"rhs": "result/a"}),
    ],
)
def test_what_is_expected_of_an_answer_is_expected_of_the_step_that_gives_it(
    cond: Any, moved: Any
) -> None:
    own = {"left": "result/ok", "op": "==", "value": True}
    found = steps_of(
        expanded({"x": {}}, [FIND | {"expect": [own]}], [{"value": 2, "to": "x"}], answer=ANSWER,
                 expect=[cond, SURE | {"left": "result/id"}])
    )  # fmt: skip

    assert found["c.find"]["expect"] == [own, cond | moved, SURE | {"left": "result/id"}]


@pytest.mark.parametrize(
    ("cond", "inner"),
    [
        ({"left": "result/n", "op": "==", "value": 1}, {}),  # of no step
        ({"left": "result/gone", "op": "==", "value": 1}, {}),
        ({"left": "result/deep/b", "op": "==", "value": 1}, {}),  # of an input
        ({"left": "result/deep", "op": "exists", "value": True}, {}),  # of two
        (SURE, {}),  # not of the answer
        ({"lhs": "result/id", "op": "==", "rhs": "result/b"}, {}),
        ({"left": "result/id", "op": "==", "value": 1}, {"when": [SURE | {"left": "input/today"}]}),
        ({"left": "result/id", "op": "==", "value": 1}, {"each": "b/rows"}),
    ],
)
def test_what_no_single_step_surely_gives_cannot_be_expected_of_a_call(
    cond: Any, inner: Any
) -> None:
    steps = [FIND | inner, {"id": "b", "action": "it.b"}]
    answer = [*ANSWER, {"ref": "b/x", "to": "b"}]
    found = expanded({"x": {}}, steps, [{"value": 2, "to": "x"}], answer=answer, expect=[cond])
    (wrong,) = found.told(())

    assert (wrong.code, wrong.at) == ("effect-before-check", "/steps/1/expect/0")
    assert wrong.message == "this looks at no result of one step that is surely called"


def test_what_an_inner_step_expects_reads_as_it_did_with_constants_for_inputs() -> None:
    conds = [{"lhs": "result/n", "op": "<", "rhs": "input/n"},
             {"lhs": "result/n", "op": "<", "rhs": "find/n"}]  # fmt: skip
    do = {"id": "do", "action": "it.do", "expect": conds}
    found = steps_of(expanded({"n": NUMBER}, [FIND, do], [{"value": 3, "to": "n"}]))

    assert found["c.do"]["expect"] == [
        {"left": "result/n", "op": "<", "value": 3},
        {"lhs": "result/n", "op": "<", "rhs": "c.find/n"},
    ]


def test_an_answer_that_spells_a_constant_out_waits_for_it_and_for_all_of_the_call() -> None:
    answer = [{"text": [{"lit": "n: "}, {"ref": "input/n"}], "to": "said"}]
    use = {"id": "use", "action": "it.use", "args": [{"ref": "c/said", "to": "x"}]}
    said = {"text": [{"lit": "n: "}, {"ref": "input/n"}], "to": "x"}
    inner = [FIND, {"id": "do", "action": "it.do", "args": [said]}]
    found = steps_of(
        expanded({"n": NUMBER}, inner, [{"value": 3, "to": "n"}], answer=answer, then=[use],
                 when=[SURE], after=["look"])
    )  # fmt: skip

    assert [*found] == ["look", "c.input.n", "c.find", "c.do", "c.result.said", "use"]
    assert found["c.do"].keys() == {"id", "action", "args"}  # skipped, and begun, with its source
    assert found["c.input.n"] == {
        "id": "c.input.n", "why": "n, as it takes it", "action": "fn.typed", "when": [SURE],
        "args": [{"value": 3, "to": "value"}, {"json": '{"type":"number"}', "to": "schema"}],
        "after": ["look"],
    }  # fmt: skip
    assert found["c.find"]["after"] == ["look"]
    assert found["c.result.said"] == {
        "id": "c.result.said", "why": "what it answers", "action": "fn.typed", "when": [SURE],
        "args": [{"text": [{"lit": "n: "}, {"ref": "c.input.n"}], "to": "value"},
                 {"json": "{}", "to": "schema"}],
        "after": ["c.find", "c.do"],
    }  # fmt: skip


def test_a_first_step_waits_for_what_it_is_not_given_itself() -> None:
    inner = [
        FIND,
        {"id": "do", "action": "it.do", "args": [{"ref": "input/n", "to": "x"}]},
        {"id": "b", "action": "it.b", "args": [{"ref": "find/id", "to": "x"}]},
        {"id": "e", "action": "it.e", "after": ["find"]},
    ]
    given = [{"ref": "look/n", "to": "n"}, {"ref": "look/m", "to": "m"}]
    found = steps_of(expanded({"n": {}, "m": {}}, inner, given, after=["look"]))

    assert {name: step.get("after", []) for name, step in found.items()} == {
        "look": [], "c.input.n": ["look"], "c.input.m": ["look"],
        "c.find": ["c.input.n", "c.input.m"], "c.do": ["c.input.m"], "c.b": [],
        "c.e": ["c.find"],
    }  # fmt: skip


def test_a_constant_that_only_the_answer_spells_out_is_a_step_all_the_same() -> None:
    answer = [{"text": [{"lit": "n: "}, {"ref": "input/n"}], "to": "said"}]
    use = {"id": "use", "action": "it.use", "args": [{"ref": "c/said", "to": "x"}]}
    found = steps_of(
        expanded({"n": NUMBER}, [FIND], [{"value": 3, "to": "n"}], answer=answer, then=[use])
    )

    assert [*found] == ["look", "c.input.n", "c.find", "c.result.said", "use"]


def test_a_step_that_only_looks_at_the_day_waits_for_what_the_call_waits_for() -> None:
    dated = {"id": "do", "action": "it.do", "args": [{"ref": "input/today", "to": "x"}]}
    found = steps_of(expanded({}, [dated], [], after=["look"]))

    assert found["c.do"]["after"] == ["look"]


@pytest.mark.parametrize(
    ("args", "waited_for"),
    [([{"ref": "look/n", "to": "n"}], ["c.input.n"]), ([{"value": 1, "to": "n"}], ["look"])],
)
def test_who_waits_for_a_call_without_steps_waits_for_what_it_is_given(
    args: Any, waited_for: list[str]
) -> None:
    last = {"id": "use", "action": "it.use", "after": ["c"]}
    found = steps_of(expanded({"n": {}}, [], args, after=["look"], then=[last]))

    assert found["use"]["after"] == waited_for


def test_all_inputs_at_once_are_no_input() -> None:
    with_all = {"id": "do", "action": "it.do", "args": [{"ref": "input", "to": "x"}]}
    (wrong,) = expanded({}, [with_all], []).told(())

    assert (wrong.code, wrong.at) == ("unknown-path", "/steps/1/action")
