"""Roundup's REST interface: reads and changes of issues and messages, one request each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from connectors.api import Api
from connectors.body import read_json
from connectors.builtin.roundup.fields import ROUNDUP, roundup_moment
from connectors.connector import Outcome
from connectors.http import HttpAnswer
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.steps import before, output_of
from connectors.unified.vendor import text, value_at

ROOM = ("rest", "data")
_CALLED = {"msg": "message", "issue": "ticket"}
FIELDS = "title,status,priority,assignedto,keyword,creator,creation,activity,messages"


@dataclass(frozen=True)
class Kept:
    """A message that carries our key: its token, when it was last written, and the time now.

    `ids` are all that carry it: one whose post was not heard of may come late.
    """

    id: str
    token: str
    written_at: datetime
    date: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Rest:
    """One tracker, and who we are there."""

    api: Api
    user: str
    domain: str
    dead_after_s: float = 120.0  # how long a post that spent its token may still be at work

    async def read(self, spec: ActionSpec, ticket: str, context: CallContext) -> JsonObject:
        """A ticket as the model tells it."""
        return ROUNDUP.tell("ticket", await self.raw(spec, ticket, context))

    async def raw(self, spec: ActionSpec, ticket: str, context: CallContext) -> JsonObject:
        """A ticket as Roundup has it, with its version."""
        query = {"@fields": FIELDS, "@verbose": "2"}
        path = (*ROOM, "issue", ticket)
        asked = self.api.ask(before(spec), context, "GET", *path, query=query, mapped=_flat)
        found = await output_of(asked)
        return found if isinstance(found, dict) else {}

    async def search(
        self,
        spec: ActionSpec,
        kind: str,
        query: Mapping[str, str | list[str]],
        context: CallContext,
        fits: Callable[[JsonValue], bool],
    ) -> list[JsonValue]:
        """The elements of a collection that are asked for; refused where one of them is another."""

        def rows(body: JsonValue) -> JsonValue:
            return [*_fitting(body, kind, fits)]

        asked = self.api.ask(before(spec), context, "GET", *ROOM, kind, query=query, mapped=rows)
        found = await output_of(asked)
        return found if isinstance(found, list) else []

    async def patch(
        self,
        spec: ActionSpec,
        kind: str,
        number: str,
        version: str,
        body: JsonObject,
        context: CallContext,
    ) -> Outcome:
        """Change an element that still is this version."""
        path, headers = (*ROOM, kind, number), {"if-match": version}
        return await self.api.ask(spec, context, "PATCH", *path, body=body, headers=headers)

    async def comments(
        self, spec: ActionSpec, ticket: str, messages: list[str], context: CallContext
    ) -> list[JsonValue]:
        """These messages of a ticket."""
        if not messages:
            return []
        query: Mapping[str, str | list[str]] = {
            "id": messages,
            "@fields": "content,author,creation",
            "@verbose": "3",
            "@sort": "id",
        }
        rows = await self.search(
            spec, "msg", query, context, lambda row: text(value_at(row, "id")) in messages
        )
        found = [each for each in rows if isinstance(each, dict)]
        return [ROUNDUP.tell("comment", {**each, "@ticket": ticket}) for each in found]

    async def kept(self, spec: ActionSpec, context: CallContext) -> Kept | None:
        """The message that carries our key: of several, which the latest attempt has written."""

        def found(answer: HttpAnswer) -> JsonValue:
            key = self._key(context)
            rows = _fitting(
                read_json(answer.body), "msg", lambda row: value_at(row, "messageid") == key
            )
            return {"rows": [*rows], "date": answer.headers.get("date", "")}

        query = {"messageid:": self._key(context), "@fields": "messageid,inreplyto,activity"}
        asked = self.api.ask(before(spec), context, "GET", *ROOM, "msg", query=query, content=found)
        told = await output_of(asked)
        rows = value_at(told, "rows")
        if not isinstance(rows, list) or not rows:
            return None
        # A post that is under way is of the latest attempt that wrote a message, and of its token.
        row = max(rows, key=_attempt)
        written_at = datetime.fromisoformat(str(roundup_moment(value_at(row, "activity"))))
        ids = tuple(str(value_at(each, "id")) for each in rows)
        date = str(value_at(told, "date"))
        return Kept(str(value_at(row, "id")), _said(row)[0], written_at, date, ids)

    async def keep(self, spec: ActionSpec, said: str, token: str, context: CallContext) -> str:
        """Write a message under our key, which nobody sees before it is on a ticket."""
        body: JsonObject = {
            "content": said,
            "author": self.user,
            "messageid": self._key(context),
        }
        if token:
            body["inreplyto"] = self.told(token, context)
        asked = self.api.ask(before(spec), context, "POST", *ROOM, "msg", body=body)
        return str(value_at(await output_of(asked), "data/id"))

    def told(self, token: str, context: CallContext) -> str:
        """A token as a message has it, and the attempt that posts with it."""
        return f"<{token}@{context.attempt}.{self.domain}>"

    def _key(self, context: CallContext) -> str:
        return f"<{context.idempotency_key.lower()}@{self.domain}>"


def _said(message: JsonValue) -> tuple[str, str]:
    """What `told` has written into a message: the token, and the attempt before a point."""
    token, _, attempt = str(value_at(message, "inreplyto") or "").strip("<>").partition("@")
    return token, attempt


def _attempt(message: JsonValue) -> int:
    number = _said(message)[1].partition(".")[0]
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


def _fitting(body: JsonValue, kind: str, fits: Callable[[JsonValue], bool]) -> list[JsonValue]:
    """The elements of a collection, each of them one that was asked for; raises `ValueError`."""
    found = value_at(body, "data/collection")
    if not isinstance(found, list):
        raise TypeError("expected a collection")
    if not all(map(fits, found)):
        raise ValueError(f"it gives another {_CALLED[kind]} than was searched for")
    return found


def _flat(body: JsonValue) -> JsonValue:
    """An element as a collection has it: its attributes beside its id."""
    data = value_at(body, "data")
    attributes = value_at(data, "attributes")
    if not isinstance(data, dict) or not isinstance(attributes, dict):
        raise TypeError("expected an element")
    return {**attributes, **{name: data[name] for name in ("id", "link", "@etag")}}


def ids_of(ticket: JsonValue) -> list[str]:
    """The ids of the messages of a ticket."""
    found = value_at(ticket, "messages")
    rows = found if isinstance(found, list) else []
    return [str(each["id"]) for each in rows if isinstance(each, dict)]
