"""`mail` over SMTP, and over the mailbox behind it where that can be read.

SMTP has no idempotency keys, but a message has an id. Ours is made from the attempt's key, so
a mailbox that can be searched tells whether a lost message was taken. Without a mailbox,
sending is blind and there is nothing to read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from connectors.builtin.letter import letter, recipients_of
from connectors.builtin.mailbox import FIELDS, Mailbox
from connectors.builtin.smtp_wire import Addresses, Host, Message, hand_over
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.mail import MAIL
from connectors.unified.vendor import UnifiedConnector, Vendor

_TIMEOUT: JsonObject = {"timeout_s": 10.0}
SMTP = Vendor(
    "smtp",
    MAIL,
    {"message": FIELDS},
    {
        "message_send": {
            "effect": "lookup",
            "lookup": {"action": "message_find", "by": "reference"},
            "settle_s": 1.0,
            **_TIMEOUT,
        },
        "message_find": {},
        "message_get": {},
        "message_list": {},
    },
    gaps={
        "message.status_raw": "a mailbox has no word for it",
        "message.version": "a mail is never changed",
        "message.url": "a mailbox has none",
        "message.updated_at": "a mail is never changed",
    },
)
WITHOUT_MAILBOX = replace(SMTP, promises={"message_send": {"effect": "blind", **_TIMEOUT}})


@dataclass(frozen=True)
class Server:
    """A mail server, who sends through it, and the domain of the ids that it is sent.

    `addresses` finds where the server is, and says no where that may not be reached.
    """

    host: Host
    addresses: Addresses
    sender: str
    domain: str
    password: Callable[[], Awaitable[str]] | None = None

    def message_id(self, reference: str) -> str:
        """The id of the message that carries a key."""
        return f"{reference.lower()}@{self.domain}"

    async def send(self, _: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Hand a message over, to everybody or to nobody."""
        message_id = self.message_id(context.idempotency_key)
        recipients = recipients_of(given)
        # Beside the loop: a mail may have many megabytes.
        content = await asyncio.to_thread(letter, given, self.sender, message_id)
        message = Message(self.sender, recipients, content)
        host = self.host
        if self.password is not None:
            host = replace(host, password=await self.password())
        await hand_over(
            host,
            message,
            self.addresses,
            deadline=context.deadline,
            send_before=context.send_before,
        )
        return Applied({"id": message_id, "recipients": [*recipients]})


def smtp(connection: str, server: Server, mailbox: Mailbox | None) -> UnifiedConnector:
    """The model over a server, and over the mailbox behind it if there is one."""
    if mailbox is None:
        return UnifiedConnector(WITHOUT_MAILBOX, connection, {"message_send": server.send})

    async def find(spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        return await mailbox.find(spec, server.message_id(str(given["reference"])), context)

    return UnifiedConnector(
        SMTP,
        connection,
        {
            "message_send": server.send,
            "message_find": find,
            "message_get": mailbox.read,
            "message_list": mailbox.search,
        },
    )
