"""For authors of connectors: a fake to test with, and the conformance suite to subclass.

class TestWeather(ConnectorConformance):
    def connector(self) -> Connector: ...
    def example(self) -> Example: ...
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.connector import Applied, Connector, Outcome
from connectors.errors import ConnectorError
from connectors.spec import ActionSpec, CallContext, Effect, JsonObject
from connectors.validate import first_flaw, validator_of


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


@dataclass(frozen=True)
class Example:
    """What the suite needs to try a connector out against its real service or a stand-in.

    `read` and `keyed` are calls that succeed; `refused` is one that the service refuses.
    `effects` counts what the service has really done. `secrets` must appear nowhere.
    """

    connection: str
    read: tuple[str, JsonObject] | None = None
    keyed: tuple[str, JsonObject] | None = None
    refused: tuple[str, JsonObject] | None = None
    effects: Callable[[], Awaitable[int]] | None = None
    secrets: tuple[str, ...] = ()


class ConnectorConformance:
    """Subclass it, say `connector` and `example`, and let pytest collect it."""

    def connector(self) -> Connector:
        """A fresh connector."""
        raise TypeError("say which connector to test: override connector()")

    def example(self) -> Example:
        """What to try it with."""
        raise TypeError("say what to try it with: override example()")

    def test_names_begin_with_the_connection_and_are_unique(self) -> None:
        """Two actions of one name, or of another connection, could not be told apart."""
        names = [action.name for action in self._actions()]

        assert names
        assert len(set(names)) == len(names)
        assert {name.partition(".")[0] for name in names} == {self.example().connection}

    def test_schemas_can_be_read_and_inputs_are_closed(self) -> None:
        """An open input would let an argument through that nobody knows."""
        for action in self._actions():
            assert validator_of(action.input_schema) is not None, action.name
            assert action.input_schema.get("additionalProperties") is False, action.name
            if action.output_schema is not None:
                assert validator_of(action.output_schema) is not None, action.name

    def test_actions_are_the_same_each_time(self) -> None:
        """Plans and approvals are bound to an action's digest."""
        connector = self.connector()

        async def twice() -> tuple[list[str], list[str]]:
            first = [action.digest for action in await connector.actions()]
            return first, [action.digest for action in await connector.actions()]

        first, second = asyncio.run(twice())

        assert first == second

    def test_undo_and_lookup_name_actions_that_exist(self) -> None:
        """What cannot be called can neither take back nor find out."""
        actions = {action.name: action for action in self._actions()}
        for action in actions.values():
            if action.undo is not None:
                assert action.undo.action in actions
            if action.lookup is not None:
                assert actions[action.lookup.action].effect is Effect.READ

    def test_a_read_changes_nothing_and_keeps_its_promise(self) -> None:
        """Reads are repeated at will."""
        example = self.example()
        if example.read is None:
            return
        name, arguments = example.read

        async def read() -> tuple[ActionSpec, Outcome, int, int]:
            connector, action = await self._found(name)
            before = await _count(example)
            outcome = await connector.call(action, arguments, call_context())
            return action, outcome, before, await _count(example)

        action, outcome, before, after = asyncio.run(read())

        assert action.effect is Effect.READ
        assert before == after
        assert isinstance(outcome, Applied)
        assert first_flaw(action.output_schema or {}, outcome.output) is None

    def test_the_same_key_twice_acts_once(self) -> None:
        """That is what `keyed` promises."""
        example = self.example()
        if example.keyed is None:
            return
        name, arguments = example.keyed

        async def twice() -> tuple[Outcome, Outcome, int]:
            connector, action = await self._found(name)
            before = await _count(example)
            first = await connector.call(action, arguments, call_context())
            second = await connector.call(action, arguments, call_context(attempt=2))
            return first, second, await _count(example) - before

        first, second, effects = asyncio.run(twice())

        assert isinstance(first, Applied)
        assert isinstance(second, Applied)
        assert first.output == second.output
        if example.effects is not None:
            assert effects == 1

    def test_a_failure_is_one_of_the_three_and_tells_no_secret(self) -> None:
        """The executor asks one thing of an error: what may be done next."""
        example = self.example()
        if example.refused is None:
            return
        name, arguments = example.refused

        async def fail() -> ConnectorError | None:
            connector, action = await self._found(name)
            try:
                await connector.call(action, arguments, call_context())
            except ConnectorError as error:
                return error
            return None

        error = asyncio.run(fail())

        assert error is not None, "the service was expected to refuse"
        for secret in example.secrets:
            assert secret not in f"{error.message} {error.vendor_code} {error.request_id}"

    def test_nothing_is_sent_after_its_time(self) -> None:
        """A drive that lost its claim may not act any more."""
        example = self.example()
        chosen = example.keyed or example.read
        if chosen is None or example.effects is None:
            return
        name, arguments = chosen

        async def late() -> int:
            connector, action = await self._found(name)
            before = await _count(example)
            try:
                await connector.call(action, arguments, call_context(key="L" * 32, seconds=-1.0))
            except ConnectorError:
                return await _count(example) - before
            return -1

        assert asyncio.run(late()) == 0

    def _actions(self) -> Sequence[ActionSpec]:
        connector = self.connector()

        async def load() -> Sequence[ActionSpec]:
            return await connector.actions()

        return asyncio.run(load())

    async def _found(self, name: str) -> tuple[Connector, ActionSpec]:
        connector = self.connector()
        actions = {action.name: action for action in await connector.actions()}
        return connector, actions[name]


async def _count(example: Example) -> int:
    return await example.effects() if example.effects is not None else 0
