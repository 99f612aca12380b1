"""Every rule of the kit can fail: for each there is a connector that breaks it and no other."""

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from notebook import Notebook, NotebookConformance, connect
from pydantic import JsonValue

from connectors.api import api_of
from connectors.connector import Applied, Connector, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings, Given
from connectors.http import HttpAnswer, HttpRequest, Transport
from connectors.native import NativeConnector, action
from connectors.plugin import Plugin
from connectors.spec import ActionSpec, CallContext, JsonObject, Sink
from connectors.testing import (
    RULES,
    ConnectorConformance,
    Example,
    Report,
    Tier,
)
from connectors.testing.promises import undo_arguments

SECRET = "canary-that-it-read-itself"


@dataclass
class Call:
    """One call, which a bad connector may make otherwise."""

    action: ActionSpec
    arguments: Mapping[str, JsonValue]
    context: CallContext
    book: Notebook
    inner: Connector
    ended_well: dict[str, bool]  # by key, as far as it was told
    settings: ConnectionSettings
    given: Given

    @property
    def operation(self) -> str:
        """The action without its connection."""
        return self.action.name.partition(".")[2]

    async def made(self, **changed: object) -> Outcome:
        """As the good connector makes it."""
        call = replace(self, **changed)  # type: ignore[arg-type]  # some of its own members
        key = self.context.idempotency_key
        self.ended_well.setdefault(key, False)
        end = await self.inner.call(self.action, call.arguments, call.context)
        self.ended_well[key] = True
        return end


async def good(call: Call) -> Outcome:
    return await call.made()


async def drops_what_it_does_not_know(call: Call) -> Outcome:
    known = call.action.input_schema["properties"]
    assert isinstance(known, dict)
    return await call.made(arguments={k: v for k, v in call.arguments.items() if k in known})


async def logs_a_secret(call: Call) -> Outcome:
    logging.getLogger("notebook").warning("signed in with %s", SECRET)
    return await call.made()


async def acts_when_it_reads(call: Call) -> Outcome:
    call.book.effects += call.arguments == {"note_id": "n0"}
    return await call.made()


async def says_something_else(call: Call) -> Outcome:
    end = await call.made()
    return Applied({"unexpected": 1}) if call.operation == "get" else end


async def makes_keys_of_its_own(call: Call) -> Outcome:
    if call.operation == "put" and call.ended_well.get(call.context.idempotency_key):
        key = f"{time.monotonic_ns()}"
        return await call.made(context=replace(call.context, idempotency_key=key))
    return await call.made()


async def finds_nothing_of_what_it_did(call: Call) -> Outcome:
    if call.operation == "find" and call.ended_well.get(str(call.arguments["reference"])):
        return Applied([])
    return await call.made()


async def finds_nothing_of_what_it_lost(call: Call) -> Outcome:
    if call.operation == "find" and not call.ended_well.get(str(call.arguments["reference"]), True):
        return Applied([])
    return await call.made()


async def forgets_the_key_of_what_it_lost(call: Call) -> Outcome:
    key = call.context.idempotency_key
    if call.operation == "put" and not call.ended_well.get(key, True):
        return await call.made(context=replace(call.context, idempotency_key=f"{key}2"))
    return await call.made()


def after_it_acted(status: str, instead: ConnectorError) -> Callable[[Call], Awaitable[Outcome]]:
    """A connector that forgets what happened where what it reads back is answered like this."""

    async def forgets(call: Call) -> Outcome:
        end = await call.made()
        if (
            isinstance(end, Unreadable)
            and f"read back: the service answered with status {status}" in end.reason
        ):
            raise instead
        return end

    return forgets


