"""What a call gives to a playbook: constants stand where they are used, the rest is held first."""

import json
from itertools import pairwise
from typing import Any

import pytest

from executor.check.expand import Expansion, expand
from executor.check.parse import plan_of
from executor.check.playbook import read_playbook
from executor.check.violation import Violation
from executor.plan.model import Plan

FIND = {"id": "find", "action": "it.find"}


def expanded(inputs: Any, steps: list[Any], args: list[Any], **more: Any) -> Expansion:
    """The plan of one call of a playbook with these inputs and steps, after a look."""
    answer, then = more.pop("answer", []), more.pop("then", [])
    inner: Any = {"steps": steps, "answer": answer, "assumptions": more.pop("assumes", [])}
    content: Any = {
        "name": "it", "version": 1, "description": "It.", "utterances": ["do it"],
        "inputs": inputs, "plan": inner,
    }  # fmt: skip
    playbook = read_playbook(content, "it.yaml")
    before, most = more.pop("before", []), more.pop("most", 100)
    own = {"assumptions": more.pop("assumptions", []), "answer": more.pop("all_answer", [])}
    call = {"id": "c", "action": "playbooks.it", "args": args} | more
    around = [*before, {"id": "look", "action": "it.look"}, call, *then]
    plan = plan_of({"steps": around} | own)
    assert isinstance(plan, Plan), plan
    return expand(plan, {playbook.action: playbook}, most)


def steps_of(found: Expansion) -> dict[str, dict[str, Any]]:
    """The steps by id, without what is left at its default."""
    assert [*found.told(())] == []
    return {
        step.id: step.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for step in found.plan.steps
    }


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
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


def told(inputs: Any, args: list[Any], **more: Any) -> list[tuple[str, str, str, str]]:
    found = expanded(inputs, [FIND], args, **more)
    return [(each.code, each.at, each.message, each.fix or "") for each in found.told(())]


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


ANSWER: list[Any] = [
    {"ref": "find/id", "to": "id"}, {"value": 7, "to": "n"}, {"ref": "find/a", "to": "deep/a"},
    {"ref": "input/x", "to": "deep/b"}, {"ref": "find/rows", "to": "list/0"},
    {"value": 1, "to": "Odd-Name"},
]  # fmt: skip


def using(args: list[Any], answer: Any = None, then: Any = None) -> Expansion:
    """A call whose answer another step uses."""
    last = then or [{"id": "use", "action": "it.use", "args": args}]
    found = ANSWER if answer is None else answer
    return expanded({"x": {}}, [FIND], [{"value": 2, "to": "x"}], answer=found, then=last)


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


SURE = {"left": "look/ok", "op": "==", "value": True}


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


def told_of(found: Expansion, at: str, step: str | None = None) -> tuple[str, str | None, str]:
    """Where a violation of the expanded plan is told, of which step, and in what words."""
    (each,) = found.told([Violation("type-mismatch", at, "why", step)])
    return each.at, each.step, each.message


USES = [{"ref": "c/deep", "to": "x"}, {"ref": "look/x", "to": "y"}]


