"""NESTFUL v2: nested calls of mathematics and coding, each task with its tools and its answer.

The data brings no code. Of its functions the arithmetic ones are written here from their
descriptions; a plan that calls no other is run, and must come to the answer.
"""

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.declared import Names, members, read_action
from benchmarks.admission.nestful import Sequence
from benchmarks.admission.replay import Answers, ReplayError, replay
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.plan.types import as_object
from executor.run.resolve import ResolveError

_ARITHMETIC: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "reminder": lambda a, b: a % b,
    "inverse": lambda a: 1 / a,
    "floor": math.floor,
    "factorial": lambda n: math.factorial(int(n)),
    "choose": lambda n, r: math.comb(int(n), int(r)),
    "speed": lambda distance, time: distance / time,
    "volume_cylinder": lambda radius, height: math.pi * radius**2 * height,
}


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
            run=_run_of(task, names),
            answers=_answers_of(task, names),
        )


def _run_of(task: JsonObject, names: Names) -> Callable[[Accepted], str | None] | None:
    """How to run the plan, where every function it calls is known here."""
    answers = _answers_of(task, names)
    return None if answers is None else partial(_run, answers, task["answer"])


def _answers_of(task: JsonObject, names: Names) -> Answers | None:
    """What its functions give, where every one that it calls is known here."""
    plan = task["plan"] if isinstance(task["plan"], list) else []
    called = {str(call["name"]) for call in plan if isinstance(call, dict)}
    functions = {names.of(name): _ARITHMETIC[name] for name in called if name in _ARITHMETIC}
    return partial(_answer_of, functions) if len(functions) == len(called) else None


def _answer_of(
    functions: dict[str, Callable[..., float]], action: str, arguments: JsonObject
) -> JsonValue:
    return {"result": functions[action](*(arguments[name] for name in sorted(arguments)))}


def _run(answers: Answers, answer: JsonValue, accepted: Accepted) -> str | None:
    """What is wrong with what comes out, if anything is."""
    results: list[JsonValue] = []

    def call(action: str, arguments: JsonObject) -> JsonValue:
        found = answers(action, arguments)
        results.append(as_object(found)["result"])
        return found

    try:
        replay(accepted, call)
    except (ReplayError, ArithmeticError) as error:
        cause = error.__cause__
        if isinstance(cause, ResolveError) and cause.code == "type-mismatch":
            return None  # a value is not what the function declares, and the guard saw it in time
        return str(error)
    return None if _is_near(results[-1], answer) else f"came to {results[-1]}, not {answer}"


def _is_near(found: JsonValue, answer: JsonValue) -> bool:
    """Whether the answer is what was found, rounded to the places that the answer has."""
    if not isinstance(found, int | float) or not isinstance(answer, int | float):
        return False
    places = len(repr(answer).partition(".")[2])
    return round(found, places) == answer or math.isclose(found, answer, rel_tol=1e-6)


def _answer(sequence: Sequence) -> list[JsonValue]:
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
