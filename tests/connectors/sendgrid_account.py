"""A SendGrid account as its document has it: takes mail, and tells of it in Email Activity."""

import re
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.testing import Asked, Said

KEY = re.compile(r"\(unique_args\['lamgate_key'\]=\"([^\"]*)\"\)")
PLACE = re.compile(r"\((msg_id LIKE|to_email=|subject=) ?\"([^\"]*)\"\)")


@dataclass
class Account:
    """What an account has sent."""

    sent: list[JsonObject] = field(default_factory=list)
    rows: list[tuple[str, JsonObject]] = field(default_factory=list)

    async def effects(self) -> int:
        """How many messages it took."""
        return len(self.sent)

    def handle(self, asked: Asked) -> Said:
        """One request."""
        if (asked.method, asked.path) == ("POST", "/v3/mail/send"):
            return self._take(asked.body)
        if (asked.method, asked.path) == ("GET", "/v3/messages"):
            limit = int(asked.query.get("limit", "10"))
            found = [row for key, row in self.rows if _fits(asked.query.get("query", ""), key, row)]
            return Said(200, {"messages": found[::-1][:limit]})
        return _error(404, "not found")

    def _take(self, body: JsonValue) -> Said:
        assert isinstance(body, dict)
        if "nobody@example.com" in str(body):
            return _error(400, "Does not contain a valid address.")
        self.sent.append(body)
        (personal,) = body["personalizations"]  # type: ignore[misc]  # one of them
        message = f"m_{len(self.sent)}-Xy"
        for place in ("to", "cc", "bcc"):
            for each in personal.get(place, []):  # type: ignore[union-attr, call-overload]
                row: JsonObject = {
                    "from_email": body["from"]["email"],  # type: ignore[index, call-overload]
                    "msg_id": f"{message}.recvd-7d9f-1-6{len(self.rows)}.0",
                    "subject": body["subject"],
                    "to_email": each["email"],
                    "status": "processed",
                    "opens_count": 0,
                    "clicks_count": 0,
                    "last_event_time": "2026-11-25T10:00:00Z",
                }
                self.rows.append((personal["custom_args"]["lamgate_key"], row))  # type: ignore[index, call-overload, arg-type]
        return Said(202, b"", {"x-message-id": message})


def _fits(query: str, key: str, row: JsonObject) -> bool:
    if wanted := KEY.fullmatch(query):
        return wanted[1] == key
    for place, value in PLACE.findall(query):
        if place == "msg_id LIKE":
            if not str(row["msg_id"]).startswith(value.removesuffix("%")):
                return False
        elif row[place.removesuffix("=")] != value:
            return False
    return True


def _error(status: int, message: str) -> Said:
    return Said(status, {"errors": [{"message": message, "field": None, "help": None}]})
