"""An OAuth 2 authorisation server and the API it guards, as a process of its own.

It knows one client, says yes to every consent, rotates refresh tokens and uses each once. What it
does wrong, and how often it was asked, is set and read under `/control`.
"""

import base64
import hashlib
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

CLIENT, SECRET = "lamgate-client", "the-clients+own/secret&value"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things": {
            "get": {
                "operationId": "list_things",
                "responses": {
                    "200": {
                        "description": "all",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        }
    },
}


@dataclass
class World:
    """What the server knows, and what it is told to do wrong."""

    knobs: dict[str, Any] = field(default_factory=lambda: {"expires_in": 3600})
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)  # token: resource
    access: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


WORLD = World()


class Handler(BaseHTTPRequestHandler):
    """All of it."""

    protocol_version = "HTTP/1.1"

    @property
    def here(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/.well-known/oauth-authorization-server":
                self._metadata()
            case "/authorize":
                self._authorize(query)
            case "/openapi.json":
                self._say(200, DOCUMENT)
            case "/things":
                self._things()
            case "/control":
                self._say(200, {"seen": WORLD.seen, "knobs": WORLD.knobs})
            case _:
                self._say(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/control":
            WORLD.knobs.update(json.loads(body))
            if WORLD.knobs.pop("forget_access", False):
                WORLD.access.clear()
            if WORLD.knobs.pop("forget_refresh", False):
                WORLD.refresh.clear()
            self._say(200, {})
        elif self.path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self._token(form)
        else:
            self._say(404, {})

    def _metadata(self) -> None:
        self._say(
            200,
            {
                "issuer": WORLD.knobs.get("issuer", self.here),
                "authorization_endpoint": f"{self.here}/authorize",
                "token_endpoint": f"{self.here}/token",
                "code_challenge_methods_supported": WORLD.knobs.get("pkce", ["S256"]),
                "authorization_response_iss_parameter_supported": True,
            },
        )

    def _authorize(self, query: dict[str, str]) -> None:
        WORLD.seen.append({"at": "authorize", **query})
        back = {"state": query["state"], "iss": WORLD.knobs.get("iss", self.here)}
        if WORLD.knobs.get("denies"):
            back["error"] = "access_denied"
        else:
            code = secrets.token_urlsafe(24)
            WORLD.codes[code] = query
            back["code"] = code
        if back["iss"] is None:
            del back["iss"]
        self.send_response(303)
        self.send_header("location", f"{query['redirect_uri']}?{urlencode(back)}")
        self.send_header("content-length", "0")
        self.end_headers()

    def _token(self, form: dict[str, str]) -> None:
        grant = form.get("grant_type", "")
        WORLD.seen.append({"at": "token", "grant": grant, "resource": form.get("resource")})
        if wait := WORLD.knobs.get("slow_s"):
            time.sleep(wait)
        if status := WORLD.knobs.get("status"):
            self._say(status, {"error": "server_error", "error_description": json.dumps(form)})
            return
        if not self._is_client(form):
            self._say(401, {"error": "invalid_client"})
            return
        with WORLD.lock:
            resource = self._granted(grant, form)
            if resource is None:
                told = f"no such grant: {form}"  # what a careless server quotes
                self._say(400, {"error": "invalid_grant", "error_description": told})
                return
            access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
            WORLD.access[access] = resource
            answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
            answer["expires_in"] = WORLD.knobs["expires_in"]
            if grant != "client_credentials":
                WORLD.refresh[refresh] = resource
                answer["refresh_token"] = refresh
            if grant == "authorization_code" and (nonce := WORLD.knobs.get("id_token_nonce")):
                answer["id_token"] = self._id_token(nonce, form)
        self._say(200, answer)

    def _is_client(self, form: dict[str, str]) -> bool:
        given = self.headers.get("authorization", "")
        if given.startswith("Basic "):
            name, _, secret = base64.b64decode(given[6:]).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)
        return form.get("client_id") == CLIENT and WORLD.knobs.get("public", False)

    def _granted(self, grant: str, form: dict[str, str]) -> str | None:
        """The resource of a grant that holds; every code and refresh token holds once."""
        if grant == "client_credentials":
            return form.get("resource", "")
        if grant == "refresh_token":
            return WORLD.refresh.pop(form.get("refresh_token", ""), None)
        asked = WORLD.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked.get("code_challenge_method") != "S256" or asked["code_challenge"] != challenge:
            return None
        return asked.get("resource", "")

    def _id_token(self, nonce: str, form: dict[str, str]) -> str:
        claims = {"iss": self.here, "aud": CLIENT, "nonce": nonce}
        parts = [{"alg": "none"}, claims]
        return (
            ".".join(
                base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode()
                for each in parts
            )
            + f".{form['grant_type']}"
        )

    def _things(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        WORLD.seen.append({"at": "things", "headers": headers})
        given = headers.get("authorization", "").removeprefix("Bearer ")
        meant = WORLD.access.get(given)
        if meant is None or meant not in ("", WORLD.knobs.get("audience", meant)):
            self._say(401, {"message": f"{given} is not taken"})
        else:
            self._say(200, {"things": [1, 2], "you_sent": given})

    def _say(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("ready", f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()
