"""NESTFUL v2: nested calls of mathematics and coding, each task with its tools and its answer."""

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.declared import Names, members, read_action
from benchmarks.admission.nestful import Sequence
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject


def load(data: Path) -> Iterator[Case]:
    """Every task; the last call's result is the answer."""
    for line in (data / "nestful_v2.jsonl").read_text().splitlines():
        task = json.loads(line)
        names = Names("nestful", (tool["name"] for tool in task["tools"]))
        catalog = Catalog(_action(tool, names) for tool in task["tools"])
        sequence = Sequence(catalog, names)
        for call in task["plan"]:
            sequence.call(call["name"], call["arguments"], call["label"])
        yield Case(
            id=task["id"],
            catalog=catalog,
            request=task["instruction"],
            expected="reject" if sequence.defects else "accept",
            plan={"steps": sequence.steps, "answer": _answer(sequence)},
            must=frozenset(sequence.defects),
        )


def _answer(sequence: Sequence) -> list[JsonObject]:
    last = sequence.steps[-1]
    return [{"ref": str(last["id"]), "to": "result"}] if isinstance(last, dict) else []


def _action(tool: JsonObject, names: Names) -> ActionSpec:
    given, gives = tool["parameters"], tool["output_parameters"]
    return read_action(
        names.of(str(tool["name"])),
        str(tool["description"]),
        members(given if isinstance(given, dict) else {}),
        members(gives if isinstance(gives, dict) else {}),
    )


SETS = [DataSet("nestful-v2", load)]
