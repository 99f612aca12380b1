"""NESTFUL v1: nested calls over three groups of tools, judged by what the tools declare.

The set's own labels are not used: a plan is expected to be refused exactly where it contradicts
the declarations (see `benchmarks/admission/nestful.py`), with every one of the codes found.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.declared import Names, members, read_action
from benchmarks.admission.nestful import Sequence, step_of
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject

_GIVEN = ("query_parameters", "path_parameters", "parameters", "arguments")
_RESULT = "var_result"  # no tool: the arguments of the answer


def load(data: Path) -> Iterator[Case]:
    """Every plan, the valid and the defective."""
    groups: dict[str, tuple[Catalog, Names]] = {}
    for group, tools in json.loads((data / "nestful_v1_tools.json").read_text())["tools"].items():
        names = Names("nestful", (tool["name"] for tool in tools))
        groups[group] = (Catalog(_action(tool, names) for tool in tools), names)
    for line in (data / "nestful_v1_plans.jsonl").read_text().splitlines():
        task = json.loads(line)
        yield _case(task, *groups[task["tools"]])


def _case(task: dict[str, JsonValue], catalog: Catalog, names: Names) -> Case:
    sequence = Sequence(catalog, names)
    answer: list[JsonValue] = []
    for call in _calls(task["plan"]):
        arguments = call["arguments"]
        given = arguments if isinstance(arguments, dict) else {}
        if call["name"] == _RESULT:
            answer += sequence.answer(given)
        else:
            label = str(call.get("label", f"call{len(sequence.steps)}"))
            sequence.call(str(call["name"]), given, step_of(label))
    return Case(
        id=str(task["id"]),
        catalog=catalog,
        request=str(task["instruction"]),
        expected="reject" if sequence.defects else "accept",
        plan={"steps": sequence.steps, "answer": answer},
        must=frozenset(sequence.defects),
    )


def _calls(plan: JsonValue) -> Iterator[JsonObject]:
    for call in plan if isinstance(plan, list) else []:
        if isinstance(call, dict):
            yield call


def _action(tool: JsonObject, names: Names) -> ActionSpec:
    given: JsonObject = {}
    for group in _GIVEN:
        declared = tool.get(group)
        given |= declared if isinstance(declared, dict) else {}
    gives = tool.get("output_parameters")
    return read_action(
        names.of(str(tool["name"])),
        str(tool["description"]),
        members(given),
        members(gives) if isinstance(gives, dict) else None,
    )


SETS = [DataSet("nestful-v1", load)]
