"""Finds the gateway, or starts one in this process, and talks to it over HTTP."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.store.lock import address_in_lock
from executor.store.store import database_path
from gateway.auth import read_key_file
from gateway.settings import Settings, load_settings
from gateway.wiring import operator_key_file

TIMEOUT_S = 90.0


class CliError(Exception):
    """Something that a person has to be told: `exit_code` 1 is a no, 2 unusable input."""

    def __init__(self, message: str, exit_code: int = 2, body: JsonValue = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.body = body


@dataclass(frozen=True)
class Target:
    """Which gateway is meant, as the options say."""

    config: Path | None = None
    url: str | None = None
    key: str | None = None


class Client:
    """One gateway under one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._http = httpx2.Client(
            base_url=url,
            headers={"authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def get(self, path: str, *, accept: str = "application/json") -> JsonValue:
        """Read something; raises `CliError`."""
        return self._read(self._send("GET", path, headers={"accept": accept}))

    def post(self, path: str, body: JsonObject, *, wait: int = 0) -> JsonObject:
        """Ask for something; raises `CliError`."""
        headers = {"prefer": f"wait={wait}"} if wait else {}
        found = self._read(self._send("POST", path, json=body, headers=headers))
        return found if isinstance(found, dict) else {}

    def delete(self, path: str) -> JsonValue:
        """End something; raises `CliError`."""
        return self._read(self._send("DELETE", path))

    def events(self, path: str, after: int = 0) -> Iterator[JsonObject]:
        """Follow a journal until it ends."""
        headers = {"accept": "text/event-stream", "last-event-id": str(after)}
        timeout = httpx2.Timeout(TIMEOUT_S, read=60.0)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code != 200:
                    answer.read()
                    self._read(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx2.HTTPError as error:
            raise CliError(f"the gateway at {self.url} went away: {error}") from error

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def _send(self, method: str, path: str, **more: object) -> httpx2.Response:
        try:
            return self._http.request(method, path, **more)  # type: ignore[arg-type]  # passed on as given
        except httpx2.HTTPError as error:
            raise CliError(f"no gateway answers at {self.url}: {error}") from error

    def _read(self, answer: httpx2.Response) -> JsonValue:
        if answer.headers.get("content-type", "").startswith("text/plain"):
            return answer.text
        try:
            body: JsonValue = answer.json()
        except ValueError as error:
            raise CliError(f"{self.url} is no gateway: status {answer.status_code}") from error
        if answer.status_code < 400:
            return body
        raise CliError(_told(body), 1, body)


def _told(problem: JsonValue) -> str:
    if not isinstance(problem, dict):
        return "the gateway refused"
    lines = [f"{problem.get('code')}: {problem.get('detail')}"]
    violations = problem.get("violations")
    for each in violations if isinstance(violations, list) else []:
        if isinstance(each, dict):
            lines.append(f"  {each.get('code')} at {each.get('at')}: {each.get('message')}")
    if problem.get("fix"):
        lines.append(f"  {problem['fix']}")
    return "\n".join(lines)


@contextmanager
def connect(target: Target, *, may_start: bool = False) -> Iterator[Client]:
    """The gateway that is meant; with `may_start`, one in this process if none is running."""
    if target.url is not None:
        client = Client(target.url, _key(target, None))
        try:
            yield client
        finally:
            client.close()
        return
    settings = load_settings(target.config)
    database = database_path(settings.database_url)
    address = address_in_lock(database)
    if address is not None:
        client = Client(address, _key(target, database))
        try:
            yield client
        finally:
            client.close()
    elif may_start:
        with _started(settings, target) as client:
            yield client
    else:
        raise CliError(
            "no gateway is running on this database; start one with `lamgate serve`, or say --url"
        )


def _key(target: Target, database: Path | None) -> str:
    key = target.key or os.environ.get("LAMGATE_KEY")
    if key is None and database is not None:
        key = read_key_file(operator_key_file(database))
    if key is None:
        raise CliError("no key: say --key, or set LAMGATE_KEY")
    return key


@contextmanager
def _started(settings: Settings, target: Target) -> Iterator[Client]:
    """A whole gateway in a thread of this process, under the same lock as any other."""
    from gateway.cli.server import Running, run_gateway

    running = Running()
    thread = threading.Thread(
        target=lambda: asyncio.run(run_gateway(settings, running, port=0)), daemon=True
    )
    thread.start()
    running.ready.wait()
    if running.error is not None:
        raise running.error
    client = Client(running.address, target.key or running.operator_key)
    try:
        yield client
    finally:
        client.close()
        running.stop()
        thread.join()
