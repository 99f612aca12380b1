"""Mail over SMTP: `<connection>.send`, and `<connection>.find` where a mailbox can be read.

SMTP has no idempotency keys, but a message has an id. Ours is made from the attempt's key, so
a mailbox that can be searched tells whether a lost message was taken. Without a mailbox,
sending is blind.
"""

from collections.abc import Mapping
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from urllib.parse import urlencode

from pydantic import JsonValue

from connectors.builtin.smtp_wire import Message, hand_over
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpRequest, Transport, TransportError
from connectors.outcome import Dialect, read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.validate import check_arguments

_DIALECT = Dialect(code_at=("reason",), message_at=("text",))
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
        host: str,
        port: int,
        sender: str,
        transport: Transport,
        *,
        mailbox_url: str | None = None,
        domain: str = "lamgate.invalid",
    ) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._transport = transport
        self._mailbox = mailbox_url
        self._domain = domain
        self._specs = _specs(connection, can_look=mailbox_url is not None)

    async def actions(self) -> tuple[ActionSpec, ...]:
        """`send`, and `find` where there is a mailbox."""
        return self._specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Send once, or search once."""
        known = {spec.name: spec for spec in self._specs}
        if action.name not in known:
            raise Refused(f"there is no {action.name}", kind=Kind.NOT_FOUND)
        check_arguments(known[action.name], arguments)
        if action.name.endswith(".find"):
            return await self._find(action, str(arguments["reference"]), context)
        message_id = f"{context.idempotency_key.lower()}@{self._domain}"
        message = self._message(arguments, message_id)
        await hand_over(
            self._host,
            self._port,
            message,
            deadline=context.deadline,
            send_before=context.send_before,
        )
        return Applied({"message_id": message_id, "to": message.recipient})

    async def _find(self, action: ActionSpec, reference: str, context: CallContext) -> Outcome:
        query = urlencode({"message_id": f"{reference.lower()}@{self._domain}"})
        request = HttpRequest("GET", f"{self._mailbox}/messages?{query}")
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, _DIALECT)
        return read_answer(action, answer, _DIALECT, mapped=_sent)

    def _message(self, arguments: Mapping[str, JsonValue], message_id: str) -> Message:
        """The message as it goes over the wire; raises `Refused` for one that cannot be written."""
        recipient = str(arguments["to"])
        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = self._sender
            message["To"] = recipient
            message["Subject"] = str(arguments["subject"])
            message["Date"] = formatdate()
            message["Message-ID"] = f"<{message_id}>"
            message.set_content(str(arguments["text"]))
            content = message.as_bytes()
        except (ValueError, LookupError, HeaderParseError, MessageError) as error:
            told = f"no such mail can be written: {type(error).__name__}"
            raise Refused(told, kind=Kind.INVALID) from error
        found = [each.addr_spec for each in message["To"].addresses]
        if found != [recipient] or not _is_plain(recipient):
            raise Refused(f"{recipient[:200]!r} is not one address", kind=Kind.INVALID)
        return Message(self._sender, recipient, content)


def _is_plain(address: str) -> bool:
    """Whether an address can be said in a command as it stands."""
    return all("!" <= character <= "~" and character not in "<>" for character in address)


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
