"""`mail` over SendGrid's v3 API, and over its Email Activity where the account has it.

The key goes along as a custom argument of the message, by which Email Activity can be searched.
Email Activity is a paid addition: without it sending is blind and there is nothing to read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

from pydantic import Field, JsonValue

from connectors.api import Api, api_of
from connectors.builtin.letter import files_of, recipients_of
from connectors.connector import Connector, Outcome
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.http import HttpAnswer
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.mail import MAIL
from connectors.unified.vendor import At, UnifiedConnector, Vendor, folded, moment, value_at, worded

_KEY = "lamgate_key"
_MOST = "1000"
_STATUSES = {"processed": "sent", "delivered": "delivered", "not_delivered": "failed"}
_STATUSES |= {"not delivered": "failed"}
_OF_A_RECIPIENT = re.compile(r"\.(filter|recvd).*")
_DIALECT = Dialect(message_at=("errors", "0", "message"), request_id_header="x-message-id")


def _recipients(rows: JsonValue) -> list[JsonValue]:
    found = rows if isinstance(rows, list) else []
    return [*sorted({str(each["to_email"]) for each in found if isinstance(each, dict)})]


def _sent_id(value: JsonValue) -> JsonValue:
    """What the answer of the sending called it: `ID.recvd-…` is one recipient's."""
    return _OF_A_RECIPIENT.sub("", str(value)) if value else None


SENDGRID = Vendor(
    "sendgrid",
    MAIL,
    {
        "message": {
            "id": At("messages/0/msg_id", _sent_id, "`msg_id`, without the recipient's part"),
            "updated_at": At("messages/0/last_event_time", moment, "`last_event_time`"),
            "from": At("messages/0/from_email", said="`from_email`"),
            "to": At("messages", _recipients, "`to_email` of each row, copies too"),
            "subject": At("messages/0/subject", said="`subject`"),
            "status": At("messages/0/status", worded(_STATUSES), "`status` of the first"),
            "status_raw": At("messages/0/status", said="`status` of the first"),
        }
    },
    {
        "message_send": {
            "effect": "lookup",
            "lookup": {"action": "message_find", "by": "reference"},
            "settle_s": 900.0,
        },
        "message_find": {},
        "message_get": {},
        "message_list": {},
    },
    gaps={
        "message.text": "Email Activity keeps no content",
        "message.html": "Email Activity keeps no content",
        "message.attachments": "Email Activity keeps no content",
        "message.cc": "a row does not say how it was addressed",
        "message.bcc": "a row does not say how it was addressed",
        "message.thread_id": "Email Activity keeps no headers",
        "message.sent_at": "only the last event has a time",
        "message.version": "a mail is never changed",
    },
)
WITHOUT_ACTIVITY = replace(SENDGRID, promises={"message_send": {"effect": "blind"}})


def body_of(given: JsonObject, sender: str, key: str) -> JsonObject:
    """The request of `POST /v3/mail/send`; raises `Refused` for an attachment that is none."""
    envelope: JsonObject = {
        name: [{"email": each} for each in said]
        for name in ("to", "cc", "bcc")
        if isinstance(said := given.get(name), list) and said
    }
    content: list[JsonValue] = [{"type": "text/plain", "value": given["text"]}]
    if "html" in given:
        content.append({"type": "text/html", "value": given["html"]})
    body: JsonObject = {
        "personalizations": [{**envelope, "custom_args": {_KEY: key}}],
        "from": {"email": sender},
        "subject": given["subject"],
        "content": content,
    }
    if "thread_id" in given:
        thread = f"<{given['thread_id']}>"
        body["headers"] = {"In-Reply-To": thread, "References": thread}
    files = files_of(given)
    if files:
        body["attachments"] = [
            {"content": each.base64, "type": each.content_type, "filename": each.filename}
            for each in files
        ]
    return body


@dataclass(frozen=True)
class SendGrid:
    """An account, and who sends through it."""

    api: Api
    sender: str

    async def send(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Send one message; 202 is all that SendGrid says."""

        def receipt(answer: HttpAnswer) -> JsonValue:
            return {"id": answer.headers["x-message-id"], "recipients": [*recipients_of(given)]}

        body = body_of(given, self.sender, context.idempotency_key)
        return await self.api.ask(
            spec, context, "POST", "v3", "mail", "send", body=body, content=receipt, done=(202,)
        )

    async def find(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """What sending under a key has answered, or null."""

        def receipt(raw: JsonObject) -> JsonValue:
            rows = raw["messages"] if isinstance(raw["messages"], list) else []
            if len({str(_sent_id(value_at(row, "msg_id"))) for row in rows}) > 1:
                raise ValueError("it gives other mails than was searched for")
            told = SENDGRID.tell("message", raw)
            return {"id": told["id"], "recipients": told["to"]} if rows else None

        query = f"(unique_args['{_KEY}']={_quoted(given['reference'])})"
        return await self._activity(spec, context, {"query": query, "limit": _MOST}, receipt)

    async def read(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read what is known of one message."""

        def one(raw: JsonObject) -> JsonValue:
            told = SENDGRID.tell("message", raw)
            if told["id"] != given["id"]:
                raise Refused(f"there is no mail {given['id']}", kind=Kind.NOT_FOUND)
            return told

        query = f"(msg_id LIKE {_quoted(str(given['id']) + '%')})"
        return await self._activity(spec, context, {"query": query, "limit": _MOST}, one)

    async def search(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """List messages, one for each row of the activity."""
        places = (("recipient", "to_email"), ("subject", "subject"))

        def each_row(raw: JsonObject) -> JsonValue:
            rows = raw["messages"] if isinstance(raw["messages"], list) else []
            for row, (name, place) in product(rows, places):
                if name in given and folded(value_at(row, place)) != folded(given[name]):
                    raise ValueError("it gives other mails than was searched for")
            return {"messages": [SENDGRID.tell("message", {"messages": [row]}) for row in rows]}

        asked = [f"({place}={_quoted(given[name])})" for name, place in places if name in given]
        query = {"limit": str(given.get("limit", 20))}
        if asked:
            query["query"] = " AND ".join(asked)
        return await self._activity(spec, context, query, each_row)

    async def _activity(
        self,
        spec: ActionSpec,
        context: CallContext,
        query: Mapping[str, str],
        told: Callable[[JsonObject], JsonValue],
    ) -> Outcome:
        def mapped(body: JsonValue) -> JsonValue:
            if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
                raise TypeError("expected the messages of Email Activity")
            return told(body)

        return await self.api.ask(
            spec, context, "GET", "v3", "messages", query=query, mapped=mapped
        )


def _quoted(value: JsonValue) -> str:
    """A text in Email Activity's query language, whose way to escape a quote is not documented."""
    if '"' in str(value) or "\\" in str(value):
        raise Refused("Email Activity is not searched for a quotation mark", kind=Kind.INVALID)
    return f'"{value}"'


class _Options(Options):
    sender: str = Field(pattern=r"^[!-;=?-~]+@[A-Za-z0-9.-]+$")
    activity: bool = False


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one account; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    account = SendGrid(api_of(settings, given, dialect=_DIALECT), options.sender)
    if not options.activity:
        return UnifiedConnector(WITHOUT_ACTIVITY, settings.name, {"message_send": account.send})
    return UnifiedConnector(
        SENDGRID,
        settings.name,
        {
            "message_send": account.send,
            "message_find": account.find,
            "message_get": account.read,
            "message_list": account.search,
        },
    )
