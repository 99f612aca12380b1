"""Composio's words for tools and accounts in ours.

A definition holds what a reader has to know before accepting it, and nothing that changes by
itself: which versions there are is told beside it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic import JsonValue

from connectors.composio.wire import Account, ConnectLink, Listed
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.url import AddressError, read_address

_HINTS = ("readOnlyHint", "idempotentHint", "destructiveHint", "openWorldHint")


def tool_of(said: JsonValue) -> Listed:
    """A tool of the current interface; raises `Refused` for what is none."""
    tool = object_of(said)
    toolkit = tool.get("toolkit")
    slug = toolkit.get("slug") if isinstance(toolkit, dict) else None
    tags = set(texts_of(tool.get("tags")))
    definition: JsonObject = {
        "name": text_of(tool.get("slug")),
        "title": text_of(tool.get("name")),
        "description": text_of(tool.get("description")),
        "inputSchema": tool.get("input_parameters"),
        "annotations": {each: True for each in _HINTS if each in tags},
        "toolkit": text_of(slug),
        "version": text_of(tool.get("version")),
        "scopes": [*texts_of(tool.get("scopes"))],
        "noAuth": tool.get("no_auth") is True,
        "deprecated": tool.get("is_deprecated") is True,
        **_output(tool.get("output_parameters")),
    }
    return Listed(definition, tuple(texts_of(tool.get("available_versions"))))


def action_of(said: JsonValue) -> Listed:
    """The same of the older interface, which calls tools actions and toolkits apps."""
    action = object_of(said)
    definition: JsonObject = {
        "name": text_of(action.get("name")),
        "title": text_of(action.get("display_name")),
        "description": text_of(action.get("description")),
        "inputSchema": action.get("parameters"),
        "annotations": {each: True for each in _HINTS if each in set(texts_of(action.get("tags")))},
        "toolkit": text_of(action.get("appName")).lower(),
        "version": text_of(action.get("version")),
        "noAuth": action.get("no_auth") is True,
        **_output(action.get("response")),
    }
    return Listed(definition, tuple(texts_of(action.get("available_versions"))))


def accounts_of(said: list[JsonValue], toolkit: str, user: str) -> list[Account]:
    """A user's accounts for a toolkit among those of the current interface; raises `Refused`."""
    found: list[Account] = []
    for account in map(object_of, said):
        check_user(account.get("user_id"), user)
        status = text_of(account.get("status"))
        if account.get("is_disabled") is True:
            status = "INACTIVE"
        of = account.get("toolkit")
        slug = text_of(of.get("slug")) if isinstance(of, dict) else ""
        if slug in ("", toolkit):
            found.append(Account(text_of(account.get("id")), status))
    return found


def check_user(said: JsonValue, user: str) -> None:
    """Raise `Refused` where an account says that it is somebody else's."""
    if text_of(said) not in ("", user):
        told = "it gave an account of another user than was asked for"
        raise Refused(told, kind=Kind.INTERNAL)


def link_of(url: JsonValue, expires_at: JsonValue) -> ConnectLink:
    """A link that a person may be shown; raises `Refused` for what is no plain address."""
    try:
        read_address(text_of(url))
    except AddressError as error:
        raise _strange("an address") from error
    return ConnectLink(text_of(url), moment_of(expires_at))


def moment_of(said: JsonValue) -> float:
    """An instant in epoch seconds; raises `Refused`."""
    try:
        found = datetime.fromisoformat(text_of(said))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise _strange("an instant") from error


def object_of(said: JsonValue) -> JsonObject:
    """An object; raises `Refused` for anything else."""
    if not isinstance(said, dict):
        raise _strange("an object")
    return said


def items_of(said: JsonValue) -> list[JsonValue]:
    """The items of a page; raises `Refused`."""
    found = object_of(said).get("items")
    if not isinstance(found, list):
        raise _strange("a list")
    return found


def text_of(said: JsonValue) -> str:
    """A text, or "" where there is none."""
    return said if isinstance(said, str) else ""


def texts_of(said: JsonValue) -> Iterator[str]:
    """The texts of a list."""
    listed: Iterable[JsonValue] = said if isinstance(said, list) else ()
    return (each for each in listed if isinstance(each, str))


def _output(said: JsonValue) -> JsonObject:
    """The schema of what an execution gives as `data`, where it is declared."""
    schema: JsonObject = said if isinstance(said, dict) else {}
    inner = schema.get("properties")
    data = inner.get("data") if isinstance(inner, dict) else None
    if not isinstance(data, dict):
        return {}
    shared: JsonObject = {}
    for name in ("$defs", "definitions"):
        if name in schema:
            shared[name] = schema[name]
    return {"outputSchema": {**shared, **data}}


def _strange(what: str) -> Refused:
    return Refused(
        f"its answer is not of the published form: {what} is missing", kind=Kind.INTERNAL
    )
