"""Stands in for a connector in tests of what uses one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.errors import ConnectorError
from connectors.spec import ActionSpec, CallContext, JsonObject


def call_context(
    *, key: str = "K" * 32, seconds: float = 10.0, attempt: int = 1, step: str = "step"
) -> CallContext:
    """What a call would be told, for tests."""
    now = time.monotonic()
    return CallContext("tenant", "run_test", step, "", attempt, key, now + seconds, now + seconds)


@dataclass
class FakeConnector:
    """Answers as it is told: outcomes or errors by action name, the last one again and again."""

    specs: Sequence[ActionSpec]
    answers: Mapping[str, Sequence[Outcome | ConnectorError]]
    name: str = "fake"
    calls: list[tuple[str, JsonObject, CallContext]] = field(default_factory=list)

    async def actions(self) -> Sequence[ActionSpec]:
        """The actions that it was given."""
        return self.specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Note the call and give the next answer."""
        self.calls.append((action.name, dict(arguments), context))
        given = self.answers[action.name]
        made = sum(1 for name, _, _ in self.calls if name == action.name)
        answer = given[min(made, len(given)) - 1]
        if isinstance(answer, ConnectorError):
            raise answer
        return answer
