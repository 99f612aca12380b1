"""Plugins that end as they are told to, also as they should not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import (
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.testing import FakeConnector

CLOSED: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
SECRET = 'k/3+"ä secret-of-the-canary'


def spec(name: str = "own.do_it", effect: str = "blind", **more: JsonValue) -> ActionSpec:
    return ActionSpec.model_validate(
        {"name": name, "input_schema": CLOSED, "effect": effect, **more}
    )


WRITE, READ = spec(), spec("own.read_it", "read")


@dataclass
class Strange:
    """A plugin that does what it was not asked to."""

    raises: BaseException | None = None
    sleeps: bool = False
    specs: Sequence[ActionSpec] = (WRITE, READ)
    name: str = "strange"
    calls: list[str] = field(default_factory=list)

    async def actions(self) -> Sequence[ActionSpec]:
        return self.specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        self.calls.append(action.name)
        if self.sleeps:
            await asyncio.Event().wait()
        if self.raises is not None:
            raise self.raises
        return Applied(None)


def fake(ends: Sequence[Outcome | ConnectorError]) -> FakeConnector:
    return FakeConnector([WRITE, READ], {WRITE.name: ends, READ.name: ends})


def everywhere(text: str) -> list[Outcome | ConnectorError]:
    """Every end of a call that can carry a stranger's words."""
    told = {"vendor_code": text, "request_id": text}
    return [
        Applied({"a": [text], text: 1}, text),
        Unreadable(text, text),
        Pending(text, text),
        Refused(text, kind=Kind.AUTH, **told),
        Unavailable(text, kind=Kind.QUOTA, retry_after_s=5, sent=True, status=429, **told),
        Uncertain(text, kind=Kind.TIMEOUT, retry_after_s=5, status=503, **told),
    ]
