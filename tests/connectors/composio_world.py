"""A project of Composio that stands in for the real one, and connections to it.

It speaks the published forms of v3.1, and of v1 and v2 as far as composio-core speaks them, over
real HTTP. Its one toolkit keeps notes: what was really done is in `notes`.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from connector_cases import NO_TLS
from pydantic import JsonValue
from reviewed import Pins, Reviewed

from connectors.built_in import built_in
from connectors.composio.listing import action_of, tool_of
from connectors.connector import Connector, Outcome
from connectors.credentials import Vault
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.opening import build
from connectors.source import Pin
from connectors.spec import JsonObject
from connectors.testing import Asked, Said, Service, call_context

KEY = "ak_composio-key-of-the-project"
VERSION, OLDER = "20260101_00", "20251201_00"
PYTHON = os.environ.get("LAMGATE_COMPOSIO_PYTHON", "")
KINDS = ("composio", "composio-core")
_PAGE = 2


def kinds() -> list[Any]:
    """Both connectors; the package's only where an environment with it is named."""
    missing = pytest.mark.skipif(
        not PYTHON, reason="LAMGATE_COMPOSIO_PYTHON names no interpreter with composio-core"
    )
    return [KINDS[0], pytest.param(KINDS[1], marks=missing)]


def tool(name: str, *tags: str, output: JsonObject | None = None, **inputs: str) -> JsonObject:
    """A tool of the toolkit `notes`; `inputs` are descriptions of required texts."""
    data: JsonObject = output or {"type": "object", "additionalProperties": True}
    properties: JsonObject = {
        each: {"type": "string", "description": told} for each, told in inputs.items()
    }
    return {
        "slug": f"NOTES_{name}",
        "name": name.title(),
        "description": f"It does {name.lower()}.",
        "toolkit": {"slug": "notes", "name": "Notes", "logo": ""},
        "input_parameters": {"type": "object", "properties": properties, "required": [*inputs]},
        "output_parameters": {
            "type": "object",
            "properties": {
                "data": data,
                "error": {"type": "string", "nullable": True},
                "successful": {"type": "boolean"},
            },
            "required": ["data", "successful"],
        },
        "scopes": ["notes"],
        "tags": ["important", *tags],
        "no_auth": False,
        "version": VERSION,
        "available_versions": [VERSION, OLDER],
        "is_deprecated": False,
    }


NUMBERED: JsonObject = {
    "type": "object",
    "properties": {"number": {"$ref": "#/$defs/Number"}},
    "required": ["number"],
    "$defs": {"Number": {"type": "integer"}},
}
NOTES: tuple[JsonObject, ...] = (
    tool("ADD", "destructiveHint", output=NUMBERED, text="What it says."),
    tool("FIND", "readOnlyHint", text="What to look for."),
    tool("FAIL", text="How, as the status of its own service."),
    tool("REFUSE", text="Anything."),
    {**tool("TIME", "readOnlyHint"), "no_auth": True},
)


def account(id: str, status: str = "ACTIVE", user: str = "u-tenant", config: str = "ac_1") -> Any:  # noqa: A002
    """One connected account, with a token in it that nobody is to see."""
    return {"id": id, "status": status, "user_id": user, "auth_config": {"id": config}}


