"""What a tool's answer, or the lack of one, means for an action: the one table of it.

evidence                                     a read         a write
-------------------------------------------  -------------  ----------------------------------
the server is not there, nothing was sent    Unavailable    Unavailable, not sent
a result                                     Applied        Applied
a result that is not the protocol's          Refused        Unreadable: it happened
isError                                      Refused        Uncertain: it may have done a part
  that the manifest calls transactional      Refused        Refused: no effect
a session that the server does not know      Unavailable    Unavailable: it was not begun
-32601 and -32602                            Refused        Refused: it was not begun
another JSON-RPC error                       Unavailable    Uncertain
  that the manifest calls transactional      Unavailable    Refused: no effect
an HTTP status with no JSON-RPC error        as connectors/outcome.py says of it
broken stream, ended process, time-out       Unavailable    Uncertain
more input asked for, of people, in forms    Pending        Pending: a person answers
  of anything else                           Refused        Pending: a person has to find out
    by a server whose hints are trusted      Refused        Refused: not done yet

`transactional_errors` names JSON-RPC codes, and 200 for `isError`, which is told in a good answer.
"""

import json

from pydantic import JsonValue

from connectors.body import MOST_BYTES
from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.dates import retry_after_s
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.http import HttpAnswer, NotSentError
from connectors.mcp.carried import Carried
from connectors.mcp.wire import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    BadResult,
    GoneError,
    InputAsked,
    LostError,
    RpcError,
    ToolResult,
    WireError,
)
from connectors.outcome import Dialect, in_doubt, kind_of, read_answer, read_failure
from connectors.spec import ActionSpec, JsonObject
from connectors.text import visible
from connectors.tools.offer import Offer
from connectors.tools.schema import UnfitError, input_of

PLAIN_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "mime_type": {"type": "string"},
                    "uri": {"type": "string"},
                    "text": {"type": "string"},
                    "data": {"type": "string"},
                },
                "required": ["type"],
                "additionalProperties": False,
            },
        },
        "structured": {},
    },
    "required": ["text"],
    "additionalProperties": False,
}
"""What a tool answers that declares no output: its texts, and what else there was."""

IS_ERROR = 200
_MOST_SAID = 500
_MOST_STATE = 64 * 1024
_PARTS = {"mimeType": "mime_type", "uri": "uri", "text": "text", "data": "data", "blob": "data"}


def read_result(offer: Offer, found: ToolResult) -> Outcome:
    """Turn a result into an outcome, or raise what it means."""
    if not found.is_error:
        return Applied(found.structured if offer.is_typed else _plain(found))
    action = offer.spec
    # It is cut once no secret is in it any more: half of one is not found.
    told = visible(_text(found), MOST_BYTES) or "the tool says that it failed"
    if not action.is_write or IS_ERROR in action.transactional_errors:
        raise Refused(told, kind=Kind.INVALID)
    raise Uncertain(told, kind=Kind.INTERNAL)


def read_asked(offer: Offer, asked: InputAsked, *, trusts: bool) -> Outcome:
    """What it means that the server wants to know more: a person may answer what is a form."""
    state: JsonObject = {"request_state": asked.state, "input_requests": asked.requests}
    handle = json.dumps(state)
    forms = {name: _form(each) for name, each in asked.requests.items()}
    asks: JsonObject = {name: form for name, form in forms.items() if form is not None}
    if asks and len(asks) == len(forms) and len(handle) <= _MOST_STATE:
        return Pending(handle, asks=asks)
    wants = ", ".join(map(_wanted, asked.requests.values())) or "something it does not name"
    told = f"the tool asks for input before it goes on: {wants}"
    if not offer.spec.is_write or trusts:
        raise Refused(told[:_MOST_SAID], kind=Kind.INVALID)
    if len(handle) > _MOST_STATE:
        raise Uncertain(told[:_MOST_SAID], kind=Kind.INTERNAL)
    return Pending(handle)


