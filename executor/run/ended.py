"""What the journal and the connection's permits are told of how a call ended."""

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import ConnectorError, Refused, Unavailable, Uncertain
from connectors.quota import Quota
from executor.breaker import evidence_of
from executor.run import events as e
from executor.run.commands import Perform
from executor.store.permits import Told


def answered(command: Perform, outcome: Outcome, now: float) -> e.AttemptEnded:
    """Of a call that a service answered."""
    state, output = _state(outcome)
    pending = outcome if isinstance(outcome, Pending) else None
    after_s = pending.retry_after_s if pending else None
    return e.AttemptEnded(
        step=command.step,
        iteration=command.iteration,
        n=command.n,
        state=state,
        output=output,
        failure=_unreadable(outcome),
        request_id=outcome.request_id,
        replayed=isinstance(outcome, Applied) and outcome.replayed,
        handle=pending.handle or None if pending else None,
        asks=pending.asks if pending else None,
        ask_from=None if after_s is None else now + after_s,
    )


def failed(command: Perform, error: ConnectorError, now: float) -> e.AttemptEnded:
    """Of a call that was refused, could not be made, or may have been made."""
    state, failure = _failure(error, now)
    return e.AttemptEnded(
        step=command.step,
        iteration=command.iteration,
        n=command.n,
        state=state,
        failure=failure,
        request_id=error.request_id,
    )


def not_sent(command: Perform) -> e.AttemptEnded:
    """Of a call that was not made, for it was not known whether its intent was."""
    return e.AttemptEnded(
        step=command.step,
        iteration=command.iteration,
        n=command.n,
        state="not_sent",
        failure=e.Failure(
            kind="unavailable", message="the journal did not answer in time", may_retry=True
        ),
    )


def _failure(error: ConnectorError, now: float) -> tuple[e.AttemptState, e.Failure]:
    retry_at, may_retry = None, False
    state: e.AttemptState = "refused"
    match error:
        case Unavailable(retry_after_s=seconds, sent=sent):
            retry_at = None if seconds is None else now + seconds
            may_retry, state = True, "refused" if sent else "not_sent"
        case Uncertain(retry_after_s=seconds):
            retry_at = None if seconds is None else now + seconds
            may_retry, state = True, "uncertain"
    return state, e.Failure(
        kind=error.kind.value,
        message=error.message,
        vendor_code=error.vendor_code,
        request_id=error.request_id,
        status=error.status,
        retry_at=retry_at,
        may_retry=may_retry,
        link=error.link if isinstance(error, Refused) else None,
    )


def _state(outcome: Outcome) -> tuple[e.AttemptState, JsonValue]:
    match outcome:
        case Applied(output=output):
            return "applied", output
        case Unreadable():
            return "applied_unreadable", None
        case Pending():
            return "applied_pending", None


def _unreadable(outcome: Outcome) -> e.Failure | None:
    if not isinstance(outcome, Unreadable):
        return None
    return e.Failure(kind="internal", message=outcome.reason)


def told_of(connection: str, event: e.AttemptEnded, began_at: float, quota: Quota | None) -> Told:
    """What the end of a call says of its service."""
    failure = event.failure
    if failure is None or event.state.startswith("applied"):
        return Told(connection, "answered", began_at, quota=quota)
    evidence = evidence_of(failure.kind, failure.status)
    return Told(connection, evidence, began_at, failure.message, failure.retry_at, quota)
