"""Rules about everything that a service and the way to it can do to a call over HTTP."""

from collections.abc import Iterator

from connectors.connector import Applied, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.testing.service import Fault, Said, Service, bomb
from connectors.testing.tiers import hold, needs
from connectors.testing.trial import NamedCall, Trial, Tried

_NOES = {
    400: Kind.INVALID,
    401: Kind.AUTH,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    422: Kind.INVALID,
}
_WAIT_S = 7
_MOST_BYTES = 32 * 1024 * 1024
_ELSEWHERE = "/where-a-redirect-leads"


def a_no_is_told_by_its_kind(trial: Trial) -> None:
    """Whoever has to act reads the kind, which is the same for every vendor."""
    for status, kind in _NOES.items():
        for tried in _each(trial, Fault(said=Said(status, {}))):
            hold(isinstance(tried.ended, Refused), f"{status}: {tried.was}, not in Refused")
            hold(_kind(tried) is kind, f"{status}: {tried.was}, not of kind {kind}")


def too_many_calls_wait_as_long_as_the_service_says(trial: Trial) -> None:
    """A limit that is not respected becomes a longer one."""
    for tried in _each(trial, Fault(said=Said(429, {}, {"retry-after": str(_WAIT_S)}))):
        hold(isinstance(tried.ended, Unavailable), f"429: {tried.was}, not in Unavailable")
        hold(_kind(tried) is Kind.RATE_LIMITED, f"429: {tried.was}, not of kind rate_limited")
        after = tried.ended.retry_after_s if isinstance(tried.ended, Unavailable) else None
        hold(after == _WAIT_S, f"429 with Retry-After: {_WAIT_S} is to be tried after {after} s")


def a_broken_service_leaves_a_write_in_doubt_and_a_read_not(trial: Trial) -> None:
    """A 5xx does not say whether it happened; only the manifest can promise that it did not."""
    for status in (500, 502, 503, 504):
        for tried in _each(trial, Fault(said=Said(status, {}))):
            is_safe = not tried.action.is_write or status in tried.action.transactional_errors
            due = Unavailable if is_safe else Uncertain
            hold(isinstance(tried.ended, due), f"{status}: {tried.was}, not in {due.__name__}")


def a_lost_answer_leaves_a_write_in_doubt_and_a_read_not(trial: Trial) -> None:
    """Whether the service acted before it hung up is not to be seen from here."""
    for fault in (Fault(ending="cut"), Fault(acts=True, ending="cut")):
        for tried in _each(trial, fault):
            due = Uncertain if tried.action.is_write else Unavailable
            hold(isinstance(tried.ended, due), f"no answer: {tried.was}, not in {due.__name__}")


def no_connection_means_that_nothing_was_sent(trial: Trial) -> None:
    """What never left may be sent again, whatever it is."""
    _service(trial)
    for call in trial.example.either or needs("read"):
        tried = trial.call(call, is_away=True)
        is_unsent = isinstance(tried.ended, Unavailable) and not tried.ended.sent
        hold(is_unsent, f"no connection: {tried.was}, not in Unavailable that was not sent")


def an_answer_that_cannot_be_read_has_happened_all_the_same(trial: Trial) -> None:
    """A write that the service confirmed is never sent again, however garbled its answer."""
    for body in (b"<html>It works!</html>", b'{"a": NaN}'):
        for tried in _each(trial, Fault(acts=True, said=Said(200, body))):
            due = Unreadable if tried.action.is_write else Refused
            hold(isinstance(tried.ended, due), f"no JSON: {tried.was}, not in {due.__name__}")


def each_call_is_one_request(trial: Trial) -> None:
    """Retries, limits and the journal are around the call: a connector never asks again."""
    _service(trial)
    for fault in (
        Fault(said=Said(429, {}, {"retry-after": "0"})),
        Fault(said=Said(503, {}, {"retry-after": "0"})),
        Fault(ending="cut"),
    ):
        for call in trial.example.either or needs("read"):
            tried = trial.call(call, fault=fault)
            hold(tried.requests == 1, f"{tried.action.name} was sent {tried.requests} times")


def no_redirect_is_followed(trial: Trial) -> None:
    """Where it leads was neither admitted nor checked, and the credential would go along."""
    service = _service(trial)
    for status in (301, 302, 303, 307, 308):
        to = {"location": service.url + _ELSEWHERE}
        for tried in _each(trial, Fault(said=Said(status, {}, to))):
            followed = any(asked.path == _ELSEWHERE for asked in service.asked)
            hold(not followed, f"{status}: {tried.action.name} was sent where it led")
            hold(not isinstance(tried.ended, Applied), f"{status}: {tried.was}")


def an_answer_without_end_is_given_up(trial: Trial) -> None:
    """A stranger decides how long an answer is, and how much comes out of it."""
    service = _service(trial)
    calls = trial.example.either or needs("read")
    for call, fault in ((calls[0], Fault(ending="endless")), (calls[-1], Fault(said=bomb()))):
        before = service.sent_bytes
        tried = trial.call(call, fault=fault)
        hold(not isinstance(tried.ended, Applied), f"without end: {tried.was}")
        took = service.sent_bytes - before
        hold(took < _MOST_BYTES, f"{tried.action.name} took {took} bytes of an answer")


def _each(trial: Trial, fault: Fault) -> Iterator[Tried]:
    """A read and a write while the service fails like this."""
    _service(trial)
    calls: tuple[NamedCall, ...] = trial.example.either or needs("read")
    for call in calls:
        yield trial.call(call, fault=fault)


def _service(trial: Trial) -> Service:
    """The service that can be spoiled."""
    return trial.example.service or needs("service")


def _kind(tried: Tried) -> Kind | None:
    return tried.ended.kind if isinstance(tried.ended, ConnectorError) else None
