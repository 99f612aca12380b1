"""What is wrong with a call is told where somebody wrote it, and the order of calls is nothing."""

from itertools import pairwise
from typing import Any

import pytest
from called_cases import ANSWER, FIND, SURE, expanded, steps_of, using

from executor.check.expand import MOST_GUESSES, Expansion, expand
from executor.check.parse import plan_of
from executor.check.playbook import read_playbook
from executor.check.violation import Violation
from executor.plan.model import Plan


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


def test_names_that_look_alike_are_looked_for_of_the_first_unknown_playbooks() -> None:
    """Thousands of them in a plan that is hopeless kept admission busy for seconds."""
    content = {"name": "refund_order", "version": 1, "description": "x", "utterances": ["x"],
               "plan": {"steps": [{"id": "a", "action": "it.do"}]}}  # fmt: skip
    book = read_playbook(content, "file")
    steps = [
        {"id": f"s{n}", "action": f"playbooks.refund_order_{n}"} for n in range(2 * MOST_GUESSES)
    ]
    found = expand(plan_of({"steps": steps}), {book.action: book}, 1_000)
    unknown = [
        each
        for n, step in enumerate(steps)
        for each in found.told(
            [Violation("unknown-action", f"/steps/{n}/action", "why", str(step["id"]))]
        )
    ]

    assert [len(each.candidates) for each in unknown] == MOST_GUESSES * [1] + MOST_GUESSES * [0]
