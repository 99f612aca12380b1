"""An OpenAI-compatible server that plays recorded or hostile answers: `python -m planner.scripted`.

For demonstrations and tests, the gateway's and yours. A script is a JSON list; each request
takes the next reply, and the last one is repeated:

    {"text": "..."}                     what the model says
    {"json": {...}}                     the same, as JSON
    {"status": 429, "retry_after": 2}   an error of the provider
    {"text": "...", "cut": true}        stopped at the length limit
    {"refusal": "..."}                  the model will not
    {"seconds": 30}                     silence
    {"raw": "..."}                      a body that is no completion
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from connectors.spec import JsonObject

Reply = JsonObject


def build(script: list[Reply]) -> FastAPI:
    """The server as an application; `GET /requests` shows what it was asked."""
    app = FastAPI(title="Scripted model")
    asked: list[JsonValue] = []

    @app.get("/requests")
    async def requests() -> JSONResponse:
        return JSONResponse(asked)

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body: JsonValue = await request.json()
        reply = script[min(len(asked), len(script) - 1)]
        asked.append(body)
        model = body.get("model") if isinstance(body, dict) else None
        return await _play(reply, str(model))

    return app


async def _play(reply: Reply, model: str) -> Response:
    seconds = reply.get("seconds")
    if isinstance(seconds, int | float):
        await asyncio.sleep(seconds)
    if isinstance(status := reply.get("status"), int):
        after = reply.get("retry_after")
        headers = {} if after is None else {"retry-after": str(after)}
        error = {"error": {"message": "as scripted", "type": "scripted", "code": str(status)}}
        return JSONResponse(error, status, headers)
    if isinstance(raw := reply.get("raw"), str):
        return Response(raw, media_type="application/json")
    text = reply.get("text")
    if "json" in reply:
        text = json.dumps(reply["json"])
    message = {"role": "assistant", "content": text, "refusal": reply.get("refusal")}
    return JSONResponse(
        {
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "length" if reply.get("cut") else "stop",
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }
    )


def serve(script: list[Reply], port: int) -> None:
    """Serve on loopback until standard input ends."""
    listener = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"ready http://127.0.0.1:{listener.getsockname()[1]}/v1\n")
    sys.stdout.flush()
    config = uvicorn.Config(build(script), log_level="error", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    if not sys.stdin.isatty():
        sys.stdin.read()
        os._exit(0)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Play recorded model answers on loopback.")
    parser.add_argument("--replies", type=Path, required=True, help="a JSON list of replies")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    chosen = parser.parse_args()
    script = json.loads(chosen.replies.read_text(encoding="utf-8"))
    if not isinstance(script, list) or not script:
        parser.error(f"{chosen.replies} holds no list of replies")
    serve(script, chosen.port)


if __name__ == "__main__":
    main()
