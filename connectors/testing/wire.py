"""Rules about everything that a service and the way to it can do to a call over HTTP.

Each failure is tried at every request of every call in turn; what is due depends on whether the
call had acted by then (`connectors.testing.steps`).
"""

from collections.abc import Iterator

from connectors.connector import Applied, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import Effect
from connectors.testing.promises import looked_up
from connectors.testing.service import Asked, Fault, Said, bomb
from connectors.testing.steps import Stage, Step, service_of, steps_of
from connectors.testing.tiers import Spared, hold
from connectors.testing.trial import Trial, Tried, new_key

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
    faults = {str(status): Fault(said=Said(status, {})) for status in _NOES}
    for what, step, tried in _spoiled(trial, faults):
        step.hold(tried, what, reading=Refused, acting=Refused)
        if isinstance(tried.ended, Refused):
            kind = _NOES[int(what)]
            is_so = tried.ended.kind is kind
            hold(is_so, f"{step.told(what)}: {tried.was}, not of kind {kind}")


def too_many_calls_wait_as_long_as_the_service_says(trial: Trial) -> None:
    """A limit that is not respected becomes a longer one."""
    fault = Fault(said=Said(429, {}, {"retry-after": str(_WAIT_S)}))
    for what, step, tried in _spoiled(trial, {"429": fault}):
        step.hold(tried, what, reading=Unavailable, acting=Unavailable)
        if isinstance(tried.ended, Unavailable):
            is_limit = tried.ended.kind is Kind.RATE_LIMITED
            hold(is_limit, f"{step.told(what)}: {tried.was}, not of kind rate_limited")
            after = tried.ended.retry_after_s
            told = f"{step.told(f'429 with Retry-After: {_WAIT_S}')} is tried after {after} s"
            hold(after == _WAIT_S, told)


def a_broken_service_leaves_a_write_in_doubt_and_a_read_not(trial: Trial) -> None:
    """A 5xx does not say whether it happened; only the manifest can promise that it did not."""
    faults = {str(status): Fault(said=Said(status, {})) for status in (500, 502, 503, 504)}
    for what, step, tried in _spoiled(trial, faults):
        is_safe = int(what) in tried.action.transactional_errors
        acting = Unavailable if is_safe else Uncertain
        step.hold(tried, what, reading=Unavailable, acting=acting)


def a_lost_answer_leaves_a_write_in_doubt_and_a_read_not(trial: Trial) -> None:
    """Whether the service acted before it hung up is not to be seen from here."""
    for acts in (False, True):
        for what, step, tried in _spoiled(trial, {"no answer": Fault(acts=acts, ending="cut")}):
            step.hold(tried, what, reading=Unavailable, acting=Uncertain)


def what_was_lost_is_settled_by_its_key(trial: Trial) -> None:
    """After a lost answer the same key ends in one effect, or the look-up tells whether it is."""
    ways = (False, True) if trial.whole else (True,)
    looked_at = [_settled(trial, step, acts) for step in steps_of(trial) for acts in ways]
    if not any(looked_at):
        raise Spared("no action that was tried promises it")


def no_connection_means_that_nothing_was_sent(trial: Trial) -> None:
    """What never left may be sent again, whatever it is."""
    for step in steps_of(trial):
        tried = trial.call(step.call, is_away=True, at=step.at)
        step.hold(tried, "no connection", reading=Unavailable, acting=Unavailable)
        if isinstance(tried.ended, Unavailable) and step.at == 1:
            hold(not tried.ended.sent, f"no connection: {tried.was}, and says that it was sent")


def an_answer_that_cannot_be_read_has_happened_all_the_same(trial: Trial) -> None:
    """A write that the service confirmed is never sent again, however garbled its answer."""
    for body in (b"<html>It works!</html>", b'{"a": NaN}'):
        fault = Fault(acts=True, said=Said(200, body))
        for what, step, tried in _spoiled(trial, {"no JSON": fault}):
            step.hold(tried, what, reading=Refused, acting=Unreadable)


