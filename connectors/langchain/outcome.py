"""What a tool's answer means for an action: the one table of it.

evidence                                     a read         a write
-------------------------------------------  -------------  ---------------------------------
every thread is taken, or it is too late     Unavailable    Unavailable, not begun
a result                                     Applied        Applied
what is no answer: a command to a graph      Refused        Unreadable: it happened
`ToolException`, handled by the tool or not  Refused        Uncertain: it may have done a part
  that the manifest calls transactional      Refused        Refused: no effect
an exception with an HTTP status of 4xx,     as connectors/outcome.py says of it
  5xx                                                       Uncertain
  that the manifest calls transactional                     as connectors/outcome.py says of it
any other exception, no end in time          Unavailable    Uncertain

A tool may make several requests, so one that was refused does not say that nothing happened.
"""

from collections.abc import Mapping
from dataclasses import replace

from connectors.connector import Outcome, Unreadable
from connectors.dates import retry_after_s
from connectors.errors import Kind, Refused, Uncertain
from connectors.http import HttpAnswer
from connectors.langchain.tool import Ended, Raised, Strange
from connectors.mcp.outcome import read_result
from connectors.mcp.wire import ToolResult
from connectors.outcome import Dialect, in_doubt, read_answer
from connectors.spec import ActionSpec
from connectors.tools.offer import Offer


def read_ended(offer: Offer, ended: Ended, now: float) -> Outcome:
    """Turn what a tool gave or raised into an outcome, or raise what it means.

    `now` is when it ended, in seconds since 1970.
    """
    match ended:
        case ToolResult():
            return read_result(offer, _as_declared(offer, ended))
        case Raised(error=error):
            return _raised(offer.spec, error, now)
        case Strange():
            return _strange(offer.spec)


def _as_declared(offer: Offer, found: ToolResult) -> ToolResult:
    """With what the operator declares of its output: the artifact, its JSON, or else its text."""
    declared = offer.spec.output_schema or {}
    texts = [each.get("text") for each in found.content]
    is_text = declared.get("type") == "string" or not found.has_structured
    if offer.is_typed and is_text and len(texts) == 1:
        return replace(found, structured=texts[0], has_structured=True)
    return found


def _strange(action: ActionSpec) -> Outcome:
    told = "the tool returned what is no answer: a command to a graph, or several messages"
    if action.is_write:
        return Unreadable(told)
    raise Refused(told, kind=Kind.INTERNAL)


def _raised(action: ActionSpec, error: BaseException, now: float) -> Outcome:
    """What an exception means; its words may be anything, so only its kind is told."""
    status = _status(error)
    told = f"the tool failed with {type(error).__name__}"
    if status is None:
        kind = Kind.TIMEOUT if isinstance(error, TimeoutError) else Kind.INTERNAL
        raise in_doubt(action, told, kind)
    headers = _headers(error)
    if action.is_write and status not in action.transactional_errors:
        after_s = retry_after_s(headers, now)
        told = f"{told}, of status {status}"
        raise Uncertain(told, kind=Kind.INTERNAL, retry_after_s=after_s, status=status)
    return read_answer(action, HttpAnswer(status, headers, b"", now), Dialect())


def _status(error: BaseException) -> int | None:
    """The status that HTTP libraries say with their exceptions."""
    response = getattr(error, "response", None)
    said = getattr(error, "status_code", getattr(response, "status_code", None))
    return said if isinstance(said, int) and 400 <= said < 600 else None


def _headers(error: BaseException) -> Mapping[str, str]:
    said = getattr(getattr(error, "response", None), "headers", None)
    found = said if isinstance(said, Mapping) else {}
    return {str(name).lower(): str(value) for name, value in found.items()}
