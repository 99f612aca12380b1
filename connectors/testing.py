"""For authors of connectors: a fake to test with, and the conformance suite to subclass.

class TestWeather(ConnectorConformance):
    def connector(self) -> Connector: ...
    def example(self) -> Example: ...
"""

import asyncio
import base64
import logging
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.connector import Applied, Connector, Outcome
from connectors.errors import ConnectorError, Refused, Unavailable, Uncertain
from connectors.manifest import check_manifests
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


NamedCall = tuple[str, JsonObject]
"""An action's name and its arguments."""


@dataclass(frozen=True)
class Example:
    """What the suite needs to try a connector out against its real service or a stand-in.

    Every call is one that succeeds, but `refused`, to which the service says no, and `silent`,
    to which no answer comes while `silence` is entered. What is left out is not tried.
    `effects` counts what the service has really done; `secrets` must appear nowhere.
    """

    connection: str
    read: NamedCall | None = None
    keyed: NamedCall | None = None
    found: NamedCall | None = None  # a write whose look-up finds it
    refused: NamedCall | None = None
    silent: NamedCall | None = None
    silence: Callable[[], AbstractAsyncContextManager[object]] = nullcontext
    effects: Callable[[], Awaitable[int]] | None = None
    secrets: tuple[str, ...] = ()


