"""How a plan's shape is asked for: a strict schema where there is one, plain JSON where not.

Providers differ, and none says beforehand what it takes. With "auto" the strictest form is
asked for first; where the provider answers that it does not know it, the next one is, and
what it took is remembered, so that the next request costs one call again.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.models.base import Completion, ModelRefused, ModelUnavailable

Structured = Literal["auto", "schema", "json"]
ResponseFormat = JsonObject | None
_ABOUT_FORMAT = re.compile(
    r"response.?format|json.?object|structured.?output|output.?format|\bschema|json.?schema"
    r"|grammar|guided",
    re.IGNORECASE,
)


class FormatRefused(ModelRefused):
    """The provider does not take this `response_format`; another one may do."""


class Forms:
    """The response formats that one model is asked with, strictest first."""

    def __init__(self, structured: Structured) -> None:
        self._structured = structured
        self._first = 0

    async def ask(
        self, schema: JsonObject | None, once: Callable[[ResponseFormat], Awaitable[Completion]]
    ) -> Completion:
        """Ask with the strictest form that is taken; raises what the last attempt raised."""
        forms = self._forms(schema)
        for place in range(min(self._first, len(forms) - 1), len(forms)):
            try:
                completion = await once(forms[place])
            except FormatRefused:
                if place == len(forms) - 1:
                    raise
                continue
            if schema is not None:
                self._first = place
            return completion
        raise AssertionError("there is always a form")

    def _forms(self, schema: JsonObject | None) -> tuple[ResponseFormat, ...]:
        if schema is None:
            return (None,)
        strict: JsonObject = {
            "type": "json_schema",
            "json_schema": {"name": "plan", "strict": True, "schema": schema},
        }
        match self._structured:
            case "auto":
                return (strict, {"type": "json_object"}, None)
            case "schema":
                return (strict,)
            case "json":
                return ({"type": "json_object"}, None)


def is_about_format(message: str) -> bool:
    """Whether a provider's complaint is about the form that was asked for."""
    return _ABOUT_FORMAT.search(message) is not None


def is_about_temperature(status: JsonValue, message: str) -> bool:
    """Whether a provider's complaint is that this model takes no temperature."""
    return status in (400, 422) and "temperature" in message.casefold()


async def within(name: str, seconds: float, answer: Awaitable[Completion]) -> Completion:
    """Wait for an answer, but no longer; raises `ModelUnavailable`."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError as error:
        raise ModelUnavailable(f"{name} does not answer within {seconds:g} s") from error
