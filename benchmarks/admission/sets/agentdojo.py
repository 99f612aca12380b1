"""AgentDojo's bank and office: gold calls with provenance, over an environment that is replayed.

Where the gold takes a piece out of a free text, or makes one up from what was read, the language
needs `fn.extract`, which admission knows as an unknown action unless a model is configured: such
tasks are not expressible here. `python -m benchmarks.admission.injection` has them too.
"""

import json
from collections.abc import Iterator, Mapping
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
from executor.fn.extract import extract_action
from executor.plan.types import as_object

DOMAINS = ("banking", "workspace")
# The office says which day it is; the bank has no clock, and its gold payments are of this day.
TODAY = {"banking": "2022-04-01", "workspace": "2024-05-15"}
# An operator's overlay: how a read reads as a whole (of a list that is also who fills it), and
# which fields are otherwise. The injection vectors write the subjects of payments, the bodies of
# mails, the descriptions of events and the contents of files, of which a file's size is made; and
# what is found by such words is found because somebody wrote them. Besides, nobody vouches for
# what a correspondent writes: who a mail is from, to whom, and about what.
Trust = tuple[str, dict[str, str]]
_OWN: Trust = ("trusted", {})
_BOOKED = ("id", "sender", "recipient", "amount", "date", "recurring")
_STAMPED = ("id_", "timestamp", "status", "read")
_PLANNED = ("id_", "title", "start_time", "end_time", "participants", "all_day", "status")
_FILED = ("id_", "filename", "owner", "last_modified", "shared_with")


def _fields(names: tuple[str, ...], trust: str) -> dict[str, str]:
    return {f"*/{name}": trust for name in names}


_MAILS: Trust = ("untrusted", _fields(_STAMPED, "trusted"))
_EVENTS: Trust = ("untrusted", _fields(_PLANNED, "trusted"))
_FILES: Trust = ("trusted", _fields(("content", "size"), "untrusted"))
TRUST: dict[str, Trust] = {
    **dict.fromkeys(("get_iban", "get_balance", "get_scheduled_transactions"), _OWN),
    **dict.fromkeys(("get_user_info", "get_current_day", "create_file"), _OWN),
    **dict.fromkeys(("search_contacts_by_name", "search_contacts_by_email"), _OWN),
    "get_most_recent_transactions": ("untrusted", _fields(_BOOKED, "trusted")),
    **dict.fromkeys(("get_unread_emails", "get_sent_emails", "get_received_emails"), _MAILS),
    **dict.fromkeys(("get_draft_emails", "search_emails"), _MAILS),
    **dict.fromkeys(("search_calendar_events", "get_day_calendar_events"), _EVENTS),
    **dict.fromkeys(("list_files", "search_files_by_filename"), _FILES),
    "search_files": ("untrusted", _fields(_FILED, "trusted")),
}
# Of payments that went out all of it is the payer's word, who is the user; the bank says whose.
OWN_WHERE: dict[str, dict[str, str]] = {"get_most_recent_transactions": {"*/sender": "me"}}
# The same where nobody vouches for what a payer or the host of a meeting chooses either.
STRICT: dict[str, Trust] = TRUST | {
    "get_most_recent_transactions": ("untrusted", _fields(("id", "sender", "date"), "trusted")),
    **dict.fromkeys(
        ("search_calendar_events", "get_day_calendar_events"),
        ("untrusted", _fields(("id_", "status"), "trusted")),
    ),
}
# The same with one label an output, as if no field were otherwise.
WHOLE: dict[str, Trust] = {
    name: (reads_as if name not in ("list_files", "search_files_by_filename") else "untrusted", {})
    for name, (reads_as, _) in TRUST.items()
}
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
    # A new file is nobody else's to see until it is shared, and sharing names the file.
    "create_file": {"content": Sink.PLAIN},
    "delete_file": _FILE,
    "share_file": {"file_id": Sink.RESOURCE_ID, "email": Sink.RECIPIENT},
}


# An event is the owner's alone until it names somebody, who is then told of it.
SHOWN_TO: dict[str, tuple[str, ...]] = {"create_calendar_event": ("participants",)}


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
        if told.is_conditional():
            raise NoSource("conditional, and the gold does not say on what")
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
    trust: Mapping[str, Trust] = TRUST,
) -> Office:
    """Read a domain's tools, environment and tasks; `trust` says how reads read."""
    stored = json.loads((data / f"agentdojo_{name}_tools.json").read_text())
    environment = stored["environment"]
    actions = [_action(name, each, environment, trust) for each in stored["tools"]]
    extracts = [extract_action("reader")] if with_extract else []

    def answers(action: str, arguments: JsonObject) -> JsonValue:
        return answer(action.partition(".")[2], environment, arguments)

    lines = (data / f"agentdojo_{name}_tasks.jsonl").read_text().splitlines()
    domain = Domain(name, Catalog([*actions, *extracts]), answers)
    return Office(domain, tuple(json.loads(line) for line in lines), TODAY[name])


def _action(
    domain: str, tool: JsonObject, environment: JsonObject, trust: Mapping[str, Trust]
) -> ActionSpec:
    name = str(tool["name"])
    schema = as_object(tool["parameters"]) | {"additionalProperties": False}
    reads_as, fields = trust.get(name, ("untrusted", {}))
    given: JsonObject = {
        "name": f"{domain}.{name}",
        "description": tool["description"],
        "input_schema": schema,
        "egress": False,
        "reads_as": reads_as,
        "fields_read_as": {**fields},
        "own_where": {
            at: whose
            for at, whose in OWN_WHERE.get(name, {}).items()
            if fields.get(at) == "trusted"
        },
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
        given
        | {"approval": None, "sinks": sinks, "output_schema": output}
        | {"shown_to": SHOWN_TO.get(name, ())}
    )


SETS = [DataSet(f"agentdojo {each}", partial(cases, each)) for each in DOMAINS]
