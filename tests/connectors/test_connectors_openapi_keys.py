"""Our key and the credential travel where the overlay says, and no plan can give either."""

from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    Raw,
    action_of,
    described,
    document,
    end_of,
    operation,
)
from openapi_wire import TEXT, TEXTS, Sent, at, node, parameter

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("header", "\r\nx-our-key: " + "K" * 32),
        ("query", "/it?X-Our-Key=" + "K" * 32 + " "),
    ],
)
async def test_our_key_travels_where_the_overlay_says_and_no_plan_can_give_it(
    place: str, line: str, sent: Sent, raw: Raw
) -> None:
    said: JsonObject = {
        "effect": "keyed",
        "idempotency": {"in": place, "name": "X-Our-Key", "window_s": 60},
    }
    found = node(parameter(place, "X-Our-Key", required=True))
    end = await sent(at(found), {}, overlay={"actions": {"do_it": said}})
    own = await sent(at(found), {"x_our_key": "mine"}, overlay={"actions": {"do_it": said}})

    assert end == Applied({})
    assert line in raw.head()
    assert isinstance(own, Refused)


async def test_our_key_travels_in_a_body_of_members_and_in_a_whole_one(
    sent: Sent, raw: Raw
) -> None:
    said: JsonObject = {
        "effect": "keyed",
        "idempotency": {"in": "body", "name": "key", "window_s": 60},
    }
    members: JsonObject = {"type": "object", "properties": {"a": TEXT, "key": TEXT}}
    overlay: JsonObject = {"actions": {"do_it": said}}

    await sent(at(node(body=members)), {"a": "b"}, overlay=overlay)
    await sent(at(node(body={"type": "object"})), {"body": {"a": "b"}}, overlay=overlay)
    end = await sent(at(node(body=TEXTS)), {"body": ["a"]}, overlay=overlay)

    assert raw.body(0) == raw.body(1) == {"a": "b", "key": "K" * 32}
    assert isinstance(end, Refused)


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ({}, "authorization: Bearer s3cret-value"),
        ({"credential": {"header": "X-Api-Key", "form": "{secret}"}}, "x-api-key: s3cret-value"),
    ],
)
async def test_the_credential_travels_in_its_header_and_no_plan_can_give_it(
    overlay: JsonObject, line: str, sent: Sent, raw: Raw
) -> None:
    found = node(parameter("header", "X-Api-Key"), parameter("header", "Authorization"))
    end = await sent(at(found), {}, overlay=overlay, secret="s3cret-value")

    assert end == Applied({})
    assert line in raw.head()
    if overlay:
        mine = await sent(at(found), {"x_api_key": "mine"}, overlay=overlay, secret="s3cret-value")
        assert isinstance(mine, Refused)


async def test_an_action_that_is_not_there_any_more_is_refused(
    raw: Raw, tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document({"/it": {"post": operation()}}), outside.to(), raw.url)
    gone = (await action_of(api, "api.do_it")).model_copy(update={"name": "api.gone"})

    end = await end_of(api, gone, {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.NOT_FOUND
