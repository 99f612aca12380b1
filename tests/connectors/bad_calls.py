"""Calls of a good connector that are made otherwise: each is one way to break its word."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from notebook import Notebook
from pydantic import JsonValue

from connectors.api import api_of
from connectors.connector import Applied, Connector, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings, Given
from connectors.spec import ActionSpec, CallContext

SECRET = "canary-that-it-read-itself"


@dataclass
class Call:
    """One call, which a bad connector may make otherwise."""

    action: ActionSpec
    arguments: Mapping[str, JsonValue]
    context: CallContext
    book: Notebook
    inner: Connector
    ended_well: dict[str, bool]  # by key, as far as it was told
    settings: ConnectionSettings
    given: Given

    @property
    def operation(self) -> str:
        """The action without its connection."""
        return self.action.name.partition(".")[2]

    async def made(self, **changed: object) -> Outcome:
        """As the good connector makes it."""
        call = replace(self, **changed)  # type: ignore[arg-type]  # some of its own members
        key = self.context.idempotency_key
        self.ended_well.setdefault(key, False)
        end = await self.inner.call(self.action, call.arguments, call.context)
        self.ended_well[key] = isinstance(end, Applied)
        return end


async def good(call: Call) -> Outcome:
    return await call.made()


async def drops_what_it_does_not_know(call: Call) -> Outcome:
    known = call.action.input_schema["properties"]
    assert isinstance(known, dict)
    return await call.made(arguments={k: v for k, v in call.arguments.items() if k in known})


async def logs_a_secret(call: Call) -> Outcome:
    logging.getLogger("notebook").warning("signed in with %s", SECRET)
    return await call.made()


async def acts_when_it_reads(call: Call) -> Outcome:
    call.book.effects += call.arguments == {"note_id": "n0"}
    return await call.made()


async def says_something_else(call: Call) -> Outcome:
    end = await call.made()
    return Applied({"unexpected": 1}) if call.operation == "get" else end


async def makes_keys_of_its_own(call: Call) -> Outcome:
    if call.operation == "put" and call.ended_well.get(call.context.idempotency_key):
        key = f"{time.monotonic_ns()}"
        return await call.made(context=replace(call.context, idempotency_key=key))
    return await call.made()


async def finds_nothing_of_what_it_did(call: Call) -> Outcome:
    if call.operation == "find" and call.ended_well.get(str(call.arguments["reference"])):
        return Applied([])
    return await call.made()


async def finds_nothing_of_what_it_lost(call: Call) -> Outcome:
    if call.operation == "find" and not call.ended_well.get(str(call.arguments["reference"]), True):
        return Applied([])
    return await call.made()


async def forgets_the_key_of_what_it_lost(call: Call) -> Outcome:
    key = call.context.idempotency_key
    if call.operation == "put" and not call.ended_well.get(key, True):
        return await call.made(context=replace(call.context, idempotency_key=f"{key}2"))
    return await call.made()


def after_it_acted(status: str, instead: ConnectorError) -> Callable[[Call], Awaitable[Outcome]]:
    """A connector that forgets what happened where what it reads back is answered like this."""

    async def forgets(call: Call) -> Outcome:
        end = await call.made()
        if (
            isinstance(end, Unreadable)
            and f"read back: the service answered with status {status}" in end.reason
        ):
            raise instead
        return end

    return forgets


async def doubts_what_it_only_read(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        if call.operation == "pin" and error.status == 500:
            raise Uncertain("broken", kind=error.kind) from error
        raise


async def takes_nothing_back(call: Call) -> Outcome:
    return Applied(None) if call.operation == "remove" else await call.made()


async def makes_a_yes_of_a_no(call: Call) -> Outcome:
    if call.arguments.get("note_id") == "none":
        return Applied({"id": "none", "text": ""})
    return await call.made()


async def sends_late(call: Call) -> Outcome:
    late = time.monotonic() + 5
    if call.context.deadline < time.monotonic():
        return await call.made(context=replace(call.context, deadline=late, send_before=late))
    return await call.made()


async def waits_longer(call: Call) -> Outcome:
    if 0 < call.context.deadline - time.monotonic() < 1:
        longer = time.monotonic() + 2.2
        return await call.made(context=replace(call.context, deadline=longer))
    return await call.made()


async def mistakes_one_kind(call: Call) -> Outcome:
    try:
        return await call.made()
    except Refused as error:
        if error.kind is Kind.NOT_FOUND:
            error.kind = Kind.INVALID
        raise


async def forgets_how_long_to_wait(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        error.retry_after_s = None
        raise


async def takes_a_broken_service_for_a_no(call: Call) -> Outcome:
    try:
        return await call.made()
    except Uncertain as error:
        if error.status is not None:
            raise Unavailable("broken", kind=error.kind, sent=True) from error
        raise


async def takes_a_lost_answer_for_nothing_done(call: Call) -> Outcome:
    try:
        return await call.made()
    except Uncertain as error:
        if error.status is None and error.kind is not Kind.TIMEOUT:
            raise Unavailable("lost", kind=error.kind, sent=True) from error
        raise


async def doubts_what_it_never_sent(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        if not error.sent and error.kind is Kind.UNAVAILABLE:
            raise Uncertain("lost", kind=error.kind) from error
        raise


async def doubts_what_it_cannot_read(call: Call) -> Outcome:
    end = await call.made()
    if isinstance(end, Unreadable) and "JSON" in end.reason:
        raise Uncertain(end.reason, kind=Kind.INTERNAL)
    return end


async def asks_again(call: Call) -> Outcome:
    try:
        return await call.made()
    except (Unavailable, Uncertain) as error:
        if error.status == 503:
            with suppress(ConnectorError):
                await call.made()
        raise


async def follows(call: Call) -> Outcome:
    try:
        return await call.made()
    except ConnectorError as error:
        if error.status in (307, 308):
            api = api_of(call.settings, call.given)
            with pytest.raises(ConnectorError):
                await api.ask(call.action, call.context, "GET", "where-a-redirect-leads")
        raise
