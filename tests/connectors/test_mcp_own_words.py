"""What the package of the protocol says by itself, where it has no answer, is no server's word."""

import gzip
import json
from pathlib import Path

import pytest
from connector_cases import Raw, answer, listening
from mcp_world import Server, overlay
from reviewed import Pins
from test_mcp_broken_streams import STREAM, Keeper, Streaming, ended

from connectors.connector import Applied, Unreadable
from connectors.credentials import Vault
from connectors.errors import Uncertain
from connectors.factories import ConnectionSettings
from connectors.opening import open_registry
from connectors.spec import JsonObject

DONE = json.dumps(
    {"jsonrpc": "2.0", "id": 3, "result": {"content": [{"type": "text", "text": "paid"}]}}
).encode()
ROLLED_BACK = "[-32600, -32603, -32700]"  # as an operator says that such errors mean
TERMINATED = {"code": -32600, "message": "Session terminated"}
ANSWERS = {
    "lost after the call was sent": b"",
    "a compressed yes": answer(200, gzip.compress(DONE), {"content-encoding": "gzip"}),
    "a broken yes": answer(200, b'{"jsonrpc": "2.0", "id":'),
    "a page": answer(200, b"<html>", {"content-type": "text/html"}),
    "202": answer(202, b""),
    "cut short": (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
    ),
}


@pytest.mark.parametrize("called", ANSWERS.values(), ids=ANSWERS)
async def test_what_nobody_at_the_server_said_tells_of_no_effect_taken_back(
    called: bytes, tmp_path: Path
) -> None:
    text = f"version: 1\nactions:\n  pay: {{transactional_errors: {ROLLED_BACK}}}\n"
    streaming = Streaming(called=called)
    async with listening(streaming.serve) as port:
        raw = Raw(port)
        settings = ConnectionSettings(
            "tools", "mcp", f"{raw.url}/mcp", credential="store:it", allow_hosts=(raw.host,),
            options=overlay(tmp_path, text),
        )  # fmt: skip
        memory = Pins()
        async with open_registry([settings], Vault(stored=Keeper()), None, memory) as registry:
            server = Server(registry, memory)
            server.catalog = await registry.load()
            await server.accept()
            found = await server.call("pay", seconds=3)

    assert streaming.asked == ["a call"]
    assert isinstance(found, Uncertain | Unreadable | Applied)


class Says(Streaming):
    """A server that answers a call with an error that a package means by a session that is gone."""

    in_a_stream = False

    def _answered(self, head: str, request: JsonObject) -> bytes:
        if request.get("method") != "tools/call":
            return super()._answered(head, request)
        self.asked.append("a call")
        told = {"jsonrpc": "2.0", "id": request["id"], "error": TERMINATED}
        if not self.in_a_stream:
            return answer(200, told)
        return STREAM + b"id: 1\ndata:\n\n" + f"data: {json.dumps(told)}\n\n".encode()


@pytest.mark.parametrize("in_a_stream", [False, True])
async def test_a_word_in_a_good_answer_is_no_session_that_is_gone(*, in_a_stream: bool) -> None:
    streaming = Says(session="one")
    streaming.in_a_stream = in_a_stream
    found = await ended(streaming, Keeper())

    assert streaming.asked == ["a call"]
    assert isinstance(found, Uncertain)
