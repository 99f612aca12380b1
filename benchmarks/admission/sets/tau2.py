"""tau2 retail and airline: gold calls with provenance, over a database that is replayed.

A read that the tool refuses, and from which nothing follows, is left out. A read of one
element of a list of ids becomes a read of each, and the element is then told apart by what was
read of it. Every plan is run on the database: its writes must be the gold ones, value by
value, and every gold read must be among its reads.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.draft import Draft, Place
from benchmarks.admission.judge import TODAY
from benchmarks.admission.replay import Call, ReplayError, replay
from benchmarks.admission.shapes import schema_of
from benchmarks.admission.sources import NoSource, arguments_of, value_at
from benchmarks.admission.tau2_reads import answer, is_replayed, samples
from benchmarks.admission.told import Told
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.check.admit import Accepted
from executor.fn.compare import equal
from executor.plan.types import as_list, as_object

_READS = ("read", "generic")
_TARGETS = {
    **dict.fromkeys(
        ("order_id", "reservation_id", "user_id", "item_ids", "new_item_ids"), Sink.RESOURCE_ID
    ),
    **dict.fromkeys(("payment_method_id", "payment_id", "flights"), Sink.RESOURCE_ID),
    **dict.fromkeys(("payment_methods", "amount"), Sink.AMOUNT),
    "summary": Sink.CONTENT,
}
# A description that lists what may be said is an enumeration that its schema forgot.
_EITHER = re.compile(r"either '([^']+)' or '([^']+)'")


@dataclass(frozen=True)
class Shop:
    """One domain: its name, its database and its catalogue."""

    name: str
    database: JsonObject
    catalog: Catalog

    def answers(self, action: str, arguments: JsonObject) -> JsonValue:
        """A read's answer; a write has none here."""
        tool = action.partition(".")[2]
        return answer(tool, self.database, arguments) if is_replayed(tool) else None

    def action(self, tool: str) -> ActionSpec:
        """The action of a tool."""
        found = self.catalog.get(f"{self.name}.{tool}")
        if found is None:
            raise LookupError(f"{tool} is no tool of {self.name}")
        return found


def cases(domain: str, data: Path) -> Iterator[Case]:
    """Convert every task."""
    shop = shop_of(domain, data)
    for line in (data / f"tau2_{domain}_tasks.jsonl").read_text().splitlines():
        task = json.loads(line)
        instruction = task["instruction"]
        words = "\n".join(str(each) for each in instruction.values() if each)
        gold = [each for each in task["gold_closed"] if each["by"] == "assistant"]
        try:
            plan = _convert(shop, gold, Told(words, TODAY))
        except NoSource as why:
            yield Case(task["id"], shop.catalog, words, "accept", None, str(why))
            continue
        yield Case(task["id"], shop.catalog, words, "accept", plan, run=partial(_flaw, shop, gold))


def shop_of(domain: str, data: Path) -> Shop:
    """Read a domain's tools and database."""
    database = json.loads((data / f"tau2_{domain}_db.json").read_text())
    tools = json.loads((data / f"tau2_{domain}_tools.json").read_text())["tools"]
    return Shop(domain, database, Catalog(_action(domain, each, database) for each in tools))


def _action(domain: str, tool: JsonObject, database: JsonObject) -> ActionSpec:
    name = str(tool["name"])
    schema = _with_choices(as_object(tool["parameters"]))
    given = {"name": f"{domain}.{name}", "description": tool["description"], "input_schema": schema}
    if tool["side_effect"] in _READS and is_replayed(name):
        output = schema_of(samples(name, database))
        return ActionSpec.model_validate(
            given
            | {"output_schema": output, "effect": Effect.READ, "egress": False}
            | {"reads_as": "trusted"}
        )
    if tool["side_effect"] == "read":
        return ActionSpec.model_validate(given | {"effect": Effect.READ, "egress": False})
    sinks = {each: _TARGETS[each] for each in as_object(schema["properties"]) if each in _TARGETS}
    return ActionSpec.model_validate(given | {"egress": False, "approval": None, "sinks": sinks})