@dataclass
class Project:
    """What the stand-in knows and has done."""

    tools: list[JsonObject] = field(default_factory=lambda: [*NOTES])
    accounts: list[Any] = field(default_factory=lambda: [account("ca_1")])
    notes: list[str] = field(default_factory=list)
    links: list[JsonValue] = field(default_factory=list)
    links_last: str = "2099-01-01T00:00:00.000Z"
    said_link: JsonObject | None = None  # what a link is answered with instead
    retired: bool = False
    accounts_a_page: int = 1000
    is_everybodys: bool = False  # it gives accounts of all users, whoever's were asked for
    key: str = KEY

    def service(self) -> Service:
        """It over HTTP, not started."""
        return Service(self.handle)

    def handle(self, asked: Asked) -> Said:
        """Answer one request."""
        if asked.headers.get("x-api-key") != self.key:
            return error(401, 10401, "Unauthorized", "The key is not valid.")
        body = asked.body if isinstance(asked.body, dict) else {}
        match asked.method, *asked.segments:
            case "GET", "api", "v3.1", "tools":
                return self._page(asked.query)
            case "GET", "api", "v3.1", "connected_accounts":
                found = self._accounts(asked.query["user_ids"])
                begin = int(asked.query.get("cursor", "0"))
                end = begin + min(self.accounts_a_page, int(asked.query["limit"]))
                more = str(end) if end < len(found) else None
                return Said(body={"items": found[begin:end], "next_cursor": more})
            case "POST", "api", "v3.1", "connected_accounts", "link":
                if body.get("auth_config_id") == "ac_none":
                    return error(404, 607, "AuthConfig_NotFound", "There is no such auth config.")
                if self.said_link is not None:
                    return Said(201, self.said_link)
                made: JsonObject = {"expires_at": self.links_last, "link_token": "lt"}
                return Said(201, {**made, "redirect_url": self._link(asked), "x": None})
            case "POST", "api", "v3.1", "tools", "execute", slug:
                place = body.get("connected_account_id"), body.get("user_id")
                return self._execute(slug, body, body.get("arguments"), *place)
            case "GET", "api", "v2", "actions":
                assert asked.query["apps"] == "notes"
                return Said(body={"items": [older(each) for each in self.tools]})
            case "GET", "api", "v1", "connectedAccounts":
                found = self._accounts(asked.query["user_uuid"])
                return Said(body={"items": [_older_account(each) for each in found]})
            case "POST", "api", "v1", "connectedAccounts":
                if body.get("integrationId") == "ac_none":
                    return error(404, 607, "AuthConfig_NotFound", "There is no such auth config.")
                link: JsonObject = {"connectionStatus": "INITIATED", "connectedAccountId": "ca_9"}
                return Said(body={**link, "redirectUrl": self._link(asked)})
            case "POST", "api", "v2", "actions", slug, "execute":
                place = body.get("connectedAccountId"), body.get("entityId")
                return self._execute(slug, body, body.get("input"), *place)
        return error(404, 404, "NotFound", f"there is no {asked.path}")

    def connects(self, id: str = "ca_2", user: str = "u-tenant") -> None:  # noqa: A002
        """A person opens the link and says yes."""
        self.accounts.append(account(id, user=user))

    def _page(self, query: Mapping[str, str]) -> Said:
        assert query.get("toolkit_versions") in (None, "latest")
        slug = query["toolkit_slug"]
        version = query.get(f"toolkit_versions[{slug}]", VERSION)
        has = [each for each in self.tools if version in _listed(each, "available_versions")]
        begin = int(query.get("cursor", "0"))
        end = begin + min(_PAGE, int(query["limit"]))
        more = str(end) if end < len(has) else None
        items: list[JsonValue] = [*has[begin:end]]
        return Said(body={"items": items, "next_cursor": more, "total_items": len(has)})

    def _accounts(self, user: str) -> list[JsonValue]:
        token: JsonObject = {"val": {"access_token": "a-token-of-somebody"}}
        return [
            {**each, "toolkit": {"slug": "notes"}, "state": token}
            for each in self.accounts
            if each["user_id"] == user or self.is_everybodys
        ]

    def _link(self, asked: Asked) -> str:
        self.links.append(asked.body)
        return f"https://connect.example.com/link/{len(self.links)}"

    def _execute(
        self, slug: str, body: Any, arguments: Any, account_id: JsonValue, user: JsonValue
    ) -> Said:
        if self.retired:
            return error(410, 4100, "Gone", "This version was retired.")
        meant = next(each for each in self.tools if each["slug"] == slug)
        if body.get("version") not in _listed(meant, "available_versions"):
            return error(400, 2301, "Tool_VersionNotFound", "There is no such version.")
        if not meant["no_auth"]:
            known = {each["id"]: each for each in self.accounts}.get(account_id)
            if known is None:
                slug_ = "ActionExecute_ConnectedAccountNotFound"
                return error(404, 1810, slug_, "No connected account found.")
            if known["status"] != "ACTIVE":
                slug_ = "ActionExecute_ConnectedAccountExpired"
                return error(422, 1820, slug_, "Connected account is in EXPIRED state.")
            if known["user_id"] != user:
                return error(400, 1812, "ActionExecute_ConnectedAccountEntityIdMismatch", "No.")
        return self._done(slug, str(arguments.get("text", "")))

    def _done(self, slug: str, text: str) -> Said:
        match slug:
            case "NOTES_ADD":
                self.notes.append(text)
                return said({"number": len(self.notes)})
            case "NOTES_FIND":
                return said({"found": [each for each in self.notes if text in each]})
            case "NOTES_TIME":
                return said({"now": "2026-01-01"})
            case "NOTES_REFUSE":
                return error(400, 1400, "InvalidArguments", "It is not so.", "Say it so")
        status: JsonObject = {"status_code": int(text)} if text.isdecimal() else {}
        return Said(body={"data": status, "error": f"no: {text}", "successful": False, **LOG})


LOG: JsonObject = {"log_id": "log_7"}


def said(data: JsonObject) -> Said:
    """A tool that was successful, in the words of both interfaces."""
    return Said(body={"data": data, "error": None, "successful": True, "successfull": True, **LOG})


