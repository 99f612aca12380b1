"""What Composio's answers mean for an action: the one table of it, for either interface.

evidence                                     a read         a write
-------------------------------------------  -------------  -----------------------------------
200, `successful: true`                      Applied        Applied
200, `successful: false`                     Refused        Uncertain: it may have done a part
  with 429 or 5xx of the tool's own service  Unavailable    Uncertain
  that the manifest calls transactional      as above       Refused, or Unavailable: no effect
200, neither                                 Refused        Unreadable: it happened
no account, or one that is over              Refused: auth  Refused: auth, so the run waits
410                                          Refused        Refused: the version is retired
anything else                                as connectors/outcome.py says of it

`transactional_errors` has 200 where a failed tool has done nothing. An execution's `log_id` is its
request id.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from pydantic import JsonValue

from connectors.body import BodyError, read_json
from connectors.composio.wire import Execution
from connectors.connector import Outcome
from connectors.dates import retry_after_s
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.http import BadAnswerError, HttpAnswer, NotAllowedError, TransportError
from connectors.outcome import Dialect, kind_of, read_answer
from connectors.spec import ActionSpec, JsonObject
from connectors.text import visible

FAILED = 200  # how a manifest's transactional_errors names `successful: false`
NOT_CONNECTED = frozenset(
    {
        "ActionExecute_ConnectedAccountNotFound",
        "ActionExecute_ConnectedAccountExpired",
        "ToolRouterV2_NoActiveConnection",
        "1803",
        "1810",
    }
)
"""What Composio calls an account that is missing or over."""

_MOST_SAID = 500
DIALECT = Dialect(
    code_at=("error", "code"),
    message_at=("error", "message"),
    request_id_at=("error", "request_id"),
    kinds=dict.fromkeys(NOT_CONNECTED, Kind.AUTH),
)


def read_execution(action: ActionSpec, answer: HttpAnswer, wanted: Execution) -> Outcome:
    """Turn the answer to an execution into an outcome, or raise what it means."""
    mapped = partial(_data, action, answer)
    found = read_answer(action, _retold(answer, wanted), DIALECT, mapped=mapped)
    log = _log(_object(answer))
    return replace(found, request_id=log) if log else found


def read_reading(answer: HttpAnswer) -> JsonValue:
    """What a question was answered that executes nothing; raises `Refused` or `Unavailable`."""
    if 200 <= answer.status < 300:
        try:
            return read_json(answer.body)
        except BodyError as error:
            raise Refused(f"its answer cannot be read: {error}", kind=Kind.INTERNAL) from error
    body = _error_of(answer)
    told = visible(answer.hide(str(body.get("message") or "")), _MOST_SAID)
    message = f"{answer.status}: {told}" if told else f"it answered with status {answer.status}"
    kind, code = kind_of(answer.status), _text(body.get("code"))
    if answer.status >= 500 or answer.status in (408, 425, 429):
        after = retry_after_s(answer.headers, answer.received_at)
        raise Unavailable(message, kind=kind, retry_after_s=after, vendor_code=code)
    raise Refused(message, kind=kind, vendor_code=code, status=answer.status)


def lost(error: TransportError) -> ConnectorError:
    """What it means that such a question has no answer."""
    if isinstance(error, NotAllowedError):
        return Refused(str(error), kind=Kind.INVALID)
    after = None
    if isinstance(error, BadAnswerError):
        after = retry_after_s(error.headers, error.received_at)
    return Unavailable(str(error), retry_after_s=after, sent=False)


def _data(action: ActionSpec, answer: HttpAnswer, body: JsonValue) -> JsonValue:
    """What a tool gave; raises what its failure means, or `ValueError` for what says neither."""
    if not isinstance(body, dict):
        raise ValueError("it is no object")
    # The older interface writes it with two l.
    said = body.get("successful", body.get("successfull"))
    if not isinstance(said, bool):
        raise ValueError("it does not say whether the tool was successful")
    if not said:
        raise _failure(action, answer, body)
    return body.get("data")


def _failure(action: ActionSpec, answer: HttpAnswer, body: JsonObject) -> ConnectorError:
    """A tool that says that it failed, by the status that its own service gave, where it tells."""
    told = visible(answer.hide(str(body.get("error") or "")), _MOST_SAID)
    message, log = told or "the tool says that it failed", _log(body)
    data = body.get("data")
    given = data.get("status_code") if isinstance(data, dict) else None
    status = given if isinstance(given, int) and 400 <= given < 600 else None
    kind = Kind.INVALID if status is None else kind_of(status)
    if action.is_write and FAILED not in action.transactional_errors:
        doubted = Kind.INTERNAL if status is None else kind
        return Uncertain(message, kind=doubted, request_id=log, status=status)
    if status is not None and (status == 429 or status >= 500):
        return Unavailable(message, kind=kind, sent=True, request_id=log, status=status)
    return Refused(message, kind=kind, request_id=log, status=status)


def _retold(answer: HttpAnswer, wanted: Execution) -> HttpAnswer:
    """An error in the one form that the dialect reads, with what to do about it."""
    if 200 <= answer.status < 300:
        return answer
    error = _error_of(answer)
    if answer.status == 410:
        error["message"] = (
            f"version {wanted.version} of {wanted.toolkit} is retired: pin another in "
            f"toolkits.{wanted.toolkit}. {error.get('message') or ''}"
        ).strip()
    return replace(answer, body=json.dumps({"error": error}).encode())


def _error_of(answer: HttpAnswer) -> JsonObject:
    """Code, message and request id of an error; the older interface has them at the top."""
    body = _object(answer)
    inner = body.get("error")
    said: Mapping[str, JsonValue] = inner if isinstance(inner, dict) else body
    code = said.get("slug") or said.get("name") or said.get("code") or said.get("error_code")
    told = [_text(said.get("message")), _text(said.get("suggested_fix", said.get("suggestedFix")))]
    return {
        "code": _text(code),
        "message": ". ".join(each.rstrip(".") for each in told if each) or None,
        "request_id": _text(said.get("request_id")),
    }


def _object(answer: HttpAnswer) -> JsonObject:
    try:
        found = read_json(answer.body)
    except BodyError:
        return {}
    return found if isinstance(found, dict) else {}


def _log(body: JsonObject) -> str | None:
    told = _text(body.get("log_id", body.get("logId")))
    return None if told is None else visible(told, 200)


def _text(value: JsonValue) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
