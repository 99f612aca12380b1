"""The same against an authorisation server of somebody else: `oauth2-mock-server` of npm."""

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from ports import free_port
from served import until
from vault_world import Things, authorization_server, secret_now, things_over, write_things

COMMAND = os.environ.get("LAMGATE_OAUTH2_MOCK_SERVER") or shutil.which("oauth2-mock-server")

pytestmark = pytest.mark.skipif(
    COMMAND is None,
    reason="no oauth2-mock-server: npm install it, and name it in LAMGATE_OAUTH2_MOCK_SERVER",
)


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), "-a", "127.0.0.1", "-p", str(port), stdout=DEVNULL, stderr=DEVNULL
    )

    async def answers() -> bool:
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                found = await client.get(f"http://127.0.0.1:{port}/jwks")
                return found.status_code == 200
        except httpx2.TransportError:
            return False

    try:
        await until(answers, "the server answers")
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
def api() -> Iterator[str]:
    with authorization_server() as url:
        yield url


@pytest.fixture
async def things(issuer: str, api: str, tmp_path: Path) -> AsyncIterator[Things]:
    file = write_things(tmp_path, api)
    lines = file.read_text(encoding="utf-8").replace(
        "[credentials]\nallow_hosts = [",
        f'[credentials]\nallow_hosts = ["{urlsplit(issuer).netloc}", ',
    )
    file.write_text(lines, encoding="utf-8")
    async with things_over(file, api) as found:
        yield found


async def test_a_consent_and_a_token_of_our_own_work_there(things: Things, issuer: str) -> None:
    own = {"issuer": issuer, "scopes": ["things"]}
    await things.set("oauth-code", None, **own)
    connected = await things.connect()
    consented = await secret_now(things)
    await things.set("oauth-client", **own)

    assert connected.text.startswith("things is connected")
    assert consented.count(".") == 2  # a JWT
    assert (await secret_now(things)).count(".") == 2
    assert await things.standing() == "ready"
