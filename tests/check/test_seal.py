"""An accepted plan at rest: restored by its seal, and never after a change."""

import ast
import json
import random
from pathlib import Path
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Label, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    SealBrokenError,
    admit,
    restore,
    to_row,
)
from executor.check.parse import parse_plan

ROOT = Path(__file__).parents[2]
ACTION = ActionSpec.model_validate(
    {
        "name": "shop.note",
        "input_schema": {"type": "object", "properties": {"size": {"type": "number"}}},
        "effect": "lookup",
        "lookup": {"action": "shop.find", "by": "reference"},
        "approval": None,
    }
)
FIND = ActionSpec.model_validate(
    {"name": "shop.find", "input_schema": {"type": "object"}, "effect": "read"}
)
KEY = b"a key of the gateway"


def accepted(**inputs: Any) -> Accepted:
    plan = parse_plan(
        '{"steps": [{"id": "a", "action": "shop.note", "args": [{"value": 1.0, "to": "size"}]}]}'
    )
    assert not isinstance(plan, tuple)
    verdict = admit(
        plan,
        AdmissionContext(
            request="size 1 é",
            inputs=Inputs(
                {"properties": {"who": {"type": "string"}}},
                {"who": "x"},
                {"who": Label(Integrity.TRUSTED, frozenset({"support", "sales", "board"}))},
            ),
            catalog=Catalog([ACTION, FIND]),
            policy=None,
            principal=Principal("clerk-1", "main", frozenset({"b", "a", "c"})),
            today="2026-03-02",
            seal_key=KEY,
        ),
    )
    assert isinstance(verdict, Accepted)
    return verdict


def stored() -> Any:
    return json.loads(json.dumps(to_row(accepted())))


def test_what_was_stored_is_restored_and_stored_alike() -> None:
    before = accepted()
    after = restore(stored(), KEY)

    assert after == before
    assert to_row(after) == to_row(before)
    assert after.plan.steps[0].args == before.plan.steps[0].args
    assert after.actions["shop.note"].digest == ACTION.digest
    assert after.inputs.labels["who"].readers == {"support", "sales", "board"}


def test_the_look_up_of_a_lost_call_is_fixed_with_the_plan() -> None:
    assert accepted().actions.keys() == {"shop.note", "shop.find"}


def test_another_key_restores_nothing() -> None:
    with pytest.raises(SealBrokenError):
        restore(stored(), b"another key")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members: Any = ()
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, member in members for place in places(member, (*path, key)))]


def test_a_change_anywhere_breaks_the_seal() -> None:
    rng = random.Random(1)
    for path in places(stored()):
        if not path:
            continue
        row = stored()
        holder = row
        for key in path[:-1]:
            holder = holder[key]
        other = rng.choice([None, "x", 2**60, "\ud800", {"a": 1}, "é"])
        if holder[path[-1]] == other:
            continue
        holder[path[-1]] = other

        with pytest.raises(SealBrokenError):
            restore(row, KEY)


@pytest.mark.parametrize("missing", ["seal", "plan", "certificate", "actions", "principal"])
def test_a_row_that_lacks_something_is_refused(missing: str) -> None:
    row = stored()
    del row[missing]

    with pytest.raises(SealBrokenError):
        restore(row, KEY)


def test_a_row_with_more_in_it_is_refused() -> None:
    with pytest.raises(SealBrokenError):
        restore(stored() | {"approved": True}, KEY)


def test_only_admit_and_restore_build_an_accepted_plan() -> None:
    builders = set()
    for package in ("gateway", "planner", "executor", "connectors"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
                for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
                    name = ast.unparse(call.func).rpartition(".")[2]
                    about = ast.unparse(call.args[0]) if call.args else ""
                    if name == "Accepted" or (name == "replace" and about.endswith("accepted")):
                        builders.add((str(path.relative_to(ROOT)), function.name))

    assert builders == {
        ("executor/check/admit.py", "_accept"),  # the end of `admit`
        ("executor/check/admit.py", "restore"),
    }
