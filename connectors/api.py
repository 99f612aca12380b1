"""One HTTP service, for functions that are actions: a line a call, the outcome table behind it.

    api = api_of(settings, given)
    return await api.ask(spec, context, "POST", "notes", body={"text": text})

Our key goes where the manifest's `idempotency` says. What comes back is read by the one table in
`connectors.outcome`; nothing is sent twice.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given, base_url_of
from connectors.http import HttpAnswer, HttpRequest, Transport, TransportError
from connectors.outcome import Dialect, read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, Idempotency, JsonObject
from connectors.url import AddressError, segment


def _as_it_is(body: JsonValue) -> JsonValue:
    return body


@dataclass(frozen=True)
class Api:
    """Where a service is, what each request carries, and how its answers are read."""

    base_url: str
    transport: Transport
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dialect: Dialect = field(default_factory=Dialect)

    async def ask(
        self,
        spec: ActionSpec,
        context: CallContext,
        method: str,
        *path: str,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: JsonObject | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        mapped: Callable[[JsonValue], JsonValue] = _as_it_is,
        content: Callable[[HttpAnswer], JsonValue] | None = None,
        done: Collection[int] = (),
    ) -> Outcome:
        """Send one request; each of `path` is one segment, whatever is in it.

        `mapped` makes the output of the answer's JSON, `content` of an answer that is none. A
        status of `done` is a plain success, whatever it is elsewhere: with some services 202 is
        the last that they say.
        """
        given, params = {**self.headers, **(headers or {})}, dict(query or {})
        match spec.idempotency:
            case Idempotency(place="header", name=name):
                given[name] = context.idempotency_key
            case Idempotency(place="query", name=name):
                params[name] = context.idempotency_key
            case Idempotency(place="body", name=name) if not isinstance(body, bytes):
                body = {**(body or {}), name: context.idempotency_key}
        if body is not None and not isinstance(body, bytes):
            given = {"content-type": "application/json"} | given
        request = HttpRequest(method, self._url(path, params), given, _written(body))
        try:
            answer = await self.transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(spec, error, self.dialect, attempt=context.attempt)
        if answer.status in done:
            answer = replace(answer, status=200)
        return read_answer(
            spec, answer, self.dialect, mapped=mapped, content=content, attempt=context.attempt
        )

    def _url(self, path: tuple[str, ...], params: Mapping[str, str | Sequence[str]]) -> str:
        try:
            below = "".join(f"/{segment(each)}" for each in path)
        except AddressError as error:
            raise Refused(str(error), kind=Kind.INVALID) from error
        return f"{self.base_url}{below}" + (f"?{urlencode(params, doseq=True)}" if params else "")


def api_of(
    settings: ConnectionSettings,
    given: Given,
    *,
    header: str = "Authorization",
    form: str = "Bearer {secret}",
    dialect: Dialect = Dialect(),  # noqa: B008 - frozen
) -> Api:
    """The service at the connection's `base_url`, with its credential where there is one.

    Raises `ConfigurationError`.
    """
    base_url, headers = base_url_of(settings), dict[str, str]()
    if settings.credential is not None:
        headers[header] = form.replace("{secret}", given.secret_of(settings.credential))
    return Api(base_url, given.transport, headers, dialect)


def _written(content: JsonObject | bytes | None) -> bytes | None:
    if content is None or isinstance(content, bytes):
        return content
    return json.dumps(content, ensure_ascii=False).encode()
