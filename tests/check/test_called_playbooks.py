"""What a call gives to a playbook: constants stand where they are used, the rest is held first."""

import json
from typing import Any

import pytest
from called_cases import FIND, NUMBER, expanded, steps_of, told, using

TURNED = [("<", ">"), ("<=", ">="), (">", "<"), (">=", "<="), ("==", "=="), ("!=", "!=")]


@pytest.mark.parametrize(("op", "turned"), TURNED)
def test_a_comparison_with_a_constant_input_says_the_constant(op: str, turned: str) -> None:
    conds = [
        {"lhs": "find/n", "op": op, "rhs": "input/most"},
        {"lhs": "input/most", "op": op, "rhs": "find/n"},
    ]
    found = steps_of(
        expanded({"most": NUMBER}, [FIND, {"id": "do", "action": "it.do", "when": conds}],
                 [{"value": 3, "to": "most"}])
    )  # fmt: skip

    assert found["c.do"]["when"] == [
        {"left": "c.find/n", "op": op, "value": 3},
        {"left": "c.find/n", "op": turned, "value": 3},
    ]
    assert [*found] == ["look", "c.find", "c.do"]


@pytest.mark.parametrize(
    "cond",
    [
        {"lhs": "input/most", "op": "==", "rhs": "input/most"},  # both are
        {"lhs": "find/n", "op": "==", "rhs": "find/m"},  # neither is
        {"lhs": "find/n", "op": "==", "rhs": "input/list"},  # no scalar
        {"lhs": "input/list", "op": "==", "rhs": "find/n"},
        {"lhs": "input/most", "op": "matches", "rhs": "find/n"},  # cannot be turned
    ],
)
def test_any_other_comparison_stays_one_of_two_references(cond: Any) -> None:
    inputs = {"most": NUMBER, "list": {"type": "array"}}
    args = [{"value": 3, "to": "most"}, {"json": "[3]", "to": "list"}]
    found = expanded(inputs, [FIND, {"id": "do", "action": "it.do", "when": [cond]}], args)
    do = next(step for step in found.plan.steps if step.id == "c.do")

    assert set(do.when[0].model_dump()) == {"lhs", "op", "rhs"}


@pytest.mark.parametrize(
    ("ref", "arg"),
    [
        ("input/it", {"json": '{"a":{"b":[1,"x"]},"s":"t"}', "to": "x"}),
        ("input/it/s", {"value": "t", "to": "x"}),
        ("input/it/a", {"json": '{"b":[1,"x"]}', "to": "x"}),
        ("input/it/a/b/1", {"value": "x", "to": "x"}),
        ("input/it/a/b/0", {"value": 1, "to": "x"}),
        ("input/it/a/b/2", {"ref": "c.input.it/a/b/2", "to": "x"}),
        ("input/it/a/b/-1", {"ref": "c.input.it/a/b/-1", "to": "x"}),
        ("input/it/gone", {"ref": "c.input.it/gone", "to": "x"}),
        ("input/it/s/0", {"ref": "c.input.it/s/0", "to": "x"}),
        ("find/it", {"ref": "c.find/it", "to": "x"}),
        ("input/today", {"ref": "input/today", "to": "x"}),
    ],
)
def test_a_path_into_a_constant_is_what_is_there_or_a_reference_to_it(ref: str, arg: Any) -> None:
    content = {"a": {"b": [1, "x"]}, "s": "t"}
    do = {"id": "do", "action": "it.do", "args": [{"ref": ref, "to": "x"}]}
    found = expanded({"it": {}}, [FIND, do], [{"json": json.dumps(content), "to": "it"}])
    (step,) = (step for step in found.plan.steps if step.id == "c.do")

    assert step.args[0].model_dump(by_alias=True) == arg
    assert any(step.id == "c.input.it" for step in found.plan.steps) is (
        arg.get("ref", "").startswith("c.input")
    )


@pytest.mark.parametrize(
    ("arg", "piece"),
    [
        ({"value": "ann", "to": "who"}, {"lit": "ann"}),
        ({"text": [{"lit": "a"}, {"lit": "nn"}], "to": "who"}, {"lit": "ann"}),
        ({"value": 3, "to": "who"}, {"ref": "c.input.who"}),  # how it is written is for the run
        ({"ref": "look/who", "to": "who"}, {"ref": "c.input.who"}),
        ({"text": [{"lit": "a"}, {"ref": "look/who"}], "to": "who"}, {"ref": "c.input.who"}),
    ],
)
def test_a_piece_of_a_text_is_the_constant_where_that_is_a_text(arg: Any, piece: Any) -> None:
    text = [{"lit": "to "}, {"ref": "input/who"}, {"ref": "find/n"}]
    do = {"id": "do", "action": "it.do", "args": [{"text": text, "to": "x"}]}
    found = expanded({"who": {}}, [FIND, do], [arg])
    (step,) = (step for step in found.plan.steps if step.id == "c.do")

    pieces = step.model_dump(mode="json")["args"][0]["text"]
    assert pieces == [{"lit": "to "}, piece, {"ref": "c.find/n"}]


