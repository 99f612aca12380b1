"""A connector for each rule of the kit that breaks it and no other, and what the kit says of it."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bad_calls import (
    SECRET,
    Call,
    acts_when_it_reads,
    after_it_acted,
    asks_again,
    doubts_what_it_cannot_read,
    doubts_what_it_never_sent,
    doubts_what_it_only_read,
    drops_what_it_does_not_know,
    finds_nothing_of_what_it_did,
    follows,
    forgets_how_long_to_wait,
    forgets_the_key_of_what_it_lost,
    good,
    logs_a_secret,
    makes_a_yes_of_a_no,
    makes_keys_of_its_own,
    mistakes_one_kind,
    says_something_else,
    sends_late,
    takes_a_broken_service_for_a_no,
    takes_a_lost_answer_for_nothing_done,
    takes_nothing_back,
    waits_longer,
)
from notebook import NotebookConformance, connect
from pydantic import JsonValue

from connectors.connector import Connector, Outcome
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings, Given
from connectors.http import HttpAnswer, HttpRequest, Transport
from connectors.plugin import Plugin
from connectors.spec import ActionSpec, CallContext, JsonObject, Sink
from connectors.testing import (
    RULES,
    Example,
    Report,
    Tier,
)


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
