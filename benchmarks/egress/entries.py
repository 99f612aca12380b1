"""Wherever an address can come from: each takes one, and does all that could reach it.

What an operator writes is an entry too: a file is copied, and names change what they lead to.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.egress.servers import listening, said
from connectors import oauth
from connectors.credentials import Vault
from connectors.errors import ConfigurationError, ConnectorError
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.oauth import GrantRefusedError, OAuthClient
from connectors.opening import build
from connectors.spec import JsonObject
from connectors.testing import call_context

Entry = Callable[[str], Awaitable[bool]]
PUBLIC = "https://api.example.com"


@dataclass(frozen=True)
class Ground:
    """What the entries stand on; `way` may reach nothing private but the `honest` service."""

    folder: Path
    way: Transport
    honest: str
    redirects: dict[str, str]  # where the honest service sends who asks


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """An honest service that sends people on, and the way out of a connection."""
    redirects: dict[str, str] = {}

    def answer(head: bytes) -> bytes:
        if b"/.well-known/" in head.partition(b"\r\n")[0]:
            return said(200, json.dumps(redirects).encode())
        status = redirects.get("status", "200")
        to = redirects.get("to", "").encode("utf-8", "replace")
        line = b"".join(to.splitlines())
        return said(int(status), b"{}", (b"location: " + line,) if status != "200" else ())

    async with listening(answer) as server:
        way = Transport(frozenset([f"127.0.0.1:{server.port}"]))
        try:
            yield Ground(folder, way, f"http://127.0.0.1:{server.port}", redirects)
        finally:
            await way.aclose()


class Entries:
    """Every entry; each says whether the address was turned away."""

    def __init__(self, on: Ground) -> None:
        self._on = on

    def all(self) -> dict[str, Entry]:
        """By their names."""
        return {
            "base_url": self.base_url,
            "document": self.document,
            "overlay servers": self.overlay,
            "servers": self.servers,
            "$ref": self.references,
            "redirect": self.redirect,
            "issuer": self.issuer,
            "token_url": self.token_url,
            "metadata": self.metadata,
            "authorize_url": self.authorize_url,
            "payments base_url": self.payments,
            "mailbox_url": self.mailbox,
            "mail server": self.mail_server,
            "database": self.database,
            "mcp base_url": self.mcp,
            "composio base_url": self.composio,
        }

    async def base_url(self, url: str) -> bool:
        return await _refused(self._call(url, _document()))

    async def document(self, url: str) -> bool:
        settings = ConnectionSettings(
            "api", "openapi", PUBLIC, options={"document": url}, base_dir=self._on.folder
        )
        return await _refused(_called(settings, self._on.way))

    async def overlay(self, url: str) -> bool:
        own = "https://elsewhere.example.com"
        told = {"version": 1, "servers": {own: url}}
        (self._on.folder / "overlay.yaml").write_text(json.dumps(told), encoding="utf-8")
        found = _document(get={"servers": [{"url": own}]})
        call = self._call(self._on.honest, found, overlay="overlay.yaml")
        return await _refused(call) or not url  # none: base_url is called

    async def servers(self, url: str) -> bool:
        own = [{"url": url}]
        found = _document(servers=own, get={"servers": own})
        await _refused(self._call(self._on.honest, found))
        return True  # what a document says of servers is not called at all

    async def references(self, url: str) -> bool:
        found = _document(get={"parameters": [{"$ref": url}], "requestBody": {"$ref": url}})
        found["paths"]["/other"] = {"$ref": url}
        found["components"] = {"schemas": {"Far": {"$ref": url, "$schema": url, "$id": url}}}
        schema = {"application/json": {"schema": {"$ref": url}}}
        found["paths"]["/it"]["get"]["responses"] = {
            "200": {"description": "ok", "content": schema}
        }
        await _refused(self._call(self._on.honest, found))
        return True

    async def redirect(self, url: str) -> bool:
        turned = []
        for status in ("301", "302", "303", "307", "308"):
            self._on.redirects.update(status=status, to=url)
            turned.append(await _refused(self._call(self._on.honest, _document())))
        self._on.redirects["status"] = "200"
        return all(turned)

    async def issuer(self, url: str) -> bool:
        client = OAuthClient(client_id="x", issuer=url)
        return await _refused(oauth.find_server(self._on.way, client))

    async def token_url(self, url: str) -> bool:
        client = OAuthClient(client_id="x", token_url=url)
        server = await oauth.find_server(self._on.way, client)
        return await _refused(oauth.by_client(self._on.way, server, client, "a-secret-of-ours"))

    async def metadata(self, url: str) -> bool:
        """An issuer that may be reached names an endpoint that may not."""
        self._on.redirects.update(issuer=self._on.honest, token_endpoint=url)
        client = OAuthClient(client_id="x", issuer=self._on.honest)

        async def asked() -> None:
            server = await oauth.find_server(self._on.way, client)
            await oauth.by_client(self._on.way, server, client, "a-secret-of-ours")

        return await _refused(asked())

    async def authorize_url(self, url: str) -> bool:
        """Our answer sends a browser there: to https, or to what the operator's file names."""
        client = OAuthClient(client_id="x", token_url=PUBLIC, authorize_url=url)
        server = await oauth.find_server(self._on.way, client)

        async def sent() -> str:
            asked = {"state": "s", "nonce": "n", "verifier": "v"}
            return oauth.consent_address(self._on.way, server, client, PUBLIC, **asked)

        return await _refused(sent()) or url.lower().startswith("https:")

    async def payments(self, url: str) -> bool:
        settings = ConnectionSettings("pay", "payments-minor", url, credential="env:PATH")
        return await _refused(_called(settings, self._on.way))

    async def mailbox(self, url: str) -> bool:
        options = {"server": "mail.example.com:25", "sender": "a@example.com", "mailbox_url": url}
        settings = ConnectionSettings("mail", "smtp", options={**options})
        return await _refused(_called(settings, self._on.way))

    async def mail_server(self, url: str) -> bool:
        options = {"server": _authority(url), "sender": "a@example.com"}
        settings = ConnectionSettings("mail", "smtp", options={**options})
        return await _refused(_called(settings, self._on.way, writes=True))

    async def database(self, url: str) -> bool:
        statement: JsonObject = {"description": "Read.", "sql": "SELECT 1 AS one", "effect": "read"}
        statement |= {"columns": {"one": "integer"}, "gives": "one", "egress": False}
        told = {"version": 1, "statements": {"one_get": statement}}
        (self._on.folder / "statements.yaml").write_text(json.dumps(told), encoding="utf-8")
        settings = ConnectionSettings(
            "data",
            "sql",
            f"postgresql://user@{_authority(url)}/data?sslmode=disable",
            options={"statements": "statements.yaml"},
            base_dir=self._on.folder,
        )
        return await _refused(_called(settings, self._on.way))

    async def mcp(self, url: str) -> bool:
        return await _refused(_called(ConnectionSettings("tools", "mcp", url), self._on.way))

    async def composio(self, url: str) -> bool:
        options: JsonObject = {"user_id": "u", "toolkits": {"notes": "1"}}
        settings = ConnectionSettings("desk", "composio", url, "env:PATH", options)
        return await _refused(_called(settings, self._on.way))

    async def _call(self, base_url: str, document: dict[str, Any], **options: str) -> None:
        (self._on.folder / "document.json").write_text(json.dumps(document), encoding="utf-8")
        settings = ConnectionSettings(
            "api",
            "openapi",
            base_url,
            options={"document": "document.json", **options},
            base_dir=self._on.folder,
        )
        await _called(settings, self._on.way)


async def _refused(work: Awaitable[object]) -> bool:
    try:
        await work
    except (ConfigurationError, ConnectorError, GrantRefusedError):
        return True
    return False


def _authority(url: str) -> str:
    """Host and port, as they are written where no more than that is asked for."""
    return url.partition("://")[2].partition("/")[0]


async def _called(settings: ConnectionSettings, way: Transport, *, writes: bool = False) -> None:
    """Call its reads, or its writes, with something for what each needs; raises what they raise."""
    registry = build([settings], Vault(), lambda _: way)
    actions = await registry.load()
    for each in registry.connections():
        if each.absent is not None:
            raise ConfigurationError(each.absent)
    for action in actions:
        if action.is_write != writes:
            continue
        needed = action.input_schema.get("required")
        names = needed if isinstance(needed, list) else []
        given: JsonObject = {str(name): "x" * 32 for name in names}
        if "to" in given:
            given["to"] = ["ann@example.com"]
        await registry.call(action, given, call_context(seconds=5))


def _document(get: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    operation = {"operationId": "read_it", "responses": {"200": {"description": "ok"}}}
    paths = {"/it": {"get": {**operation, **(get or {})}}}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, **more}
