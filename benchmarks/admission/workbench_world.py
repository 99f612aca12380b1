"""The tools of WorkBench: what each leaves in the office of one run, and what it answers.

The recorded runs do not say what their calls answered; these rules do, as the tools have them: a
search looks for a pattern, mails come newest first, and every list but that of tasks ends after
five rows. Each row that changes is replaced, so that the tables that were read in stay as they
are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from connectors.spec import JsonObject

Tables = dict[str, list[JsonObject]]
Given = dict[str, str]

NOW = "2023-11-30 00:00:00"
_PAGE = 5
_EVENTS, _MAILS, _TASKS, _CUSTOMERS = "CALENDAR_EVENTS", "EMAILS", "PROJECT_TASKS", "CRM_DATA"
_TABLES = {
    "calendar": (_EVENTS, "event_id"),
    "email": (_MAILS, "email_id"),
    "project_management": (_TASKS, "task_id"),
    "customer_relationship_manager": (_CUSTOMERS, "customer_id"),
}
_LOWER = frozenset({"participant_email", "assigned_to_email", "customer_email"})


@dataclass
class World:
    """The tables under one run's writes, and the addresses of who works there."""

    tables: Tables
    staff: tuple[str, ...]

    @classmethod
    def of(cls, tables: Tables) -> "World":
        """A copy that shares every row which nobody writes."""
        cells = {str(cell) for rows in tables.values() for row in rows for cell in row.values()}
        staff = tuple(sorted(each for each in cells if each.endswith("@atlas.com")))
        return cls({name: [*rows] for name, rows in tables.items()}, staff)

    def answer(self, tool: str, arguments: JsonObject) -> JsonValue:
        """Answer a read, or make a change that was made; `LookupError` is the tool's no."""
        given = {name: str(value) for name, value in arguments.items() if value not in (None, "")}
        group, _, name = tool.partition(".")
        if name == "find_email_address":
            return [each for each in self.staff if re.search(given["name"].lower(), each)]
        if group not in _TABLES:
            return None  # counts and charts
        table, key = _TABLES[group]
        match name.partition("_")[0]:
            case "get":
                return {given["field"]: self._row(table, key, given[key])[given["field"]]}
            case "search":
                return [*self._found(name, given)]
            case "create" | "add":
                return self._added(table, key, given)
            case "delete":
                self.tables[table] = [it for it in self.tables[table] if it[key] != given[key]]
            case "update":
                self._change(table, key, given)
            case _:
                self._send(name, given)
        return None

    def _found(self, name: str, given: Given) -> list[JsonObject]:
        match name:
            case "search_events":
                return [it for it in self.tables[_EVENTS] if _is_event(it, given)][:_PAGE]
            case "search_emails":
                mails = [it for it in self.tables[_MAILS] if _is_mail(it, given)]
                return sorted(mails, key=lambda it: str(it["sent_datetime"]), reverse=True)[:_PAGE]
            case "search_tasks":
                return [*_rows(self.tables[_TASKS], given)]
            case _:
                return [*_rows(self.tables[_CUSTOMERS], given)][:_PAGE]

    def _row(self, table: str, key: str, value: str) -> JsonObject:
        found = [row for row in self.tables[table] if row[key] == value]
        if not found:
            raise LookupError(f"no {key} {value}")
        return found[0]

    def _added(self, table: str, key: str, given: Given) -> str:
        new = str(max(int(str(row[key])) for row in self.tables[table]) + 1).zfill(8)
        members: JsonObject = dict.fromkeys(self.tables[table][0])
        self.tables[table].append({**members, **_stored(given), key: new})
        return new

    def _change(self, table: str, key: str, given: Given) -> None:
        new = _stored({given["field"]: given["new_value"]})
        rows = self.tables[table]
        self.tables[table] = [row | new if row[key] == given[key] else row for row in rows]

    def _send(self, name: str, given: Given) -> None:
        """A mail of one's own, or one that passes on or answers another."""
        to, subject, body = (given.get(each) for each in ("recipient", "subject", "body"))
        if name != "send_email":
            old = self._row(_MAILS, "email_id", given["email_id"])
            if name == "reply_email":
                to, subject = str(old["sender/recipient"]), str(old["subject"])
            else:
                subject, body = f"FW: {old['subject']}", str(old["body"])
        mails = self.tables[_MAILS]
        sent: JsonObject = {
            "email_id": str(max(int(str(row["email_id"])) for row in mails) + 1),
            "inbox/outbox": "outbox",
            "sender/recipient": str(to).lower(),
            "subject": subject,
            "sent_datetime": NOW,
            "body": body,
        }
        mails.append(sent)


def _stored(given: Given) -> JsonObject:
    return {name: value.lower() if name in _LOWER else value for name, value in given.items()}


def _is_event(row: JsonObject, given: Given) -> bool:
    query, start = given.get("query", ""), datetime.fromisoformat(str(row["event_start"]))
    is_meant = any(_has(row, name, query) for name in ("event_name", "participant_email"))
    first, last = _moment(given, "time_min"), _moment(given, "time_max")
    return is_meant and (first or start) <= start <= (last or start)


def _is_mail(row: JsonObject, given: Given) -> bool:
    text = " ".join(str(row[each]) for each in ("subject", "body", "sender/recipient")).lower()
    is_meant = all(word in text for word in given.get("query", "").lower().split())
    day = datetime.fromisoformat(str(row["sent_datetime"])).date()
    first, last = _moment(given, "date_min"), _moment(given, "date_max")
    is_late = first is None or first.date() <= day
    return is_meant and is_late and (last is None or day <= last.date())


def _moment(given: Given, name: str) -> datetime | None:
    return datetime.fromisoformat(given[name]) if name in given else None


def _rows(rows: list[JsonObject], given: Given) -> Iterator[JsonObject]:
    """The rows that all of the arguments say; what no column is called is left unheard."""
    names = [name for name in rows[0] if not name.endswith("_id")]
    heard = {name: value for name, value in given.items() if _column(name) in names}
    if not heard:
        raise LookupError("a search without a parameter")
    return (row for row in rows if all(_has(row, *each) for each in heard.items()))


def _column(name: str) -> str:
    return name.removesuffix("_min").removesuffix("_max")


def _has(row: JsonObject, name: str, value: str) -> bool:
    """Whether a cell is within an end, or has the pattern in it; an empty one has nothing."""
    cell = row[_column(name)]
    if cell is None:
        return False
    if name.endswith("_min"):
        return str(cell) >= value
    if name.endswith("_max"):
        return str(cell) <= value
    return re.search(value, str(cell), re.IGNORECASE) is not None
