"""WorkBench: gold has the writes only, so the reads and what they are for are derived.

The reads are the four lists (which are answered whole) and the directory, which knows a first
name's address. A group of writes that differ in one id becomes one step over the rows of those
ids. Not expressible are tasks whose gold writes nothing (nothing tells what would have been
written), and conditional ones: the gold does not say what its condition rests on, and a plan
that leaves it out is not the task's plan, though it would be accepted.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.draft import Draft
from benchmarks.admission.gold import Domain, flaw
from benchmarks.admission.groups import differing_id, groups, write_each
from benchmarks.admission.shapes import schema_of
from benchmarks.admission.sources import NoSource, arguments_of
from benchmarks.admission.told import Told
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.plan.types import as_object

NAME = "workbench"
TODAY = "2023-11-30"
# Each list read with its table.
LISTS = {
    "calendar.search_events": "CALENDAR_EVENTS",
    "email.search_emails": "EMAILS",
    "project_management.search_tasks": "PROJECT_TASKS",
    "customer_relationship_manager.search_customers": "CRM_DATA",
}
DIRECTORY = "company_directory.find_email_address"
SINKS = {
    **dict.fromkeys(("event_id", "email_id", "task_id", "customer_id"), Sink.RESOURCE_ID),
    **dict.fromkeys(("recipient", "participant_email", "assigned_to_email"), Sink.RECIPIENT),
    "customer_email": Sink.RECIPIENT,
    **dict.fromkeys(("subject", "body", "event_name", "task_name"), Sink.CONTENT),
}
# Of a mail everything but what the server writes on it is somebody's who wrote to the office.
_STAMPED = {f"*/{name}": "trusted" for name in ("email_id", "sent_datetime", "inbox~1outbox")}
_LISTED = re.compile(r"(?:One of|Available values are|Available fields are|Can be)[: ]+(.*)")
_QUOTED = re.compile(r'"([^"]+)"')
_FEW = 8


def cases(data: Path) -> Iterator[Case]:
    """Convert every task."""
    domain, tables = office_of(data)
    for line in (data / "workbench_tasks.jsonl").read_text().splitlines():
        task = json.loads(line)
        words = str(task["instruction"])
        gold = [{"provenance": {}} | each for each in task["gold_writes"]]
        try:
            draft = _convert(domain, tables, gold, words)
        except NoSource as why:
            yield Case(task["id"], domain.catalog, words, "accept", None, str(why), today=TODAY)
            continue
        run = partial(flaw, domain, gold, draft, in_order=False)
        plan = draft.plan()
        yield Case(task["id"], domain.catalog, words, "accept", plan, run=run, today=TODAY)


def office_of(data: Path) -> tuple[Domain, dict[str, list[JsonObject]]]:
    """Read the tools and tables; a missing cell is null."""
    text = (data / "workbench_db.json").read_text()
    tables = json.loads(text, parse_constant=lambda _: None)
    addresses = sorted(
        {
            str(value)
            for rows in tables.values()
            for row in rows
            for value in row.values()
            if str(value).endswith("@atlas.com") and "." in str(value).partition("@")[0]
        }
    )
    tools = json.loads((data / "workbench_tools.json").read_text())["tools"]

    def answers(action: str, arguments: JsonObject) -> JsonValue:
        tool = action.partition(".")[2]
        if tool in LISTS:
            return [*tables[LISTS[tool]]]
        if tool == DIRECTORY:
            wanted = str(arguments["name"]).casefold()
            return [each for each in addresses if each.partition(".")[0] == wanted]
        return None

    catalog = Catalog(_action(each, tables) for each in tools)
    return Domain(NAME, catalog, answers), tables


def _action(tool: JsonObject, tables: dict[str, list[JsonObject]]) -> ActionSpec:
    name = str(tool["name"])
    schema = as_object(tool["parameters"])
    properties: JsonObject = {
        each: _with_choices(name, each, as_object(node), tables)
        for each, node in as_object(schema.get("properties")).items()
    }
    given: JsonObject = {
        "name": f"{NAME}.{name}",
        "description": tool["description"],
        "input_schema": {**schema, "properties": properties, "additionalProperties": False},
        "egress": False,
        "reads_as": "untrusted" if name.startswith("email") else "trusted",
        "fields_read_as": {**_STAMPED} if name.startswith("email.search") else {},
    }
    if tool["side_effect"] == "read":
        rows: list[JsonValue] = [[*tables[LISTS[name]]]] if name in LISTS else []
        output = schema_of([["a@atlas.com"]] if name == DIRECTORY else rows)
        return ActionSpec.model_validate(
            given | {"effect": Effect.READ, "output_schema": output or None}
        )
    sinks: JsonObject = {at: SINKS[at] for at in properties if at in SINKS}
    if "new_value" in properties and not name.startswith("calendar"):
        sinks["new_value"] = Sink.RECIPIENT  # most of these fields say who is in charge
    return ActionSpec.model_validate(given | {"approval": None, "sinks": sinks})


def _with_choices(
    tool: str, name: str, node: JsonObject, tables: dict[str, list[JsonObject]]
) -> JsonObject:
    """What a description, a table's columns or a column of few values enumerate."""
    listed = _LISTED.search(str(node.get("description", "")))
    values = _QUOTED.findall(listed.group(1)) if listed else []
    own = [LISTS[each] for each in LISTS if each.partition(".")[0] == tool.partition(".")[0]]
    if not values and own and name == "field":
        values = [*tables[own[0]][0]]
    elif not values and own and not tool.rpartition(".")[2].startswith("search"):
        column = sorted({str(row[name]) for row in tables[own[0]] if name in row})
        values = column if len(column) <= _FEW and "@" not in "".join(column) else []
    return node | ({"enum": [*values]} if values else {})


def _convert(
    domain: Domain,
    tables: dict[str, list[JsonObject]],
    gold: Sequence[JsonObject],
    words: str,
) -> Draft:
    if not gold:
        raise NoSource("its gold writes nothing")
    told = Told(words, TODAY)
    if told.is_conditional():
        raise NoSource("conditional, and the gold does not say on what")
    draft = Draft(told)
    for tool in LISTS:
        action = domain.action(tool)
        value = domain.answers(action.name, {})
        draft.offer(action.name, [], value, action.output_schema or {})
    directory = domain.action(DIRECTORY)
    for name in dict.fromkeys(re.findall(r"[^\W\d_]+", words)):
        found = domain.answers(directory.name, {"name": name})
        if found:
            args: list[JsonObject] = [{"value": name, "to": "name"}]
            draft.call(directory.name, args, found, directory.output_schema or {})
    for group in groups(gold):
        action = domain.action(str(group[0]["tool"]))
        if write_each(draft, action, group, []) is None:
            if len(group) > 1:
                raise NoSource(f"no grounded condition picks the {differing_id(group)} of several")
            args = arguments_of(draft, action, as_object(group[0]["args"]), {}, [])
            draft.call(action.name, args, None, {})
    return draft


SETS = [DataSet("workbench", cases)]
