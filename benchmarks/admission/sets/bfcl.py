"""BFCL: function calls with their gold values, alone, in parallel, and over several turns.

Gold lists the values that may stand for an argument: the first that is what the function
declares is taken, and "" among them means that the argument may be left out. Members of an
object are such lists themselves. Where no listed value is what was declared, the data
contradicts itself, and the plan is to be refused.
"""

import ast
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.declared import Names, argument, is_valid, read_action, schema_of
from benchmarks.admission.nestful import properties_of
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.plan.refs import join_pointer

SINGLE = "live_multiple live_parallel live_parallel_multiple live_simple multiple parallel".split()
SINGLE += ["parallel_multiple", "simple_python"]
TURNS = ["multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param"]
# Which file's tools stand for which class of the tasks; the set names them differently.
_TOOLS_OF = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TwitterAPI": "posting_api",
    "VehicleControlAPI": "vehicle_control",
}


class _LeftOut:
    """Stands for an argument that a call does without."""


_LEFT_OUT = _LeftOut()


def load_single(name: str, data: Path) -> Iterator[Case]:
    """Tasks with one answer: calls that need nothing of each other."""
    for line in (data / f"bfcl_{name}.jsonl").read_text().splitlines():
        task = json.loads(line)
        names = Names("bfcl", (tool["name"] for tool in task["tools"]))
        catalog = Catalog(_action(tool, names) for tool in task["tools"])
        defects: set[str] = set()
        steps = []
        for number, (function, allowed) in enumerate(
            each for call in task["gold"] for each in call.items()
        ):
            action = catalog.get(names.of(function))
            given = _chosen(allowed, action)
            steps.append(_step(number, names.of(function), given))
            defects |= _defects(given, action)
        yield _case(task, catalog, steps, defects)


def load_turns(name: str, data: Path) -> Iterator[Case]:
    """Tasks of several turns: every call of every turn, in their order."""
    tools = json.loads((data / "bfcl_multi_turn_tools.json").read_text())["tools"]
    for line in (data / f"bfcl_{name}.jsonl").read_text().splitlines():
        task = json.loads(line)
        offered = [
            tool
            for each in task["involved_classes"]
            for tool in tools[_TOOLS_OF[each]]
            if tool["name"] not in task.get("excluded_function", ())
        ]
        names = Names("bfcl", (tool["name"] for tool in offered))
        catalog = Catalog(_action(tool, names) for tool in offered)
        defects: set[str] = set()
        steps: list[JsonObject] = []
        for number, text in enumerate(itertools.chain.from_iterable(task["gold"])):
            function, given = _read_call(text, catalog, names)
            defects |= _defects(given, catalog.get(names.of(function)))
            steps.append(_step(number, names.of(function), given))
            if number:
                steps[-1]["after"] = [f"call{number - 1}"]
        yield _case(task, catalog, steps, defects)


def _case(
    task: dict[str, JsonValue], catalog: Catalog, steps: list[JsonObject], defects: set[str]
) -> Case:
    return Case(
        id=str(task["id"]),
        catalog=catalog,
        request="\n".join(_said(task["question"])),
        expected="reject" if defects else "accept",
        plan={"steps": [*steps]},
        must=frozenset(defects),
    )


def _said(question: JsonValue) -> Iterator[str]:
    """The words of every turn."""
    match question:
        case {"content": str(text)}:
            yield text
        case list():
            for each in question:
                yield from _said(each)
        case _:
            pass


def _step(number: int, action: str, given: JsonObject) -> JsonObject:
    args: list[JsonValue] = [argument(value, join_pointer((key,))) for key, value in given.items()]
    return {"id": f"call{number}", "action": action, "args": args}


def _defects(given: JsonObject, action: ActionSpec | None) -> set[str]:
    """What a call contradicts of its function's declaration."""
    if action is None:
        return {"unknown-action"}
    found: set[str] = set()
    declared = properties_of(action)
    required = action.input_schema.get("required")
    if given.keys() - declared.keys() and not action.input_schema.get("additionalProperties"):
        found.add("unknown-argument")
    if not set(required if isinstance(required, list) else []) <= given.keys():
        found.add("missing-argument")
    for name, value in given.items():
        if name in declared and not is_valid(value, declared[name]):
            found.add("type-mismatch")
    return found


def _chosen(allowed: JsonObject, action: ActionSpec | None) -> JsonObject:
    """One value for each argument."""
    declared = properties_of(action)
    required = action.input_schema.get("required") if action else None
    needed = required if isinstance(required, list) else []
    found: JsonObject = {}
    for name, values in allowed.items():
        value = _first(values, declared.get(name, {}), is_needed=name in needed)
        if not isinstance(value, _LeftOut):
            found[name] = value
    return found


def _first(allowed: JsonValue, schema: JsonObject, *, is_needed: bool) -> JsonValue | _LeftOut:
    """The first allowed value that is what was declared; `_LEFT_OUT` where that is allowed."""
    values = allowed if isinstance(allowed, list) else [allowed]
    if not values:
        return [] if is_needed else _LEFT_OUT
    real = [each for each in values if each != ""] or values
    for value in real:
        for form in (_settled(value, schema), value):
            if is_valid(form, schema):
                return _LEFT_OUT if form == "" and not is_needed else form
    return _LEFT_OUT if "" in values and not is_needed else _settled(real[0], schema)


def _settled(value: JsonValue, schema: JsonObject) -> JsonValue:
    """An object whose members are lists of allowed values, with one chosen for each."""
    if isinstance(value, list):
        items = schema.get("items")
        return [_settled(each, items if isinstance(items, dict) else {}) for each in value]
    if not isinstance(value, dict):
        return value
    own = schema.get("properties")
    required = schema.get("required")
    found: JsonObject = {}
    for name, allowed in value.items():
        below = own.get(name) if isinstance(own, dict) else None
        is_needed = isinstance(required, list) and name in required
        chosen = _first(allowed, below if isinstance(below, dict) else {}, is_needed=is_needed)
        if not isinstance(chosen, _LeftOut):
            found[name] = chosen
    return found


def _read_call(text: str, catalog: Catalog, names: Names) -> tuple[str, JsonObject]:
    """A call as Python writes it; places are named in the order of the declaration."""
    call = ast.parse(text, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"no call: {text}")
    declared = properties_of(catalog.get(names.of(call.func.id)))
    places = [*declared, *(f"place{number}" for number in range(9))]
    given = {name: ast.literal_eval(each) for name, each in zip(places, call.args, strict=False)}
    given |= {each.arg or "": ast.literal_eval(each.value) for each in call.keywords}
    return call.func.id, json.loads(json.dumps(given))


def _action(tool: JsonObject, names: Names) -> ActionSpec:
    gives = tool.get("response")
    return read_action(
        names.of(str(tool["name"])),
        str(tool["description"]),
        schema_of(tool["parameters"]),
        schema_of(gives) if isinstance(gives, dict) else None,
    )


def _sets(names: Iterable[str], load: Callable[[str, Path], Iterable[Case]]) -> list[DataSet]:
    return [DataSet(f"bfcl-{name.replace('_', '-')}", partial(load, name)) for name in names]


SETS = [*_sets(SINGLE, load_single), *_sets(TURNS, load_turns)]