class ConnectorConformance:
    """Subclass it, say `connector` and `example`, and let pytest collect it.

    Each test has a loop of its own, so `connector` has to give a fresh one each time; `close`
    is called in the loop that used it.
    """

    def connector(self) -> Connector:
        """A fresh connector."""
        raise TypeError("say which connector to test: override connector()")

    async def close(self) -> None:
        """Close what `connector` opened, if anything."""

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

    def test_every_action_says_what_it_is_for(self) -> None:
        """A planner and an approver choose by the description."""
        for action in self._actions():
            assert action.description.strip(), action.name

    def test_actions_are_the_same_each_time(self) -> None:
        """Plans and approvals are bound to an action's digest."""
        connector = self.connector()

        async def twice() -> tuple[list[str], list[str]]:
            try:
                first = [action.digest for action in await connector.actions()]
                return first, [action.digest for action in await connector.actions()]
            finally:
                await self.close()

        first, second = asyncio.run(twice())

        assert first == second
        assert first == [action.digest for action in self._actions()]

    def test_what_manifests_say_of_one_another_holds(self) -> None:
        """What cannot be called can neither take back nor find out; a sink names an argument."""
        check_manifests(Catalog(self._actions()))

    def test_a_read_changes_nothing_and_keeps_its_promise(self) -> None:
        """Reads are repeated at will."""
        example = self.example()
        if example.read is None:
            return

        tried = self._try(example, example.read)

        assert tried.action.effect is Effect.READ
        assert tried.effects == 0
        assert isinstance(tried.ended, Applied)
        assert first_flaw(tried.action.output_schema or {}, tried.ended.output) is None

    def test_the_same_key_twice_acts_once(self) -> None:
        """That is what `keyed` promises."""
        example = self.example()
        if example.keyed is None:
            return

        key = _new_key()
        first = self._try(example, example.keyed, key=key)
        second = self._try(example, example.keyed, key=key, attempt=2)

        assert first.action.effect in (Effect.KEYED, Effect.IDEMPOTENT)
        assert isinstance(first.ended, Applied)
        assert isinstance(second.ended, Applied)
        assert first.ended.output == second.ended.output
        assert first_flaw(first.action.output_schema or {}, first.ended.output) is None
        if example.effects is not None:
            assert (first.effects, second.effects) == (1, 0)

    def test_what_was_done_is_found_by_its_key_and_nothing_else_is(self) -> None:
        """That is what `lookup` promises: present and absent are told apart."""
        example = self.example()
        if example.found is None:
            return
        key = _new_key()

        done = self._try(example, example.found, key=key)
        lookup = done.action.lookup
        assert lookup is not None
        present = self._try(example, (lookup.action, {lookup.by: key}))
        absent = self._try(example, (lookup.action, {lookup.by: _new_key()}))

        assert isinstance(done.ended, Applied)
        assert isinstance(present.ended, Applied)
        assert _first_at(present.ended.output, lookup.found_at) == done.ended.output
        assert isinstance(absent.ended, Applied | Refused)
        if isinstance(absent.ended, Applied):
            assert _first_at(absent.ended.output, lookup.found_at) is None

    def test_a_no_is_refused_and_has_no_effect(self) -> None:
        """The executor asks one thing of an error: what may be done next."""
        example = self.example()
        if example.refused is None:
            return

        tried = self._try(example, example.refused)

        assert isinstance(tried.ended, Refused)
        assert tried.effects == 0

    def test_an_argument_that_nobody_knows_is_refused_before_anything_is_sent(self) -> None:
        """It may be a name that a model made up."""
        example = self.example()
        chosen = example.keyed or example.read
        if chosen is None:
            return
        name, arguments = chosen

        tried = self._try(example, (name, {**arguments, "nobody_knows": 1}))

        assert isinstance(tried.ended, Refused)
        assert tried.effects == 0

    def test_nothing_is_sent_after_its_time(self) -> None:
        """A drive that lost its claim may not act any more."""
        example = self.example()
        chosen = example.keyed or example.found or example.read
        if chosen is None:
            return

        tried = self._try(example, chosen, seconds=-1.0)

        assert isinstance(tried.ended, Unavailable)
        assert not tried.ended.sent
        assert tried.effects == 0

    def test_silence_ends_at_the_deadline_and_is_called_what_it_is(self) -> None:
        """A write may have happened, a read has no effect to be in doubt."""
        example = self.example()
        if example.silent is None:
            return

        tried = self._try(example, example.silent, seconds=0.4, is_silent=True)

        assert isinstance(tried.ended, Uncertain if tried.action.is_write else Unavailable)
        assert tried.seconds < 2.0

    def test_no_secret_is_told(self) -> None:
        """Results, errors, logs and specs are read by people and by models."""
        example = self.example()
        words = _Words()
        logging.getLogger().addHandler(words)
        try:
            told = [action.model_dump_json() for action in self._actions()]
            for chosen in (example.read, example.keyed, example.found, example.refused):
                if chosen is not None:
                    told.append(self._try(example, chosen).words())
        finally:
            logging.getLogger().removeHandler(words)

        for secret in example.secrets:
            assert secret not in "\n".join([*told, *words.said])

    def _actions(self) -> Sequence[ActionSpec]:
        connector = self.connector()

        async def load() -> Sequence[ActionSpec]:
            try:
                return await connector.actions()
            finally:
                await self.close()

        return asyncio.run(load())

    def _try(
        self,
        example: Example,
        call: NamedCall,
        *,
        key: str = "",
        attempt: int = 1,
        seconds: float = 10.0,
        is_silent: bool = False,
    ) -> "_Tried":
        """Make one call, and count what it did."""
        connector = self.connector()
        name, arguments = call

        async def attempted() -> _Tried:
            actions = {action.name: action for action in await connector.actions()}
            before = await _count(example)
            async with example.silence() if is_silent else nullcontext():
                context = call_context(key=key or _new_key(), attempt=attempt, seconds=seconds)
                began = time.monotonic()
                ended: Outcome | ConnectorError
                try:
                    ended = await connector.call(actions[name], arguments, context)
                except ConnectorError as error:
                    ended = error
                took = time.monotonic() - began
            return _Tried(actions[name], ended, await _count(example) - before, took)

        async def closed() -> _Tried:
            try:
                return await attempted()
            finally:
                await self.close()

        return asyncio.run(closed())


@dataclass(frozen=True)
class _Tried:
    """How one call ended, what it did to the service, and how long it took."""

    action: ActionSpec
    ended: Outcome | ConnectorError
    effects: int
    seconds: float

    def words(self) -> str:
        """Everything that it tells."""
        if isinstance(self.ended, ConnectorError):
            said = "".join(traceback.format_exception(self.ended))
            return f"{said} {self.ended.vendor_code} {self.ended.request_id}"
        return repr(self.ended)


class _Words(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


def _new_key() -> str:
    """A key as the executor makes them, that no service has seen."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def _first_at(output: JsonValue, at: str) -> JsonValue:
    """What a look-up found, as the executor reads it."""
    here = output
    for token in at.split("/") if at else ():
        here = here.get(token) if isinstance(here, dict) else None
    if isinstance(here, list):
        return here[0] if here else None
    return here


async def _count(example: Example) -> int:
    return await example.effects() if example.effects is not None else 0
