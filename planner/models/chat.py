"""The chat completions protocol as data: what an answer says, and what a failure means."""

import json
import time
from collections.abc import Mapping

from pydantic import JsonValue

from connectors.dates import retry_after_s
from connectors.spec import JsonObject
from planner.models.base import Completion, ModelError, ModelRefused, ModelUnavailable, Usage
from planner.models.redact import told
from planner.models.structured import FormatRefused, is_about_format

_FORMAT_STATUSES = (400, 404, 415, 422)
MAX_TEXT = 1_000_000
"""Characters of an answer: more than any plan may have."""
MOST_COUNTED = 1_000_000_000  # tokens


def read_completion(
    name: str, model: str, body: JsonValue, secret: str | None = None
) -> Completion:
    """Read the first choice; raises `ModelRefused` for a refusal, `ModelUnavailable` for no answer.

    An answer without any text is an empty one: a draft like another, and refused as such.
    """
    choice = _first_choice(body)
    message = choice.get("message") if choice else None
    if not isinstance(body, dict) or choice is None or not isinstance(message, dict):
        raise ModelUnavailable(f"{name} answered something that is no completion")
    refuse(name, _refusal(message), choice.get("finish_reason"), secret)
    told_usage = body.get("usage")
    usage = told_usage if isinstance(told_usage, dict) else {}
    return Completion(
        text=bounded(name, _text(message.get("content"))),
        model=str(body.get("model") or model),
        usage=Usage(counted(usage.get("prompt_tokens")), counted(usage.get("completion_tokens"))),
        cut=choice.get("finish_reason") == "length",
    )


def refuse(name: str, refusal: str | None, ended: JsonValue, secret: str | None) -> None:
    """Raise `ModelRefused` where the answer is that there is none."""
    if refusal:
        raise ModelRefused(f"{name} refused: {told(refusal, secret)}")
    if ended == "content_filter":
        raise ModelRefused(f"{name} refused: its content filter stopped the answer")


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
    error = read.get("error", read) if isinstance(read, dict) else read
    message = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return message if isinstance(message, str) else body


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
