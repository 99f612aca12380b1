"""When a call may be made again: pure, with jitter passed in as a number."""

from tenacity import RetryCallState, wait_exponential

from executor.run.state import Attempt

MOST_ATTEMPTS = 8
CREDENTIALS_AGAIN_S = 300.0
_WAIT = wait_exponential(multiplier=0.25, max=60)


def backoff_s(attempts: int, jitter: float) -> float:
    """Seconds to wait after so many attempts; `jitter` in [0, 1) adds up to a half on top."""
    # tenacity's wait functions take the state of a retry loop; only its number of attempts counts.
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]  # no loop here
    state.attempt_number = attempts
    return _WAIT(state) * (1 + jitter / 2)


def retry_at(attempt: Attempt, attempts: int, jitter: float) -> float:
    """When to try again after this attempt: never before Retry-After, jitter only on top."""
    ended_at = attempt.ended_at if attempt.ended_at is not None else attempt.at
    earliest = ended_at + backoff_s(attempts, jitter)
    asked = attempt.ended.failure.retry_at if attempt.ended and attempt.ended.failure else None
    return earliest if asked is None else max(earliest, asked + jitter * 0.05)