def no_request_is_sent_again(trial: Trial) -> None:
    """Retries, limits and the journal are around the call: a connector never asks again."""
    faults = {
        "429": Fault(said=Said(429, {}, {"retry-after": "0"})),
        "503": Fault(said=Said(503, {}, {"retry-after": "0"})),
        "no answer": Fault(ending="cut"),
    }
    for what, step, tried in _spoiled(trial, faults):
        came = [_line(each) for each in tried.asked[step.at - 1 :]]
        told = f"{step.told(what)}: {tried.action.name} sent the same again"
        hold(not any(each == came[0] for each in came[1:]), told)


def no_redirect_is_followed(trial: Trial) -> None:
    """Where it leads was neither admitted nor checked, and the credential would go along."""
    to = {"location": service_of(trial).url + _ELSEWHERE}
    faults = {str(each): Fault(said=Said(each, {}, to)) for each in (301, 302, 303, 307, 308)}
    for what, step, tried in _spoiled(trial, faults):
        followed = any(asked.path == _ELSEWHERE for asked in tried.asked)
        hold(not followed, f"{step.told(what)}: {tried.action.name} was sent where it led")
        hold(not isinstance(tried.ended, Applied), f"{step.told(what)}: {tried.was}")


def an_answer_without_end_is_given_up(trial: Trial) -> None:
    """A stranger decides how long an answer is, and how much comes out of it."""
    service = service_of(trial)
    faults = {
        "without end": Fault(acts=True, ending="endless"),
        "a bomb": Fault(acts=True, said=bomb()),
    }
    before = service.sent_bytes
    for what, step, tried in _spoiled(trial, faults):
        is_fine = not isinstance(tried.ended, Applied) or step.is_read_back
        hold(is_fine, f"{step.told(what)}: {tried.was}")
        took, before = service.sent_bytes - before, service.sent_bytes
        hold(took < _MOST_BYTES, f"{tried.action.name} took {took} bytes of an answer")


def _spoiled(trial: Trial, faults: dict[str, Fault]) -> Iterator[tuple[str, Step, Tried]]:
    """Each call, with each of its requests going wrong in each of these ways."""
    steps = steps_of(trial)
    for number, step in enumerate(steps):
        for index, (what, fault) in enumerate(faults.items()):
            if trial.whole or index % len(steps) == number % len(faults):
                yield what, step, trial.call(step.call, fault=fault, at=step.at)


def _settled(trial: Trial, step: Step, acts: bool) -> bool:
    """Lose an answer and make the same call good; whether there was anything to make good."""
    call, key = trial.fresh(step.call), new_key()
    lost = trial.call(call, key=key, fault=Fault(acts=acts, ending="cut"), at=step.at)
    action = lost.action
    if action.lookup is not None:
        looked = trial.call((action.lookup.action, {action.lookup.by: key}))
        hold(isinstance(looked.ended, Applied), looked.was)
        is_found = looked_up(looked, action.lookup, key) is not None
        is_there = step.stage is Stage.DONE or (acts and step.stage is Stage.ACTING)
        what = "is not found" if is_there else "is found and was not done"
        hold(is_found == is_there, f"{step.told('no answer')}: what {action.name} did {what}")
        return True
    if action.effect not in (Effect.KEYED, Effect.IDEMPOTENT):
        return False
    again = trial.call(call, key=key, attempt=2)
    hold(isinstance(again.ended, Applied), f"{step.told('no answer')}: then {again.was}")
    if trial.example.effects is not None:
        acted = lost.effects + again.effects
        hold(acted == 1, f"{step.told('no answer')}: {action.name} acted {acted} times in two")
    return True


def _line(asked: Asked) -> tuple[str, str, str]:
    return asked.method, asked.path, f"{asked.pairs} {asked.body}"
