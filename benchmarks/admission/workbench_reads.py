"""The reads of WorkBench with their arguments, answered from its tables, for recorded runs."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject

Tables = dict[str, list[JsonObject]]
# A search shows few rows, from which end is not recorded: both are taken for seen.
_PAGE = 5


def reads_of(tables: Tables) -> Callable[[str, JsonObject], JsonValue]:
    """What answers a read by the action's name; raises `LookupError`."""

    def read(action: str, arguments: JsonObject) -> JsonValue:
        tool = action.partition(".")[2]
        given = {name: str(value) for name, value in arguments.items() if value is not None}
        if tool in _BY_ID:
            table, key = _BY_ID[tool]
            rows = {str(each[key]): each for each in tables[table]}
            return {given["field"]: rows[given[key]][given["field"]]}
        if tool == "company_directory.find_email_address":
            return _addresses(tables, given["name"].casefold())
        if tool not in _SEARCHES:
            raise LookupError(f"{tool} is not replayed")
        table, holds = _SEARCHES[tool]
        found: list[JsonValue] = [each for each in tables[table] if holds(each, given)]
        return found if table == "PROJECT_TASKS" else found[-_PAGE:] + found[:_PAGE]

    return read


def _addresses(tables: Tables, name: str) -> JsonValue:
    found = {
        str(value)
        for rows in tables.values()
        for row in rows
        for value in row.values()
        if str(value).endswith("@atlas.com")
    }
    return [each for each in sorted(found) if name in each]


def _is_event(row: JsonObject, given: dict[str, str]) -> bool:
    query, start = given.get("query", "").casefold(), str(row["event_start"])
    is_meant = query in str(row["event_name"]).casefold() or query in str(row["participant_email"])
    return is_meant and given.get("time_min", "") <= start <= given.get("time_max", "9")


def _is_mail(row: JsonObject, given: dict[str, str]) -> bool:
    text = " ".join(str(row[each]) for each in ("subject", "body", "sender/recipient")).casefold()
    day = str(row["sent_datetime"])[:10]
    is_meant = all(word in text for word in given.get("query", "").casefold().split())
    return is_meant and given.get("date_min", "")[:10] <= day <= given.get("date_max", "9")[:10]


def _is_row(row: JsonObject, given: dict[str, str]) -> bool:
    return all(_is_within(row, name, wanted) for name, wanted in given.items())


def _is_within(row: JsonObject, name: str, wanted: str) -> bool:
    if name.endswith("_min"):
        return str(row[name.removesuffix("_min")]) >= wanted
    if name.endswith("_max"):
        return str(row[name.removesuffix("_max")]) <= wanted
    return wanted.casefold() in str(row[name]).casefold()


_BY_ID = {
    "calendar.get_event_information_by_id": ("CALENDAR_EVENTS", "event_id"),
    "email.get_email_information_by_id": ("EMAILS", "email_id"),
    "project_management.get_task_information_by_id": ("PROJECT_TASKS", "task_id"),
}
_SEARCHES: dict[str, tuple[str, Callable[[JsonObject, dict[str, str]], bool]]] = {
    "calendar.search_events": ("CALENDAR_EVENTS", _is_event),
    "email.search_emails": ("EMAILS", _is_mail),
    "project_management.search_tasks": ("PROJECT_TASKS", _is_row),
    "customer_relationship_manager.search_customers": ("CRM_DATA", _is_row),
}
