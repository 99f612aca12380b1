"""Request bodies: capped before they are read, then strict JSON, then a closed model."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.flaws import what_of
from connectors.redact import Redactor
from connectors.spec import JsonObject
from executor.check.strict_json import read_json
from executor.plan.refs import join_pointer
from gateway.problems import MOST_TOLD, ProblemError, render
from gateway.schemas import FORMS, LONGEST_KEY
from gateway.wiring import Gateway

MOST_BYTES = 1_000_000
MOST_UNREAD = 10 * MOST_BYTES  # of a body that was refused
QUIET_S = 1.0  # after which nothing more of it is waited for
MOST_LISTED = 100  # of what is wrong with a body
NUL_IN_JSON = b"\\u0000"
COMPONENT = "#/components/schemas/{model}"
M = TypeVar("M", bound=BaseModel)


class BodyCap:
    """Refuses a body that is packed or too large, by its declared length or while it arrives.

    An address with a NUL character is of nothing that there is, and goes no further either.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass requests on, counting their bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]:
            await render(nul("in the address"))(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > MOST_BYTES:
            await _refuse(_too_large(), scope, receive, send)
            return
        if dict(scope["headers"]).get(b"content-encoding", b"identity").lower() != b"identity":
            await _refuse(_packed(), scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                await _read_on(receive)
                raise _too_large()
            return message

        await self._app(scope, counted, send)


async def _refuse(problem: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, and end once whoever sends has stopped: else they might not hear it."""

    async def begun(message: Message) -> None:
        is_body = message["type"] == "http.response.body"
        await send({**message, "more_body": True} if is_body else message)

    await render(problem)(scope, receive, begun)
    await _read_on(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read_on(receive: Receive) -> None:
    """Take what still comes, up to a bound; a connection that is closed on it tells nothing."""
    left = MOST_UNREAD
    with suppress(TimeoutError):
        while left > 0:
            async with asyncio.timeout(QUIET_S):
                message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def _too_large() -> ProblemError:
    detail = f"a body has at most {MOST_BYTES} bytes"
    return ProblemError(413, "too-large", detail, "Send less.", headers={"connection": "close"})


def _packed() -> ProblemError:
    detail = "the body is in an encoding that is not taken"
    headers = {"accept-encoding": "identity", "connection": "close"}
    return ProblemError(415, "unsupported-encoding", detail, "Send it plain.", headers=headers)


def body_of(model: type[M], *, brings_secrets: bool = False) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the body as `model`, strictly; no body where none is needed.

    A known secret that somebody pasted into it goes no further, but where secrets are set.
    """
    needs_body = any(field.is_required() for field in model.model_fields.values())

    async def read(request: Request) -> M:
        content = await request.body()
        gateway: Gateway = request.app.state.gateway
        redactor = None if brings_secrets else gateway.redactor
        if not content and not needs_body:
            content = b"{}"
        work = partial(_read, model, content, redactor)
        return await gateway.allowances.think(request.state.key, len(content), work)

    return read


def _read(model: type[M], content: bytes, redactor: Redactor | None) -> M:
    value = read_json(content, max_bytes=MOST_BYTES)
    if NUL_IN_JSON in content and _holds_nul(value):
        raise nul("in the body")
    # Text by text takes long; without an escape the body says every text as it is.
    if redactor is not None and (b"\\" in content or redactor.hide_bytes(content) != content):
        value = redactor.hide_in(value)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error) from error


def nul(where: str) -> ProblemError:
    """No text has a NUL character, and not every database could keep it."""
    return ProblemError(400, "malformed-json", f"a NUL character {where}", "Leave it out.")


def _holds_nul(value: JsonValue) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_holds_nul, value))
        case dict():
            return any(map(_holds_nul, (*value, *value.values())))
        case _:
            return False


def header(name: str, description: str, **bounds: str | int) -> dict[str, Any]:
    """What OpenAPI says of a header that may come with a request, and of its text."""
    schema = {"type": "string", **bounds}
    return {"name": name, "in": "header", "description": description, "schema": schema}


IDEMPOTENCY = header(
    "Idempotency-Key", "the same key and body again get the same answer",
    minLength=1, maxLength=LONGEST_KEY,
)  # fmt: skip
PREFER = header("Prefer", "wait=N: answer once it is planned, after N seconds at the latest")


def takes(
    model: type[BaseModel], *headers: dict[str, Any], is_keyed: bool = True
) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its body by `body_of`.

    What the schema refers to comes with it as `$defs`, and is put where it is looked for by `Api`.
    """
    schema = model.model_json_schema(ref_template=COMPONENT)
    required = any(field.is_required() for field in model.model_fields.values())
    content = {"application/json": {"schema": schema}}
    told = [*headers, *([IDEMPOTENCY] if is_keyed else [])]
    return {"requestBody": {"required": required, "content": content}, "parameters": told}


def gives(status: int, model: object) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of what a route answers, where it answers with a response of its own."""
    return {status: {"model": model}}


def _invalid(error: ValidationError) -> ProblemError:
    """The members that are unknown, missing or of the wrong type, each with its place."""
    found: list[JsonObject] = [
        {"code": "unknown-field", "at": _place(each["loc"]), "message": _told(each)}
        for each in error.errors(include_url=False, include_input=False)[:MOST_LISTED]
    ]
    first = found[0]
    detail = f"{first['at'] or 'the body'}: {first['message']}"
    if error.error_count() > 1:
        detail += f" (and {error.error_count() - 1} more)"
    more: JsonObject = {"at": first["at"], "violations": [*found]}
    return ProblemError(422, "unknown-field", detail, "See /openapi.json for the members.", more)


def _told(flaw: ErrorDetails) -> str:
    """What is wrong with a member, without any pattern: people are told the form in words."""
    return FORMS.get(str(flaw.get("ctx", {}).get("pattern")), what_of(flaw))


def _place(place: tuple[int | str, ...]) -> str:
    """Where it is; of a member's name that is longer than any of ours only the beginning."""
    return pointer(tuple(each[:MOST_TOLD] if isinstance(each, str) else each for each in place))


def pointer(place: tuple[int | str, ...]) -> str:
    """Write pydantic's location as an RFC 6901 pointer."""
    return "".join(f"/{join_pointer((str(part),))}" for part in place)
