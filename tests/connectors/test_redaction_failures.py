"""What fails on the way tells no secret: neither in its message nor by the head that had come."""

import time
import traceback

import pytest
from connector_cases import NO_TLS, raw_server

from connectors.credentials import Vault
from connectors.exchange import BadAnswerError, HttpRequest, TransportError
from connectors.http import Transport
from connectors.redact import HIDDEN

SECRET = "sk_secret_of_a_test"


@pytest.mark.parametrize(
    "head",
    [f"200 OK\r\nthis is no header: {SECRET}", f"500 No\r\nx-told: {SECRET}\r\ncontent-length: 9"],
)
async def test_a_failure_on_the_way_quotes_no_secret(head: str) -> None:
    vault = Vault()
    vault.redactor.learn(SECRET)
    async with raw_server(f"HTTP/1.1 {head}\r\n\r\nshort".encode()) as server:
        way = Transport(frozenset({f"127.0.0.1:{server.port}"}), tls=NO_TLS).carrying(vault)
        request = HttpRequest("GET", f"http://127.0.0.1:{server.port}/things")
        ends = time.monotonic() + 10
        with pytest.raises(TransportError) as told:
            await way.send(request, deadline=ends, send_before=ends)
        await way.aclose()
    said = "".join(traceback.format_exception(told.value))

    assert SECRET not in said
    if isinstance(told.value, BadAnswerError):
        assert told.value.headers["x-told"] == HIDDEN
    else:
        assert HIDDEN in said
