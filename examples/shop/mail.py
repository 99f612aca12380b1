"""Mail: a real SMTP server, and a mailbox that one reads over HTTP as one reads maildev's."""

import asyncio
import email
import email.policy
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Annotated, Any, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session
from database import Database, write_ledger
from fastapi import FastAPI, Query
from faults import Fault, Faults
from pydantic import BaseModel, Field
from service import (
    Refusal,
    Style,
    arguments,
    documented,
    listen,
    new_service,
    open_database,
    serve,
)

TABLES = """
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, message_id TEXT NOT NULL,
 sender TEXT NOT NULL, recipients TEXT NOT NULL, content BLOB NOT NULL, received_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS messages_by_message_id ON messages (message_id);
"""
MAX_MAIL_BYTES = 10_000_000
NOT_TAKEN = {
    "refuse": "550 5.7.1 refused on demand",
    "error_500": "451 4.3.0 failed on demand",
    "error_503": "451 4.3.2 unavailable on demand",
    "rate_limit": "450 4.7.1 too many on demand",
}
STYLE = Style(
    body=lambda refusal, _: {"reason": refusal.code, "text": refusal.message},
    request_id_header="X-Request-Id",
    codes={0: "refused", 404: "unknown", 422: "invalid", 429: "busy", 500: "failed", 503: "down"},
    invalid=422,
    key_reused=(409, "reused"),
)


class Address(BaseModel):
    address: str
    name: str = ""


class Attachment(BaseModel):
    filename: str | None
    contentType: str  # noqa: N815 - as maildev has it
    size: int


class Delivery(BaseModel):
    from_: Address = Field(alias="from")
    to: list[Address]


class StoredMail(BaseModel):
    """A mail in the shape of maildev's, so that one connector reads both mailboxes."""

    id: str
    time: str
    subject: str
    from_: list[Address] = Field(alias="from")
    to: list[Address]
    cc: list[Address]
    calculatedBcc: list[Address]  # noqa: N815
    headers: dict[str, str]
    envelope: Delivery
    attachments: list[Attachment]
    inReplyTo: str | None  # noqa: N815
    text: str
    html: str


class Problem(BaseModel):
    """Every refusal and every failure."""

    reason: str
    text: str


class Mailbox:
    """Keeps every delivery, and lets people read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, envelope: Envelope) -> None:
        """Keep a delivery, to whomever it goes."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        message_id = str(parsed["Message-ID"] or "").strip().strip("<>")
        subject = str(parsed["Subject"] or "")
        sender = envelope.mail_from or ""
        with self._database.transaction() as c:
            c.execute(
                "INSERT INTO messages (message_id, sender, recipients, content, received_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (message_id, sender, json.dumps(envelope.rcpt_tos), content, time.time()),
            )
            for recipient in envelope.rcpt_tos:
                told = {"from": sender, "to": recipient, "subject": subject}
                write_ledger(c, "mail", message_id or None, {**told})

    def find_messages(
        self,
        message_id: Annotated[
            str | None,
            Query(alias="headers.message-id", max_length=998, description="a Message-ID in <>"),
        ] = None,
        recipient: Annotated[
            str | None,
            Query(alias="envelope.to.address", max_length=254, description="whom it went to"),
        ] = None,
        subject: Annotated[str | None, Query(max_length=998, description="its subject")] = None,
        sort: Annotated[Literal["asc", "desc"], Query(description="by the time it came")] = "asc",
        limit: Annotated[int | None, Query(ge=1, le=200, description="how many at most")] = None,
    ) -> list[StoredMail]:
        """List the messages, all or those that are asked for."""
        where, given = "", ()
        if message_id is not None:
            where, given = " WHERE message_id = ?", (message_id.strip("<>"),)
        with self._database.transaction() as c:
            rows = c.execute(f"SELECT * FROM messages{where} ORDER BY id", given).fetchall()
        found = [
            each
            for each in map(_stored, rows)
            if recipient in (None, *(one.address for one in each.envelope.to))
            and subject in (None, each.subject)
        ]
        return (found[::-1] if sort == "desc" else found)[:limit]

    def get_message(self, number: int) -> StoredMail:
        """Read one message."""
        with self._database.transaction() as c:
            row = c.execute("SELECT * FROM messages WHERE id = ?", (str(number),)).fetchone()
        if row is None:
            raise Refusal(404, "unknown", f"there is no message {number}")
        return _stored(row)


