"""An OpenAI-compatible server that plays recorded or hostile answers: `python -m planner.scripted`.

For demonstrations and tests, the gateway's and yours. A script is a JSON list; each request
takes the next reply, and the last one is repeated:

    {"text": "..."}                     what the model says
    {"json": {...}}                     the same, as JSON
    {"text": "...", "cut": true}        stopped at the length limit
    {"refusal": "..."}                  the model will not
    {"status": 429, "retry_after": 2}   an error of the provider; "message" says why
    {"seconds": 30, ...}                silence first, then the rest of the reply
    {"raw": "..."}                      a body that is no completion, as `content_type`

`GET /requests` answers with every request body so far: what a model was really told.
"""

import argparse
import asyncio
import json
import os
import socket
import stat
import sys
import threading
from pathlib import Path

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Reply(BaseModel):
    """One answer of the script."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | None = None
    json_value: JsonValue = Field(default=None, alias="json")
    cut: bool = False
    refusal: str | None = None
    status: int | None = Field(default=None, ge=100, le=599)
    retry_after: float | str | None = None
    message: str = "as scripted"
    seconds: float = Field(default=0, ge=0)
    raw: str | None = None
    content_type: str = "application/json"


_Script = TypeAdapter(tuple[Reply, ...])


def read_script(text: str | bytes) -> tuple[Reply, ...]:
    """Read a script; raises `ValueError` with the place of what is wrong."""
    script = _Script.validate_json(text)
    if not script:
        raise ValueError("the list of replies is empty")
    return script


def build(script: tuple[Reply, ...]) -> Starlette:
    """The server as an application."""
    asked: list[JsonValue] = []

    async def requests(_: Request) -> Response:
        return JSONResponse(asked)

    async def complete(request: Request) -> Response:
        body: JsonValue = await request.json()
        reply = script[min(len(asked), len(script) - 1)]
        asked.append(body)
        model = body.get("model") if isinstance(body, dict) else None
        await asyncio.sleep(reply.seconds)
        return _play(reply, str(model))

    return Starlette(
        routes=[
            Route("/requests", requests),
            Route("/v1/chat/completions", complete, methods=["POST"]),
        ]
    )


def _play(reply: Reply, model: str) -> Response:
    after = reply.retry_after
    headers = {} if after is None else {"retry-after": str(after)}
    if reply.status is not None:
        told = {"message": reply.message, "type": "scripted", "code": str(reply.status)}
        return JSONResponse({"error": told}, reply.status, headers)
    if reply.raw is not None:
        return Response(reply.raw, headers=headers, media_type=reply.content_type)
    text = reply.text if reply.json_value is None else json.dumps(reply.json_value)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": reply.refusal},
        "finish_reason": "length" if reply.cut else "stop",
    }
    return JSONResponse(
        {
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [choice],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }
    )


def serve(script: tuple[Reply, ...], port: int) -> None:
    """Serve on loopback until told to stop, or until the parent's pipe ends."""
    listener = socket.create_server(("127.0.0.1", port))
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"ready http://127.0.0.1:{listener.getsockname()[1]}/v1\n")
    sys.stdout.flush()
    config = uvicorn.Config(build(script), log_level="error", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m planner.scripted", description="Play recorded model answers on loopback."
    )
    parser.add_argument("--replies", type=Path, required=True, help="a JSON list of replies")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    chosen = parser.parse_args()
    try:
        script = read_script(chosen.replies.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        parser.error(f"{chosen.replies}: {where or 'the file'}: {first['msg']}")
    except (OSError, ValueError) as error:
        parser.error(f"{chosen.replies}: {error}")
    serve(script, chosen.port)


if __name__ == "__main__":
    main()
