"""Mail over SMTP: `<connection>.send`, and `<connection>.find` where a mailbox can be read.

SMTP has no idempotency keys, but a message has an id. Ours is made from the attempt's key, so
a mailbox that can be searched tells whether a lost message was taken. Without a mailbox,
sending is blind.
"""

import asyncio
import smtplib
import time
from collections.abc import Mapping
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import urlencode

from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.http import HttpRequest, Transport, TransportError
from connectors.outcome import Dialect, read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, JsonObject

_SEND: JsonObject = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "format": "email"},
        "subject": {"type": "string", "maxLength": 200},
        "text": {"type": "string"},
    },
    "required": ["to", "subject", "text"],
    "additionalProperties": False,
}
_SENT: JsonObject = {
    "type": "object",
    "properties": {"message_id": {"type": "string"}, "to": {"type": "string"}},
    "required": ["message_id", "to"],
    "additionalProperties": False,
}
_FIND: JsonObject = {
    "type": "object",
    "properties": {"reference": {"type": "string"}},
    "required": ["reference"],
    "additionalProperties": False,
}


class SmtpConnector:
    """One mail server, and perhaps the mailbox that it delivers to."""

    name = "smtp"

    def __init__(
        self,
        connection: str,
        server: str,
        sender: str,
        transport: Transport,
        mailbox_url: str | None = None,
        domain: str = "lamgate.invalid",
    ) -> None:
        self._host, _, port = server.rpartition(":")
        self._port = int(port)
        self._sender = sender
        self._transport = transport
        self._mailbox = mailbox_url.rstrip("/") if mailbox_url else None
        self._domain = domain
        self._specs = _specs(connection, can_look=self._mailbox is not None)

    async def actions(self) -> tuple[ActionSpec, ...]:
        """`send`, and `find` where there is a mailbox."""
        return self._specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Send once, or search once."""
        if action.name.endswith(".find"):
            return await self._find(action, str(arguments["reference"]), context)
        message_id = f"{context.idempotency_key.lower()}@{self._domain}"
        try:
            message = self._message(arguments, message_id)
        except (ValueError, HeaderParseError, MessageError) as error:
            raise Refused(f"no such mail can be written: {error}", kind=Kind.INVALID) from error
        await asyncio.to_thread(self._send, message, context)
        return Applied({"message_id": message_id, "to": str(arguments["to"])})

    async def _find(self, action: ActionSpec, reference: str, context: CallContext) -> Outcome:
        query = urlencode({"message_id": f"{reference.lower()}@{self._domain}"})
        request = HttpRequest("GET", f"{self._mailbox}/messages?{query}")
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, Dialect())
        return read_answer(action, answer, Dialect(), mapped=_sent)

    def _message(self, arguments: Mapping[str, JsonValue], message_id: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = str(arguments["to"])
        message["Subject"] = str(arguments["subject"])
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{message_id}>"
        message.set_content(str(arguments["text"]))
        return message

    def _send(self, message: EmailMessage, context: CallContext) -> None:
        """Hand the message over; after DATA has begun, silence means that it may be taken."""
        now = time.monotonic()
        if now > context.send_before:
            raise Unavailable("the mail was not handed over in time", kind=Kind.TIMEOUT)
        try:
            client = smtplib.SMTP(self._host, self._port, timeout=max(0.1, context.deadline - now))
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"no connection to the mail server: {error}") from error
        with client:
            try:
                client.ehlo()
                _expect(client.mail(self._sender))
                _expect(client.rcpt(str(message["To"])))
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                raise Unavailable(f"the mail server went away: {error}", sent=True) from error
            try:
                _expect(client.data(message.as_bytes()))
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                message_ = f"no answer after the mail was handed over: {error}"
                raise Uncertain(message_, kind=Kind.TIMEOUT) from error


def _expect(reply: tuple[int, bytes]) -> None:
    """Raise what a reply code means (RFC 5321, 4.2.1): 4xx may be tried again, 5xx not."""
    code, said = reply
    if 200 <= code < 300:
        return
    text = f"{code} {said.decode('utf-8', 'replace')}"
    if 400 <= code < 500:
        raise Unavailable(text, sent=True, vendor_code=str(code))
    raise Refused(text, kind=Kind.INVALID, vendor_code=str(code))


def _sent(body: JsonValue) -> JsonValue:
    """The first message found, as `send` would have answered."""
    if not isinstance(body, list):
        raise TypeError("expected a list of messages")
    for found in body:
        if isinstance(found, dict):
            return {"message_id": found["message_id"], "to": found["recipient"]}
    return None


def _specs(connection: str, *, can_look: bool) -> tuple[ActionSpec, ...]:
    known: JsonObject = {"effect": "blind"}
    if can_look:
        lookup: JsonObject = {"action": f"{connection}.find", "by": "reference"}
        known = {"effect": "lookup", "lookup": lookup, "settle_s": 1.0}
    send = ActionSpec.model_validate(
        {
            "name": f"{connection}.send",
            "description": "Send a mail as plain text.",
            "input_schema": _SEND,
            "output_schema": _SENT,
            "approval": None,
            "sinks": {"to": "recipient", "subject": "content", "text": "content"},
            "reads_as": "trusted",
            "timeout_s": 10.0,
            **known,
        }
    )
    if not can_look:
        return (send,)
    find = ActionSpec.model_validate(
        {
            "name": f"{connection}.find",
            "description": "Find a mail that was sent under a reference; null if there is none.",
            "input_schema": _FIND,
            "output_schema": {"anyOf": [_SENT, {"type": "null"}]},
            "effect": "read",
            "reads_as": "trusted",
        }
    )
    return (send, find)
