"""The chat completions protocol as data: what an answer says, and what a failure means."""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from connectors.dates import retry_after_s
from connectors.spec import JsonObject
from planner.models.base import Completion, ModelError, ModelRefused, ModelUnavailable, Usage
from planner.models.redact import told
from planner.models.structured import FormatRefused, is_about_format

_FORMAT_STATUSES = (400, 404, 415, 422)
# How answers end at providers whose own words come through.
_CUT = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_FILTERED = frozenset(
    {"content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii",
     "guardrail_intervened"}
)  # fmt: skip
MAX_TEXT = 1_000_000
"""Characters of an answer: more than any plan may have."""
MOST_COUNTED = 1_000_000_000  # tokens


def read_completion(
    name: str,
    model: str,
    body: JsonValue,
    secret: str | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Completion:
    """Read the first choice; raises `ModelRefused` for a refusal, `ModelUnavailable` for no answer.

    An answer without any text is an empty one: a draft like another, and refused as such.
    """
    choice = _first_choice(body)
    if (error := _error(body, choice)) is not None:
        raise failure(name, _status(error), _reason(error) or "no reason given", headers, secret)
    message = choice.get("message") if choice else None
    if not isinstance(body, dict) or choice is None or not isinstance(message, dict):
        raise ModelUnavailable(f"{name} answered something that is no completion")
    refuse(name, _refusal(message), choice.get("finish_reason"), secret)
    told_usage = body.get("usage")
    usage = told_usage if isinstance(told_usage, dict) else {}
    return Completion(
        text=bounded(name, _text(message.get("content"))),
        model=found if isinstance(found := body.get("model"), str) and found else model,
        usage=Usage(counted(usage.get("prompt_tokens")), counted(usage.get("completion_tokens"))),
        cut=is_cut(choice.get("finish_reason")),
    )


def refuse(name: str, refusal: str | None, ended: JsonValue, secret: str | None) -> None:
    """Raise `ModelRefused` where the answer is that there is none."""
    if refusal:
        raise ModelRefused(f"{name} refused: {told(refusal, secret)}")
    if isinstance(ended, str) and ended.casefold() in _FILTERED:
        raise ModelRefused(f"{name} refused: its content filter stopped the answer")


def is_cut(ended: JsonValue) -> bool:
    """Whether the answer ended because it was too long."""
    return isinstance(ended, str) and ended.casefold() in _CUT


def bounded(name: str, text: str) -> str:
    """The answer's text, as it can be kept; raises `ModelUnavailable` if it is endless."""
    if len(text) > MAX_TEXT:
        raise ModelUnavailable(f"{name} answered more than {MAX_TEXT} characters")
    return text.encode("utf-8", "replace").decode()


def counted(tokens: object) -> int:
    """What a provider counts, as far as it can be a count: it is summed, compared and kept."""
    if not isinstance(tokens, int) or isinstance(tokens, bool):
        return 0
    return min(max(0, tokens), MOST_COUNTED)


def failure(
    name: str,
    status: int | None,
    reason: str,
    headers: Mapping[str, str],
    secret: str | None = None,
) -> ModelError:
    """What a failed call means: try again later, take another form, or leave it.

    Without a status nothing is known to be wrong with the request.
    """
    shown = told(reason, secret)
    if status is None or status in (408, 425, 429) or status >= 500:
        after_s = retry_after_s({key.lower(): text for key, text in headers.items()}, time.time())
        return ModelUnavailable(f"{name}: {shown}", retry_after_s=after_s)
    if status in _FORMAT_STATUSES and is_about_format(reason):
        return FormatRefused(f"{name}: {shown}")
    return ModelRefused(f"{name} answered {status}: {shown}")


def error_message(body: str) -> str:
    """The reason in an error's body, in the forms that are about; else the body itself."""
    try:
        read: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return _reason(read.get("error", read) if isinstance(read, dict) else read) or body


def _reason(error: JsonValue) -> str | None:
    message = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return message if isinstance(message, str) else None


def _error(body: JsonValue, choice: JsonObject | None) -> JsonValue:
    """The error in an answer that says it went well, or None: gateways of models send such."""
    for place in (body, choice):
        if isinstance(place, dict) and (found := place.get("error")):
            return found
    if choice is not None:
        return "the answer ended in an error" if choice.get("finish_reason") == "error" else None
    return _reason(body) if isinstance(body, dict) else None


def _status(error: JsonValue) -> int | None:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _first_choice(body: JsonValue) -> JsonObject | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _refusal(message: JsonObject) -> str | None:
    own = message.get("provider_specific_fields")
    for place in (message, own if isinstance(own, dict) else {}):
        if isinstance(found := place.get("refusal"), str) and found:
            return found
    return None


def _text(content: JsonValue) -> str:
    """The answer's text, where it comes in parts, too."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))
