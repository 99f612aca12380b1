"""A hall that takes bookings by several names, each with promises of its own, and keeps books.

It fails as services do: it refuses, asks to be left alone, is not there, loses what it would have
answered, or is at a call for a while after whoever made it has gone. It does what it took on at
the latest `WORKS_S` after the call came, and shows it in a search at once or a moment later.
"""

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from urllib.parse import parse_qs, unquote

WORKS_S, SHOWN_AFTER_S, SILENT_S = 3.0, 0.5, 6.0
CALLS_A_FAULT = 8  # else it would be taken for down, and most of a storm waited for it
FAULTS = (
    "busy_429", "works_on", "drop_after", "refuse", "busy_503", "works_on", "drop_before",
    "garbage", "error_503", "hang_after", "error_500",
)  # fmt: skip
UNWELCOME, SLOW = " unwelcome", " slow"  # in what it never takes, and in what takes it a while


@dataclass
class Booked:
    """What was booked, and in which order of all that happened in the hall it came and went."""

    id: str
    by: str
    text: str
    reference: str
    came: int
    gone: int | None = None
    times_gone: int = 0

    @property
    def stands(self) -> bool:
        return self.gone is None

    def told(self) -> Any:
        """What the service says of it."""
        return {"id": self.id, "text": self.text, "reference": self.reference}


class Refusal(Exception):
    """The hall says no."""


@dataclass
class Hall:
    """Its books, what it answered, and what goes wrong next with which operation."""

    port: int = 0
    booked: list[Booked] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    spoilt: dict[str, list[str]] = field(default_factory=dict)
    _keys: dict[str, Any] = field(default_factory=dict)
    _shown: dict[str, float] = field(default_factory=dict)  # from when on a search finds it
    calls: int = 0
    is_calm: bool = False
    _next_fault: int = 0
    _kinds: Iterator[str] = field(default_factory=lambda: cycle(FAULTS))
    _happened: int = 0
    _dice: random.Random = field(default_factory=lambda: random.Random(7))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def spoil(self, things: str, times: int) -> None:
        """The next calls of these go wrong, unless many do already; each time in another way."""
        if self.calls >= self._next_fault:
            self.spoilt[things] = [next(self._kinds)] * times
            self._next_fault = self.calls + CALLS_A_FAULT

    def clear(self) -> None:
        """Nothing goes wrong any more, or takes longer than it is waited for."""
        self.spoilt.clear()
        self.is_calm = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one call after the other, to their ends, whether it is heard or not."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().split("\r\n")
                told = dict(line.split(": ", 1) for line in lines if line)
                told = {name.lower(): value for name, value in told.items()}
                body = await reader.readexactly(int(told.get("content-length", "0")))
                method, target, _ = first.split()
                path, _, query = target.partition("?")
                _, name, things = unquote(path).split("/")
                asked = {key: found[0] for key, found in parse_qs(query).items()}
                asked |= json.loads(body) if body else {}
                key = told.get("idempotency-key")
                if not await self._answer(writer, f"{method} {things}", name, asked, key):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(
        self, writer: asyncio.StreamWriter, what: str, name: str, asked: Any, key: str | None
    ) -> bool:
        """Do it and say so, or not; whether the connection goes on."""
        self.calls += 1
        kinds = self.spoilt.get(what.partition(" ")[2])
        kind = kinds.pop() if kinds else ""
        is_slow = SLOW in asked.get("text", "") and what.endswith("bookings")
        if kind == "works_on" or (is_slow and not self.is_calm):
            await asyncio.sleep(self._dice.uniform(1, WORKS_S))
        spoils = {"refuse": 422, "error_500": 500, "error_503": 503, "busy_503": 503}
        status, headers, answer = spoils.get(kind, 429 if kind == "busy_429" else 0), {}, {}
        if kind.startswith("busy"):
            headers = {"retry-after": str(self._dice.randint(1, 3))}
        if not status and kind != "drop_before":
            try:
                status, answer = 200, self._done(what, name, asked, key, headers)
            except Refusal as refusal:
                status, answer = 422, {"message": str(refusal)}
        self.answered[f"{status} {kind}".strip()] += 1
        if kind in ("drop_before", "drop_after"):
            return False
        if kind == "hang_after":
            await asyncio.sleep(SILENT_S)
        text = b"<html>" if kind == "garbage" else json.dumps(answer).encode()
        await self._say(writer, status, text, headers)
        return True

    async def _say(
        self, writer: asyncio.StreamWriter, status: int, text: bytes, headers: Mapping[str, str]
    ) -> None:
        told = {"content-type": "application/json", "content-length": f"{len(text)}", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + text)
        await writer.drain()

    def _done(
        self, what: str, name: str, asked: Any, key: str | None, headers: dict[str, str]
    ) -> Any:
        """Do it, once for each key; what it gives."""
        if what.startswith("GET"):
            return self._read(what, name, asked)
        if key is not None and key in self._keys:
            headers["idempotent-replayed"] = "true"
            return self._keys[key]
        match what:
            case "POST bookings":
                answer = self._book(name, asked)
            case "PUT bookings":
                stands = [each for each in self.of(asked["text"]) if each.stands]
                answer = stands[0].told() if stands else self._book(name, asked)
            case "POST cancels":
                answer = self._cancel(name, asked["id"])
            case _:
                answer = self._release(asked["text"])
        if key is not None:
            self._keys[key] = answer
        return answer

    def _read(self, what: str, name: str, asked: Any) -> Any:
        if what == "GET openapi.json":
            return document()
        if what == "GET names":
            return [{"text": f"{asked['of']} #{each}"} for each in range(int(asked["count"]))]
        now = asyncio.get_running_loop().time()
        found = [
            each
            for each in self.booked
            if each.reference == asked["reference"] and self._shown[each.id] <= now
        ]
        self.answered["searched, " + ("found" if found else "not found")] += 1
        return [each.told() for each in found]

    def _book(self, name: str, asked: Any) -> Any:
        if UNWELCOME in asked["text"]:
            raise Refusal("it is not welcome")
        reference = asked.get("reference", "")
        one = Booked(secrets.token_hex(8), name, asked["text"], reference, self._next())
        now = asyncio.get_running_loop().time()
        self._shown[one.id] = now + self._dice.uniform(0, SHOWN_AFTER_S)
        self.booked.append(one)
        return one.told()

    def _cancel(self, name: str, which: str) -> Any:
        one = next((each for each in self.booked if each.id == which), None)
        if name == "kept" or one is None or not one.stands:
            raise Refusal("it cannot be cancelled")
        self._goes(one)
        return one.told()

    def _release(self, text: str) -> Any:
        found = [each for each in self.of(text) if each.stands]
        for each in found:
            self._goes(each)
        self.answered["released " + ("something" if found else "nothing")] += 1
        return {"text": text, "released": len(found)}

    def of(self, text: str) -> list[Booked]:
        """Everything that was booked by this text."""
        return [each for each in [*self.booked] if each.text == text]

    def _goes(self, one: Booked) -> None:
        one.gone = self._next()
        one.times_gone += 1

    def _next(self) -> int:
        self._happened += 1
        return self._happened


