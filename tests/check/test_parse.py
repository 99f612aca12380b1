"""The shape of a plan: every flaw has its place, and the complaint is that of what was meant."""

from typing import Any

import pytest

from executor.check.parse import parse_plan, plan_of
from executor.plan.model import Plan


def places(value: Any) -> list[str]:
    found = plan_of(value)
    assert isinstance(found, tuple), found
    assert {each.code for each in found} == {"unknown-field"}
    return sorted(each.at for each in found)


def message(value: Any) -> str:
    found = plan_of(value)
    assert isinstance(found, tuple)
    (only,) = found
    return only.message


def step(**more: Any) -> dict[str, Any]:
    return {"steps": [{"id": "a", "action": "x.y"} | more]}


def arg(value: Any) -> dict[str, Any]:
    return step(args=[value])


def cond(value: Any) -> dict[str, Any]:
    return step(when=[value])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], [""]),
        ("text", [""]),
        (None, [""]),
        ({"step": []}, ["/step"]),
        ({"steps": {}}, ["/steps"]),
        ({"steps": [1]}, ["/steps/0"]),
        ({"understanding": 1, "unable": 2}, ["/unable", "/understanding"]),
        (step(id=1, action=2), ["/steps/0/action", "/steps/0/id"]),
        (step(retries=3), ["/steps/0/retries"]),
        ({"steps": [{"id": "a"}]}, ["/steps/0/action"]),
        # An argument is told by its first member: the other arms do not complain.
        (arg({"ref": "b", "to": 1}), ["/steps/0/args/0/to"]),
        (arg({"ref": "b", "to": "x", "more": 1}), ["/steps/0/args/0/more"]),
        (arg({"value": {}, "to": "x"}), ["/steps/0/args/0/value"]),
        (arg({"value": [1], "to": "x"}), ["/steps/0/args/0/value"]),
        (arg({"json": 1, "to": "x"}), ["/steps/0/args/0/json"]),
        (arg({"text": "a", "to": "x"}), ["/steps/0/args/0/text"]),
        (arg({"text": [{"lit": 1}], "to": "x"}), ["/steps/0/args/0/text/0/lit"]),
        (arg({"text": [{"ref": 1}], "to": "x"}), ["/steps/0/args/0/text/0/ref"]),
        (arg({"text": [{"lit": "a", "x": 1}], "to": "x"}), ["/steps/0/args/0/text/0/x"]),
        (arg({"text": [{"piece": 1}], "to": "x"}), ["/steps/0/args/0/text/0"]),
        (arg({"to": "x"}), ["/steps/0/args/0"]),
        (arg({"form": "x"}), ["/steps/0/args/0"]),
        (arg(7), ["/steps/0/args/0"]),
        (arg({"ref": "b", "value": 1, "to": "x"}),
         ["/steps/0/args/0/ref", "/steps/0/args/0/value"]),
        # So is a condition.
        (cond({"left": "b", "op": "=", "value": 1}), ["/steps/0/when/0/op"]),
        (cond({"lhs": "b", "op": "==", "rhs": 1}), ["/steps/0/when/0/rhs"]),
        (cond({"subject": "b", "op": "in", "list": 1}), ["/steps/0/when/0/list"]),
        (cond({"subject": "b", "op": "==", "list": [1]}), ["/steps/0/when/0/op"]),
        (cond({"op": "==", "value": 1}), ["/steps/0/when/0"]),
        (cond({"left": "b", "op": "==", "value": []}), ["/steps/0/when/0/value"]),
        # The stored form.
        ({"language": 1, "plan": {"step": 1}}, ["/plan/step"]),
        ({"language": 1, "plan": {"steps": [{"id": "a"}]}}, ["/plan/steps/0/action"]),
        ({"language": 1, "plan": []}, ["/plan"]),
        ({"language": 2, "plan": {}}, ["/language"]),
        ({"language": True, "plan": {}}, ["/language"]),
        ({"language": 1}, ["/language"]),
        ({"language": 1, "plan": {}, "more": 1}, ["/language"]),
        # Names of our own code are no members.
        (arg({"json_text": "1", "to": "x"}), ["/steps/0/args/0"]),
        # Names with a slash or a tilde.
        ({"a/b": 1, "~": 2}, ["/a~1b", "/~0"]),
    ],
)  # fmt: skip
def test_every_flaw_has_its_place(value: Any, expected: list[str]) -> None:
    assert places(value) == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (arg({"to": "x"}), "one of ref or value or text or json is missing"),
        (cond({"op": "=="}), "one of left or lhs or subject is missing"),
        (arg({"text": [{}], "to": "x"}), "one of lit or ref is missing"),
        (arg({"value": [], "to": "x"}), "a text, a number, a boolean or null"),
        ({"language": 2, "plan": {}}, "only language 1 is known"),
        ([], "a plan is a JSON object"),
    ],
)
def test_a_flaw_says_what_was_expected(value: Any, says: str) -> None:
    assert says in message(value)


def test_a_flaw_names_the_step_that_it_stands_in() -> None:
    found = plan_of({"steps": [{"id": "good", "action": "x.y"}, {"id": "bad"}, {"id": 7}]})
    assert isinstance(found, tuple)

    assert {each.at: each.step for each in found} == {
        "/steps/1/action": "bad",
        "/steps/2/action": None,
        "/steps/2/id": None,
    }


@pytest.mark.parametrize(
    "value",
    [
        {"understanding": 1, "steps": [{"id": "a", "action": "x.y"}]},
        {"steps": {"id": "a"}},
        {"steps": ["a"]},
        {"questions": [{"id": "a", "about": "b", "ask": "c"}]},
        {"answer": [{"id": "a", "ref": "b", "to": "c"}]},
    ],
)
def test_a_flaw_outside_of_a_step_names_none(value: Any) -> None:
    found = plan_of(value)
    assert isinstance(found, tuple)

    assert {each.step for each in found} == {None}


def test_the_stored_form_is_the_bare_one() -> None:
    bare = plan_of(step())

    assert isinstance(bare, Plan)
    assert plan_of({"language": 1, "plan": step()}) == bare
    assert plan_of({"language": 1.0, "plan": step()}) == bare


def test_a_text_that_is_no_json_says_what_to_send() -> None:
    found = parse_plan('{"steps": [')
    assert isinstance(found, tuple)
    (flaw,) = found

    assert (flaw.code, flaw.at, flaw.step) == ("malformed-json", "", None)
    assert flaw.fix.endswith(".")


def test_of_very_many_flaws_a_thousand_are_told_and_how_many_more_there_are() -> None:
    plan = {"steps": [], "answer": [], **{f"m{n}": 1 for n in range(5000)}}
    found = plan_of(plan)

    assert isinstance(found, tuple)
    assert len(found) == 1001
    assert {each.code for each in found[:-1]} == {"unknown-field"}
    assert (found[-1].code, found[-1].message[:9]) == ("too-large", "and 4000 ")