def _stored(row: Any) -> StoredMail:
    """A row as it is shown; whatever was sent, a mail is kept."""
    parsed = email.message_from_bytes(row["content"], policy=email.policy.default)
    everybody = [Address(address=each) for each in json.loads(row["recipients"])]
    shown = {name: _addresses(parsed, name) for name in ("from", "to", "cc")}
    seen = {each.address for each in (*shown["to"], *shown["cc"])}
    message_id = row["message_id"]
    return StoredMail.model_validate(
        {
            **shown,
            "id": str(row["id"]),
            "time": datetime.fromtimestamp(row["received_at"], UTC).isoformat(),
            "subject": str(parsed["Subject"] or ""),
            "calculatedBcc": [each for each in everybody if each.address not in seen],
            "headers": {"message-id": f"<{message_id}>"} if message_id else {},
            "envelope": {"from": Address(address=row["sender"]), "to": everybody},
            "attachments": _attachments(parsed),
            "inReplyTo": str(parsed["In-Reply-To"]) if parsed["In-Reply-To"] else None,
            "text": _body(parsed, "plain"),
            "html": _body(parsed, "html"),
        }
    )


def _addresses(parsed: EmailMessage, header: str) -> list[Address]:
    try:
        found = parsed[header].addresses if parsed[header] else ()
    except (AttributeError, ValueError):
        return []
    return [Address(address=each.addr_spec, name=each.display_name) for each in found]


def _attachments(parsed: EmailMessage) -> list[Attachment]:
    return [
        Attachment(
            filename=each.get_filename(),
            contentType=each.get_content_type(),
            size=len(each.get_payload(decode=True) or b""),
        )
        for each in parsed.iter_attachments()
    ]


def _body(parsed: EmailMessage, kind: str) -> str:
    body = parsed.get_body((kind,))
    if body is None:
        return ""
    try:
        return str(body.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):
        payload = body.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


class Postman:
    """Takes mail over SMTP: it is kept before the server says yes."""

    def __init__(self, mailbox: Mailbox, faults: Faults) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_DATA(  # noqa: N802 - the server's name for it
        self, server: SMTP, _: Session, envelope: Envelope
    ) -> str:
        """Keep a message, or do what a fault wants."""
        recipient = envelope.rcpt_tos[0] if envelope.rcpt_tos else ""
        fault = self._faults.take("SMTP", f"/{recipient}")
        kind = fault.order.kind if fault is not None else None
        if kind in (None, "hang_after", "drop_after", "garbage"):
            # Nothing is awaited here: a caller that leaves cannot break it off half-way.
            self._mailbox.keep(envelope)
        if fault is None:
            return "250 2.0.0 kept"
        fault.fired += 1
        return await _spoiled(fault, server)


async def _spoiled(fault: Fault, server: SMTP) -> str:
    match fault.order.kind:
        case "garbage":
            return "<html>not what you asked for"
        case "hang_after":
            await fault.hang()
            return "250 2.0.0 kept"
        case "hang_before":
            await fault.hang()
            return await _cut(server)
        case "drop_before" | "drop_after":
            return await _cut(server)
        case kind:
            return NOT_TAKEN[kind]


async def _cut(server: SMTP) -> str:
    """Close the connection without a word; the server then cancels whoever serves it."""
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()
    await asyncio.Event().wait()
    return ""


def smtp_on(port: int, postman: Postman) -> Callable[[], Awaitable[str]]:
    """Return what starts the SMTP server and tells its address."""
    started: list[asyncio.Server] = []  # the loop itself does not hold on to a server

    async def start() -> str:
        loop = asyncio.get_running_loop()
        listener = listen(port)

        def connection() -> SMTP:
            return SMTP(postman, hostname="mail", data_size_limit=MAX_MAIL_BYTES, loop=loop)

        started.append(await loop.create_server(connection, sock=listener))
        return f"smtp://127.0.0.1:{listener.getsockname()[1]}"

    return start


def build(database: Database, faults: Faults) -> FastAPI:
    """Build the mailbox over its database."""
    app = new_service("Mailbox", "The mail that came in over SMTP.", STYLE, database, faults)
    mailbox = Mailbox(database)
    unreadable = {422: "Cannot be read"}
    app.get("/api/email", responses=documented(Problem, unreadable))(mailbox.find_messages)
    one = documented(Problem, {404: "No such message", **unreadable})
    app.get("/api/email/{number}", responses=one)(mailbox.get_message)
    return app


if __name__ == "__main__":
    parser = arguments("SMTP, and a mailbox over HTTP.")
    parser.add_argument("--smtp-port", type=int, default=0, help="0 takes any free port")
    options = parser.parse_args()
    store = open_database(options, TABLES)
    ordered = Faults()
    beside = smtp_on(options.smtp_port, Postman(Mailbox(store), ordered))
    serve(build(store, ordered), STYLE, ordered, options, beside)
