"""Talks to one gateway over HTTP, under one key."""

import contextlib
import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import httpx2
from pydantic import JsonValue

from connectors.spec import JsonObject
from gateway.cli.problem import NO_TEXT, CliError, of_http
from gateway.cli.show import command

TIMEOUT_S = 90.0
PAGE = 200
PROBLEM = "application/problem+json"
QUIET_S = 30.0  # a stream says at least that it is still there, every ten seconds
RECONNECT_WITHIN_S = 15.0
RECONNECT_PAUSE_S = 0.5
PATIENT_S = 30.0  # with a gateway that has been asked too much


def named(text: str) -> str:
    """What somebody wrote as one part of a path: it leads nowhere else."""
    return quote(text, safe="", errors="replace")


class _Over(Exception):
    """Nothing more will come."""


class _Pausing(Exception):
    """It is there, and begins or ends, or its database is away."""


class Client:
    """One gateway under one key; with `is_own`, the one that runs in this very process.

    `said` are the options that led to it, for the commands that are told to come next.
    """

    def __init__(
        self, url: str, key: str, *, is_own: bool = False, said: tuple[str, ...] = ()
    ) -> None:
        self.url = url.rstrip("/")
        self.is_own = is_own
        self._said = said
        if not (key.isascii() and key.isprintable()):
            raise CliError("bad-option", "this key holds what no key can hold", fix="Copy it anew.")
        try:
            self._http = httpx2.Client(
                base_url=self.url,
                headers={"authorization": f"Bearer {key}"},
                timeout=TIMEOUT_S,
                trust_env=False,
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise CliError("bad-option", f"{url!r} is no address: {error}", "--url") from error

    def command(self, *words: str) -> str:
        """A command about the same gateway, to be copied."""
        return command(*words, *self._said)

    def get(self, path: str, *, accept: str = "application/json") -> JsonValue:
        """Read something; raises `CliError`."""
        return self._read(self._send("GET", path, headers={"accept": accept}))

    def thing(self, path: str) -> JsonObject:
        """Read one object."""
        found = self.get(path)
        return found if isinstance(found, dict) else {}

    def things(self, path: str) -> list[JsonObject]:
        """Read a list of objects."""
        found = self.get(path)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def newest(self, path: str, **filters: str | None) -> list[JsonObject]:
        """The newest of a list, of those that the filters leave."""
        said = "&".join(f"{name}={named(each)}" for name, each in filters.items() if each)
        return self.things(f"{path}?{said}" if said else path)

    def all_things(self, path: str, by: str = "id", on: str = "after") -> list[JsonObject]:
        """Everything that a list goes on with, however many lists they are."""
        path = f"{path}{'&' if '?' in path else '?'}limit={PAGE}"
        page = found = self.things(path)
        while len(page) == PAGE:
            page = self.things(f"{path}&{on}={named(str(page[-1][by]))}")
            found = [*found, *page]
        return found

    def post(self, path: str, body: JsonObject, *, wait_s: int = 0) -> JsonObject:
        """Ask for something, waiting for it for a while; raises `CliError`."""
        headers = {"prefer": f"wait={wait_s}"} if wait_s else {}
        found = self._read(self._send("POST", path, body, headers))
        return found if isinstance(found, dict) else {}

    def put(self, path: str, body: JsonObject) -> JsonObject:
        """Set something; raises `CliError`."""
        found = self._read(self._send("PUT", path, body))
        return found if isinstance(found, dict) else {}

    def delete(self, path: str) -> JsonObject:
        """End something; raises `CliError`."""
        found = self._read(self._send("DELETE", path))
        return found if isinstance(found, dict) else {}

    def events(self, path: str, after: int = 0) -> Iterator[JsonObject]:
        """Follow a journal until nothing more can come, over lost connections and restarts."""
        alive_at = time.monotonic()
        while True:
            try:
                for event in self._stream(path, after):
                    alive_at = time.monotonic()
                    if event is not None:
                        after = int(str(event["seq"]))
                        yield event
            except _Over:
                return
            except (httpx2.TransportError, _Pausing) as error:
                if time.monotonic() > alive_at + RECONNECT_WITHIN_S:
                    raise self._gone(error) from error
                time.sleep(RECONNECT_PAUSE_S)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _stream(self, path: str, after: int) -> Iterator[JsonObject | None]:
        """Events as they come, and None for every other sign of life."""
        headers = {"accept": "text/event-stream", "last-event-id": str(after)}
        timeout = httpx2.Timeout(TIMEOUT_S, read=QUIET_S)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            if answer.status_code == 204:
                raise _Over
            if answer.status_code in (429, 503):
                raise _Pausing(f"it takes no requests for now (status {answer.status_code})")
            if answer.status_code != 200:
                answer.read()
                self._read(answer)
            yield None
            for line in answer.iter_lines():
                is_event = line.startswith("data: ")
                yield json.loads(line.removeprefix("data: ")) if is_event else None

    def _send(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        try:
            until = time.monotonic() + PATIENT_S
            while True:
                answer = self._http.request(method, path, json=body, headers=headers)
                wait_s = _wait_s(answer)
                if wait_s is None or time.monotonic() + wait_s > until:
                    return answer
                time.sleep(wait_s)  # nothing was done: it is asked again
        except httpx2.HTTPError as error:
            raise self._gone(error) from error
        except UnicodeEncodeError as error:
            raise CliError("not-utf-8", NO_TEXT) from error

    def _gone(self, error: Exception) -> CliError:
        fix = "Start one with `lamgate serve`; what it had accepted goes on then."
        return CliError("no-gateway", f"no gateway answers: {error}", self.url, fix)

    def _read(self, answer: httpx2.Response) -> JsonValue:
        if answer.is_success and answer.headers.get("content-type", "").startswith("text/plain"):
            return answer.text
        body: JsonValue = None
        with contextlib.suppress(ValueError):
            body = answer.json()
        if answer.is_success and body is not None:
            return body
        if isinstance(body, dict) and answer.headers.get("content-type") == PROBLEM:
            raise of_http(body, answer.status_code)
        what = f"what answers is no gateway (status {answer.status_code})"
        raise CliError("no-gateway", what, self.url, "Look at --url.")


def _wait_s(answer: httpx2.Response) -> float | None:
    """How long whoever has asked too much is to wait."""
    text = answer.headers.get("retry-after", "")
    is_told = answer.status_code == 429 and text.isascii() and text.isdigit()
    return min(float(text), PATIENT_S + 1) if is_told else None