BIND = "Bind it, or ask a question."


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], [("missing-argument", "/steps/1/args", "playbooks.it needs 'n'", BIND)]),
        ([{"value": 1, "to": "n"}], []),
        ([{"value": "x", "to": "n"}],
         [("type-mismatch", "/steps/1/args/0/value",
           "this can never be what playbooks.it takes as 'n'",
           "Take another value, or convert it with an `fn.*` step.")]),
        ([{"json": "[1]", "to": "n"}],
         [("type-mismatch", "/steps/1/args/0/json",
           "this can never be what playbooks.it takes as 'n'",
           "Take another value, or convert it with an `fn.*` step.")]),
        ([{"value": 1, "to": "n"}, {"value": 1, "to": "m"}],
         [("unknown-argument", "/steps/1/args/1/to", "playbooks.it has no argument 'm'",
           "Remove or rename it.")]),
        ([{"value": 1, "to": "n"}, {"ref": "look", "to": ""}],
         [("unknown-argument", "/steps/1/args/1/to",
           "the inputs of playbooks.it are bound one by one", "Remove or rename it.")]),
    ],
)  # fmt: skip
def test_a_call_gives_each_input_and_nothing_else(args: Any, expected: Any) -> None:
    assert told({"n": NUMBER, "d": NUMBER | {"default": 1}}, args) == expected


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 0.5, True, None])
def test_a_number_that_json_carries_exactly_is_a_constant(value: Any) -> None:
    do = {"id": "do", "action": "it.do", "args": [{"ref": "input/n", "to": "x"}]}
    found = steps_of(expanded({"n": {}}, [do], [{"value": value, "to": "n"}]))

    assert found["c.do"]["args"] == [{"value": value, "to": "x"}]


@pytest.mark.parametrize("arg", [{"value": 2**53, "to": "n"}, {"value": -(2**53), "to": "n"},
                                 {"value": 1e17, "to": "n"}, {"json": "{", "to": "n"}])  # fmt: skip
def test_what_cannot_be_read_is_held_in_a_step_where_it_is_refused(arg: Any) -> None:
    do = {"id": "do", "action": "it.do", "args": [{"ref": "input/n", "to": "x"}]}
    found = expanded({"n": {}}, [do], [arg])

    assert [step.id for step in found.plan.steps] == ["look", "c.input.n", "c.do"]


