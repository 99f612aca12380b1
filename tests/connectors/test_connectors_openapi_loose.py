"""Services don't keep to the word of their documents: what does no harm is let through."""

from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    action_of,
    answer,
    call_context,
    described,
    document,
    operation,
    raw_server,
)
from pydantic import JsonValue

from connectors.calling import Calling
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject

PERSON: JsonObject = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "since": {"type": "string", "format": "date-time"},
        "page": {"type": "string", "format": "uri"},
        "level": {"type": "string", "enum": ["new", "old"]},
        "boss": {"$ref": "#/components/schemas/Person"},
        "reports": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}},
        "kind": {"const": "person"},
    },
}


async def answered(said: JsonValue, folder: Path, outside: Outside) -> Outcome:
    """What a read of a person gives where the service says this."""
    pointing: JsonObject = {"schema": {"$ref": "#/components/schemas/Person"}}
    content: JsonObject = {"application/json": pointing}
    responses: JsonObject = {"200": {"description": "ok", "content": content}}
    found = document(
        {"/it": {"get": operation(responses=responses)}},
        components={"schemas": {"Person": PERSON}},
    )
    async with raw_server(answer(200, said)) as raw:
        api = described(folder, found, outside.to(raw.host), raw.url)
        action = await action_of(api, "api.do_it")
        return await Calling(None).call(api, action, {}, call_context())


@pytest.mark.parametrize(
    "more",
    [
        {"since": "2026-03-01 10:00:00", "page": "/people/1"},
        dict.fromkeys(("since", "page", "level", "boss", "reports", "kind")),
        {"boss": {"id": "2", "boss": None}, "reports": [{"id": "3", "page": ""}]},
        {"unheard": "of"},
    ],
)
async def test_formats_are_what_a_service_calls_them_and_what_may_be_left_out_may_be_null(
    more: JsonObject, tmp_path: Path, outside: Outside
) -> None:
    said: JsonObject = {"id": "1", **more}

    assert await answered(said, tmp_path, outside) == Applied(said)


@pytest.mark.parametrize(
    "said",
    [
        {"since": "2026-03-01T10:00:00Z"},
        {"id": None},
        {"id": 1},
        {"id": "1", "level": "other"},
        {"id": "1", "reports": [None]},
        {"id": "1", "boss": {"id": None}},
        None,
    ],
)
async def test_what_must_be_there_must_be_of_its_type(
    said: JsonValue, tmp_path: Path, outside: Outside
) -> None:
    with pytest.raises(Refused, match="not what the action promises") as told:
        await answered(said, tmp_path, outside)

    assert told.value.kind is Kind.INTERNAL