def read_wire_error(action: ActionSpec, error: WireError, carried: Carried) -> Outcome:
    """Turn a failure into an outcome, or raise what it means."""
    if isinstance(carried.failure, ConnectorError | ConfigurationError):
        raise carried.failure  # of its credential: nothing was sent
    if isinstance(carried.failure, NotSentError):
        return read_failure(action, carried.failure, Dialect())
    match error:
        case GoneError() if carried.status == 404:
            raise Unavailable(str(error), sent=True) from error
        case BadResult():
            if action.is_write:
                return Unreadable(str(error))
            raise Refused(str(error), kind=Kind.INTERNAL) from error
        case RpcError(code=code) if code in (METHOD_NOT_FOUND, INVALID_PARAMS):
            kind = Kind.NOT_FOUND if code == METHOD_NOT_FOUND else Kind.INVALID
            raise Refused(_said(error), kind=kind, vendor_code=str(code)) from error
    if carried.status is not None and not 200 <= carried.status < 300:
        answer = HttpAnswer(carried.status, carried.headers, b"", carried.received_at)
        return read_answer(action, answer, Dialect())
    raise _doubt(action, error, carried) from error


def not_begun(carried: Carried) -> ConnectorError | ConfigurationError | None:
    """What the end of a request means that comes before a call; None where that is not known."""
    if isinstance(carried.failure, ConnectorError | ConfigurationError):
        return carried.failure
    status = carried.status
    if status is None or 200 <= status < 300:
        return None
    message, kind = f"the server answered with status {status}", kind_of(status)
    if kind is Kind.AUTH:
        return Refused(message, kind=kind, status=status)
    after_s = retry_after_s(carried.headers, carried.received_at)
    return Unavailable(message, kind=kind, retry_after_s=after_s, status=status)


def _doubt(action: ActionSpec, error: WireError, carried: Carried) -> ConnectorError:
    match error:
        case RpcError(code=code):
            if not action.is_write:
                return Unavailable(_said(error), sent=True, vendor_code=str(code))
            if code in action.transactional_errors:
                return Refused(_said(error), kind=Kind.INVALID, vendor_code=str(code))
            return Uncertain(_said(error), kind=Kind.INTERNAL, vendor_code=str(code))
        case LostError(timed_out=True):
            return in_doubt(action, _said(error), Kind.TIMEOUT)
    told = str(carried.failure) if carried.failure else _said(error)
    return in_doubt(action, told, Kind.UNAVAILABLE)


def _plain(found: ToolResult) -> JsonObject:
    """The texts of a result together, and its other parts one by one."""
    output: JsonObject = {"text": _text(found)}
    parts: list[JsonValue] = [_part(each) for each in found.content if each.get("type") != "text"]
    if parts:
        output["parts"] = parts
    if found.has_structured:
        output["structured"] = found.structured
    return output


def _text(found: ToolResult) -> str:
    texts = (each.get("text") for each in found.content if each.get("type") == "text")
    return "\n".join(each for each in texts if isinstance(each, str))


def _part(part: JsonObject) -> JsonObject:
    """An image, a sound, a link or a resource, in our words."""
    found: JsonObject = {"type": str(part.get("type", ""))[:40]}
    inner = part.get("resource")
    for source in (part, inner if isinstance(inner, dict) else {}):
        for theirs, ours in _PARTS.items():
            value = source.get(theirs)
            if isinstance(value, str):
                found[ours] = value
    return found


def _form(request: JsonValue) -> JsonObject | None:
    """What a person is asked, and what an answer looks like; None where it is no form of ours."""
    if not isinstance(request, dict) or request.get("method") != "elicitation/create":
        return None
    params = request.get("params")
    said: JsonObject = params if isinstance(params, dict) else {}
    if said.get("mode", "form") != "form":
        return None  # an address to be opened: who says that it leads where it says?
    try:
        schema = input_of(said.get("requestedSchema", {}))
    except UnfitError:
        return None
    return {"message": _wanted(request), "schema": schema}


def _wanted(request: JsonValue) -> str:
    params = request.get("params") if isinstance(request, dict) else None
    message = params.get("message") if isinstance(params, dict) else None
    method = request.get("method") if isinstance(request, dict) else None
    return visible(str(message or method or "?"), 200)


def _said(error: WireError) -> str:
    told = visible(str(error), _MOST_SAID) or "no reason was given"
    return f"{error.code}: {told}" if isinstance(error, RpcError) else told
