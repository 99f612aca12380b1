"""The operator's words on a plugin win, and what its code decides cannot be said for it."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.document import read_overlay
from connectors.errors import ConfigurationError, ConnectorError, Uncertain
from connectors.native import NativeConnector, action
from connectors.overlay import SourceOverlay, overlaid
from connectors.registry import Registry
from connectors.spec import ActionSpec, CallContext, Effect, JsonObject, Sink
from connectors.testing import call_context


@action(effect="read", egress=False, reads_as="trusted")
async def get(key: str) -> str:
    """Read a value."""
    raise TimeoutError


@action(effect="keyed", idempotency={"in": "connector", "name": "key", "window_s": 60})
async def put(key: str, context: CallContext) -> str:
    """Write a value."""
    return key


@action()
async def drop(key: str) -> None:
    """Drop a value."""


def registry(actions: JsonObject | None = None, **more: JsonValue) -> Registry:
    overlay = SourceOverlay.model_validate({"actions": actions or {}, **more})
    return Registry(
        {"own": NativeConnector("own", "own", [get, put, drop])}, None, {"own": overlay}
    )


async def offered(actions: JsonObject | None = None, **more: JsonValue) -> dict[str, ActionSpec]:
    return {each.name: each for each in await registry(actions, **more).load()}


async def test_what_the_operator_says_holds_and_the_rest_is_as_it_was() -> None:
    plain = await offered()
    said = await offered(
        {"put": {"undo": {"action": "drop", "args": []}, "approval": None, "sinks": {"key": "url"}},
         "drop": {"effect": "idempotent", "irreversible": False}},
        limits={"rate": 5},
    )  # fmt: skip

    assert said["own.put"].undo is not None
    assert said["own.put"].undo.action == "own.drop"
    assert said["own.put"].sinks == {"key": Sink.URL}
    assert (said["own.put"].approval, said["own.put"].irreversible) == (None, False)
    assert said["own.put"].idempotency == plain["own.put"].idempotency
    assert said["own.drop"].effect is Effect.IDEMPOTENT
    assert said["own.drop"].approval == "approver"
    assert all(each.limits is not None for each in said.values())
    assert {each.digest for each in said.values()}.isdisjoint(e.digest for e in plain.values())


async def test_a_read_that_is_called_a_write_is_one_in_everything() -> None:
    loaded = registry({"get": {"effect": "blind"}})
    spec = (await loaded.load()).get("own.get")
    assert spec is not None
    end: Outcome | ConnectorError
    try:
        end = await loaded.call(spec, {"key": "a"}, call_context())
    except ConnectorError as error:
        end = error

    assert (spec.irreversible, spec.approval) == (True, "approver")
    assert isinstance(end, Uncertain)


async def test_only_what_the_operator_wants_is_offered() -> None:
    assert set(await offered(only=["get", "put"], hidden=["put"])) == {"own.get"}
    assert set(await offered(hidden=["drop"])) == {"own.get", "own.put"}
    assert isinstance(
        await registry(only=["put"]).call(
            (await offered(only=["put"]))["own.put"], {"key": "a"}, call_context()
        ),
        Applied,
    )


@pytest.mark.parametrize(
    ("actions", "more", "told"),
    [
        ({"gett": {}}, {}, r"actions\.gett: no such action; did you mean get\?"),
        ({}, {"only": ["nothing"]}, r"only\.nothing: no such action"),
        ({}, {"hidden": ["dropp"]}, r"hidden\.dropp: no such action; did you mean drop\?"),
        ({"get": {"efect": "read"}}, {}, r"actions\.get: efect: Extra inputs"),
        ({"drop": {"effect": "keyed"}}, {}, "idempotency is missing"),
        ({"put": {"undo": {"action": "gone"}}}, {}, r"undo: there is no action own\.gone"),
        *(
            ({"put": {member: {}}}, {}, rf"actions\.put\.{member}: the plugin's own code")
            for member in
            ("name", "input_schema", "output_schema", "idempotency", "lookup", "status")
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_said_is_told_with_its_place(
    actions: JsonObject, more: JsonObject, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        await offered(actions, **more)


async def test_an_empty_overlay_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("")
    actions = await NativeConnector("own", "own", [get, put, drop]).actions()

    assert overlaid("own", actions, read_overlay(tmp_path / "o.yaml", SourceOverlay)) == tuple(
        actions
    )
    (tmp_path / "o.yaml").write_text("version: 2")
    with pytest.raises(ConfigurationError, match="version"):
        read_overlay(tmp_path / "o.yaml", SourceOverlay)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_overlay(tmp_path / "none.yaml", SourceOverlay)
