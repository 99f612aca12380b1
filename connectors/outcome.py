"""What an HTTP answer, or the lack of one, means for an action: the one table of it.

evidence                                     a read         a write
-------------------------------------------  -------------  ---------------------------
no byte left us                              Unavailable    Unavailable, not sent
time-out, reset or end after the first byte  Unavailable    Uncertain
408, 5xx                                     Unavailable    Uncertain
5xx that the manifest calls transactional    Unavailable    Unavailable, no effect
429                                          Unavailable    Unavailable, Retry-After kept
other 4xx                                    Refused        Refused
2xx with an unusable body                    Refused        Unreadable: it happened
202                                          -              Pending
3xx                                          Refused        Refused: redirects are not followed
"""

import email.utils
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.http import BadAnswerError, HttpAnswer, NoAnswerError, NotSentError, TransportError
from connectors.spec import ActionSpec

_KINDS = {
    400: Kind.INVALID,
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    409: Kind.CONFLICT,
    410: Kind.NOT_FOUND,
    412: Kind.CONFLICT,
    413: Kind.INVALID,
    415: Kind.INVALID,
    422: Kind.INVALID,
    423: Kind.CONFLICT,
    429: Kind.RATE_LIMITED,
    504: Kind.TIMEOUT,
}


@dataclass(frozen=True)
class Dialect:
    """Where a service puts what people want to know of an error or a replay."""

    code_at: tuple[str, ...] = ()
    message_at: tuple[str, ...] = ()
    request_id_header: str = "x-request-id"
    replayed_header: str = "idempotent-replayed"
    kinds: Mapping[str, Kind] | None = None  # the vendor's code to our kind, where status misleads


def read_answer(
    action: ActionSpec,
    answer: HttpAnswer,
    dialect: Dialect,
    *,
    mapped: Callable[[JsonValue], JsonValue] = lambda body: body,
) -> Outcome:
    """Turn an answer into an outcome, or raise what it means."""
    request_id = answer.headers.get(dialect.request_id_header)
    if answer.status == 202 and action.is_write:
        return Pending(answer.headers.get("location", ""), request_id)
    if 200 <= answer.status < 300:
        try:
            body = json.loads(answer.body) if answer.body.strip() else None
            replayed = answer.headers.get(dialect.replayed_header, "").lower() in ("true", "1")
            return Applied(mapped(body), request_id, replayed)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            reason = f"the answer of status {answer.status} cannot be read: {error}"
            return _unreadable(action, reason, request_id, answer.status)
    raise _error(action, answer, dialect, request_id)


def read_failure(action: ActionSpec, error: TransportError, dialect: Dialect) -> Outcome:
    """Turn a failed request into an outcome, or raise what it means."""
    match error:
        case NotSentError():
            raise Unavailable(str(error), sent=False) from error
        case BadAnswerError(status=status, headers=headers) if 200 <= status < 300:
            request_id = headers.get(dialect.request_id_header)
            return _unreadable(action, str(error), request_id, status)
        case BadAnswerError(status=status, headers=headers):
            raise _error(action, HttpAnswer(status, headers, b""), dialect, None) from error
        case NoAnswerError(timed_out=timed_out):
            kind = Kind.TIMEOUT if timed_out else Kind.UNAVAILABLE
            if action.is_write:
                raise Uncertain(str(error), kind=kind) from error
            raise Unavailable(str(error), kind=kind, sent=True) from error
        case _:
            raise Uncertain(str(error), kind=Kind.INTERNAL) from error


def _unreadable(action: ActionSpec, reason: str, request_id: str | None, status: int) -> Outcome:
    if action.is_write:
        return Unreadable(reason, request_id)
    raise Refused(reason, kind=Kind.INTERNAL, request_id=request_id, status=status)


def _error(
    action: ActionSpec, answer: HttpAnswer, dialect: Dialect, request_id: str | None
) -> ConnectorError:
    body = _json(answer.body)
    code = _text_at(body, dialect.code_at)
    said = _text_at(body, dialect.message_at)
    status = answer.status
    message = f"{status}: {said}" if said else f"status {status}"
    kind = _KINDS.get(status, Kind.UNAVAILABLE if status >= 500 else Kind.INVALID)
    kind = (dialect.kinds or {}).get(code or "", kind)
    after = retry_after_s(answer.headers.get("retry-after"), time.time())
    if status == 429:
        return Unavailable(
            message, kind=kind, retry_after_s=after, sent=True,
            vendor_code=code, request_id=request_id, status=status,
        )  # fmt: skip
    if status >= 500 or status == 408:
        if not action.is_write or status in action.transactional_errors:
            return Unavailable(
                message, kind=kind, retry_after_s=after, sent=True,
                vendor_code=code, request_id=request_id, status=status,
            )  # fmt: skip
        return Uncertain(message, kind=kind, vendor_code=code, request_id=request_id, status=status)
    return Refused(message, kind=kind, vendor_code=code, request_id=request_id, status=status)


def retry_after_s(text: str | None, now: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); None if there is none to read."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _json(body: bytes) -> JsonValue:
    try:
        found: JsonValue = json.loads(body)
    except ValueError:
        return None
    return found


def _text_at(body: JsonValue, path: tuple[str, ...]) -> str | None:
    here = body
    for token in path:
        here = here.get(token) if isinstance(here, dict) else None
    return str(here) if path and isinstance(here, str | int) else None
