"""Reads a mailbox over HTTP, in the words of maildev: `GET /api/email`, filtered by any place."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from connectors.api import Api
from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import At, Vendor, folded, moment, value_at

Mails = list[JsonValue]
_USUAL = 20


def _addresses(value: JsonValue) -> list[JsonValue]:
    found = value if isinstance(value, list) else []
    return [each.get("address") for each in found if isinstance(each, dict)]


def _bare(value: JsonValue) -> JsonValue:
    """A Message-ID without its brackets."""
    return str(value).strip("<> ") if value else None


def _files(value: JsonValue) -> JsonValue:
    found = value if isinstance(value, list) else []
    return [
        {
            "filename": each.get("filename"),
            "content_type": each.get("contentType"),
            "size": each.get("size"),
        }
        for each in found
        if isinstance(each, dict)
    ]


def _text(value: JsonValue) -> JsonValue:
    return value if isinstance(value, str) else None


FIELDS: Mapping[str, At] = {
    "id": At("headers/message-id", _bare),
    "created_at": At("time", moment),
    "from": At("from/0/address"),
    "to": At("to", _addresses),
    "cc": At("cc", _addresses),
    "bcc": At("calculatedBcc", _addresses),
    "subject": At("subject"),
    "text": At("text", _text),
    "html": At("html", _text),
    "attachments": At("attachments", _files),
    "thread_id": At("inReplyTo", _bare),
    "sent_at": At("time", moment),
    "status": At("id", lambda found: None if found is None else "delivered", "it is there"),
}


class Mailbox:
    """The mailbox that a server delivers to."""

    def __init__(self, api: Api, vendor: Vendor) -> None:
        self._api = api
        self._vendor = vendor

    async def find(self, spec: ActionSpec, message_id: str, context: CallContext) -> Outcome:
        """What sending this message would have answered, or null."""

        def receipt(mails: Mails) -> JsonValue:
            if not mails:
                return None
            _check_is(mails[0], message_id)
            everybody = sorted(map(str, _addresses(value_at(mails[0], "envelope/to"))))
            return {"id": message_id, "recipients": [*everybody]}

        query = {"headers.message-id": f"<{message_id}>", "limit": "1"}
        return await self._ask(spec, context, query, receipt)

    async def read(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read one mail."""

        def one(mails: Mails) -> JsonValue:
            if not mails:
                raise Refused(f"there is no mail {given['id']}", kind=Kind.NOT_FOUND)
            _check_is(mails[0], str(given["id"]))
            return self._vendor.tell("message", mails[0])

        query = {"headers.message-id": f"<{given['id']}>", "limit": "1"}
        return await self._ask(spec, context, query, one)

    async def search(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """List mails, the newest first."""

        def all_of_them(mails: Mails) -> JsonValue:
            if not all(_fits(each, given) for each in mails):
                raise ValueError("it gives other mails than was searched for")
            return {"messages": [self._vendor.tell("message", each) for each in mails]}

        query = {"sort": "desc", "limit": str(given.get("limit", _USUAL))}
        for name, place in (("recipient", "envelope.to.address"), ("subject", "subject")):
            if name in given:
                query[place] = str(given[name])
        return await self._ask(spec, context, query, all_of_them)

    async def _ask(
        self,
        spec: ActionSpec,
        context: CallContext,
        query: Mapping[str, str],
        told: Callable[[Mails], JsonValue],
    ) -> Outcome:
        def mapped(body: JsonValue) -> JsonValue:
            if not isinstance(body, list):
                raise TypeError("expected a list of mails")
            return told(body)

        return await self._api.ask(spec, context, "GET", "api", "email", query=query, mapped=mapped)


def _fits(mail: JsonValue, given: JsonObject) -> bool:
    """Whether a mail is as was searched for, as far as it says."""
    to, subject = value_at(mail, "envelope/to"), value_at(mail, "subject")
    is_theirs = "recipient" not in given or not isinstance(to, list)
    is_theirs = is_theirs or folded(given["recipient"]) in map(folded, _addresses(to))
    about = folded(given.get("subject", ""))
    return is_theirs and (subject is None or about in folded(subject))


def _check_is(mail: JsonValue, message_id: str) -> None:
    """Raise `ValueError` for another one: a mailbox may not know what it was to filter by."""
    if _bare(value_at(mail, "headers/message-id")) != message_id:
        raise ValueError("it gives another mail than was searched for")
