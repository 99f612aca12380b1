"""`mail` over a real maildev: what was sent is read back, and what got lost is looked up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from connector_cases import NO_TLS, Outside, end_of, listening, registry_of
from real_servers import Post, maildev

from connectors.builtin import smtp_factory
from connectors.connector import Applied, Connector
from connectors.errors import Uncertain
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import ConnectorConformance, Example
from connectors.testing.trial import new_key

LETTER: JsonObject = {
    "to": ["ann@example.com", "bob@example.com"],
    "cc": ["carl@example.com"],
    "bcc": ["dan@example.com"],
    "subject": "Für Sie ☃",
    "text": ".a dot first\nand more\n",
    "html": "<p>Hello</p>",
    "thread_id": "first@example.com",
    "attachments": [{"filename": "a.txt", "content_type": "text/plain", "base64": "aGk="}],
}


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    with maildev(tmp_path_factory.mktemp("maildev")) as found:
        yield found


def settings(post: Post, server: str | None = None) -> ConnectionSettings:
    options: JsonObject = {
        "server": server or post.smtp,
        "sender": "shop@example.com",
        "mailbox_url": post.mailbox.url,
    }
    return ConnectionSettings("own", "smtp", options=options)


async def called(
    post: Post,
    outside: Outside,
    name: str,
    arguments: JsonObject,
    key: str,
    server: str | None = None,
) -> object:
    way = outside.to(server or post.smtp, post.mailbox.host)
    registry = registry_of(way, settings(post, server))
    action = (await registry.load()).get(f"own.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, key=key)


@asynccontextmanager
async def losing(server: str) -> AsyncIterator[str]:
    """Passes a session on and hangs up once the whole message has gone to the server."""
    host, _, port = server.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(await there.readline())
            while line := await reader.readline():
                out.write(line)
                if line == b"DATA\r\n":
                    writer.write(await there.readline())
                    out.write(await reader.readuntil(b"\r\n.\r\n"))
                    await there.readline()
                    break
                while (said := await there.readline())[3:4] == b"-":
                    writer.write(said)
                writer.write(said)
        out.close()
        writer.close()

    async with listening(serve) as own:
        yield f"127.0.0.1:{own}"


async def test_a_mail_reads_back_as_it_was_sent(post: Post, outside: Outside) -> None:
    key = new_key()
    sent = await called(post, outside, "message_send", LETTER, key)
    found = await called(post, outside, "message_find", {"reference": key}, key)
    assert isinstance(sent, Applied)
    assert isinstance(sent.output, dict)
    read = await called(post, outside, "message_get", {"id": sent.output["id"]}, key)
    listed = await called(
        post, outside, "message_list", {"recipient": "dan@example.com", "limit": 1}, key
    )

    assert isinstance(found, Applied)
    assert found.output == sent.output
    assert isinstance(read, Applied)
    assert isinstance(read.output, dict)
    same = ("to", "cc", "bcc", "subject", "text", "thread_id")
    assert {name: read.output[name] for name in same} == {name: LETTER[name] for name in same}
    assert read.output["attachments"] == [
        {"filename": "a.txt", "content_type": "text/plain", "size": 2}
    ]
    assert isinstance(listed, Applied)
    assert listed.output == {"messages": [read.output]}


async def test_a_mail_whose_answer_is_lost_is_found_by_its_message_id(
    post: Post, outside: Outside
) -> None:
    key = new_key()
    before = await called(post, outside, "message_find", {"reference": key}, key)
    async with losing(post.smtp) as server:
        lost = await called(post, outside, "message_send", LETTER, key, server)
    after = await called(post, outside, "message_find", {"reference": key}, key)

    assert isinstance(before, Applied)
    assert before.output is None
    assert isinstance(lost, Uncertain)
    assert isinstance(after, Applied)
    assert after.output == {
        "id": f"{key.lower()}@lamgate.invalid",
        "recipients": [f"{name}@example.com" for name in ("ann", "bob", "carl", "dan")],
    }


class TestMaildev(ConnectorConformance):
    plugin = Plugin(smtp_factory.connect, protocol=1)

    @pytest.fixture(autouse=True)
    def _post(self, post: Post) -> None:
        self.post, self.ways = post, list[Transport]()

    def connector(self) -> Connector:
        hosts = frozenset({self.post.smtp, self.post.mailbox.host})
        self.ways.append(Transport(hosts, tls=NO_TLS))
        return smtp_factory.connect(settings(self.post), Given(self.ways[-1], str))

    async def close(self) -> None:
        while self.ways:
            await self.ways.pop().aclose()

    def example(self) -> Example:
        async def effects() -> int:
            found = await asyncio.to_thread(self.post.mailbox.ask, "GET", "/api/email")
            return len(found.json())

        return Example(
            read=("own.message_find", {"reference": "nobody"}),
            found=("own.message_send", LETTER),
            refused=("own.message_get", {"id": "nobody"}),
            effects=effects,
        )
