"""Request bodies: capped before they are read, then strict JSON, then a closed model."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.spec import JsonObject
from executor.check.strict_json import read_json
from gateway.problems import ProblemError, render

MOST_BYTES = 1_000_000
M = TypeVar("M", bound=BaseModel)


class BodyCap:
    """Refuses a body that is too large, by its declared length or while it arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass requests on, counting their bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > MOST_BYTES:
            await _refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                raise _too_large()
            return message

        await self._app(scope, counted, send)


def _too_large() -> ProblemError:
    detail = f"a body has at most {MOST_BYTES} bytes"
    return ProblemError(413, "too-large", detail, "Send less.", headers={"connection": "close"})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await render(_too_large())(scope, receive, send)


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the body as `model`, strictly."""

    async def read(request: Request) -> M:
        content = await request.body()
        value = read_json(content, max_bytes=MOST_BYTES)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise _invalid(error) from error

    return read


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its body by `body_of`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _invalid(error: ValidationError) -> ProblemError:
    found: list[JsonObject] = [
        {"at": "/" + "/".join(str(part) for part in each["loc"]), "message": each["msg"]}
        for each in error.errors(include_url=False)
    ]
    first = found[0]
    detail = f"{first['at']}: {first['message']}"
    return ProblemError(
        422, "unknown-field", detail, "See /openapi.json.", {"errors": [*found], "at": first["at"]}
    )