@pytest.mark.parametrize(
    ("at", "step", "told"),
    [
        ("/steps/0/when/0", "look", ("/steps/0/when/0", "look", "why")),
        ("/steps/0", "look", ("/steps/0", "look", "why")),
        ("/steps/1/args/0", "c.input.x", ("/steps/1/args/0", "c", "in c.input.x at args/0: why")),
        ("/steps/1/args/1", "c.input.x", ("/steps/1", "c", "in c.input.x at args/1: why")),
        ("/steps/2", "c.find", ("/steps/1", "c", "in c.find: why")),
        ("/steps/2/args/9", "c.find", ("/steps/1", "c", "in c.find at args/9: why")),
        ("/steps/2/when/0", "c.find", ("/steps/1", "c", "in c.find at when/0: why")),
        ("/steps/4/args/0/ref", "use", ("/steps/2/args/0/ref", "use", "why")),
        ("/steps/4/args/1/ref", "use", ("/steps/2/args/0/ref", "use", "why")),
        ("/steps/4/args/2/ref", "use", ("/steps/2/args/1/ref", "use", "why")),
        ("/steps/4/args/3", "use", ("/steps/2", "use", "why")),
        ("/steps/4/after/0", "use", ("/steps/2/after/0", "use", "why")),
        ("/steps/4/after/1", "use", ("/steps/2/after/1", "use", "why")),
        ("/answer/1/ref", None, ("/answer/0/ref", None, "why")),
        ("/answer/2", None, ("/answer/1", None, "why")),
        ("/answer", None, ("/answer", None, "why")),
        ("/steps", None, ("/steps", None, "why")),
        ("", None, ("", None, "why")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_somebody_wrote_it(at: str, step: Any, told: Any) -> None:
    last = {"id": "use", "action": "it.use", "args": USES, "after": ["c", "gone"]}
    given = [{"ref": "look/n", "to": "x"}]
    found = expanded({"x": {}}, [FIND], given, answer=ANSWER, then=[last], all_answer=USES)

    assert [step.id for step in found.plan.steps][1:] == [
        "c.input.x", "c.find", "c.result.entry_3", "use",
    ]  # fmt: skip
    assert found.plan.steps[-1].after == ("c.find", "gone")
    assert told_of(found, at, step) == told


def test_a_call_may_be_written_before_the_one_that_it_takes_from() -> None:
    first = {"id": "a", "action": "playbooks.it", "args": [{"ref": "c/deep", "to": "x"}]}
    found = steps_of(
        expanded({"x": {}}, [FIND], [{"ref": "look/n", "to": "x"}], answer=ANSWER, before=[first],
                 when=[SURE])
    )  # fmt: skip

    assert [*found] == [
        "a.input.x", "a.find", "look", "c.input.x", "c.find", "c.result.entry_3",
    ]  # fmt: skip
    assert [each["ref"] for each in found["a.input.x"]["args"][:2]] == [
        "c.find/a", "c.result.entry_3",
    ]  # fmt: skip


def test_conditions_and_lists_of_others_look_at_the_steps_that_give_the_answer() -> None:
    cond = {"left": "c/id", "op": "==", "value": 1}
    use = {"id": "use", "action": "it.use", "when": [cond], "each": "c/deep/a/0"}
    found = steps_of(using([], ANSWER, then=[use]))

    assert found["use"]["when"] == [cond | {"left": "c.find/id"}]
    assert found["use"]["each"] == "c.find/a/0"


def test_what_a_playbook_assumes_is_assumed_beside_what_the_plan_does() -> None:
    inner, own = ({"text": text, "quote": ""} for text in ("it is dear", "it is theirs"))
    found = expanded({}, [FIND], [], assumes=[inner], assumptions=[own])

    assert [each.text for each in found.plan.assumptions] == ["it is theirs", "it is dear"]
    assert [*found.used] == ["it"]


@pytest.mark.parametrize(("most", "ids"), [(1, ["look", "c"]), (2, ["look", "c.find"])])
def test_nothing_is_expanded_where_there_are_too_many_steps_already(
    most: int, ids: list[str]
) -> None:
    assert [step.id for step in expanded({}, [FIND], [], most=most).plan.steps] == ids


def test_a_plan_without_calls_is_left_as_it_is() -> None:
    plan = plan_of({"steps": [FIND]})
    assert isinstance(plan, Plan)

    assert expand(plan, {}, 100).plan is plan


def test_a_circle_is_told_as_it_is_called_and_so_is_what_is_too_deep() -> None:
    def shown(*names: str) -> str:
        playbooks = {}
        for name, below in pairwise(names):
            steps: Any = [{"id": "s", "action": f"playbooks.{below}"}]
            content: Any = {"name": name, "version": 1, "description": "-", "utterances": ["-"],
                            "plan": {"steps": steps}}  # fmt: skip
            playbooks[f"playbooks.{name}"] = read_playbook(content, name)
        plan = plan_of({"steps": [{"id": "c", "action": f"playbooks.{names[0]}"}]})
        assert isinstance(plan, Plan)
        (wrong,) = expand(plan, playbooks, 100).told(())
        assert (wrong.code, wrong.at, wrong.step) == ("playbook-cycle", "/steps/0", "c")
        return wrong.message

    assert shown("a", "b", "a") == (
        "in c.s.s at action: a calls b calls a: a playbook never calls itself"
    )
    assert shown("a", "b", "d", "e", "f", "g") == (
        "in c.s.s.s.s at action: a calls b calls d calls e calls f: at most 4 deep"
    )


def test_names_of_playbooks_that_look_alike_only_a_little_are_told() -> None:
    content: Any = {"name": "a" * 20, "version": 1, "description": "-", "utterances": ["-"],
                    "plan": {"steps": [FIND]}}  # fmt: skip
    playbook = read_playbook(content, "a")
    plan = plan_of({"steps": [{"id": "c", "action": "playbooks.z"}]})
    assert isinstance(plan, Plan)
    unknown = Violation("unknown-action", "/steps/0/action", "why", "c")
    (wrong,) = expand(plan, {playbook.action: playbook}, 100).told([unknown])

    assert wrong.candidates == (playbook.action,)
