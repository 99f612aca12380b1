"""A service that quotes the secret it was sent, in every form and place; and a careless model.

It runs as a process of its own and keeps what it was sent, for whoever asks `/record`.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.canaries.forms import forms

READS = ("body", "header", "error", "broken", "text", "moved")
RECORD: dict[str, list[str]] = {"secrets": [], "prompts": [], "inbound": []}
UNABLE = {"understanding": "", "assumptions": [], "questions": [], "steps": [], "answer": []}


def document() -> dict[str, Any]:
    """What it offers."""
    any_answer = {"200": {"description": "ok"}}
    paths: dict[str, Any] = {
        f"/{name}": {"get": {"operationId": name, "responses": any_answer}} for name in READS
    }
    paths["/down"] = {"post": {"operationId": "down", "responses": any_answer}}
    return {"openapi": "3.1.0", "info": {"title": "Echo", "version": "1"}, "paths": paths}


class Handler(BaseHTTPRequestHandler):
    """All of it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        name = self.path.split("?")[0].strip("/")
        if name == "openapi.json":
            self._say(200, document())
        elif name == "record":
            self._say(200, RECORD)
        else:
            self._quote(name)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path.endswith("/chat/completions"):
            RECORD["prompts"].append(body)
            self._say(200, _completion(body))
        else:
            self._quote("down")

    def _quote(self, name: str) -> None:
        given = self.headers.get("authorization", "")
        secret = given.partition(" ")[2]
        RECORD["secrets"].append(secret)
        RECORD["inbound"].append(str(self.headers))
        told = forms(secret) if secret else {}
        words = " | ".join(told.values())
        safe = words.encode("latin-1", "replace").decode("latin-1")
        match name:
            case "body":
                self._say(
                    200, {"said": told, words: [given, {"deep": [words]}], "url": f"x?{words}"}
                )
            case "header":
                # Longer than what is kept of a request id: what is cut off is no secret's end.
                self._say(200, {}, {"x-request-id": "r" * 170 + safe, "x-debug": given})
            case "error":
                # The message is shortened too, in the middle of a form.
                filler = "e" * 480
                self._say(422, {"code": words, "detail": filler + words, "title": words})
            case "broken":
                self._send(200, f'{{"a": 1, {words}'.encode())
            case "text":
                self._send(200, words.encode(), {"content-type": "text/plain"})
            case "moved":
                self._send(302, b"", {"location": f"http://127.0.0.1:1/{told.get('percent', '')}"})
            case _:
                self._say(500, {"code": "down", "detail": words}, {"x-request-id": safe[:150]})

    def _say(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._send(status, body, {"content-type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _completion(asked: str) -> dict[str, Any]:
    """A model that cannot help, and says all that it was ever sent while saying so."""
    heard = " ".join(f"{each} {' '.join(forms(each).values())}" for each in RECORD["secrets"][-8:])
    plan = {**UNABLE, "unable": f"I cannot, but I know {heard}"[:4000]}
    message = {"role": "assistant", "content": json.dumps(plan)}
    return {
        "id": "x",
        "model": "echo",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": len(asked) // 4, "completion_tokens": 10},
    }


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("ready", f"http://127.0.0.1:{server.server_address[1]}", flush=True)

    def end_with_whoever_asked() -> None:
        sys.stdin.read()
        server.shutdown()

    threading.Thread(target=end_with_whoever_asked, daemon=True).start()
    server.serve_forever()
