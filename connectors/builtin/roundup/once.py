"""Opens a ticket once.

Roundup has a header against posting twice, `@poe`: a token that is good for one post. The token is
the tracker's, so it would be lost with whoever asked for it. It is therefore kept where our key
can find it again, in the ticket's first message, before the ticket is posted:

    attempt          message with our key     token    ticket
    ───────          ────────────────────     ─────    ──────
    first        ─▶  posted, with a token ─▶  spent ─▶ there, or the answer is lost
    every other  ─▶  found, with the token ─▶ spent ─▶ there by the message: the same ticket
                                              good  ─▶ posted now, and never twice

A token that is spent without a ticket was spent in vain, once every post that may have spent it has
had its time; then another one takes its place. So each attempt writes into the message that it is
about to post: how long nobody has done so is the message's age. A message without a ticket is seen
by nobody.

A message whose post was not heard of may come after another attempt has looked for it, and posted
one of its own. So the ticket may be there by any message of our key, and what goes on is that which
the latest attempt has written: no other one has been posted with.
"""

from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from connectors.builtin.roundup.rest import ROOM, Kept, Rest, ids_of
from connectors.connector import Applied, Outcome
from connectors.dates import http_date
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.steps import after, before, meanwhile, output_of
from connectors.unified.vendor import value_at

_SPENT = "400: POE token"


@dataclass(frozen=True)
class _First:
    """The first message of a ticket, its token, and how long ago somebody was about to post it."""

    id: str
    token: str
    age_s: float
    ids: tuple[str, ...]  # this one, and others of our key that came late


async def open_ticket(
    rest: Rest, spec: ActionSpec, body: JsonObject, said: str, context: CallContext
) -> Outcome:
    """Post a ticket once, whatever became of earlier attempts."""
    kept = await rest.kept(spec, context)
    if kept is None:
        token = await _token(rest, spec, context)
        message = await rest.keep(spec, said, token, context)
        first = _First(message, token, 0.0, (message,))
    else:
        first = _First(kept.id, kept.token, _age_s(kept), kept.ids)
        if (found := await _opened(rest, spec, first, context)) is not None:
            return Applied(found, replayed=True)
        await _write(rest, spec, first.id, first.token, context)
    return await _post(rest, spec, body, first, context)


async def _post(
    rest: Rest, spec: ActionSpec, body: JsonObject, first: _First, context: CallContext
) -> Outcome:
    path = (*ROOM, "issue", "@poe", first.token)
    ticket: JsonObject = {**body, "messages": [first.id]}
    try:
        done = await rest.api.ask(spec, context, "POST", *path, body=ticket)
    except Refused as error:
        if not error.message.startswith(_SPENT):
            raise
        found = await _opened(rest, spec, first, context)
        if found is not None:
            return Applied(found, replayed=True)
        if first.age_s < rest.dead_after_s:
            told = "an earlier attempt spent its token, and its ticket is not there yet"
            wait_s = rest.dead_after_s
            raise Uncertain(told, kind=Kind.CONFLICT, retry_after_s=wait_s) from error
        return await _post(rest, spec, body, await _renewed(rest, spec, first, context), context)
    made = done.output if isinstance(done, Applied) else None
    return await after(done, rest.read(spec, str(value_at(made, "data/id")), context))


async def _renewed(rest: Rest, spec: ActionSpec, first: _First, context: CallContext) -> _First:
    """Put another token in the place of one that was spent in vain."""
    token = await _token(rest, spec, context)
    await _write(rest, spec, first.id, token, context)
    return _First(first.id, token, 0.0, first.ids)


async def _write(
    rest: Rest, spec: ActionSpec, message: str, token: str, context: CallContext
) -> None:
    """Have a message say that this attempt is about to post with a token."""
    path, query = (*ROOM, "msg", message), {"@fields": "inreplyto"}
    asked = rest.api.ask(before(spec), context, "GET", *path, query=query)
    version = str(value_at(await output_of(asked), "data/@etag"))
    body: JsonObject = {"inreplyto": rest.told(token, context)}
    try:
        await rest.patch(before(spec), "msg", message, version, body, context)
    except Refused as error:
        raise meanwhile(error) from error


async def _opened(
    rest: Rest, spec: ActionSpec, first: _First, context: CallContext
) -> JsonObject | None:
    """The ticket that has this first message, or another of our key."""
    for message in first.ids:
        query = {"messages": message, "@fields": "messages"}
        rows = await rest.search(spec, "issue", query, context, partial(_has, message))
        found = value_at(rows, "0/id")
        if found is not None:
            return await rest.read(spec, str(found), context)
    return None


def _has(message: str, ticket: JsonValue) -> bool:
    return message in ids_of(ticket)


async def _token(rest: Rest, spec: ActionSpec, context: CallContext) -> str:
    body: JsonObject = {"lifetime": "3600"}
    asked = rest.api.ask(before(spec), context, "POST", *ROOM, "issue", "@poe", body=body)
    return str(value_at(await output_of(asked), "data/link")).rpartition("/")[2]


def _age_s(kept: Kept) -> float:
    """Seconds by the tracker's own clock; 0 where it does not say what time it is."""
    now = http_date(kept.date)
    return 0.0 if now is None else max(0.0, now - kept.written_at.timestamp())
