"""3.0 is an integer (JSON Schema 2020-12, 4.2.3): it is taken as one, and called with as one."""

import json
from typing import Annotated

import pytest
from connector_cases import Outside, end_of
from desk import Desk, output
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, Strict
from test_unified_pages import Channels, Users, ids, served

from connectors.body import read_json
from connectors.canonical import canonical
from connectors.connector import Applied
from connectors.errors import Refused
from connectors.native import NativeConnector, action
from connectors.registry import Registry
from connectors.testing import Asked, Said, Service


async def test_a_number_of_records_may_be_written_with_a_point(outside: Outside) -> None:
    with served(Service(Channels())) as url:
        end = await Desk(outside, "slack", url, "secret")("channel_list", {"limit": 2.0})

    assert ids(end, "channels") == ["C1", "C2"]


async def test_a_service_may_write_its_integers_with_a_point(outside: Outside) -> None:
    users = Users()

    def said(asked: Asked) -> Said:
        answer = users(asked)
        body = json.loads(answer.body) if isinstance(answer.body, bytes | str) else answer.body
        body["totalResults"] = 5.0
        return Said(200, body)

    with served(Service(said)) as url:
        end = await Desk(outside, "scim", url, "secret")("user_list", {"limit": 5})

    assert len(output(end)["users"]) == 5  # type: ignore[arg-type]  # a list


@action(effect="read")
async def count(n: Annotated[int, Strict()], of: list[JsonValue]) -> list[JsonValue]:
    """Say what came, and of which type."""
    return [n, *(type(each).__name__ for each in of)]


@pytest.mark.parametrize(
    ("n", "of", "found"),
    [
        (3.0, [1.0, -0.0, 1.5, 1e300, 2.0**53], [3, "int", "int", "float", "float", "float"]),
        (3, [], [3]),
    ],
)
async def test_a_plugin_gets_the_integer_that_it_is(
    n: float, of: list[JsonValue], found: list[JsonValue]
) -> None:
    registry = Registry({"own": NativeConnector("own", "own", [count])})
    (spec,) = await registry.load()

    assert await end_of(registry, spec, {"n": n, "of": of}) == Applied(found)


@pytest.mark.parametrize("n", [3.5, "3", True, 1e300])
async def test_nothing_else_passes_for_an_integer(n: JsonValue) -> None:
    registry = Registry({"own": NativeConnector("own", "own", [count])})
    (spec,) = await registry.load()

    assert isinstance(await end_of(registry, spec, {"n": n, "of": []}), Refused)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_is_read_is_the_same_number(number: float) -> None:
    read = read_json(repr(number).encode())

    assert read == number
    assert canonical(read) == canonical(number)
