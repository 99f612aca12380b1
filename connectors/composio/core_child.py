"""Asks the package composio-core, in an interpreter and a process of its own, and sends nothing.

It reads a question a line and says a line back: `{"send": ...}` asks for a request to be made and
is answered with what came of it, `{"done": ...}` or `{"failed": ...}` ends the question. It is
started as a file, imports nothing of ours, holds no key, and has no network: every socket of the
process refuses. What the package prints goes to standard error.

    core_child.py ROOT
"""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from composio.client import Composio

    Told = dict[str, object]


def main() -> None:
    """Answer questions until there are none."""
    lines = _Lines(os.fdopen(os.dup(1), "w", encoding="ascii"))
    os.dup2(2, 1)
    _refuse_network()
    client = _client(sys.argv[1], lines)
    asked = {"tools": _tools, "accounts": _accounts, "link": _link, "execute": _execute}
    while (question := lines.read()) is not None:
        try:
            lines.say({"done": asked[str(question["do"])](client, question)})
        except Exception as error:  # noqa: BLE001 - the package raises what it likes
            lines.say({"failed": f"{type(error).__name__}: {error}"[:500]})
    os._exit(0)  # the package would tell its makers at the end


@dataclass(frozen=True)
class _Lines:
    """Both directions."""

    said: TextIO

    def say(self, value: "Told") -> None:
        self.said.write(json.dumps(value) + "\n")
        self.said.flush()

    def read(self) -> "Told | None":
        line = sys.stdin.readline()
        found: object = json.loads(line) if line else None
        return found if isinstance(found, dict) else None


def _refuse_network() -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("this process has no network")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        setattr(socket, name, refused)
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, refused)


def _load_the_client_alone() -> None:
    """Keep out the front of the package, which calls its makers, and what listens for events."""
    found = find_spec("composio")
    front = ModuleType("composio")
    front.__path__ = list(found.submodule_search_locations or ()) if found else []
    sys.modules["composio"] = front
    for name, member in (
        ("pysher", "Pusher"),
        ("pysher.channel", "Channel"),
        ("pysher.connection", "Connection"),
    ):
        sys.modules[name] = ModuleType(name)
        setattr(sys.modules[name], member, object)


def _client(root: str, lines: _Lines) -> "Composio":
    """The package's client, whose requests are made by whoever started us."""
    import requests

    _load_the_client_alone()
    from composio.client import Composio
    from composio.client.http import HttpClient

    class Relay(requests.adapters.BaseAdapter):
        def send(
            self,
            request: requests.PreparedRequest,
            stream: bool = False,
            timeout: float | tuple[float | None, float | None] | None = None,
            verify: bool | str = True,
            cert: str | tuple[str, str] | None = None,
            proxies: Mapping[str, str] | None = None,
        ) -> requests.Response:
            body = request.body.decode() if isinstance(request.body, bytes) else request.body
            lines.say({"send": {"method": request.method, "url": request.url, "body": body}})
            told = lines.read() or {}
            if "status" not in told:
                # Not a time-out: those the package repeats, also where it has an effect.
                raise requests.ConnectionError(told.get("failed", "nobody sends it"))
            answer = requests.Response()
            answer.status_code, answer.url = int(str(told["status"])), str(request.url)
            answer.request = request
            answer._content = str(told["body"]).encode("latin-1")
            return answer

        def close(self) -> None:
            """Nothing is held open."""

    client = Composio(api_key="-", base_url=root)
    client.http = client.long_timeout_http = HttpClient(base_url=root, api_key="-")
    client.http.mount(root, Relay())
    return client


def _tools(client: "Composio", question: "Told") -> object:
    asked = client.actions.endpoint(queries={"apps": question["toolkit"], "limit": "1000"})
    return client.actions._raise_if_required(client.http.get(url=str(asked))).json()["items"]


def _accounts(client: "Composio", question: "Told") -> object:
    return [
        {
            "id": each.id,
            "status": each.status,
            "toolkit": each.appUniqueId,
            "user": each.clientUniqueUserId,
        }
        for each in client.connected_accounts.get(entity_ids=[question["user"]])
    ]


def _link(client: "Composio", question: "Told") -> object:
    made = client.connected_accounts.initiate(
        integration_id=question["integration"],
        entity_id=question["user"],
        redirect_url=question["callback"],
    )
    return made.redirectUrl


def _execute(client: "Composio", question: "Told") -> object:
    account = question["account"]
    action = SimpleNamespace(
        no_auth=account is None,
        slug=question["tool"],
        app=question["toolkit"],
        version=question["version"],
    )
    client.actions.execute(
        action=action,
        params=question["arguments"],
        entity_id=question["user"],
        connected_account=account,
    )
    return None


if __name__ == "__main__":
    main()
