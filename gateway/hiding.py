"""The last net before anything is said or kept: logs, HTTP answers, prompts, and the database.

What services say is hidden where it comes in (`connectors.http`, `connectors.calling`). Here it
is looked for once more, because people paste keys into requests, models repeat them, and
libraries log what they were given.
"""

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.redact import Redactor
from connectors.spec import JsonObject
from planner.models.base import Completion, Model
from planner.models.base import Message as ModelMessage

_LENGTH = b"content-length"


@contextmanager
def hidden_in_logs(redactor: Redactor) -> Iterator[None]:
    """Meanwhile no log record of this process, whoever writes it, has a secret in it."""
    before = logging.getLogRecordFactory()

    def made(*args: object, **more: object) -> logging.LogRecord:
        record: logging.LogRecord = before(*args, **more)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            text = str(record.msg)  # its arguments do not fit: that is for people to see
        record.msg, record.args = redactor.told(text), None
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_text, record.exc_info = redactor.told(told), None
        if record.stack_info:
            record.stack_info = redactor.told(record.stack_info)
        return record

    logging.setLogRecordFactory(made)
    try:
        yield
    finally:
        if logging.getLogRecordFactory() is made:
            logging.setLogRecordFactory(before)


class HiddenInAnswers:
    """Sends no answer with a secret in it: a whole one is mended, a stream piece by piece."""

    def __init__(self, app: ASGIApp, redactor: Redactor) -> None:
        self._app = app
        self._redactor = redactor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass answers on, without secrets."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def hidden(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                if _LENGTH in dict(message["headers"]):
                    return  # it may have another one, once the body is mended
                message, start = self._begun(message, None), None
            if message["type"] == "http.response.body":
                given = message.get("body", b"")
                body = self._redactor.hide_bytes(given)
                if start is not None:
                    declared = dict(start["headers"])[_LENGTH]
                    is_whole = not message.get("more_body", False) or int(declared) == len(given)
                    await send(self._begun(start, len(body) if is_whole else None))
                    start = None
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, hidden)

    def _begun(self, start: Message, length: int | None) -> Message:
        """The head of an answer, with the length that it has now, where that is known yet."""
        given = [
            (name.lower(), self._redactor.hide_bytes(value)) for name, value in start["headers"]
        ]
        told = [pair for pair in given if pair[0] != _LENGTH]
        if length is not None and len(told) < len(given):
            told.append((_LENGTH, str(length).encode()))
        return {**start, "headers": told}


@dataclass(frozen=True)
class HiddenFromModel:
    """A model that is told no secret, and whose answer holds none."""

    model: Model
    redactor: Redactor

    @property
    def name(self) -> str:
        """The model's own."""
        return self.model.name

    async def complete(
        self, messages: Sequence[ModelMessage], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Ask it without them."""
        asked = [
            ModelMessage(role=each.role, content=self.redactor.told(each.content))
            for each in messages
        ]
        answer = await self.model.complete(asked, schema=schema, deadline_s=deadline_s)
        return replace(answer, text=self.redactor.hide(answer.text))
