"""The last net: no log record, answer or prompt has a secret in it, wherever it came from."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.redact import HIDDEN, Redactor
from connectors.spec import JsonObject
from gateway.cipher import KeyRing
from gateway.hiding import HiddenFromModel, HiddenInAnswers, hidden_in_logs
from gateway.material import Material, Seals
from planner.models.base import Completion, Message

SECRET = "the-secret-value"
LOOKS = f"sk_live_{'a1B2' * 6}"  # like somebody's key, though none of ours


@pytest.fixture
def redactor() -> Redactor:
    found = Redactor()
    found.learn(SECRET)
    return found


def test_no_record_of_a_log_has_a_secret_wherever_it_stands(
    redactor: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("some.library")
    with hidden_in_logs(redactor):
        log.warning("said %s and %s", SECRET, LOOKS)
        log.warning("%d %s", SECRET)  # its arguments do not fit
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("failed")
    log.warning("afterwards %s", "as before")
    told = [logging.Formatter().format(each) for each in caplog.records]

    assert told[0] == f"said {HIDDEN} and {HIDDEN}"
    assert f"ValueError: {HIDDEN}" in told[2]
    assert not [each for each in told if SECRET in each]
    assert told[-1] == "afterwards as before"


def test_the_lines_of_a_stack_are_told_without_secrets(
    redactor: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    redactor.learn("test_the_lines_of_a_stack_are_told_without_secrets")  # as its own line says
    with hidden_in_logs(redactor):
        logging.getLogger("some.library").warning("where", stack_info=True)
    (record,) = caplog.records

    assert f"in {HIDDEN}" in (record.stack_info or "")


@pytest.mark.parametrize("pieces", [1, 2])
async def test_no_answer_has_a_secret_in_its_head_or_body_and_its_length_is_right(
    redactor: Redactor, pieces: int
) -> None:
    told = [f"a {SECRET} b".encode()] * pieces

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = sum(map(len, told))
        headers = [
            (b"content-length", str(length).encode()),
            (b"location", f"/x?key={SECRET}".encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, each in enumerate(told, 1):
            more = number < pieces
            await send({"type": "http.response.body", "body": each, "more_body": more})

    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    await HiddenInAnswers(app, redactor)({"type": "http"}, None, keep)  # type: ignore[arg-type]  # nobody receives
    start, *bodies = sent
    headers = dict(start["headers"])
    whole = b"".join(each["body"] for each in bodies)

    assert whole == f"a {HIDDEN} b".encode() * pieces
    assert headers[b"location"] == f"/x?key={HIDDEN}".encode()
    assert headers.get(b"content-length") == (b"12" if pieces == 1 else None)


class Echo:
    """A model that says what it is told."""

    name = "echo"

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        self.told = [each.content for each in messages]
        return Completion(f"you said {SECRET}", self.name)


async def test_a_model_is_told_no_secret_and_what_it_made_up_of_one_is_hidden(
    redactor: Redactor,
) -> None:
    model = Echo()
    asked = [Message(role="user", content=f"my keys are {SECRET} and {LOOKS}")]
    answer = await HiddenFromModel(model, redactor).complete(asked, schema=None, deadline_s=1.0)

    assert model.told == [f"my keys are {HIDDEN} and {HIDDEN}"]
    assert answer.text == f"you said {HIDDEN}"


def test_what_one_credential_was_is_hidden_however_often_another_of_its_name_is_renewed(
    redactor: Redactor,
) -> None:
    seals = Seals(KeyRing({"k1": b"k" * 32}, "k1"), redactor)
    seals.seal("main", "mail", Material(secret="the-client-secret", refresh="the-refresh-token"))
    for number in range(20):
        seals.seal("other", "mail", Material(secret=f"client-of-another-{number}"))
        seals.seal("main", "mail", Material(access=f"access-token-{number}"))

    assert redactor.hide("the-client-secret the-refresh-token") == f"{HIDDEN} {HIDDEN}"
