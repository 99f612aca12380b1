"""Any endpoint that speaks the chat completions protocol: Ollama, vLLM, and most providers."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import httpx2
from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelUnavailable
from planner.models.chat import error_message, failure, read_completion
from planner.models.redact import told
from planner.models.structured import (
    Forms,
    ResponseFormat,
    Structured,
    is_about_temperature,
    within,
)

__all__ = ["OpenAiCompatible", "Structured"]

MAX_ANSWER_BYTES = 8_000_000


@dataclass
class OpenAiCompatible:
    """One model behind `POST <base_url>/chat/completions`.

    `options` are members of the request body (`max_tokens`, `seed`, ...); null leaves one out.
    """

    name: str
    model: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    structured: Structured = "auto"
    timeout_s: float = 60.0
    options: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._forms = Forms(self.structured)
        self._temperature: JsonValue = 0  # null once the model said that it takes none

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once; with "auto", plain JSON where the endpoint refuses a schema."""

        async def once(form: ResponseFormat) -> Completion:
            return await self._post(messages, form)

        return await within(
            self.name, min(deadline_s, self.timeout_s), self._forms.ask(schema, once)
        )

    async def _post(self, messages: Sequence[Message], form: ResponseFormat) -> Completion:
        headers = {"accept-encoding": "identity"}
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        sent: JsonObject = {
            "model": self.model,
            "temperature": self._temperature,
            "response_format": form,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
        }
        body = {key: value for key, value in (sent | self.options).items() if value is not None}
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        try:
            async with (
                httpx2.AsyncClient(
                    timeout=self.timeout_s, trust_env=False, verify=_certificates()
                ) as client,
                client.stream("POST", url, json=body, headers=headers) as answer,
            ):
                text = await _read(self.name, answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            what = told(str(error) or type(error).__name__, self.api_key)
            raise ModelUnavailable(f"{self.name} does not answer: {what}") from error
        if answer.status_code != 200:
            reason = error_message(text)
            if "temperature" in body and is_about_temperature(answer.status_code, reason):
                self._temperature = None
                if "temperature" not in self.options:
                    return await self._post(messages, form)
            raise failure(self.name, answer.status_code, reason, answer.headers, self.api_key)
        return read_completion(self.name, self.model, _json(text), self.api_key, answer.headers)


@cache
def _certificates() -> ssl.SSLContext:
    """Those that are trusted, read once in a process: all else waits while they are read."""
    return httpx2.create_ssl_context(trust_env=False)


async def _read(name: str, answer: httpx2.Response) -> str:
    """The body as it came, bounded; nothing is decompressed, for nothing compressed was asked."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ModelUnavailable(f"{name} answered in an encoding that was not asked for")
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise ModelUnavailable(f"{name} answered more than {MAX_ANSWER_BYTES} bytes")
    return content.decode("utf-8-sig", "replace")


def _json(text: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