def error(status: int, code: int, slug: str, message: str, fix: str = "") -> Said:
    """One of the service's own errors."""
    told: JsonObject = {"message": message, "code": code, "slug": slug, "status": status}
    told |= {"request_id": "req_9", "suggested_fix": fix, "errors": []}
    return Said(status, {"error": told})


def older(tool: JsonObject) -> JsonObject:
    """The same tool as the older interface lists it."""
    return {
        "name": tool["slug"],
        "display_name": tool["name"],
        "description": tool["description"],
        "appId": "a",
        "appName": tool["toolkit"]["slug"],  # type: ignore[index,call-overload]
        "tags": tool["tags"],
        "enabled": True,
        "no_auth": tool["no_auth"],
        "parameters": tool["input_parameters"],
        "response": tool["output_parameters"],
        "version": tool["version"],
        "available_versions": tool["available_versions"],
    }


def _older_account(each: Any) -> JsonObject:
    return {
        "id": each["id"],
        "status": each["status"],
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "appUniqueId": "notes",
        "appName": "notes",
        "integrationId": each["auth_config"]["id"],
        "connectionParams": {"access_token": "a-token-of-somebody"},
        "clientUniqueUserId": each["user_id"],
        "entityId": each["user_id"],
    }


def _listed(value: JsonObject, name: str) -> list[Any]:
    found = value[name]
    assert isinstance(found, list)
    return found


def settings_of(kind: str, url: str, folder: Path = Path(), **more: Any) -> ConnectionSettings:
    """A connection `desk` of this kind."""
    options: JsonObject = {"user_id": "u-{tenant}", "toolkits": {"notes": VERSION}, **more}
    if kind == "composio-core":
        options["python"] = PYTHON
    host = url.partition("://")[2]
    return ConnectionSettings("desk", kind, url, "env:KEY", options, folder, (host,))


def all_of(project: Project, kind: str) -> Pin:
    """That everything which is there now was accepted."""
    listed = (
        tool_of(each) if kind == "composio" else action_of(older(each)) for each in project.tools
    )
    definitions = (each.definition for each in listed)
    return Pin({str(each["name"]): each for each in definitions}, 1000.0)


def connector_of(
    settings: ConnectionSettings, way: Transport, pins: Pins, secret: str = KEY
) -> Connector:
    """One as the gateway builds it."""
    vault = Vault(lambda _: secret)
    given = Given(way.carrying(vault), vault.stand_in, pins=pins)
    return built_in(settings.connector)(settings, given)


@dataclass
class Desk(Reviewed):
    """The connection `desk` to a project."""

    project: Project = field(kw_only=True)
    service: Service = field(kw_only=True)

    def skipped(self) -> dict[str, str]:
        """What is not offered, and why."""
        (stands,) = self.registry.connections()
        return {each.name: each.reason for each in stands.skipped}

    async def call(
        self, name: str, text: str = "hello", seconds: float = 10.0, **more: JsonValue
    ) -> Outcome | ConnectorError:
        """Call once; an error is given, not raised."""
        arguments: JsonObject = {"text": text, **more} if name != "time" else {}
        context = call_context(seconds=seconds)
        try:
            return await self.registry.call(self.action(f"notes_{name}"), arguments, context)
        except ConnectorError as error:
            return error

    def executions(self) -> list[Any]:
        """The bodies of what was asked to be executed."""
        return [each.body for each in self.service.asked if "execute" in each.path]


def overlay(folder: Path, text: str) -> dict[str, str]:
    """Options that name an overlay of this text."""
    (folder / "overlay.yaml").write_text(f"version: 1\n{text}", "utf-8")
    return {"overlay": "overlay.yaml"}


@asynccontextmanager
async def desk(
    kind: str,
    project: Project | None = None,
    folder: Path = Path(),
    *,
    is_away: bool = False,
    allow_hosts: tuple[str, ...] | None = None,
    **options: Any,
) -> AsyncIterator[Desk]:
    """A connection to a project whose tools were all accepted; it may be away at first."""
    project = project or Project()
    service, pins, vault = project.service(), Pins(all_of(project, kind)), Vault(lambda _: KEY)
    service.start()
    settings = settings_of(kind, service.url, folder, **options)
    hosts = settings.allow_hosts if allow_hosts is None else allow_hosts
    way = Transport(frozenset(hosts), tls=NO_TLS)
    registry = build([settings], vault, lambda _: way, None, pins)
    try:
        found = Desk(registry, pins, "desk", project=project, service=service)
        with service.away() if is_away else nullcontext():
            found.catalog = await registry.load()
        yield found
    finally:
        await registry.aclose()
        await way.aclose()
        service.stop()
