"""A plan with one call of a playbook, expanded."""

from typing import Any

from executor.check.expand import Expansion, expand
from executor.check.parse import plan_of
from executor.check.playbook import read_playbook
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


def told(inputs: Any, args: list[Any], **more: Any) -> list[tuple[str, str, str, str]]:
    found = expanded(inputs, [FIND], args, **more)
    return [(each.code, each.at, each.message, each.fix or "") for each in found.told(())]


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


SURE = {"left": "look/ok", "op": "==", "value": True}


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
