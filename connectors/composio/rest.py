"""Composio's current interface, v3.1, over the one way out.

A request carries the project's key in `x-api-key`. Tools come in pages behind a cursor.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from pydantic import JsonValue

from connectors.body import MOST_BYTES
from connectors.composio.listing import accounts_of, items_of, link_of, object_of, text_of, tool_of
from connectors.composio.outcome import lost, read_reading
from connectors.composio.wire import ASKED_WITHIN_S, Account, ConnectLink, Execution, Listed
from connectors.document import MOST_DOCUMENT_BYTES
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer, HttpRequest, NotAllowedError, Transport, TransportError
from connectors.spec import CallContext, JsonObject
from connectors.url import AddressError, segment

_PAGE = 200
_MOST_PAGES = 50


class Rest:
    """One project at one address."""

    name = "composio"

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        secret: Callable[[], str],
        most_bytes: int = MOST_DOCUMENT_BYTES,
    ) -> None:
        self._root = f"{base_url}/api/v3.1"
        self._transport = transport
        self._secret = secret
        self._most_bytes = most_bytes  # of all pages of a toolkit

    @property
    def told(self) -> tuple[str, ...]:
        """The address."""
        return (f"url: {self._root}",)

    async def tools(self, toolkit: str, version: str) -> list[Listed]:
        """Read page after page, up to so many bytes of them together."""
        asked = {"toolkit_slug": toolkit, "toolkit_versions": "latest"}
        if version:
            del asked["toolkit_versions"]
            asked[f"toolkit_versions[{toolkit}]"] = version
        return [tool_of(each) for each in await self._all("tools", asked, self._most_bytes)]

    async def accounts(self, toolkit: str, user: str, until: float) -> list[Account]:
        """Ask for the accounts of one user and toolkit."""
        asked = {"user_ids": user, "toolkit_slugs": toolkit}
        found = await self._all("connected_accounts", asked, MOST_BYTES, until)
        return accounts_of(found, toolkit, user)

    async def link(
        self, auth_config: str, user: str, callback: str | None, until: float
    ) -> ConnectLink:
        """Have a link made; one that is never opened comes to nothing."""
        body: JsonObject = {"auth_config_id": auth_config, "user_id": user}
        if callback is not None:
            body["callback_url"] = callback
        sent = await self._sent("POST", ("connected_accounts", "link"), body=body, until=until)
        made = object_of(read_reading(sent))
        return link_of(made.get("redirect_url"), made.get("expires_at"))

    async def execute(self, wanted: Execution, context: CallContext) -> HttpAnswer:
        """Send it once."""
        body: JsonObject = {
            "user_id": wanted.user,
            "version": wanted.version,
            "arguments": dict(wanted.arguments),
        }
        if wanted.account is not None:
            body["connected_account_id"] = wanted.account
        request = self._request("POST", ("tools", "execute", wanted.tool), {}, body)
        return await self._transport.send(
            request, deadline=context.deadline, send_before=context.send_before
        )

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _all(
        self, kind: str, asked: Mapping[str, str], most_bytes: int, until: float | None = None
    ) -> list[JsonValue]:
        """The items of every page, up to so many bytes of them together."""
        query, left = {**asked, "limit": str(_PAGE)}, most_bytes
        found: list[JsonValue] = []
        for _ in range(_MOST_PAGES):
            answer = await self._sent("GET", (kind,), query=query, until=until, most_bytes=left)
            page, left = read_reading(answer), left - len(answer.body)
            found += items_of(page)
            cursor = text_of(object_of(page).get("next_cursor"))
            if not cursor:
                return found
            query["cursor"] = cursor
        raise Refused(f"there are more than {_MOST_PAGES} pages of {kind}", kind=Kind.INTERNAL)

    async def _sent(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        until: float | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> HttpAnswer:
        deadline = time.monotonic() + ASKED_WITHIN_S
        deadline = deadline if until is None else min(deadline, until)
        try:
            request = self._request(method, path, query or {}, body)
            return await self._transport.send(
                replace(request, most_bytes=min(most_bytes, MOST_BYTES)),
                deadline=deadline,
                send_before=deadline,
            )
        except TransportError as error:
            raise lost(error) from error

    def _request(
        self, method: str, path: tuple[str, ...], query: Mapping[str, str], body: JsonObject | None
    ) -> HttpRequest:
        try:
            url = self._root + "".join(f"/{segment(each)}" for each in path)
        except AddressError as error:
            raise NotAllowedError(str(error)) from error
        headers = {"x-api-key": self._secret()}
        if body is None:
            return HttpRequest(method, f"{url}?{urlencode(query)}" if query else url, headers)
        headers["content-type"] = "application/json"
        return HttpRequest(method, url, headers, json.dumps(body, ensure_ascii=False).encode())
