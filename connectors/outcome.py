"""What an HTTP answer, or the lack of one, means for an action: the one table of it.

evidence                                     a read         a write
-------------------------------------------  -------------  ---------------------------------
no byte left us                              Unavailable    Unavailable, not sent
the request is not one that is sent          Refused        Refused
time-out, reset or end after the first byte  Unavailable    Uncertain
2xx, cut short                               Unavailable    Uncertain: not yet a yes
2xx with an unusable body                    Refused        Unreadable: it happened
202                                          as any 2xx     Pending, Retry-After kept
  without a body                             Unavailable    Pending
301, 307, 308                                Refused        Refused: it was not done here
other 1xx and 3xx                            Refused        Uncertain: often said after doing it
408, 5xx                                     Unavailable    Uncertain, Retry-After kept
  that the manifest calls transactional      Unavailable    Unavailable, no effect
425, 429                                     Unavailable    Unavailable, Retry-After kept
409 under a key that was sent before,        -              Uncertain: the earlier call may be
  without a code that says more                             what is in the way
other 4xx, also cut short                    Refused        Refused

Nothing here looks at a clock: an answer carries the time at which it came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.body import BodyError, read_json
from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.dates import retry_after_s
from connectors.errors import ConnectorError, Evidence, Kind, Refused, Unavailable, Uncertain
from connectors.http import (
    BadAnswerError,
    HttpAnswer,
    NoAnswerError,
    NotAllowedError,
    NotSentError,
    TransportError,
)
from connectors.pointer import text_at, tokens_of
from connectors.spec import ActionSpec, Effect
from connectors.text import visible

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
    423: Kind.CONFLICT,
    425: Kind.UNAVAILABLE,
    428: Kind.CONFLICT,
    429: Kind.RATE_LIMITED,
    504: Kind.TIMEOUT,
}
MISREAD = (ValueError, LookupError, TypeError, ArithmeticError)
"""What reading an answer raises that is not what it should be."""

_MOVED = (301, 307, 308)
_TRY_LATER = (425, 429)
_MOST_SAID = 500
# Where services say what is wrong, unless it is told where: RFC 9457, RFC 6749, and what is usual.
_USUAL_MESSAGES = tuple(
    tuple(each.split("/"))
    for each in (
        "detail", "error/message", "error_description", "message", "Message", "errors/0/message",
        "errors/0/detail", "errors/0", "error", "title", "msg",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """Where a service puts what people want to know of an error or a replay.

    A path is a tuple of keys, or of indices of a list; without `message_at` it is looked for where
    services usually have it. `kinds` gives a vendor's code our kind where its status misleads.
    """

    code_at: tuple[str, ...] = ()
    message_at: tuple[str, ...] = ()
    request_id_at: tuple[str, ...] = ()
    request_id_header: str = "x-request-id"
    replayed_header: str = "idempotent-replayed"
    kinds: Mapping[str, Kind] = field(default_factory=dict)


def read_answer(
    action: ActionSpec,
    answer: HttpAnswer,
    dialect: Dialect,
    *,
    mapped: Callable[[JsonValue], JsonValue] = lambda body: body,
    content: Callable[[HttpAnswer], JsonValue] | None = None,
    attempt: int = 1,
) -> Outcome:
    """Turn an answer into an outcome, or raise what it means; `content` reads what is no JSON."""
    if not 200 <= answer.status < 300:
        raise _error(action, answer, dialect, attempt)
    request_id = _clean(answer.headers.get(dialect.request_id_header), 200)
    after_s = retry_after_s(answer.headers, answer.received_at)
    if answer.status == 202 and action.is_write:
        return Pending(_handle(action, answer), request_id, retry_after_s=after_s)
    if answer.status == 202 and not answer.body.strip():
        told = "the service is still making its answer"
        raise Unavailable(
            told, kind=Kind.UNAVAILABLE, retry_after_s=after_s, sent=True, request_id=request_id
        )
    try:
        output = mapped(content(answer) if content else _content(action, answer))
    except (Unavailable, Uncertain) as error:
        # Said in an answer of status 200, by those who say everything so.
        if error.retry_after_s is None:
            error.retry_after_s = after_s
        raise
    except MISREAD as error:
        said = _clean(str(error), hide=answer.hide)
        reason = f"the answer of status {answer.status} cannot be read: {said}"
        return _unreadable(action, reason, request_id, answer.status)
    replayed = answer.headers.get(dialect.replayed_header, "").lower() in ("true", "1")
    return Applied(output, request_id, replayed, after_s)


def read_failure(
    action: ActionSpec, error: TransportError, dialect: Dialect, *, attempt: int = 1
) -> Outcome:
    """Turn a failed request into an outcome, or raise what it means."""
    match error:
        case NotAllowedError():
            raise Refused(str(error), kind=Kind.INVALID) from error
        case NotSentError(is_late=is_late):
            kind = Kind.CANCELLED if is_late else Kind.UNAVAILABLE
            raise Unavailable(str(error), kind=kind, sent=False) from error
        case BadAnswerError(status=status, headers=headers) if 200 <= status < 300:
            request_id = _clean(headers.get(dialect.request_id_header), 200)
            reason = f"the answer of status {status} cannot be read: {error}"
            return _unreadable(action, reason, request_id, status)
        case BadAnswerError(status=status, headers=headers, received_at=at):
            raise _error(action, HttpAnswer(status, headers, b"", at), dialect, attempt) from error
        case NoAnswerError(timed_out=timed_out):
            kind = Kind.TIMEOUT if timed_out else Kind.UNAVAILABLE
            if action.is_write:
                raise Uncertain(str(error), kind=kind) from error
            raise Unavailable(str(error), kind=kind, sent=True) from error
        case _:
            raise in_doubt(action, str(error), Kind.INTERNAL) from error


def in_doubt(action: ActionSpec, message: str, kind: Kind) -> ConnectorError:
    """What a call means of which nobody knows how it ended."""
    if action.is_write:
        return Uncertain(message, kind=kind)
    return Unavailable(message, kind=kind, sent=True)


def kind_of(status: int) -> Kind:
    """What a status of 400 or more is called."""
    return _KINDS.get(status, Kind.UNAVAILABLE if status >= 500 else Kind.INVALID)


def _handle(action: ActionSpec, answer: HttpAnswer) -> str:
    """What the service is asked about an accepted call with: its Location, or where it stands."""
    at = action.status.handle_at if action.status else None
    if at is None:
        return answer.headers.get("location", "")
    return text_at(_json(answer.body), tokens_of(at)) or ""


def _content(action: ActionSpec, answer: HttpAnswer) -> JsonValue:
    if not answer.body.strip():
        return None
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "text/plain" and action.output_schema is None:
        return answer.body.decode()
    return read_json(answer.body)


def _unreadable(action: ActionSpec, reason: str, request_id: str | None, status: int) -> Outcome:
    if action.is_write:
        return Unreadable(reason, request_id)
    raise Refused(reason, kind=Kind.INTERNAL, request_id=request_id, status=status)


def _error(
    action: ActionSpec, answer: HttpAnswer, dialect: Dialect, attempt: int
) -> ConnectorError:
    body = _json(answer.body)
    status = answer.status
    code = _clean(text_at(body, dialect.code_at), 100, answer.hide)
    said = _clean(_message(body, dialect.message_at), hide=answer.hide)
    told = text_at(body, dialect.request_id_at) or answer.headers.get(dialect.request_id_header)
    request_id = _clean(told, 200, answer.hide)
    message = f"{status}: {said}" if said else f"the service answered with status {status}"
    kind = dialect.kinds.get(code or "", kind_of(status))
    evidence: Evidence = {"vendor_code": code, "request_id": request_id, "status": status}
    after = retry_after_s(answer.headers, answer.received_at)
    if _means_no_effect_yet(action, status):
        return Unavailable(message, kind=kind, retry_after_s=after, sent=True, **evidence)
    if _leaves_doubt(action, status, code, attempt):
        return Uncertain(message, kind=kind, retry_after_s=after, **evidence)
    return Refused(message, kind=kind, **evidence)


def _means_no_effect_yet(action: ActionSpec, status: int) -> bool:
    """Whether the same call may simply be made again."""
    if status in _TRY_LATER:
        return True
    broken = status >= 500 or status == 408
    return broken and (not action.is_write or status in action.transactional_errors)


def _leaves_doubt(action: ActionSpec, status: int, code: str | None, attempt: int) -> bool:
    """Whether the effect may have happened all the same."""
    if not action.is_write:
        return False
    if status == 409:
        return action.effect is Effect.KEYED and attempt > 1 and code is None
    return status >= 500 or status == 408 or (status < 400 and status not in _MOVED)


def _json(body: bytes) -> JsonValue:
    try:
        return read_json(body)
    except BodyError:
        return None


def _message(body: JsonValue, said_at: tuple[str, ...]) -> str | None:
    """What the service says is wrong, in its own words."""
    places = (said_at,) if said_at else _USUAL_MESSAGES
    found = (text_at(body, place) for place in places)
    return next((each for each in found if each and each.strip()), None)


def _clean(
    text: str | None, most: int = _MOST_SAID, hide: Callable[[str], str] = str
) -> str | None:
    """A stranger's words as they may be shown, or None where there are none."""
    # Before they are cut: half a secret is not found any more.
    return None if text is None else visible(hide(text), most)
