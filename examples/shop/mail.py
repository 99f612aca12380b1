"""Mail: a real SMTP server, and a mailbox that one can read over HTTP."""

import email
import email.policy
import socket
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from pydantic import BaseModel
from service import Database, Fault, add_controls, answer, arguments, serve, write_ledger

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, message_id TEXT, sender TEXT, recipient TEXT,
 subject TEXT, text TEXT);
"""


class StoredMail(BaseModel):
    id: int
    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str


class Mailbox:
    """Takes every message and keeps it before it says yes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle_DATA(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        body = parsed.get_body(("plain",))
        text = body.get_content() if body else ""
        for recipient in envelope.rcpt_tos:
            row = (
                str(parsed["Message-ID"] or "").strip("<>"),
                envelope.mail_from,
                recipient,
                str(parsed["Subject"]),
                text,
            )
            with self._database as c:
                c.execute(
                    "INSERT INTO messages (message_id, sender, recipient, subject, text)"
                    " VALUES (?, ?, ?, ?, ?)",
                    row,
                )
                told = {"to": recipient, "subject": str(parsed["Subject"])}
                write_ledger(c, "mail", row[0], told)
        return "250 kept"


def build(database: Database, faults: list[Fault]) -> FastAPI:
    app = FastAPI(title="Mailbox", version="1.0.0")
    add_controls(app, database, faults)

    @app.get("/messages", operation_id="find_messages")
    def find_messages(message_id: str | None = None) -> list[StoredMail]:
        """List the messages, or those with one Message-ID."""
        with database as c:
            rows = c.execute("SELECT * FROM messages ORDER BY id").fetchall()
        found = [StoredMail(**dict(row)) for row in rows]
        return [each for each in found if message_id in (None, each.message_id)]

    @app.get("/messages/{number}", operation_id="get_message")
    def get_message(number: int) -> StoredMail:
        """Read one message."""
        with database as c:
            row = c.execute("SELECT * FROM messages WHERE id = ?", (number,)).fetchone()
        missing: Any = answer(404, {"detail": f"there is no message {number}"})
        return missing if row is None else StoredMail(**dict(row))

    return app


def free_port() -> int:
    """A port that nobody has: this SMTP server cannot choose one by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


if __name__ == "__main__":
    parser = arguments("SMTP, and a mailbox over HTTP.")
    parser.add_argument("--smtp-port", type=int, default=0)
    options = parser.parse_args()
    store = Database(options.data, SCHEMA)
    listening = options.smtp_port or free_port()
    Controller(Mailbox(store), hostname="127.0.0.1", port=listening).start()
    spoiled: list[Fault] = []
    serve(build(store, spoiled), spoiled, options.port, f" smtp://127.0.0.1:{listening}")
