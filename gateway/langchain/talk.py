"""Tells a story over HTTP, blocking or not."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
from pydantic import JsonValue

from gateway.langchain.story import Ask, Handled, LamgateError, Pause, Reply, Send, Story, Teller


@dataclass(frozen=True)
class Address:
    """One gateway, and under which key it is asked; `timeout_s` is for one request as a whole."""

    url: str
    key: str = field(repr=False)
    timeout_s: float = 60.0
    for_people: bool = False

    def ask(self, ask: Ask) -> Handled:
        """Ask and wait; raises `LamgateError`."""
        with httpx2.Client(trust_env=False) as http:
            story = self._story(ask)
            try:
                reply: Reply | None = None
                while True:
                    todo = story.send(reply)
                    reply = None
                    if isinstance(todo, Pause):
                        time.sleep(todo.seconds)
                        continue
                    try:
                        reply = _read(http.send(self._request(http, todo)))
                    except httpx2.TransportError:
                        continue  # no answer came
            except StopIteration as ended:
                return _handled(ended)

    async def aask(self, ask: Ask) -> Handled:
        """The same without blocking."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            story = self._story(ask)
            try:
                reply: Reply | None = None
                while True:
                    todo = story.send(reply)
                    reply = None
                    if isinstance(todo, Pause):
                        await asyncio.sleep(todo.seconds)
                        continue
                    try:
                        reply = _read(await http.send(self._request(http, todo)))
                    except httpx2.TransportError:
                        continue
            except StopIteration as ended:
                return _handled(ended)

    def _story(self, ask: Ask) -> Story:
        until = time.monotonic() + self.timeout_s
        return Teller(self.url.rstrip("/"), time.monotonic, until, self.for_people).story(ask)

    def _request(self, http: httpx2.Client | httpx2.AsyncClient, send: Send) -> httpx2.Request:
        headers: Mapping[str, str] = {"authorization": f"Bearer {self.key}", **send.headers}
        try:
            return http.build_request(
                send.method,
                self.url.rstrip("/") + send.path,
                json=send.body,
                headers=headers,
                timeout=send.timeout_s,
            )
        except (ValueError, httpx2.InvalidURL) as error:
            told = f"{self.url!r} is no address, or its key none: {type(error).__name__}"
            raise LamgateError("no-gateway", told) from error


def _read(answer: httpx2.Response) -> Reply:
    body: JsonValue = None
    try:
        body = answer.json()
    except ValueError:
        body = None
    return Reply(answer.status_code, answer.headers, body)


def _handled(ended: StopIteration) -> Handled:
    found: Handled = ended.value
    return found