def document() -> Any:
    """The OpenAPI document of every name."""
    text = {"type": "string"}
    booking = closed(id=text, text=text, reference=text)
    named = closed(text=text)

    def operation(name: str, result: Any, body: Any = None, **query: Any) -> Any:
        content = {"application/json": {"schema": result}}
        parameters = [
            {"name": each, "in": "query", "required": True, "schema": schema}
            for each, schema in query.items()
        ]
        taken = {"content": {"application/json": {"schema": body}}, "required": True}
        return {
            "operationId": name,
            "parameters": parameters,
            "responses": {"200": {"description": "done", "content": content}},
            **({"requestBody": taken} if body else {}),
        }

    def lists(of: Any) -> Any:
        return {"type": "array", "items": of}

    new = closed(text=text, reference=text, beside=text) | {"required": ["text"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hall", "version": "1"},
        "paths": {
            "/bookings": {
                "post": operation("book", booking, new),
                "put": operation("put", booking, new),
                "get": operation("find", lists(booking), reference=text),
            },
            "/cancels": {"post": operation("cancel", booking, closed(id=text))},
            "/releases": {
                "post": operation("release", closed(text=text, released={"type": "integer"}), named)
            },
            "/names": {"get": operation("names", lists(named), of=text, count={"type": "integer"})},
        },
    }


def closed(**members: Any) -> Any:
    """An object of these members and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": [*members],
        "additionalProperties": False,
    }
