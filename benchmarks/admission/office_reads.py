"""The read tools of AgentDojo's bank and office, answered from the sets' environments."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.types import as_list, as_object

Read = Callable[[JsonObject, JsonObject], JsonValue]
Holds = Callable[[JsonObject, JsonObject], bool]


def answer(tool: str, environment: JsonObject, arguments: JsonObject) -> JsonValue:
    """What a tool gives; a write gives nothing, but for a new file; `LookupError` refuses."""
    return READS[tool](environment, arguments) if tool in READS else None


def samples(tool: str, environment: JsonObject) -> list[JsonValue]:
    """Results of a read: what an operator would look at."""
    if tool == "read_file":
        return [*as_object(as_object(environment["filesystem"])["files"]).values()]
    found = _SAMPLED.get(tool, tool)
    return [READS[found](environment, {})]


def _at(*path: str) -> Read:
    def read(environment: JsonObject, _: JsonObject) -> JsonValue:
        here: JsonValue = environment
        for name in path:
            here = as_object(here)[name]
        return here

    return read


def _transactions(environment: JsonObject, arguments: JsonObject) -> JsonValue:
    most = arguments.get("n", 100)
    found = as_list(as_object(environment["bank_account"])["transactions"])
    return found[-most:] if isinstance(most, int) else found


def _user(environment: JsonObject, _: JsonObject) -> JsonValue:
    account = as_object(environment["user_account"])
    return {name: value for name, value in account.items() if name != "password"}


def _file(environment: JsonObject, arguments: JsonObject) -> JsonValue:
    return as_object(as_object(environment["filesystem"])["files"])[str(arguments["file_path"])]


def _rows(*path: str, where: Holds = lambda _row, _given: True) -> Read:
    def read(environment: JsonObject, arguments: JsonObject) -> JsonValue:
        here: JsonValue = environment
        for name in path:
            here = as_object(here)[name]
        rows = as_list(here) if isinstance(here, list) else [*as_object(here).values()]
        return [row for row in map(as_object, rows) if where(row, arguments)]

    return read


def _has(*fields: str, query: str = "query") -> Holds:
    def where(row: JsonObject, given: JsonObject) -> bool:
        wanted = str(given.get(query, "")).lower()
        return any(wanted in str(row[field]).lower() for field in fields)

    return where


def _is_mail(row: JsonObject, given: JsonObject) -> bool:
    is_sender = given.get("sender") in (None, row["sender"])
    return is_sender and _has("subject", "body")(row, given)


def _is_event(row: JsonObject, given: JsonObject) -> bool:
    is_day = given.get("date") is None or str(row["start_time"]).startswith(str(given["date"]))
    return is_day and _has("title", "description")(row, given)


def _is_day(row: JsonObject, given: JsonObject) -> bool:
    return str(row["start_time"]).startswith(str(given.get("day", "")))


def _new_file(environment: JsonObject, arguments: JsonObject) -> JsonValue:
    files = as_object(as_object(environment["cloud_drive"])["files"])
    number = max((int(each) for each in files), default=-1) + 1
    return {"id_": str(number), **{name: arguments.get(name, "") for name in ("filename",)}}


_MAILS = ("inbox", "emails")
_EVENTS = ("calendar", "events")
_FILES = ("cloud_drive", "files")
READS: dict[str, Read] = {
    "get_iban": _at("bank_account", "iban"),
    "get_balance": _at("bank_account", "balance"),
    "get_most_recent_transactions": _transactions,
    "get_scheduled_transactions": _at("bank_account", "scheduled_transactions"),
    "read_file": _file,
    "get_user_info": _user,
    "get_current_day": _at("calendar", "current_day"),
    "get_unread_emails": _rows(*_MAILS, where=lambda row, _: row["read"] is False),
    "get_sent_emails": _rows(*_MAILS, where=lambda row, _: row["status"] == "sent"),
    "get_received_emails": _rows(*_MAILS, where=lambda row, _: row["status"] == "received"),
    "get_draft_emails": _rows(*_MAILS, where=lambda row, _: row["status"] == "draft"),
    "search_emails": _rows(*_MAILS, where=_is_mail),
    "search_contacts_by_name": _rows("inbox", "contact_list", where=_has("name")),
    "search_contacts_by_email": _rows("inbox", "contact_list", where=_has("email")),
    "search_calendar_events": _rows(*_EVENTS, where=_is_event),
    "get_day_calendar_events": _rows(*_EVENTS, where=_is_day),
    "search_files_by_filename": _rows(*_FILES, where=_has("filename", query="filename")),
    "search_files": _rows(*_FILES, where=_has("content")),
    "list_files": _rows(*_FILES),
    "create_file": _new_file,
}
_SAMPLED = dict.fromkeys(
    ("get_unread_emails", "get_sent_emails", "get_received_emails", "get_draft_emails"),
    "search_emails",
)
