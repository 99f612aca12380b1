"""Any endpoint that speaks the chat completions protocol: Ollama, vLLM, and most providers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx2
from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelRefused, ModelUnavailable, Usage

Structured = Literal["auto", "schema", "json"]
_FORMAT_REFUSED = (400, 404, 422)


@dataclass
class OpenAiCompatible:
    """One model behind `POST <base_url>/chat/completions`."""

    name: str
    model: str
    base_url: str
    api_key: str | None = None
    structured: Structured = "auto"
    timeout_s: float = 60.0

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once; with "auto", plain JSON where the endpoint refuses a schema."""
        wants_schema = schema is not None and self.structured != "json"
        status, body, headers = await self._post(
            messages, schema if wants_schema else None, deadline_s
        )
        if wants_schema and self.structured == "auto" and status in _FORMAT_REFUSED:
            status, body, headers = await self._post(messages, None, deadline_s)
        if status == 429 or status >= 500:
            after = headers.get("retry-after")
            seconds = float(after) if after and after.replace(".", "", 1).isdigit() else None
            raise ModelUnavailable(f"{self.name} answered {status}", retry_after_s=seconds)
        if status != 200:
            raise ModelRefused(f"{self.name} answered {status}: {_message(body)}")
        return read_completion(self.name, self.model, body)

    async def _post(
        self, messages: Sequence[Message], schema: JsonObject | None, deadline_s: float
    ) -> tuple[int, JsonValue, Mapping[str, str]]:
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        sent: JsonObject = {
            "model": self.model,
            "temperature": 0,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "response_format": response_format(schema),
        }
        timeout = min(deadline_s, self.timeout_s)
        try:
            async with httpx2.AsyncClient(timeout=timeout, trust_env=False) as client:
                url = f"{self.base_url.rstrip('/')}/chat/completions"
                answer = await client.post(url, json=sent, headers=headers)
                return answer.status_code, _json(answer.text), answer.headers
        except httpx2.HTTPError as error:
            what = str(error) or type(error).__name__
            raise ModelUnavailable(f"{self.name} does not answer: {what}") from error


def response_format(schema: JsonObject | None) -> JsonObject:
    """Strict structured output with a schema, plain JSON without."""
    if schema is None:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "plan", "strict": True, "schema": schema},
    }


def read_completion(name: str, model: str, body: JsonValue) -> Completion:
    """Read a chat completion; raises `ModelRefused` where there is no text to read."""
    try:
        if not isinstance(body, dict) or not isinstance(choices := body["choices"], list):
            raise TypeError("no choices")
        choice = choices[0]
        if not isinstance(choice, dict) or not isinstance(message := choice["message"], dict):
            raise TypeError("no message")
        refusal = message.get("refusal")
        text = message.get("content")
        if refusal or not isinstance(text, str):
            raise ModelRefused(f"{name} refused: {refusal or 'no text'}")
        usage = body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return Completion(
            text=text,
            model=str(body.get("model", model)),
            usage=Usage(_count(counts, "prompt_tokens"), _count(counts, "completion_tokens")),
            cut=choice.get("finish_reason") == "length",
        )
    except (LookupError, TypeError) as error:
        raise ModelRefused(f"{name} answered something else: {error}") from error


def _count(usage: JsonObject, name: str) -> int:
    found = usage.get(name)
    return found if isinstance(found, int) else 0


def _message(body: JsonValue) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else "no reason given"


def _json(text: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        return None
    return found