def _with_choices(schema: JsonObject) -> JsonObject:
    properties: JsonObject = {}
    for name, node in as_object(schema.get("properties")).items():
        found = _EITHER.search(str(as_object(node).get("description", "")))
        properties[name] = as_object(node) | ({"enum": [*found.groups()]} if found else {})
    return schema | {"properties": properties, "additionalProperties": False}


def _convert(shop: Shop, gold: list[JsonObject], told: Told) -> JsonObject:
    draft = Draft(told)
    for tool in ("list_all_product_types",):
        if shop.catalog.get(f"{shop.name}.{tool}"):
            action = shop.action(tool)
            value = shop.answers(action.name, {})
            draft.offer(action.name, value, action.output_schema or {})
    places: list[Place | None] = []
    last_write: str | None = None
    for call in gold:
        action = shop.action(str(call["tool"]))
        arguments = as_object(call["args"])
        if action.is_write:
            args = arguments_of(draft, action, arguments, as_object(call["provenance"]), places)
            after: JsonObject = {} if last_write is None else {"after": [last_write]}
            last_write = draft.call(action.name, args, None, {}, **after)
            places.append(None)
            continue
        try:
            value = shop.answers(action.name, arguments)
        except LookupError:
            if not call["output_error"]:
                raise NoSource("a read that is not replayed") from None
            places.append(None)
            continue
        places.append(_read(shop, draft, action, call, value, places))
    return {"steps": [*draft.steps]}


def _read(
    shop: Shop,
    draft: Draft,
    action: ActionSpec,
    call: JsonObject,
    value: JsonValue,
    places: list[Place | None],
) -> Place:
    schema = action.output_schema or {}
    arguments = as_object(call["args"])
    provenance = as_object(call["provenance"])
    found = _element(arguments, provenance, places)
    if found is not None:
        place, index = found
        ids = as_list(value_at(draft, place))
        name = next(iter(arguments))
        if (step := draft.made(action.name, place)) is None:
            if (listed := draft.reach(place)) is None:
                raise NoSource("a list that cannot be told apart")
            results: list[JsonValue] = [shop.answers(action.name, {name: each}) for each in ids]
            step = draft.call(
                action.name,
                [{"ref": "each", "to": name}],
                results,
                {"type": "array", "items": schema},
                each=listed,
            )
            draft.remember(action.name, place, step)
        return Place(step, (index,))
    args = arguments_of(draft, action, arguments, provenance, places)
    return Place(draft.call(action.name, args, value, schema))


def _element(
    arguments: JsonObject, provenance: JsonObject, places: list[Place | None]
) -> tuple[Place, int] | None:
    """The list of ids and the index, where a read's only argument is an element of a list."""
    if len(arguments) != 1:
        return None
    said = as_object(provenance.get(f"/{next(iter(arguments))}"))
    path = as_list(said.get("from_path"))
    if said.get("kind") != "ref-select" or not path or not isinstance(path[-1], int):
        return None
    source = places[int(str(said["from_step"]))]
    if source is None:
        return None
    tokens = tuple(each if isinstance(each, int) else str(each) for each in path[:-1])
    return Place(source.step, (*source.path, *tokens)), path[-1]


def _flaw(shop: Shop, gold: list[JsonObject], accepted: Accepted) -> str | None:
    """What the plan does that is not what the gold calls do."""
    try:
        calls = replay(accepted, shop.answers)
    except ReplayError as error:
        return f"does not run: {error}"
    wanted = [Call(f"{shop.name}.{each['tool']}", as_object(each["args"])) for each in gold]
    writes = [each for each in calls if accepted.actions[each.action].is_write]
    gold_writes = [each for each in wanted if shop.action(each.action.partition(".")[2]).is_write]
    if [each.action for each in writes] != [each.action for each in gold_writes]:
        return f"other writes: {[each.action for each in writes]}"
    for made, asked in zip(writes, gold_writes, strict=True):
        if not equal(made.arguments, asked.arguments):
            return f"other values: {made} instead of {asked}"
    for each, call in zip(wanted, gold, strict=True):
        is_made = any(equal(each.arguments, made.arguments) for made in calls)
        if not is_made and not call["output_error"]:
            return f"not read: {each}"
    return None


SETS = [DataSet(f"tau2 {each}", partial(cases, each)) for each in ("retail", "airline")]
