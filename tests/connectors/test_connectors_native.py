"""Functions as actions: what their annotations promise holds, whatever they do."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue

from connectors.catalog import Catalog
from connectors.connector import Applied, Connector, Outcome, Pending, Unreadable
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.manifest import check_manifests
from connectors.native import NativeAction, NativeConnector, action
from connectors.spec import ActionSpec, CallContext, Effect, JsonObject, Sink
from connectors.testing import call_context


class Thing(BaseModel):
    """What comes back."""

    name: str
    size: int = 1


@action(effect="read")
async def get_thing(name: Annotated[str, Field(max_length=5)], size: int = 3) -> Thing:
    """Read a thing."""
    return Thing(name=name, size=size)


@action()
async def do_anything(text: str) -> None:
    """Do anything."""


@action(effect="read")
async def told(context: CallContext, json: str, copy: bool = False) -> list[JsonValue]:
    """Tell what it was told."""
    return [context.idempotency_key, json, copy]


@action(effect="read")
async def untyped():  # type: ignore[no-untyped-def]  # what a plugin may do
    """Return something."""
    return {"a": [1]}


@action()
async def write_badly() -> Thing:
    """Act, and return what was not promised."""
    return {"name": 1}  # type: ignore[return-value]  # what a plugin may do


@action(effect="read")
async def read_badly() -> Thing:
    """Return what was not promised."""
    return object()  # type: ignore[return-value]  # what a plugin may do


@action(effect="read")
async def sleep() -> None:
    """Never end."""
    await asyncio.Event().wait()


@action()
async def write_slowly() -> None:
    """Never end either."""
    await asyncio.Event().wait()


@action()
async def later() -> Outcome:
    """Say that it is still at it."""
    return Pending("job-7")


FUNCTIONS = (
    get_thing,
    do_anything,
    told,
    untyped,
    write_badly,
    read_badly,
    sleep,
    write_slowly,
    later,
)


def native(*functions: NativeAction) -> NativeConnector:
    return NativeConnector("mine", "own", functions or FUNCTIONS)


async def spec_of(connector: Connector, name: str) -> ActionSpec:
    return {each.name: each for each in await connector.actions()}[f"own.{name}"]


async def ended(
    name: str, arguments: JsonObject, *, seconds: float = 10.0
) -> Outcome | ConnectorError:
    connector = native()
    try:
        spec = await spec_of(connector, name)
        return await connector.call(spec, arguments, call_context(seconds=seconds))
    except ConnectorError as error:
        return error


async def test_a_functions_name_words_and_annotations_become_the_action() -> None:
    spec = await spec_of(native(), "get_thing")

    assert spec.description == "Read a thing."
    assert spec.effect is Effect.READ
    assert spec.input_schema["required"] == ["name"]
    assert spec.input_schema["additionalProperties"] is False
    assert spec.output_schema is not None
    assert await ended("get_thing", {"name": "a"}) == Applied({"name": "a", "size": 3})


async def test_the_decorator_says_which_fields_are_trusted() -> None:
    @action(effect="read", egress=False, fields_read_as={"*/id": "trusted"})
    async def list_mails() -> list[dict[str, str]]:
        return [{"id": "1", "subject": "Hello"}]

    spec = await spec_of(NativeConnector("own", "own", [list_mails]), "list_mails")

    assert (spec.reads_as, spec.fields_read_as) == ("untrusted", {"*/id": "trusted"})
    check_manifests(Catalog([spec]))


async def test_what_the_decorator_leaves_out_is_cautious() -> None:
    spec = await spec_of(native(), "do_anything")

    assert spec.effect is Effect.BLIND
    assert (spec.irreversible, spec.egress, spec.approval) == (True, True, "approver")
    assert spec.reads_as == "untrusted"


async def test_a_function_gets_the_context_and_parameters_of_any_name() -> None:
    assert await ended("told", {"json": "a", "copy": True}) == Applied(["K" * 32, "a", True])
    assert "context" not in (await spec_of(native(), "told")).input_schema["properties"]  # type: ignore[operator]  # an object


@pytest.mark.parametrize(
    "arguments",
    [{}, {"name": "toolong"}, {"name": 1}, {"name": "a", "size": "x"}, {"name": "a", "more": 1}],
)
async def test_arguments_that_do_not_fit_are_refused_without_being_repeated(
    arguments: JsonObject,
) -> None:
    end = await ended("get_thing", arguments)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert "toolong" not in end.message


async def test_what_was_not_promised_is_never_passed_on() -> None:
    assert isinstance(await ended("write_badly", {}), Unreadable)
    assert isinstance(await ended("read_badly", {}), Refused)
    assert await ended("untyped", {}) == Applied({"a": [1]})
    assert await ended("later", {}) == Pending("job-7")
    assert await ended("do_anything", {"text": "x"}) == Applied(None)


async def test_a_function_ends_by_its_deadline_or_is_not_begun() -> None:
    began = time.monotonic()
    read, write = (
        await ended("sleep", {}, seconds=0.2),
        await ended("write_slowly", {}, seconds=0.2),
    )
    late = await ended("write_slowly", {}, seconds=-1)

    assert isinstance(read, Unavailable)
    assert isinstance(write, Uncertain)
    assert isinstance(late, Unavailable)
    assert (read.sent, late.sent) == (True, False)
    assert late.kind is Kind.CANCELLED  # which says nothing of the service
    assert time.monotonic() - began < 2.0


async def test_an_action_that_is_not_there_is_refused() -> None:
    gone = (await spec_of(native(), "later")).model_copy(update={"name": "own.gone"})

    with pytest.raises(Refused):
        await native().call(gone, {}, call_context())


async def test_the_function_is_still_a_function() -> None:
    assert await get_thing("a", size=2) == Thing(name="a", size=2)


async def _plain(*names: str) -> None: ...


async def _bare(name) -> None: ...  # type: ignore[no-untyped-def]  # what a plugin may do


async def _fine() -> None: ...


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (action()(_plain), "no fixed name"),
        (action()(_bare), "no annotation"),
        (action(efect="read")(_fine), "efect"),
        (action(effect="keyed")(_fine), "idempotency is missing"),
        (action(name="Own")(_fine), "name"),
    ],
)
def test_a_function_that_cannot_be_an_action_says_why(wrong: NativeAction, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        native(wrong)


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two functions"):
        native(get_thing, get_thing)


def test_a_function_that_blocks_is_no_action() -> None:
    with pytest.raises(TypeError, match="write @action"):
        action(lambda: None)
    with pytest.raises(TypeError, match="to_thread"):
        action()(time.sleep)  # type: ignore[arg-type]  # what an author may try


class Line(BaseModel):
    """One line of an order."""

    sku: Annotated[str, Sink.RESOURCE_ID]
    note: Annotated[str | None, Sink.CONTENT] = None


@dataclass
class Person:
    """Whom to write to."""

    mail: Annotated[str, Sink.RECIPIENT]


async def test_annotations_say_sinks_choices_and_what_an_outcome_holds() -> None:
    @action(effect="lookup", lookup={"action": "find", "by": "key", "reference": "kind"})
    async def order(
        kind: Annotated[Literal["new", "again"], Field(description="Which one.")],
        to: Person,
        lines: list[Line],
        spec: ActionSpec,
        extra: Annotated[str, Sink.URL] | None = None,
    ) -> Annotated[Outcome, Thing]:
        """Order things."""
        return Applied({"name": f"{spec.name} {kind} {to.mail} {lines[0].sku}"}, "rq-1", True)

    @action(effect="read")
    async def find(key: str) -> list[Thing]:
        """Find an order."""
        return []

    connector = NativeConnector("own", "own", [order, find])
    spec = await spec_of(connector, "order")
    given: JsonObject = {"kind": "new", "to": {"mail": "a@b"}, "lines": [{"sku": "S"}]}
    properties = spec.input_schema["properties"]

    assert spec.sinks == {
        "to/mail": Sink.RECIPIENT,
        "lines/*/sku": Sink.RESOURCE_ID,
        "lines/*/note": Sink.CONTENT,
        "extra": Sink.URL,
    }
    assert isinstance(properties, dict)
    assert properties["kind"] == {
        "description": "Which one.",
        "enum": ["new", "again"],
        "title": "kind",
        "type": "string",
    }
    assert set(properties) == {"kind", "to", "lines", "extra"}
    assert spec.output_schema == (await spec_of(native(), "get_thing")).output_schema
    check_manifests(Catalog(await connector.actions()))
    assert await connector.call(spec, given, call_context()) == Applied(
        {"name": "own.order new a@b S", "size": 1}, "rq-1", True
    )


async def test_an_outcome_whose_output_is_not_what_its_annotation_says_is_unreadable() -> None:
    @action()
    async def act() -> Annotated[Outcome, Thing]:
        """Act."""
        return Applied({"size": 1}, "rq-1")

    connector = NativeConnector("own", "own", [act])
    (spec,) = await connector.actions()
    end = await connector.call(spec, {}, call_context())

    assert isinstance(end, Unreadable)
    assert end.request_id == "rq-1"
