"""What is written of a call that ended, and what it says of the service for the calls after it."""

import pytest
from run_cases import NOW, play, step

from connectors.connector import Applied, Pending, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from executor.run.commands import Perform
from executor.run.ended import answered, failed, told_of


def _call() -> Perform:
    return play(step("a", "blind")).performs()["a"]


@pytest.mark.parametrize("error", [Unavailable, Uncertain])
def test_whoever_says_when_to_come_again_is_heard_also_where_it_may_have_happened(
    error: type[Unavailable | Uncertain],
) -> None:
    said = error("later", kind=Kind.UNAVAILABLE, retry_after_s=7.0, status=503)
    event = failed(_call(), said, NOW)

    assert event.failure is not None
    assert event.failure.retry_at == NOW + 7
    assert told_of("shop", event, NOW, None).hold_until == NOW + 7


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (Refused("no", kind=Kind.INVALID, status=422), "answered"),
        (Uncertain("?", kind=Kind.TIMEOUT), "down"),
        (Unavailable("?", kind=Kind.UNAVAILABLE, status=503, sent=True), "down"),
        (Uncertain("?", kind=Kind.INTERNAL), None),
    ],
)
def test_a_failure_says_that_a_service_is_down_or_that_it_answers_or_neither(
    error: ConnectorError, evidence: str | None
) -> None:
    assert told_of("shop", failed(_call(), error, NOW), NOW, None).evidence == evidence


@pytest.mark.parametrize("outcome", [Applied({}), Unreadable("not JSON"), Pending("7")])
def test_whatever_was_answered_the_service_answers(
    outcome: Applied | Unreadable | Pending,
) -> None:
    assert told_of("shop", answered(_call(), outcome, NOW), NOW, None).evidence == "answered"