async def doubts_what_it_only_read(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        if call.operation == "pin" and error.status == 500:
            raise Uncertain("broken", kind=error.kind) from error
        raise


async def takes_nothing_back(call: Call) -> Outcome:
    return Applied(None) if call.operation == "remove" else await call.made()


async def makes_a_yes_of_a_no(call: Call) -> Outcome:
    if call.arguments.get("note_id") == "none":
        return Applied({"id": "none", "text": ""})
    return await call.made()


async def sends_late(call: Call) -> Outcome:
    late = time.monotonic() + 5
    if call.context.deadline < time.monotonic():
        return await call.made(context=replace(call.context, deadline=late, send_before=late))
    return await call.made()


async def waits_longer(call: Call) -> Outcome:
    if 0 < call.context.deadline - time.monotonic() < 1:
        longer = time.monotonic() + 2.2
        return await call.made(context=replace(call.context, deadline=longer))
    return await call.made()


async def mistakes_one_kind(call: Call) -> Outcome:
    try:
        return await call.made()
    except Refused as error:
        if error.kind is Kind.NOT_FOUND:
            error.kind = Kind.INVALID
        raise


async def forgets_how_long_to_wait(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        error.retry_after_s = None
        raise


async def takes_a_broken_service_for_a_no(call: Call) -> Outcome:
    try:
        return await call.made()
    except Uncertain as error:
        if error.status is not None:
            raise Unavailable("broken", kind=error.kind, sent=True) from error
        raise


async def takes_a_lost_answer_for_nothing_done(call: Call) -> Outcome:
    try:
        return await call.made()
    except Uncertain as error:
        if error.status is None and error.kind is not Kind.TIMEOUT:
            raise Unavailable("lost", kind=error.kind, sent=True) from error
        raise


async def doubts_what_it_never_sent(call: Call) -> Outcome:
    try:
        return await call.made()
    except Unavailable as error:
        if not error.sent and error.kind is Kind.UNAVAILABLE:
            raise Uncertain("lost", kind=error.kind) from error
        raise


async def doubts_what_it_cannot_read(call: Call) -> Outcome:
    end = await call.made()
    if isinstance(end, Unreadable) and "JSON" in end.reason:
        raise Uncertain(end.reason, kind=Kind.INTERNAL)
    return end


async def asks_again(call: Call) -> Outcome:
    try:
        return await call.made()
    except (Unavailable, Uncertain) as error:
        if error.status == 503:
            with suppress(ConnectorError):
                await call.made()
        raise


async def follows(call: Call) -> Outcome:
    try:
        return await call.made()
    except ConnectorError as error:
        if error.status in (307, 308):
            api = api_of(call.settings, call.given)
            with pytest.raises(ConnectorError):
                await api.ask(call.action, call.context, "GET", "where-a-redirect-leads")
        raise


class Wide(Transport):
    """Takes whatever comes."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def send(
        self, request: HttpRequest, *, deadline: float, send_before: float
    ) -> HttpAnswer:
        wide = replace(request, most_bytes=2**30)
        return await self.inner.send(wide, deadline=deadline, send_before=send_before)


Specs = Callable[[ActionSpec, int], ActionSpec]


def only(operation: str, **members: object) -> Specs:
    """The one action with other words."""
    return lambda spec, _: (
        spec.model_copy(update=members) if spec.name == f"own.{operation}" else spec
    )


def without_descriptions(spec: ActionSpec, _: int) -> ActionSpec:
    properties = spec.input_schema["properties"]
    assert isinstance(properties, dict)
    bare: JsonObject = {name: {"type": "string"} for name in properties}
    return spec.model_copy(update={"input_schema": {**spec.input_schema, "properties": bare}})


@dataclass(frozen=True)
class Bad:
    """How a connector breaks its word."""

    call: Callable[[Call], Awaitable[Outcome]] = good
    specs: Specs = lambda spec, _: spec
    more: Sequence[ActionSpec] = ()
    protocol: int = 1
    is_wide: bool = False


CLOSED: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
STRANGER = ActionSpec(name="other.look", description="Look.", input_schema=CLOSED, output_schema={})
OPEN: JsonObject = {
    "type": "object",
    "properties": {"note_id": {"type": "string", "description": "Its id."}},
}

BAD: dict[str, Bad] = {
    "it_speaks_this_protocol": Bad(protocol=99),
    "names_begin_with_the_connection_and_are_unique": Bad(more=[STRANGER]),
    "schemas_can_be_read_and_inputs_are_closed": Bad(specs=only("get", input_schema=OPEN)),
    "every_action_says_what_it_is_for": Bad(specs=only("find", description=" ")),
    "actions_are_the_same_each_time": Bad(
        specs=lambda spec, asked: spec.model_copy(update={"settle_s": float(asked)})
    ),
    "what_manifests_say_of_one_another_holds": Bad(
        specs=only("get", sinks={"whom": Sink.RECIPIENT})
    ),
    "an_argument_that_nobody_knows_is_refused_before_anything_is_sent": Bad(
        drops_what_it_does_not_know
    ),
    "no_secret_is_told": Bad(logs_a_secret),
    "a_read_changes_nothing": Bad(acts_when_it_reads),
    "results_are_what_their_schemas_say": Bad(says_something_else),
    "the_same_key_twice_acts_once": Bad(makes_keys_of_its_own),
    "what_was_done_is_found_by_its_key_and_nothing_else_is": Bad(finds_nothing_of_what_it_did),
    "what_is_undone_is_gone": Bad(takes_nothing_back),
    "a_no_is_refused_and_has_no_effect": Bad(makes_a_yes_of_a_no),
    "nothing_is_sent_after_its_time": Bad(sends_late),
    "silence_ends_at_the_deadline_and_is_called_what_it_is": Bad(waits_longer),
    "every_output_is_typed": Bad(specs=only("remove", output_schema=None)),
    "every_argument_says_what_it_is": Bad(specs=without_descriptions),
    "a_no_is_told_by_its_kind": Bad(mistakes_one_kind),
    "too_many_calls_wait_as_long_as_the_service_says": Bad(forgets_how_long_to_wait),
    "a_broken_service_leaves_a_write_in_doubt_and_a_read_not": Bad(takes_a_broken_service_for_a_no),
    "a_lost_answer_leaves_a_write_in_doubt_and_a_read_not": Bad(
        takes_a_lost_answer_for_nothing_done
    ),
    "what_was_lost_is_settled_by_its_key": Bad(forgets_the_key_of_what_it_lost),
    "no_connection_means_that_nothing_was_sent": Bad(doubts_what_it_never_sent),
    "an_answer_that_cannot_be_read_has_happened_all_the_same": Bad(doubts_what_it_cannot_read),
    "no_request_is_sent_again": Bad(asks_again),
    "no_redirect_is_followed": Bad(follows),
    "an_answer_without_end_is_given_up": Bad(is_wide=True),
}


AFTER_IT_ACTED = {
    "a_no_is_told_by_its_kind": Bad(after_it_acted("404", Refused("no", kind=Kind.NOT_FOUND))),
    "too_many_calls_wait_as_long_as_the_service_says": Bad(
        after_it_acted("429", Unavailable("later", kind=Kind.RATE_LIMITED, retry_after_s=7))
    ),
    "a_broken_service_leaves_a_write_in_doubt_and_a_read_not": Bad(
        after_it_acted("500", Uncertain("broken", kind=Kind.UNAVAILABLE))
    ),
}
BEFORE_IT_ACTS = {
    "a_broken_service_leaves_a_write_in_doubt_and_a_read_not": Bad(doubts_what_it_only_read),
}


IS_WHOLE = os.environ.get("LAMGATE_KIT_WHOLE") == "1"
# Every day these are asked only about connectors that are to break them.
SLOW = {"silence_ends_at_the_deadline_and_is_called_what_it_is"} | {
    each.name for each in RULES if each.tier is Tier.GOLD and each.check.__module__.endswith("wire")
}


def report_of(bad: Bad, name: str = "") -> Report:
    """What the kit says of a connector that breaks its word like this."""
    asked, ended_well = [0], dict[str, bool]()

    class Suite(NotebookConformance):
        plugin = Plugin(connect, bad.protocol)

        def example(self) -> Example:
            return replace(super().example(), secrets=(SECRET,))

        def connector(self) -> Connector:
            book, made = self.book, super().connector
            captured: list[tuple[ConnectionSettings, Given]] = []

            def kept(settings: ConnectionSettings, given: Given) -> Connector:
                if bad.is_wide:
                    given = replace(given, transport=Wide(given.transport))
                captured.append((settings, given))
                return connect(settings, given)

            self.plugin = Plugin(kept, bad.protocol)
            inner = made()

            class Bent:
                name = "notebook"

                async def actions(self) -> Sequence[ActionSpec]:
                    asked[0] += 1
                    return [*(bad.specs(s, asked[0]) for s in await inner.actions()), *bad.more]

                async def call(
                    self,
                    action: ActionSpec,
                    arguments: Mapping[str, JsonValue],
                    context: CallContext,
                ) -> Outcome:
                    call = Call(action, arguments, context, book, inner, ended_well, *captured[0])
                    return await bad.call(call)

            return Bent()

    rules = [each for each in RULES if IS_WHOLE or each.name == name or each.name not in SLOW]
    return Suite().report(rules)


def test_a_connector_that_keeps_every_rule_is_gold() -> None:
    report = report_of(Bad())

    assert [(each.rule.name, each.why) for each in report.rulings if each.standing != "kept"] == []
    assert report.tier is Tier.GOLD
    assert report.missing == ()


@pytest.mark.parametrize(
    ("name", "bad"), [*BAD.items(), *AFTER_IT_ACTED.items(), *BEFORE_IT_ACTS.items()]
)
def test_a_broken_rule_is_found_and_no_other(name: str, bad: Bad) -> None:
    report = report_of(bad, name)
    (rule,) = (each for each in RULES if each.name == name)
    below = {Tier.BRONZE: None, Tier.SILVER: Tier.BRONZE, Tier.GOLD: Tier.SILVER}

    found = {each.rule.name: each.why for each in report.rulings if each.standing == "broken"}
    assert set(found) == {name}, found
    assert found[name]
    assert all(each.is_fine for each in report.rulings if each.rule.name != name)
    assert report.tier == below[rule.tier]
    assert [each.rule for each in report.missing] == [rule]


def test_every_rule_is_broken_here_and_is_a_test_of_the_suite() -> None:
    names = [rule.name for rule in RULES]
    tests = {name for name in vars(ConnectorConformance) if name.startswith("test_")}

    assert list(BAD) == names
    assert {f"test_{name}" for name in names} == tests
    assert all(rule.sentence for rule in RULES)


class TestNotebook(NotebookConformance):
    """The suite as pytest collects it."""


def test_what_an_example_leaves_out_is_missing_and_what_is_not_on_offer_is_not() -> None:
    class Bare(NotebookConformance):
        def example(self) -> Example:
            return Example(read=("own.get", {"note_id": "n0"}))

    report = Bare().report()
    untried = {each.rule.name: each.why for each in report.rulings if each.standing == "untried"}

    assert report.tier is Tier.BRONZE
    assert untried == {
        "the_same_key_twice_acts_once": "the example does not say `keyed`",
        "what_was_done_is_found_by_its_key_and_nothing_else_is": "the example does not say `found`",
        "what_is_undone_is_gone": "the example does not say `undone`",
        "a_no_is_refused_and_has_no_effect": "the example does not say `refused`",
    }

    class ReadsAlone(ConnectorConformance):
        def connector(self) -> Connector:
            @action(effect="read")
            async def look() -> int:
                """Look."""
                return 1

            return NativeConnector("own", "own", [look])

        def example(self) -> Example:
            return Example(read=("own.look", {}))

    spared = {each.rule.name for each in ReadsAlone().report().rulings if each.standing == "spared"}

    assert spared == {
        "it_speaks_this_protocol",
        "the_same_key_twice_acts_once",
        "what_was_done_is_found_by_its_key_and_nothing_else_is",
        "what_is_undone_is_gone",
    }


async def test_an_undo_is_called_with_what_its_manifest_names() -> None:
    @action(
        undo={
            "action": "undo",
            "args": [
                {"ref": "result/lines/1/id", "to": "what/id"},
                {"ref": "input/text", "to": "what/text"},
                {"value": 3, "to": "times"},
                {"json": "[1]", "to": "list"},
            ],
        }
    )
    async def act(text: str) -> None:
        """Act."""

    (spec,) = await NativeConnector("own", "own", [act]).actions()
    assert spec.undo is not None
    output: JsonValue = {"lines": [{"id": "a"}, {"id": "b"}]}

    assert undo_arguments(spec.undo, {"text": "t"}, output) == {
        "what": {"id": "b", "text": "t"},
        "times": 3,
        "list": [1],
    }


def test_the_page_of_the_rules_names_each_with_its_tier_and_its_sentence() -> None:
    page = Path(__file__).parents[2] / "docs" / "connectors" / "conformance.md"
    _, *tiers = page.read_text(encoding="utf-8").split("\n## ")
    told = {
        (part.split(":")[0].lower(), name, why)
        for part in tiers
        for name, why in re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE)
    }

    assert told == {(str(rule.tier), rule.name, rule.sentence) for rule in RULES}