def test_a_default_is_a_constant_and_an_input_put_together_is_held() -> None:
    do = {"id": "do", "action": "it.do", "args": [{"ref": "input/n", "to": "x"},
                                                  {"ref": "input/o/a", "to": "y"}]}  # fmt: skip
    inputs = {"n": NUMBER | {"default": 7}, "o": {"type": "object"}}
    found = expanded(inputs, [do], [{"value": 1, "to": "o/a"}, {"value": 2, "to": "o/b"}])

    assert [step.id for step in found.plan.steps] == ["look", "c.input.o", "c.do"]
    last = found.plan.steps[-1]
    assert [each.model_dump() for each in last.args] == [
        {"value": 7, "to": "x"}, {"ref": "c.input.o/a", "to": "y"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ref", "args"),
    [
        ("c/id", [{"ref": "c.find/id", "to": "x"}]),
        ("c/id/more", [{"ref": "c.find/id/more", "to": "x"}]),
        ("c/n", [{"ref": "c.result.n", "to": "x"}]),
        ("c/deep/a", [{"ref": "c.find/a", "to": "x"}]),
        ("c/deep/b/z", [{"ref": "c.result.entry_3/z", "to": "x"}]),
        ("c/Odd-Name", [{"ref": "c.result.entry_5", "to": "x"}]),
        ("c/list/0", [{"ref": "c.find/rows", "to": "x"}]),
        ("c/deep", [{"ref": "c.find/a", "to": "x/a"}, {"ref": "c.result.entry_3", "to": "x/b"}]),
    ],
)
def test_a_reference_into_the_answer_leads_to_where_its_entry_comes_from(
    ref: str, args: Any
) -> None:
    found = steps_of(using([{"ref": ref, "to": "x"}]))
    results = {each for each in found if each.startswith("c.result")}

    assert found["use"]["args"] == args
    assert results == {
        each["ref"].partition("/")[0] for each in args if each["ref"].startswith("c.result")
    }


def test_a_piece_of_a_text_is_led_on_too() -> None:
    text = [{"lit": "n "}, {"ref": "c/n"}, {"ref": "c/id"}, {"ref": "look/x"}]
    found = steps_of(using([{"text": text, "to": "x"}]))

    assert found["use"]["args"][0]["text"] == [
        {"lit": "n "}, {"ref": "c.result.n"}, {"ref": "c.find/id"}, {"ref": "look/x"},
    ]  # fmt: skip


MIXED = [{"ref": "find/a", "to": "m/a"}, {"ref": "find/b", "to": "m/0"}]
PARTS = "there are c/id, c/n, c/deep/a, c/deep/b, c/list/0, c/Odd-Name"


@pytest.mark.parametrize(
    ("arg", "answer", "at", "why"),
    [
        ({"ref": "c/gone"}, None, "ref", f"c/gone: {PARTS}"),
        ({"ref": "c/list"}, None, "ref", f"c/list: {PARTS}"),  # of an array nobody says how long
        ({"ref": "c"}, [], "ref", "c: it answers nothing"),
        ({"ref": "c/m"}, MIXED, "ref", "c/m: there are c/m/a, c/m/0"),
        ({"text": [{"lit": "a"}, {"ref": "c/deep"}]}, None, "text/1/ref", f"c/deep: {PARTS}"),
    ],
)
def test_what_leads_to_nothing_single_is_told_with_what_there_is(
    arg: Any, answer: Any, at: str, why: str
) -> None:
    (wrong,) = using([arg | {"to": "x"}], answer).told(())

    assert (wrong.code, wrong.at) == ("unknown-path", f"/steps/2/args/0/{at}")
    assert wrong.message == f"it answers nothing single at {why}"


def test_what_a_call_waits_for_its_first_steps_wait_for_and_its_last_are_waited_for() -> None:
    inner = [
        FIND,
        {"id": "do", "action": "it.do", "after": ["find"]},
        {"id": "b", "action": "it.b"},
    ]
    last = {"id": "use", "action": "it.use", "after": ["c", "look"]}
    found = steps_of(expanded({}, inner, [], after=["look"], then=[last]))

    assert {name: step.get("after", []) for name, step in found.items()} == {
        "look": [], "c.find": ["look"], "c.do": ["c.find"], "c.b": ["look"],
        "use": ["c.do", "c.b", "look"],
    }  # fmt: skip


def test_a_condition_of_a_call_is_one_of_each_step_that_is_not_skipped_with_another() -> None:
    cond = {"left": "look/ok", "op": "==", "value": True}
    own = {"left": "find/n", "op": ">", "value": 1}
    inner = [FIND, {"id": "do", "action": "it.do", "when": [own]},
             {"id": "b", "action": "it.b", "after": ["find"]}]  # fmt: skip
    found = steps_of(expanded({}, inner, [], when=[cond]))

    assert found["c.find"]["when"] == [cond]
    assert found["c.do"]["when"] == [own | {"left": "c.find/n"}]
    assert found["c.b"]["when"] == [cond]


def test_an_input_that_is_bound_twice_is_held_where_that_is_refused() -> None:
    do = {"id": "do", "action": "it.do", "args": [{"ref": "input/n", "to": "x"}]}
    found = expanded({"n": {}}, [do], [{"value": 1, "to": "n"}, {"value": 2, "to": "n"}])
    held = next(step for step in found.plan.steps if step.id == "c.input.n")

    assert [each.to for each in held.args] == ["value", "value", "schema"]


def test_the_first_of_several_is_called_with_the_call_whatever_it_takes() -> None:
    cond = {"left": "look/ok", "op": "==", "value": True}
    own = {"left": "input/today", "op": "!=", "value": "2026-01-01"}
    first = {"id": "f", "action": "fn.first_of", "args": [{"ref": "find/a", "to": "options/0"}]}
    found = steps_of(
        expanded({}, [FIND, first, {"id": "b", "action": "it.b", "when": [own]}], [], when=[cond])
    )

    assert found["c.f"]["when"] == [cond]
    assert found["c.b"]["when"] == [cond, own]
