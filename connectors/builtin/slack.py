"""`messaging` over Slack's Web API, which says no with a 200: `{"ok": false, "error": "..."}`.

Slack has no idempotency keys, and a message cannot be searched by anything that a call could carry
along, so saying something is blind. What was said can be taken back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from connectors.api import Api, api_of
from connectors.connector import Applied, Connector, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Unavailable
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.incomplete import incomplete
from connectors.outcome import Dialect, in_doubt
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.messaging import MESSAGING
from connectors.unified.pages import listed, most_of, page
from connectors.unified.vendor import At, UnifiedConnector, Vendor, moment, text, value_at

_KINDS = {
    **dict.fromkeys(
        (
            "not_authed",
            "invalid_auth",
            "account_inactive",
            "token_revoked",
            "token_expired",
            "no_permission",
            "missing_scope",
            "not_in_channel",
            "cant_delete_message",
            "restricted_action",
        ),
        Kind.AUTH,
    ),
    **dict.fromkeys(("channel_not_found", "message_not_found", "thread_not_found"), Kind.NOT_FOUND),
    "is_archived": Kind.CONFLICT,
}
_PAGE = "200"  # as many as Slack recommends at most
_BUSY = ("rate_limited", "ratelimited")
# Slack warns that a part may have been done before these.
_BROKEN = ("fatal_error", "internal_error", "request_timeout", "service_unavailable")
_DIALECT = Dialect(code_at=("error",), request_id_header="x-slack-req-id")


def _kind_of_channel(raw: JsonValue) -> JsonValue:
    if not isinstance(raw, dict):
        return None
    is_direct = raw.get("is_im") is True or raw.get("is_mpim") is True
    return "direct" if is_direct else "private" if raw.get("is_private") is True else "public"


def _author(raw: JsonValue) -> JsonValue:
    return (raw.get("user") or raw.get("bot_id")) if isinstance(raw, dict) else None


def _when(ts: JsonValue) -> JsonValue:
    return None if ts is None else moment(float(str(ts)))


def _shown(said: JsonValue) -> JsonValue:
    if not isinstance(said, str):
        return None
    return said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


SLACK = Vendor(
    "slack",
    MESSAGING,
    {
        "channel": {
            "id": At("id", text),
            "created_at": At("created", moment),
            "name": At("name"),
            "type": At("", _kind_of_channel, "`is_im`, `is_mpim`, `is_private`"),
            "topic": At("topic/value"),
            "archived": At("is_archived"),
            "member_count": At("num_members"),
        },
        "message": {
            "id": At("ts", text),
            "created_at": At("ts", _when),
            "updated_at": At("edited/ts", _when),
            "channel_id": At("channel", text, "the channel that it was read of"),
            "author_id": At("", _author, "`user`, or `bot_id`"),
            "text": At("text", _shown),
            "thread_id": At("thread_ts"),
            "sent_at": At("ts", _when),
        },
    },
    {
        "channel_list": {},
        "message_send": {
            "effect": "blind",
            "undo": {
                "action": "message_delete",
                "args": [
                    {"ref": "result/channel_id", "to": "channel_id"},
                    {"ref": "result/id", "to": "id"},
                ],
            },
        },
        "message_list": {},
        "message_delete": {"effect": "idempotent"},
    },
    gaps={
        "channel.version": "Slack has none",
        "message.version": "Slack has none",
        "message.url": "it takes another call",
    },
)


@dataclass(frozen=True)
class Slack:
    """One workspace."""

    api: Api

    async def channels(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """List the channels that the token may see.

        Slack leaves archived ones out of each page, so a page may have fewer, or none at all.
        """
        query = {"exclude_archived": "true", "types": "public_channel,private_channel"}

        async def ask(cursor: str, _: int) -> Outcome:
            said = {**query, "limit": _PAGE, **_from(cursor)}
            told = partial(_page, "channels", "channel", {})
            return await self._ask(spec, context, "conversations.list", said, told)

        return await listed("channels", most_of(given), ask)

    async def say(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Post a message."""
        body: JsonObject = {"channel": given["channel_id"], "text": escaped(str(given["text"]))}
        if "thread_id" in given:
            body["thread_ts"] = given["thread_id"]

        def told(answer: JsonObject) -> JsonValue:
            message = answer["message"]
            if not isinstance(message, dict):
                raise TypeError("expected a message")
            own: JsonObject = {"channel": answer["channel"], "ts": answer["ts"]}
            return SLACK.tell("message", {**message, **own})

        return await self._ask(spec, context, "chat.postMessage", {}, told, body)

    async def history(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a channel."""
        channel = str(given["channel_id"])

        async def ask(cursor: str, wanted: int) -> Outcome:
            said = {"channel": channel, "limit": str(wanted), **_from(cursor)}
            told = partial(_page, "messages", "message", {"channel": channel})
            return await self._ask(spec, context, "conversations.history", said, told)

        return await listed("messages", most_of(given), ask)

    async def delete(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Delete a message; one that an earlier attempt deleted stays so."""
        body: JsonObject = {"channel": given["channel_id"], "ts": given["id"]}
        try:
            return await self._ask(spec, context, "chat.delete", {}, lambda _: dict(given), body)
        except Refused as error:
            if error.vendor_code != "message_not_found" or context.attempt == 1:
                raise
            return Applied(dict(given), replayed=True)

    async def _ask(
        self,
        spec: ActionSpec,
        context: CallContext,
        method: str,
        query: Mapping[str, str],
        told: Callable[[JsonObject], JsonValue],
        body: JsonObject | None = None,
    ) -> Outcome:
        def mapped(answer: JsonValue) -> JsonValue:
            if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
                raise TypeError("expected an answer that says whether it is ok")
            if answer["ok"] is False:
                raise error_of(spec, str(answer.get("error", "unknown")))
            return told(answer)

        verb = "GET" if body is None else "POST"
        return await self.api.ask(
            spec, context, verb, method, query=query, body=body, mapped=mapped
        )


def error_of(spec: ActionSpec, code: str) -> ConnectorError:
    """What a no of Slack's means."""
    said = f"slack says {code[:100]}"
    if code in _BUSY:
        return Unavailable(said, kind=Kind.RATE_LIMITED, sent=True, vendor_code=code)
    if code in _BROKEN:
        return in_doubt(spec, said, Kind.UNAVAILABLE)
    return Refused(said, kind=_KINDS.get(code, Kind.INVALID), vendor_code=code)


def escaped(said: str) -> str:
    """A text as text: what stands in angle brackets would call people and link to places."""
    return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _page(name: str, record: str, own: JsonObject, answer: JsonObject) -> JsonValue:
    """The records of an answer, each with what it does not say of itself."""
    rows = answer[name]
    if not isinstance(rows, list):
        raise TypeError(f"expected {name}")
    found = [{**each, **own} for each in rows if isinstance(each, dict)]
    cursor = value_at(answer, "response_metadata/next_cursor") or ""
    if cursor == "" and answer.get("has_more") is True:
        raise incomplete("there are more, and slack does not say where", "ask for fewer")
    return page([SLACK.tell(record, each) for each in found], str(cursor))


def _from(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one workspace; raises `ConfigurationError`."""
    options_of(settings, Options)  # it has none
    slack = Slack(api_of(settings, given, dialect=_DIALECT))
    return UnifiedConnector(
        SLACK,
        settings.name,
        {
            "channel_list": slack.channels,
            "message_send": slack.say,
            "message_list": slack.history,
            "message_delete": slack.delete,
        },
    )
