"""Mail sent through the registry, and a mail server that breaks off wherever it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from connector_cases import Outside, end_of, host_of, listening, registry_of

from connectors.builtin.smtp import Server
from connectors.builtin.smtp_wire import Host
from connectors.catalog import Catalog
from connectors.connector import Outcome
from connectors.errors import (
    ConnectorError,
)
from connectors.factories import ConnectionSettings
from connectors.registry import Registry
from connectors.spec import JsonObject

CUSTOMER = "customer-1042@example.com"
MAIL: JsonObject = {"to": [CUSTOMER], "subject": "Your refund", "text": "Sorry."}


async def post_of(
    outside: Outside, server: str, mailbox: str | None = None, **options: str
) -> tuple[Registry, Catalog]:
    given: JsonObject = {"server": server, "sender": "shop@example.com", **options}
    if mailbox is not None:
        given["mailbox_url"] = mailbox
    settings = ConnectionSettings("mail", "smtp", options=given)
    mailboxes = [host_of(mailbox)] if mailbox else []
    registry = registry_of(outside.to(server, *mailboxes), settings)
    return registry, await registry.load()


async def ended(
    post: tuple[Registry, Catalog], arguments: JsonObject, name: str = "message_send", **more: Any
) -> Outcome | ConnectorError:
    registry, catalog = post
    action = catalog.get(f"mail.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, **more)


@dataclass
class Odd:
    """A mail server that says what a test wants, and keeps what it was told."""

    says: dict[str, bytes | None]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def server(self, *at: str) -> Server:
        """This one under a name that leads to these addresses."""

        async def addresses(name: str, port: int) -> list[IPv4Address]:
            self.asked.append((name, port))
            return [IPv4Address(each) for each in at or ("127.0.0.1",)]

        return Server(Host("mail.example.com", self.port), addresses, "shop@example.com", "x")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        usual = {"greeting": b"220 hi", "DATA": b"354 go on"}
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._say(writer, "greeting", usual)
            while line := await reader.readline():
                self.heard.append(line)
                word = line.split(maxsplit=1)[0].decode("latin-1").upper()
                await self._say(writer, word, usual)
                if word == "DATA" and self.says.get("DATA", b"3").startswith(b"3"):  # type: ignore[union-attr]  # never None there
                    self.heard.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._say(writer, "message", usual)
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, when: str, usual: dict[str, bytes]) -> None:
        said = self.says.get(when, usual.get(when, b"250 ok"))
        if said is None:
            await asyncio.Event().wait()
            return
        if said == b"":
            writer.close()
            raise ConnectionError
        writer.write(said + (b"" if said.endswith(b"\n") else b"\r\n"))
        await writer.drain()


@asynccontextmanager
async def odd_server(**says: bytes | None) -> AsyncIterator[Odd]:
    odd = Odd(dict(says))
    async with listening(odd.serve) as port:
        odd.port = port
        yield odd


LETTER: JsonObject = {
    "to": ["ann@example.com", "bob@example.com"],
    "cc": ["carl@example.com"],
    "bcc": ["dan@example.com"],
    "subject": "Für Sie",
    "text": "Hello",
    "html": "<p>Hello</p>",
    "thread_id": "first@example.com",
    "attachments": [{"filename": "a.txt", "content_type": "text/plain", "base64": "aGk="}],
}
