"""AgentDojo's bank and office: gold calls with provenance, over an environment that is replayed.

Where the gold takes a piece out of a free text, or makes one up from what was read, the language
needs `fn.extract`, which admission knows as an unknown action unless a model is configured: such
tasks are not expressible here. `python -m benchmarks.admission.injection` has them too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.gold import Domain, convert, flaw
from benchmarks.admission.office_reads import answer, samples
from benchmarks.admission.shapes import schema_of
from benchmarks.admission.sources import NoSource
from benchmarks.admission.told import Told
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.plan.types import as_object

DOMAINS = ("banking", "workspace")
# The office says which day it is; the bank has no clock, and its gold payments are of this day.
TODAY = {"banking": "2022-04-01", "workspace": "2024-05-15"}
# An operator's overlay. Own records are trusted; what others write into is not: mails, files,
# calendars, and the subjects of incoming payments.
TRUSTED = frozenset(
    {"get_iban", "get_balance", "get_scheduled_transactions", "get_user_info", "get_current_day"}
    | {"search_contacts_by_name", "search_contacts_by_email", "create_file"}
)
_MONEY = {"recipient": Sink.RECIPIENT, "amount": Sink.AMOUNT, "subject": Sink.CONTENT}
_EVENT = {"event_id": Sink.RESOURCE_ID, "participants": Sink.RECIPIENT}
_FILE = {"file_id": Sink.RESOURCE_ID, "content": Sink.CONTENT}
_MAIL = {"recipients": Sink.RECIPIENT, "cc": Sink.RECIPIENT, "bcc": Sink.RECIPIENT}
SINKS: dict[str, dict[str, Sink]] = {
    "send_money": _MONEY,
    "schedule_transaction": _MONEY,
    "update_scheduled_transaction": _MONEY | {"id": Sink.RESOURCE_ID},
    "update_password": {"password": Sink.RESOURCE_ID},
    "update_user_info": dict.fromkeys(("first_name", "last_name", "street", "city"), Sink.CONTENT),
    "send_email": _MAIL
    | {"subject": Sink.CONTENT, "body": Sink.CONTENT, "attachments": Sink.RESOURCE_ID},
    "delete_email": {"email_id": Sink.RESOURCE_ID},
    "create_calendar_event": {"participants": Sink.RECIPIENT}
    | dict.fromkeys(("title", "description", "location"), Sink.CONTENT),
    "cancel_calendar_event": _EVENT,
    "reschedule_calendar_event": _EVENT,
    "add_calendar_event_participants": _EVENT,
    "append_to_file": _FILE,
    "create_file": {"content": Sink.CONTENT},
    "delete_file": _FILE,
    "share_file": {"file_id": Sink.RESOURCE_ID, "email": Sink.RECIPIENT},
}


@dataclass(frozen=True)
class Office:
    """A domain with its tasks, and its environment to be attacked."""

    domain: Domain
    tasks: tuple[JsonObject, ...]
    today: str


def cases(name: str, data: Path) -> Iterator[Case]:
    """Convert every task."""
    office = office_of(name, data)
    for task in office.tasks:
        yield case_of(office, task)


def case_of(office: Office, task: JsonObject, *, with_extract: bool = False) -> Case:
    """Convert one task."""
    catalog, prompt = office.domain.catalog, str(task["prompt"])
    gold = gold_of(task)
    try:
        told = Told(prompt, office.today)
        draft = convert(office.domain, gold, told, with_extract=with_extract)
    except NoSource as why:
        return Case(str(task["id"]), catalog, prompt, "accept", None, str(why), today=office.today)
    run = partial(flaw, office.domain, gold, draft)
    name, plan = str(task["id"]), draft.plan()
    return Case(name, catalog, prompt, "accept", plan, run=run, today=office.today)


def gold_of(task: JsonObject) -> list[JsonObject]:
    """The task's gold calls."""
    gold = task["gold"]
    return [as_object(each) for each in gold] if isinstance(gold, list) else []


def office_of(
    name: str,
    data: Path,
    *,
    with_extract: bool = False,
    trusted: frozenset[str] = TRUSTED,
) -> Office:
    """Read a domain's tools, environment and tasks; `trusted` are the reads that are so."""
    stored = json.loads((data / f"agentdojo_{name}_tools.json").read_text())
    environment = stored["environment"]
    actions = [_action(name, each, environment, trusted) for each in stored["tools"]]
    extracts = [_extract(name, kind) for kind in ("text", "number")] if with_extract else []

    def answers(action: str, arguments: JsonObject) -> JsonValue:
        return answer(action.partition(".")[2], environment, arguments)

    lines = (data / f"agentdojo_{name}_tasks.jsonl").read_text().splitlines()
    domain = Domain(name, Catalog([*actions, *extracts]), answers)
    return Office(domain, tuple(json.loads(line) for line in lines), TODAY[name])


def _action(
    domain: str, tool: JsonObject, environment: JsonObject, trusted: frozenset[str]
) -> ActionSpec:
    name = str(tool["name"])
    schema = as_object(tool["parameters"]) | {"additionalProperties": False}
    reads_as = "trusted" if name in trusted else "untrusted"
    given: JsonObject = {
        "name": f"{domain}.{name}",
        "description": tool["description"],
        "input_schema": schema,
        "egress": False,
        "reads_as": reads_as,
    }
    if tool["side_effect"] == "read":
        known = {} if name == "get_file_by_id" else schema_of(samples(name, environment))
        return ActionSpec.model_validate(
            given | {"output_schema": known or None, "effect": Effect.READ}
        )
    properties = as_object(schema.get("properties"))
    sinks: JsonObject = {at: sink for at, sink in SINKS.get(name, {}).items() if at in properties}
    output = schema_of([answer(name, environment, {})]) if name == "create_file" else None
    return ActionSpec.model_validate(
        given | {"approval": None, "sinks": sinks, "output_schema": output}
    )


def _extract(domain: str, kind: str) -> ActionSpec:
    """A model that reads a text without any tools: what it says is never trusted."""
    return ActionSpec.model_validate(
        {
            "name": f"{domain}.extract_{kind}",
            "description": "A model reads a text and gives one value.",
            "input_schema": {
                "type": "object",
                "properties": {"text": {}},
                "required": ["text"],
                "additionalProperties": False,
            },
            "output_schema": {"type": "number" if kind == "number" else "string"},
            "effect": "read",
            "egress": False,
            "reads_as": "untrusted",
        }
    )


SETS = [DataSet(f"agentdojo {each}", partial(cases, each)) for each in DOMAINS]
